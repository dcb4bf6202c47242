//! Predictions as columns of a table: classes by name and values in their own units, in the dialect of the table that
//! they belong to.

use std::io::{self, Write};

use super::format::Detail;
use crate::nn::Task;
use crate::nn::loss::arg_max;
use crate::report::schema::name;
use crate::scores::LABEL_THRESHOLD;
use crate::table::{Decimal, Delimiter, Schema};

/// The predicted columns of a table.
#[derive(Debug)]
pub struct PredictedColumns<'a> {
    schema: &'a Schema,
    detail: Detail,
    delimiter: Delimiter,
    decimal: Decimal,
}

impl<'a> PredictedColumns<'a> {
    /// The columns of a model with `schema`.
    pub fn new(
        schema: &'a Schema,
        detail: Detail,
        delimiter: Delimiter,
        decimal: Decimal,
    ) -> PredictedColumns<'a> {
        PredictedColumns {
            schema,
            detail,
            delimiter,
            decimal,
        }
    }

    /// Returns the names of the columns.
    pub fn titles(&self) -> Vec<String> {
        let targets: Vec<String> = self
            .schema
            .targets
            .iter()
            .map(|target| name(&target.place))
            .collect();
        let several = |start: &'static str| {
            targets
                .iter()
                .map(move |target| format!("{start}_{target}"))
        };
        match (self.schema.task(), self.detail, self.schema.classes()) {
            (Some(Task::Multilabel), Detail::All, _) => {
                several("prediction").chain(several("p")).collect()
            }
            (Some(Task::Multilabel), ..) => several("prediction").collect(),
            (_, Detail::All, Some(classes)) => {
                let classes = classes.iter().map(|class| format!("p_{class}"));
                ["prediction".to_owned()]
                    .into_iter()
                    .chain(classes)
                    .collect()
            }
            (_, Detail::Top(count), Some(classes)) => {
                let rank = |at: usize| match at {
                    1 => ["prediction".to_owned(), "probability".to_owned()],
                    _ => [format!("prediction_{at}"), format!("probability_{at}")],
                };
                (1..=count.min(classes.len())).flat_map(rank).collect()
            }
            _ if targets.len() > 1 => several("prediction").collect(),
            _ => vec!["prediction".to_owned()],
        }
    }

    /// Writes the names of the columns behind those of the table that they are appended to.
    ///
    /// # Errors
    /// Returns the errors of `out`.
    pub fn write_header(&self, out: &mut dyn Write, table: &[String]) -> io::Result<()> {
        let titles = table.iter().cloned().chain(self.titles());
        let cells: Vec<String> = titles.map(|title| self.text(&title)).collect();
        writeln!(out, "{}", cells.join(&self.separator()))
    }

    /// Writes the prediction for a row behind the `record` of the table that it is appended to.
    ///
    /// Shapes: `row [outputs]`.
    ///
    /// # Errors
    /// Returns the errors of `out`.
    pub fn write_row(
        &self,
        out: &mut dyn Write,
        record: Option<&[u8]>,
        row: &[f32],
    ) -> io::Result<()> {
        if let Some(record) = record {
            out.write_all(record)?;
            out.write_all(self.separator().as_bytes())?;
        }
        writeln!(out, "{}", self.cells(row).join(&self.separator()))
    }

    fn cells(&self, row: &[f32]) -> Vec<String> {
        let numbers = || row.iter().map(|&number| self.number(number));
        match (self.schema.task(), self.schema.classes()) {
            (Some(Task::Multilabel), _) => {
                let flags = row
                    .iter()
                    .map(|&p| u8::from(p >= LABEL_THRESHOLD).to_string());
                let probabilities = numbers().filter(|_| self.detail == Detail::All);
                flags.chain(probabilities).collect()
            }
            (_, Some(classes)) => match self.detail {
                Detail::Best => vec![self.text(&classes[arg_max(row)])],
                Detail::All => {
                    let best = self.text(&classes[arg_max(row)]);
                    [best].into_iter().chain(numbers()).collect()
                }
                Detail::Top(count) => {
                    let mut ranked: Vec<usize> = (0..row.len()).collect();
                    ranked.sort_by(|&a, &b| row[b].total_cmp(&row[a]));
                    let ranked = ranked.into_iter().take(count);
                    ranked
                        .flat_map(|class| [self.text(&classes[class]), self.number(row[class])])
                        .collect()
                }
            },
            _ => numbers().collect(),
        }
    }

    /// A number with the decimal mark of the table.
    fn number(&self, number: f32) -> String {
        let text = number.to_string();
        match self.decimal {
            Decimal::Point => text,
            Decimal::Comma => self.text(&text.replace('.', ",")),
        }
    }

    /// Text as a cell, in quotes if necessary.
    fn text(&self, text: &str) -> String {
        let is_special = |c: char| match self.delimiter {
            Delimiter::Byte(byte) => c == char::from(byte),
            Delimiter::WhiteSpace => c.is_ascii_whitespace(),
        };
        let quoted = text.contains(|c: char| is_special(c) || "\"\r\n".contains(c));
        let is_blank = text.is_empty() && self.delimiter == Delimiter::WhiteSpace;
        match quoted || is_blank {
            true => format!("\"{}\"", text.replace('"', "\"\"")),
            false => text.to_owned(),
        }
    }

    /// What separates two cells.
    fn separator(&self) -> String {
        match self.delimiter {
            Delimiter::Byte(byte) => char::from(byte).to_string(),
            Delimiter::WhiteSpace => " ".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLASSES: &str = r#"{"header": true, "columns": [],
        "targets": [{"name": "kind", "position": 0, "type": "classes", "classes": ["a", "b;c"]}]}"#;
    const VALUES: &str = r#"{"header": true, "columns": [], "targets": [
        {"name": "price", "position": 0, "type": "values"}, {"name": "rent", "position": 1, "type": "values"}]}"#;
    const LABELS: &str = r#"{"header": true, "columns": [], "targets": [
        {"name": "war", "position": 0, "type": "label"}, {"name": "love", "position": 1, "type": "label"}]}"#;

    /// Returns the header and a row of what is appended to `x;y`.
    fn lines(schema: &str, detail: Detail, decimal: Decimal, row: &[f32]) -> [String; 2] {
        let schema = serde_json::from_str(schema).expect("a schema");
        let columns = PredictedColumns::new(&schema, detail, Delimiter::Byte(b';'), decimal);
        let (mut header, mut line) = (Vec::new(), Vec::new());
        let titles = ["x".to_owned(), "y".to_owned()];
        columns.write_header(&mut header, &titles).expect("memory");
        columns
            .write_row(&mut line, Some(b"1;2"), row)
            .expect("memory");
        [header, line].map(|bytes| String::from_utf8(bytes).expect("text"))
    }

    #[test]
    fn classes_are_written_by_name() {
        let row = [0.25, 0.75];
        let of = |detail| lines(CLASSES, detail, Decimal::Point, &row);
        assert_eq!(of(Detail::Best), ["x;y;prediction\n", "1;2;\"b;c\"\n"]);
        assert_eq!(
            of(Detail::All),
            ["x;y;prediction;p_a;\"p_b;c\"\n", "1;2;\"b;c\";0.25;0.75\n"]
        );
        assert_eq!(
            of(Detail::Top(9)),
            [
                "x;y;prediction;probability;prediction_2;probability_2\n",
                "1;2;\"b;c\";0.75;a;0.25\n"
            ]
        );
    }

    #[test]
    fn values_have_the_decimal_mark_of_the_table() {
        let row = [1.5, -300_000.25];
        assert_eq!(
            lines(VALUES, Detail::Best, Decimal::Comma, &row),
            [
                "x;y;prediction_price;prediction_rent\n",
                "1;2;1,5;-300000,25\n"
            ]
        );
    }

    #[test]
    fn labels_are_zeros_and_ones() {
        assert_eq!(
            lines(LABELS, Detail::All, Decimal::Point, &[0.5, 0.25]),
            [
                "x;y;prediction_war;prediction_love;p_war;p_love\n",
                "1;2;1;0;0.5;0.25\n"
            ]
        );
    }
}
