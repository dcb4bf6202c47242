//! The start of an ONNX graph for a table: from the cells of columns to the inputs of the network.
//!
//! `numbers [batch, columns]` are the cells of numbers and dates in `f64`, NaN for missing ones, and `texts [batch,
//! columns]` those of flags and categories. The names of their columns, in order, are in the documentation of the graph's
//! inputs, and as JSON arrays in its properties. Numbers are filled, centred and scaled in `f64`, as a table is read. Texts
//! become codes by a `LabelEncoder` of `ai.onnx.ml`, and codes inputs by `OneHot`.

use super::columns::{TableColumns, code_of, names};
use super::onnx_inputs::{INPUTS, Start};
use super::onnx_messages::{
    AttributeProto, DataType, NodeProto, StringStringEntryProto, TensorProto, ValueInfoProto,
};
use crate::table::cell::missing_words;
use crate::table::schema::{Column, Encoding, NumberScaling, Schema};

/// The domain of the operators for texts.
pub(super) const TEXT_DOMAIN: &str = "ai.onnx.ml";
/// The set of these operators. Runtimes from 2019 on support it.
pub(super) const TEXT_OPERATOR_SET: i64 = 2;

/// The parts of the graph, and the inputs of the network that they compute.
struct Table {
    start: Start,
    /// The tensors `[batch, inputs]` that make up the inputs of the network.
    parts: Vec<String>,
    /// For each input of the parts, its place among the inputs of the network.
    places: Vec<usize>,
}

/// Returns the nodes from `numbers` and `texts` to [`INPUTS`].
pub(super) fn table_start(schema: &Schema) -> Start {
    let columns = TableColumns::of(schema);
    let mut table = Table {
        start: Start::default(),
        parts: Vec::new(),
        places: Vec::new(),
    };
    // The first input of each column.
    let mut next = 0;
    let firsts = schema.columns.iter().map(|column| {
        let first = next;
        next += column.encoding.inputs();
        (column.place.position, first)
    });
    let firsts: Vec<(usize, usize)> = firsts.collect();
    let first = |column: &Column| {
        let found = firsts.iter().find(|(at, _)| *at == column.place.position);
        found.map_or(0, |(_, first)| *first)
    };
    if !columns.numbers.is_empty() {
        table.add_numbers(&columns.numbers, first);
    }
    if !columns.texts.is_empty() {
        table.add_texts(&columns.texts, first);
    }
    table.finish()
}

impl Table {
    fn add_numbers(&mut self, columns: &[&Column], first: impl Fn(&Column) -> usize) {
        let names = names(columns);
        self.start.add_input("numbers", DataType::Double, &names);
        let scales = columns.iter().filter_map(|column| match &column.encoding {
            Encoding::Number { scale, fill, .. } | Encoding::Date { scale, fill, .. } => {
                Some((*fill, *scale))
            }
            Encoding::Omitted { .. } | Encoding::Flag { .. } | Encoding::Categories { .. } => None,
        });
        let (fill, scales): (Vec<f64>, Vec<NumberScaling>) = scales.unzip();
        let of_each = |part: fn(&NumberScaling) -> f64| scales.iter().map(part).collect();
        self.add_doubles("numbers.fill", fill);
        self.add_doubles("numbers.offset", of_each(|scale| scale.offset));
        self.add_doubles("numbers.factor", of_each(|scale| scale.factor));
        let filled = ["numbers.missing", "numbers.fill", "numbers"];
        let filled = NodeProto::operator("Where", &filled, "numbers.filled");
        self.start.node.extend([
            NodeProto::operator("IsNaN", &["numbers"], "numbers.missing"),
            filled,
        ]);
        let compressed = match scales.iter().any(|scale| scale.log_unit.is_some()) {
            true => self.add_logarithms(&scales),
            false => "numbers.filled",
        };
        let centred = [compressed, "numbers.offset"];
        let scaled = ["numbers.centred", "numbers.factor"];
        self.start.node.extend([
            NodeProto::operator("Sub", &centred, "numbers.centred"),
            NodeProto::operator("Mul", &scaled, "numbers.scaled"),
            NodeProto::cast("numbers.scaled", DataType::Float, "numbers.inputs"),
        ]);
        self.parts.push("numbers.inputs".to_owned());
        self.places
            .extend(columns.iter().map(|column| first(column)));
        let marked = columns.iter().enumerate();
        let marked = marked.filter(|(_, column)| column.encoding.marks_missing());
        let marked: Vec<(usize, &&Column)> = marked.collect();
        if marked.is_empty() {
            return;
        }
        let at: Vec<i64> = marked.iter().map(|(at, _)| *at as i64).collect();
        let at = TensorProto::ints("numbers.marked", &[at.len()], &at);
        self.start.initializer.push(at);
        let marked_ones = ["numbers.marks", "numbers.marked"];
        self.start.node.extend([
            NodeProto::cast("numbers.missing", DataType::Float, "numbers.marks"),
            NodeProto::operator("Gather", &marked_ones, "numbers.marks.inputs")
                .with(AttributeProto::int("axis", 1)),
        ]);
        self.parts.push("numbers.marks.inputs".to_owned());
        let places = marked.iter().map(|(_, column)| first(column) + 1);
        self.places.extend(places);
    }

    /// Adds a tensor with a number for each column of numbers.
    fn add_doubles(&mut self, name: &str, values: Vec<f64>) {
        let tensor = TensorProto::doubles(name, &[values.len()], &values);
        self.start.initializer.push(tensor);
    }

    /// Adds the logarithms of the columns that have a `log_unit`, and returns the tensor with all columns.
    fn add_logarithms(&mut self, scales: &[NumberScaling]) -> &'static str {
        let units = scales.iter().map(|scale| scale.log_unit.unwrap_or(1.0));
        self.add_doubles("numbers.unit", units.collect());
        let has_unit = scales
            .iter()
            .map(|scale| i64::from(scale.log_unit.is_some()));
        let has_unit: Vec<i64> = has_unit.collect();
        let has_unit = TensorProto::ints("numbers.has_unit", &[scales.len()], &has_unit);
        self.start.initializer.push(has_unit);
        self.start
            .initializer
            .push(TensorProto::doubles("numbers.one", &[], &[1.0]));
        let all = ["numbers.is_log", "numbers.signed_log", "numbers.filled"];
        self.start.node.extend([
            NodeProto::cast("numbers.has_unit", DataType::Bool, "numbers.is_log"),
            NodeProto::operator("Sign", &["numbers.filled"], "numbers.sign"),
            NodeProto::operator("Abs", &["numbers.filled"], "numbers.size"),
            NodeProto::operator("Div", &["numbers.size", "numbers.unit"], "numbers.units"),
            NodeProto::operator(
                "Add",
                &["numbers.units", "numbers.one"],
                "numbers.above_one",
            ),
            NodeProto::operator("Log", &["numbers.above_one"], "numbers.log"),
            NodeProto::operator(
                "Mul",
                &["numbers.sign", "numbers.log"],
                "numbers.signed_log",
            ),
            NodeProto::operator("Where", &all, "numbers.compressed"),
        ]);
        "numbers.compressed"
    }

    fn add_texts(&mut self, columns: &[&Column], first: impl Fn(&Column) -> usize) {
        self.start
            .add_input("texts", DataType::String, &names(columns));
        self.start.initializer.extend([
            TensorProto::ints("texts.axis", &[1], &[1]),
            TensorProto::floats("texts.off_on", &[2], &[0.0, 1.0]),
        ]);
        for (index, column) in columns.iter().enumerate() {
            let (text, at) = (format!("texts.{index}"), format!("texts.{index}.at"));
            let position = TensorProto::ints(&at, &[], &[index as i64]);
            self.start.initializer.push(position);
            let cells = NodeProto::operator("Gather", &["texts", &at], &text);
            self.start
                .node
                .push(cells.with(AttributeProto::int("axis", 1)));
            let first = first(column);
            let own = match &column.encoding {
                Encoding::Flag { yes, fill, .. } => {
                    let missing = missing_words().filter(|_| fill == yes);
                    let words = std::iter::once(yes.as_str()).chain(missing);
                    self.add_flag(&text, "inputs", words.collect(), first);
                    1
                }
                Encoding::Categories {
                    values,
                    other,
                    fill,
                    ..
                } => {
                    let width = values.len() + usize::from(*other);
                    self.add_categories(&text, values, fill, width);
                    self.places.extend(first..first + width);
                    width
                }
                Encoding::Omitted { .. } | Encoding::Number { .. } | Encoding::Date { .. } => 0,
            };
            if column.encoding.marks_missing() {
                self.add_flag(&text, "marks", missing_words().collect(), first + own);
            }
        }
    }

    /// Adds an input at `place` that is 1 for some words, and 0 for all others.
    fn add_flag(&mut self, text: &str, what: &str, words: Vec<&str>, place: usize) {
        let [found, input] = [format!("{text}.{what}.found"), format!("{text}.{what}")];
        let values = vec![1.0; words.len()];
        self.start.node.extend([
            NodeProto::operator("LabelEncoder", &[text], &found)
                .of_domain(TEXT_DOMAIN)
                .with(AttributeProto::strings("keys_strings", &words))
                .with(AttributeProto::floats("values_floats", values))
                .with(AttributeProto::float("default_float", 0.0)),
            NodeProto::operator("Unsqueeze", &[&found, "texts.axis"], &input),
        ]);
        self.parts.push(input);
        self.places.push(place);
    }

    /// Adds an input for each category. Unknown values have the code after the last one, which is the shared input of all
    /// others, or none.
    fn add_categories(&mut self, text: &str, values: &[String], fill: &str, width: usize) {
        let [code, depth, inputs] =
            ["code", "depth", "inputs"].map(|part| format!("{text}.{part}"));
        let fill = code_of(fill, values) as i64;
        let own = values.iter().map(String::as_str).zip(0i64..);
        let missing = missing_words().map(|word| (word, fill));
        let (words, codes): (Vec<&str>, Vec<i64>) = own.chain(missing).unzip();
        let size = TensorProto::ints(&depth, &[], &[width as i64]);
        self.start.initializer.push(size);
        self.start.node.extend([
            NodeProto::operator("LabelEncoder", &[text], &code)
                .of_domain(TEXT_DOMAIN)
                .with(AttributeProto::strings("keys_strings", &words))
                .with(AttributeProto::ints("values_int64s", codes))
                .with(AttributeProto::int("default_int64", values.len() as i64)),
            NodeProto::operator("OneHot", &[&code, &depth, "texts.off_on"], &inputs),
        ]);
        self.parts.push(inputs);
    }

    /// Joins the parts, and brings their inputs into the order of the network.
    fn finish(mut self) -> Start {
        let mut order = vec![0; self.places.len()];
        for (at, &place) in (0i64..).zip(&self.places) {
            order[place] = at;
        }
        let order = TensorProto::ints("inputs.order", &[order.len()], &order);
        self.start.initializer.push(order);
        let parts: Vec<&str> = self.parts.iter().map(String::as_str).collect();
        self.start.node.extend([
            NodeProto::operator("Concat", &parts, "inputs.parts")
                .with(AttributeProto::int("axis", 1)),
            NodeProto::operator("Gather", &["inputs.parts", "inputs.order"], INPUTS)
                .with(AttributeProto::int("axis", 1)),
        ]);
        self.start
    }
}

impl Start {
    /// Adds an input of the graph with a column for each of `names`.
    fn add_input(&mut self, input: &str, element: DataType, names: &[String]) {
        let mut described = ValueInfoProto::batch(input, element, names.len());
        described.doc_string = names.join(", ");
        self.input.push(described);
        self.property.push(StringStringEntryProto {
            key: input.to_owned(),
            value: serde_json::to_string(names).expect("text is always JSON"),
        });
    }
}
