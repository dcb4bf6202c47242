//! Tables as people have them: what becomes of their columns, and how later tables are read.

use std::fs;
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;
use perceptor::data::Rows;
use perceptor::table::schema::{NumberScaling, Reason};
use perceptor::table::{
    Encoded, Encoding, MissingPolicy, NumberScale, Schema, TableOptions, TableRequest,
    TrainingTable,
};
use perceptor::{Error, Result, Targets, Task, Workers};
use proptest::prelude::*;

/// A folder with tables.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().expect("a folder"))
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).expect("writing a table");
        path
    }
}

fn workers() -> Workers {
    Workers::new(NonZeroUsize::new(2).expect("not zero")).expect("workers")
}

/// Surveys `text` with these targets and options.
fn survey_with(
    folder: &Folder,
    text: impl AsRef<[u8]>,
    targets: &[&str],
    options: &TableOptions,
) -> Result<TrainingTable> {
    let targets: Vec<String> = targets.iter().map(|word| word.to_string()).collect();
    let request = TableRequest {
        path: &folder.write("train.csv", text),
        targets: &targets,
        sample_weight: None,
        task: None,
        options,
    };
    TrainingTable::survey(&request, &workers())
}

fn survey(folder: &Folder, text: impl AsRef<[u8]>, target: &str) -> TrainingTable {
    let options = TableOptions::default();
    survey_with(folder, text, &[target], &options).expect("a table")
}

fn refusal(text: &str, targets: &[&str], options: &TableOptions) -> String {
    let refused = survey_with(&Folder::new(), text, targets, options).expect_err("a refusal");
    let hint = refused
        .hint()
        .map_or(String::new(), |hint| format!("\nhint: {hint}"));
    format!("{refused}{hint}")
}

fn values(rows: &Rows) -> Vec<Vec<f32>> {
    let row = |row| {
        let mut out = vec![0.0; rows.features()];
        rows.read(row, &mut out);
        out
    };
    (0..rows.len()).map(row).collect()
}

fn inputs(encoded: &Encoded) -> Vec<Vec<f32>> {
    values(encoded.data.rows())
}

/// Reads `text` by a schema as a test set.
fn test(folder: &Folder, schema: &Schema, text: &str) -> Result<Encoded> {
    let path = folder.write("test.csv", text);
    schema.read_labelled(&path, &TableOptions::default(), &workers())
}

fn notes(encoded: &Encoded) -> String {
    let notes: Vec<String> = encoded.notes.iter().map(ToString::to_string).collect();
    notes.join("\n")
}

const HOUSES: &str = "id,size,cut,air,same,price\n\
    1,1.0,good,no,7,10.5\n2,,fair,yes,7,20\n3,3.0,good,no,7,\n4,5.0,NA,no,7,30\n5,3.0,poor,no,7,40\n";

#[test]
fn columns_become_inputs_by_what_they_have() {
    let folder = Folder::new();
    let table = survey(&folder, HOUSES, "price");
    assert_eq!(table.task(), Task::Regression);
    assert_eq!(table.rows(), 4);
    let schema = table.schema().clone();
    let json = serde_json::to_string(&schema).expect("JSON");
    let read: Schema = serde_json::from_str(&json).expect("a schema");
    assert_eq!(read, schema);
    let all: Vec<String> = table.notes().iter().map(ToString::to_string).collect();
    let all = all.join("\n");
    for words in [
        "train.csv: the task is regression, as column 6 (price) has numbers",
        "train.csv: left out 1 row without a value in the target, column price",
        "train.csv: left out column same, which has the same value in each row",
        "train.csv: left out column id, which only numbers the rows",
        "train.csv: filled 2 missing cells in columns size, cut",
    ] {
        assert!(all.contains(words), "{words}\n{all}");
    }
    let encoded = table.read(&workers()).expect("rows");
    let deviation = (8.0f64 / 3.0).sqrt();
    let size = |value: f64| ((value - 3.0) * (1.0 / deviation)) as f32;
    let expected = vec![
        vec![size(1.0), 0.0, 0.0, 1.0, 0.0, 0.0, 0.0],
        vec![size(3.0), 1.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        // Fair, good and poor are equally frequent: the first of them fills.
        vec![size(5.0), 0.0, 1.0, 0.0, 0.0, 1.0, 0.0],
        vec![size(3.0), 0.0, 0.0, 0.0, 1.0, 0.0, 0.0],
    ];
    assert_eq!(inputs(&encoded), expected, "{json}");
    assert!(encoded.data.rows().are_inputs());
    let Targets::Values { values, .. } = encoded.data.targets() else {
        panic!("values");
    };
    assert_eq!(values, &[10.5, 20.0, 30.0, 40.0]);
}

#[test]
fn each_column_is_standardised_for_itself_in_f64() {
    // Seconds since 1970 that differ by one: rounded to f32 first, all would be the same.
    let rows: Vec<String> = (0..8)
        .map(|row| format!("{},{},{row}.5\n", 1_700_000_000u64 + row, 1e-9 * row as f64))
        .collect();
    let folder = Folder::new();
    let table = survey(&folder, format!("time,tiny,y\n{}", rows.concat()), "y");
    let Encoding::Number { scale, fill, .. } = table.schema().columns[0].encoding else {
        panic!("a number");
    };
    assert_eq!((scale.offset, fill), (1_700_000_003.5, 1_700_000_003.5));
    let encoded = table.read(&workers()).expect("rows");
    let deviation = 5.25f64.sqrt();
    for (row, inputs) in inputs(&encoded).into_iter().enumerate() {
        let expected = ((row as f64 - 3.5) / deviation) as f32;
        assert!(
            inputs.iter().all(|input| (input - expected).abs() < 1e-6),
            "{row}: {inputs:?}"
        );
    }
}

#[test]
fn later_tables_are_matched_by_the_names_of_their_columns() {
    let folder = Folder::new();
    let text = "a,b,kind,y\n1,10,x,0.5\n2,20,y,1.5\n3,30,z,2.5\n5,50,x,3.5\n";
    let table = survey(&folder, text, "y");
    let schema = table.schema().clone();
    let train = inputs(&table.read(&workers()).expect("rows"));
    let other = "y,extra,b,kind,a\n3.5,q,50,x,5\n0.5,q,10,w,1\n";
    let encoded = test(&folder, &schema, other).expect("a test set");
    let unknown = vec![train[0][0], train[0][1], 0.0, 0.0, 0.0];
    assert_eq!(inputs(&encoded), [train[3].clone(), unknown]);
    let notes = notes(&encoded);
    assert!(
        notes.contains("test.csv: ignored column extra, which the training file did not have"),
        "{notes}"
    );
    assert!(
        notes.contains(
            "test.csv: column 4 (kind) has 1 cell with a value that the training file did not have"
        ),
        "{notes}"
    );
    let refused = test(&folder, &schema, "y,b,kind\n1,2,x\n").expect_err("a refusal");
    assert!(refused.to_string().ends_with(
        "test.csv: no column \"a\", expected the columns of the training file, by their names"
    ));
    // Without its header, the first row is no header.
    let refused = test(&folder, &schema, "1,10,x,0.5\n").expect_err("a refusal");
    assert!(
        refused
            .hint()
            .expect("a hint")
            .to_string()
            .contains("the first row must have the names")
    );
    // A prediction needs no targets.
    let path = folder.write("new.csv", "kind,b,a\nz,30,3\n");
    let rows = schema
        .read_rows(&path, &TableOptions::default(), &workers())
        .expect("rows");
    assert_eq!(values(&rows.rows), [train[2].clone()]);
}

#[test]
fn the_training_file_decides_whether_there_is_a_header() {
    let folder = Folder::new();
    let schema = survey(&folder, "1,10,0.5\n2,20,1.5\n4,30,2.5\n", "-1")
        .schema()
        .clone();
    assert!(!schema.header);
    let encoded = test(&folder, &schema, "1,10,0.5\n").expect("a test set");
    assert_eq!(encoded.data.samples(), 1);
    for (text, words) in [
        (
            "a,b,y\n1,10,0.5\n",
            "test.csv: row 1, column 1: \"a\", expected a number",
        ),
        (
            "1,10\n",
            "test.csv: 2 columns, expected 3, as in the training file, which had no header",
        ),
    ] {
        let refused = test(&folder, &schema, text)
            .expect_err("a refusal")
            .to_string();
        assert!(refused.ends_with(words), "{refused}");
    }
    // A prediction may lack the target, but nothing else.
    let path = folder.write("new.csv", "1,10\n");
    let read = |path| schema.read_rows(path, &TableOptions::default(), &workers());
    assert_eq!(values(&read(&path).expect("rows").rows), inputs(&encoded));
    read(&folder.write("new.csv", "1\n")).expect_err("a refusal");
    // A header of numbers is one if the training file had a header.
    let options = TableOptions {
        header: Some(true),
        ..TableOptions::default()
    };
    let table = survey_with(
        &folder,
        "7,8,9\n1,10,0.5\n2,20,1.5\n4,30,2.5\n",
        &["-1"],
        &options,
    )
    .expect("a table");
    let encoded = test(&folder, table.schema(), "9,8,7\n0.5,10,1\n").expect("a test set");
    assert_eq!(encoded.data.samples(), 1);
}

#[test]
fn the_task_follows_from_the_targets() {
    let task = |targets: &[&str]| {
        let mut text = "word,few,many,whole,a,b\n".to_owned();
        for row in 0..60 {
            let (word, few, flag) = (["no", "yes"][row % 2], row % 3, row / 2 % 2);
            text += &format!("{word},{few},{}.5,{row},{flag},{}\n", row * 7, 1 - flag);
        }
        let table =
            survey_with(&Folder::new(), text, targets, &TableOptions::default()).expect("a table");
        (
            table.task(),
            table.schema().classes().map(<[String]>::to_vec),
        )
    };
    let classes = |names: &[&str]| {
        Some(
            names
                .iter()
                .map(|name| name.to_string())
                .collect::<Vec<_>>(),
        )
    };
    assert_eq!(
        task(&["word"]),
        (Task::Classification, classes(&["no", "yes"]))
    );
    assert_eq!(
        task(&["few"]),
        (Task::Classification, classes(&["0", "1", "2"]))
    );
    assert_eq!(task(&["many"]), (Task::Regression, None));
    assert_eq!(task(&["whole"]), (Task::Regression, None));
    assert_eq!(task(&["a", "b"]), (Task::Multilabel, None));
    assert_eq!(task(&["a,many"]), (Task::Regression, None));
}

#[test]
fn classes_are_matched_as_words_or_numbers() {
    let folder = Folder::new();
    let rows: String = (0..30)
        .map(|row| format!("{},{}\n", row * row, row % 3 + 1))
        .collect();
    let table = survey(&folder, format!("x,y\n{rows}"), "y");
    let encoded = test(&folder, table.schema(), "x,y\n5,3.0\n6,1\n").expect("a test set");
    assert_eq!(encoded.data.labels(), [2, 0]);
    assert_eq!(
        encoded.data.class_names().expect("names").names(),
        ["1", "2", "3"]
    );
    let refused = test(&folder, table.schema(), "x,y\n5,3.0\n6,4\n").expect_err("a refusal");
    assert!(
        refused
            .to_string()
            .ends_with("row 3, column 2 (y): \"4\", expected one of the classes 1, 2, 3"),
        "{refused}"
    );
}

#[test]
fn rare_values_share_an_input_and_names_are_left_out() {
    let mut text = "city,name,y\n".to_owned();
    for row in 0..300 {
        let city = if row % 3 == 0 {
            format!("c{}", row % 90)
        } else {
            ["north", "south"][row % 2].to_owned()
        };
        text += &format!("{city},person {row},{}.5\n", row * row);
    }
    let options = TableOptions {
        max_categories: 2,
        ..TableOptions::default()
    };
    let table = survey_with(&Folder::new(), text, &["y"], &options).expect("a table");
    let columns = &table.schema().columns;
    let Encoding::Categories {
        values,
        other,
        fill,
        ..
    } = &columns[0].encoding
    else {
        panic!("categories");
    };
    assert_eq!(
        (&values[..], *other, fill.as_str()),
        (&["north".to_owned(), "south".to_owned()][..], true, "north")
    );
    assert_eq!(
        columns[1].encoding,
        Encoding::Omitted {
            reason: Reason::Identifiers
        }
    );
    let encoded = table.read(&workers()).expect("rows");
    assert_eq!(inputs(&encoded)[0], [0.0, 0.0, 1.0]);
}

#[test]
fn dates_become_numbers_if_asked_for() {
    let rows: String = (1..=28)
        .map(|day| format!("2026-02-{day:02},{}\n", day * day))
        .collect();
    let text = format!("day,y\n{rows}");
    let folder = Folder::new();
    let options = TableOptions {
        dates: true,
        scale: NumberScale::None,
        ..TableOptions::default()
    };
    let table = survey_with(&folder, &text, &["y"], &options).expect("a table");
    let expected = Encoding::Date {
        format: "%Y-%m-%d".to_owned(),
        scale: NumberScaling::IDENTITY,
        fill: 20_498.5,
        missing: false,
    };
    assert_eq!(table.schema().columns[0].encoding, expected);
    assert_eq!(
        inputs(&table.read(&workers()).expect("rows"))[0],
        [20_485.0]
    );
    let refused =
        survey_with(&folder, &text, &["y"], &TableOptions::default()).expect_err("no inputs");
    assert!(refused.to_string().contains("no column"), "{refused}");
}

#[test]
fn the_logarithm_of_a_column_with_a_long_tail_is_standardised() {
    // Column a has a long tail above zero and some numbers below it, and b has no tail.
    let a = |row: i32| f64::from(row).powi(8) / 1e6 - 100.25;
    let rows: String = (0..60)
        .map(|row| format!("{},{},{row}.5\n", a(row), row % 7))
        .collect();
    let folder = Folder::new();
    let options = TableOptions {
        scale: NumberScale::Log,
        ..TableOptions::default()
    };
    let read = |text: &str| {
        let table = survey_with(&folder, text, &["y"], &options).expect("a table");
        let notes: Vec<String> = table.notes().iter().map(ToString::to_string).collect();
        let schema = table.schema().clone();
        (
            notes.join("\n"),
            schema,
            inputs(&table.read(&workers()).expect("rows")),
        )
    };
    let (notes, schema, inputs) = read(&format!("a,b,y\n{rows}"));
    assert!(
        notes.contains("took the logarithm of column a, as the tail is long"),
        "{notes}"
    );
    let scales = schema.columns.iter().map(|column| match column.encoding {
        Encoding::Number { scale, .. } => scale,
        ref other => panic!("{other:?}"),
    });
    let scales: Vec<NumberScaling> = scales.collect();
    let mut sizes: Vec<f64> = (0..60).map(|row| a(row).abs()).collect();
    sizes.sort_by(f64::total_cmp);
    let unit = (sizes[29] + sizes[30]) / 2.0;
    assert_eq!((scales[0].log_unit, scales[1].log_unit), (Some(unit), None));
    let logarithms: Vec<f64> = (0..60)
        .map(|row| a(row).signum() * (1.0 + a(row).abs() / unit).ln())
        .collect();
    let mean = logarithms.iter().sum::<f64>() / 60.0;
    let squares = logarithms.iter().map(|x| (x - mean) * (x - mean));
    let deviation = (squares.sum::<f64>() / 60.0).sqrt();
    for (row, logarithm) in inputs.iter().zip(&logarithms) {
        assert!((f64::from(row[0]) - (logarithm - mean) / deviation).abs() < 1e-6);
    }
    let json = serde_json::to_value(&schema.columns).expect("JSON");
    assert_eq!(json[0]["log_unit"].as_f64(), Some(unit));
    assert_eq!(json[1].get("log_unit"), None);

    // Without a long tail, nothing differs from the default.
    let rows: String = (0..60)
        .map(|row| format!("{},{row}.5\n", row % 7))
        .collect();
    let (notes, schema, _) = read(&format!("b,y\n{rows}"));
    assert!(
        notes.contains("no column has a long tail, so scale = log does what scale = standard does"),
        "{notes}"
    );
    let standard = survey(&folder, format!("b,y\n{rows}"), "y");
    assert_eq!(&schema, standard.schema());
}

#[test]
fn a_few_words_among_numbers_count_as_missing() {
    let mut text = "x,y\n".to_owned();
    for row in 0..200 {
        text += &match row {
            50 => format!("unknown,{row}.5\n"),
            _ => format!("{}.25,{row}.5\n", row * 3),
        };
    }
    let folder = Folder::new();
    let table = survey(&folder, text, "y");
    let notes: Vec<String> = table.notes().iter().map(ToString::to_string).collect();
    let notes = notes.join("\n");
    assert!(
        notes.contains(
            "column 1 (x) has numbers; 1 other cell is taken as missing, such as \"unknown\""
        ),
        "{notes}"
    );
    let schema = table.schema().clone();
    assert_eq!(inputs(&table.read(&workers()).expect("rows"))[50][1], 1.0);
    // Few different values with a word among them are categories.
    let rows: String = (0..40)
        .map(|row| format!("{},{row}.5\n", ["1", "2", "3+"][row % 3]))
        .collect();
    let table = survey(&folder, format!("x,y\n{rows}"), "y");
    assert!(matches!(
        table.schema().columns[0].encoding,
        Encoding::Categories { .. }
    ));
    // What the training file had as missing may be missing later, too.
    test(&folder, &schema, "x,y\nnowhere,1\n").expect("a test set");
}

#[test]
fn missing_cells_are_refused_if_asked_for() {
    let options = TableOptions {
        missing: MissingPolicy::Refuse,
        ..TableOptions::default()
    };
    let message = refusal(HOUSES, &["price"], &options);
    assert!(
        message.contains("train.csv: row 3, column 2 (size): a missing cell, expected a value"),
        "{message}"
    );
    let folder = Folder::new();
    let schema = survey(&folder, HOUSES, "price").schema().clone();
    let path = folder.write("test.csv", "size,cut,air,price\n1,good,no,2\n2,?,no,3\n");
    let refused = schema
        .read_labelled(&path, &options, &workers())
        .expect_err("a refusal");
    assert!(
        refused
            .to_string()
            .contains("row 3, column 2 (cut): a missing cell"),
        "{refused}"
    );
}

#[test]
fn what_is_wrong_is_refused_with_its_place() {
    let default = TableOptions::default();
    for (text, targets, words) in [
        (
            "a,a,y\n1,2,3\n4,5,6\n",
            &["a"][..],
            "target: a, columns 1 and 2, expected one of them, by its number",
        ),
        ("0,1,2\n5,6,7\n", &["3", "3"], "target: column 3 twice"),
        (
            "a,1,y\nw,6,7\nw,5,5\n",
            &["1"],
            "target: 1, the name of column 2 and the number of column 1",
        ),
        (
            "a,y\n1,2\n3,4\n",
            &["z"],
            "target: z, expected a column: 1 (a), 2 (y)",
        ),
        (
            "a,y\n1,2\n3\n",
            &["y"],
            "train.csv: row 3: 1 cell, expected 2, as in the first row",
        ),
        (
            "a,y\n1,2\n3,4,5\n",
            &["y"],
            "train.csv: row 3: 3 cells, expected 2",
        ),
        (
            "a,y\n",
            &["y"],
            "train.csv: no row, expected rows with a target",
        ),
        (
            "a,y\n1,\n2,NA\n",
            &["y"],
            "2 rows without a target, expected rows with a target",
        ),
        (
            "a,y\n1,x\n2,x\n",
            &["y"],
            "column 2 (y): one class, x, expected at least two",
        ),
        (
            "a,y\n1,1.5\n1,2.5\n",
            &["y"],
            "no column that becomes inputs, expected inputs",
        ),
        ("", &["y"], "train.csv: no row"),
        ("a,y\n1,2\n", &[], "target: not given"),
    ] {
        let message = refusal(text, targets, &default);
        assert!(message.contains(words), "{words}\n{message}");
    }
    let dropped = TableOptions {
        drop: vec!["y".to_owned()],
        ..default
    };
    let message = refusal("a,y\n1,2\n3,4\n", &["y"], &dropped);
    assert!(
        message.contains("drop: column 2 (y), which is a target"),
        "{message}"
    );
}

#[test]
fn a_column_has_the_weights_of_the_rows() {
    let folder = Folder::new();
    let read = |text: &str| {
        let options = TableOptions::default();
        let request = TableRequest {
            path: &folder.write("train.csv", text),
            targets: &["y".to_owned()],
            sample_weight: Some("w"),
            task: None,
            options: &options,
        };
        TrainingTable::survey(&request, &workers())?.read(&workers())
    };
    let encoded = read("x,w,y\n5,1,1.5\n6,3,2.5\n9,0,\n7,2,3.5\n").expect("rows");
    assert_eq!(encoded.data.weights(), Some(&[0.5, 1.5, 1.0][..]));
    assert_eq!(encoded.data.features(), 1);
    for (weight, words) in [
        ("-1", "-1, expected a weight"),
        ("", "a missing cell"),
        ("w", "\"w\", expected a weight"),
    ] {
        let text = format!("x,w,y\n5,1,1.5\n6,{weight},2.5\n");
        let refused = read(&text).expect_err("a refusal").to_string();
        assert!(
            refused.contains("row 3, column 2 (w): ") && refused.contains(words),
            "{refused}"
        );
    }
}

#[test]
fn whole_numbers_that_become_the_same_input_are_noted() {
    let rows: String = (0..20)
        .map(|row| {
            format!(
                "{},{}\n",
                100_000_000 * row + row % 7,
                20_000_000 + row * row
            )
        })
        .collect();
    let folder = Folder::new();
    let table = survey(&folder, format!("x,y\n{rows}"), "y");
    let notes: Vec<String> = table.notes().iter().map(ToString::to_string).collect();
    let notes = notes.join("\n");
    for words in [
        "of which neighbours become the same input",
        "which are rounded to 24 bits",
    ] {
        assert!(notes.contains(words), "{notes}");
    }
}

/// A table with numbers, words, missing cells and quotes, larger than some pieces of text.
fn large() -> String {
    let mut text = "id,x,word,note,y\n".to_owned();
    let mut random = 7u64;
    for row in 0..40_000 {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let x = match random >> 60 {
            0 => String::new(),
            _ => ((random >> 20) as f64 / 1e9).to_string(),
        };
        let word = ["red", "green", "NA", "blue,\n\"\"x\"\""][(random >> 50) as usize % 4];
        text += &format!(
            "{row},{x},\"{word}\",note {},{}\n",
            random >> 58,
            (random >> 40) % 1000
        );
    }
    text
}

#[test]
fn any_number_of_threads_reads_the_same_table() {
    let folder = Folder::new();
    let text = large();
    let path = folder.write("train.csv", &text);
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed
        .write_all(text.as_bytes())
        .expect("writing to memory");
    let gzip = folder.write("train.csv.gz", packed.finish().expect("writing to memory"));
    let targets = ["y".to_owned()];
    let options = TableOptions::default();
    let read = |path, threads| {
        let request = TableRequest {
            path,
            targets: &targets,
            sample_weight: None,
            task: None,
            options: &options,
        };
        let workers = Workers::new(NonZeroUsize::new(threads).expect("not zero")).expect("workers");
        let table = TrainingTable::survey(&request, &workers).expect("a table");
        let schema = serde_json::to_string(table.schema()).expect("JSON");
        let data = table.read(&workers).expect("rows").data;
        (schema, data.rows().source_bytes().to_vec())
    };
    let expected = read(&path, 1);
    for threads in [2, 3, 7] {
        assert!(read(&path, threads) == expected, "{threads} threads");
    }
    assert!(read(&gzip, 2) == expected, "gzip");
    // Read again by its schema, the training file has the same inputs.
    let schema: Schema = serde_json::from_str(&expected.0).expect("a schema");
    let again = schema
        .read_labelled(&path, &options, &workers())
        .expect("a table");
    assert!(again.data.rows().source_bytes() == expected.1);
}

proptest! {
    /// Any bytes are refused or read without a panic.
    #[test]
    fn any_text_is_refused_or_read(text in "[a-c0-9.,;\"\\n\\r \\t#NA?-]{0,200}", label in prop_oneof![Just("1"), Just("-1"), Just("a")]) {
        let folder = Folder::new();
        let options = TableOptions::default();
        match survey_with(&folder, &text, &[label], &options) {
            Ok(table) => {
                let schema = table.schema().clone();
                let rows = table.rows();
                let encoded = table.read(&workers()).expect("it was surveyed");
                prop_assert_eq!(encoded.data.samples() as u64, rows);
                prop_assert_eq!(encoded.data.features(), schema.inputs());
                let again = schema.read_labelled(&folder.0.path().join("train.csv"), &options, &workers());
                prop_assert_eq!(inputs(&again.expect("the same table")), inputs(&encoded));
            }
            Err(error) => prop_assert!(matches!(error, Error::Data(_) | Error::Config(_)), "{}", error),
        }
    }

    /// A damaged table is refused or read without a panic.
    #[test]
    fn a_damaged_table_is_refused_or_read(at in 0usize..120, with in any::<u8>()) {
        let mut bytes = HOUSES.as_bytes().to_vec();
        let length = bytes.len();
        bytes[at % length] = with;
        let folder = Folder::new();
        if let Ok(table) = survey_with(&folder, &bytes, &["-1"], &TableOptions::default()) {
            table.read(&workers()).expect("it was surveyed");
        }
    }
}
