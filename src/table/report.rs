//! What the columns of a table have, and what becomes of them.

use serde::Serialize;

use super::facts::{Facts, Kind};
use super::schema::{Encoding, Place, Schema};
use super::survey::Survey;
use crate::data::Note;
use crate::message::{Message, Spelling};
use crate::nn::Task;

/// The most frequent values of a column that are listed.
const VALUES: usize = 5;

/// What a table has.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TableReport {
    /// The path of the table.
    pub path: String,
    /// What separates cells.
    pub delimiter: String,
    /// Whether the first row has the names of the columns.
    pub header: bool,
    /// The rows that have their targets.
    pub rows: u64,
    /// The rows without a target, which are left out.
    pub dropped: u64,
    /// The inputs of a network.
    pub inputs: usize,
    /// The task, if targets are named.
    pub task: Option<Task>,
    /// All columns, in the order of the file.
    pub columns: Vec<ColumnReport>,
    /// What was guessed and left out, a line each.
    pub notes: Vec<Message>,
}

/// What a column has, and what becomes of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ColumnReport {
    /// Where the column is.
    #[serde(flatten)]
    pub place: Place,
    /// `input`, `target` or `weight`.
    pub role: &'static str,
    /// `numbers`, `dates`, `text` or `empty`.
    pub content: &'static str,
    /// The number of missing cells.
    pub missing: u64,
    /// The smallest number.
    pub min: Option<f64>,
    /// The largest number.
    pub max: Option<f64>,
    /// The mean of the numbers.
    pub mean: Option<f64>,
    /// How many different words there are, as far as they are counted.
    pub distinct: Option<usize>,
    /// The most frequent words and their rows.
    pub values: Vec<(String, u64)>,
    /// The number of inputs.
    pub inputs: usize,
    /// How the column becomes inputs, if it is one.
    pub encoding: Option<Encoding>,
}

impl TableReport {
    pub(super) fn of(
        survey: &Survey,
        schema: &Schema,
        task: Option<Task>,
        notes: &[Note],
    ) -> TableReport {
        let places = survey.opening.columns.places();
        let column = |place: Place| {
            let own = schema.columns.iter().find(|column| column.place == place);
            let role = match own {
                Some(_) => "input",
                None if schema.sample_weight.as_ref() == Some(&place) => "weight",
                None => "target",
            };
            ColumnReport::of(
                &survey.facts[place.position],
                place,
                role,
                own.map(|own| &own.encoding),
            )
        };
        TableReport {
            path: survey.path.display().to_string(),
            delimiter: survey.opening.syntax.delimiter.name(),
            header: schema.header,
            rows: survey.rows,
            dropped: survey.dropped,
            inputs: schema.inputs(),
            task,
            columns: places.into_iter().map(column).collect(),
            notes: notes.iter().map(|note| note.message().clone()).collect(),
        }
    }

    /// Returns the same report, in whose notes settings are spelled by `spelling`.
    #[must_use]
    pub fn spelled(mut self, spelling: &dyn Spelling) -> TableReport {
        for note in &mut self.notes {
            *note = note.settled(spelling);
        }
        self
    }
}

impl ColumnReport {
    fn of(
        facts: &Facts,
        place: Place,
        role: &'static str,
        encoding: Option<&Encoding>,
    ) -> ColumnReport {
        let mut report = ColumnReport {
            place,
            role,
            content: "empty",
            missing: facts.missing,
            min: None,
            max: None,
            mean: None,
            distinct: None,
            values: Vec::new(),
            inputs: encoding.map_or(0, Encoding::inputs),
            encoding: encoding.cloned(),
        };
        match &facts.kind {
            Kind::Skipped => {}
            Kind::Numbers(numbers) if numbers.count == 0 => {}
            Kind::Numbers(numbers) => {
                report.content = match encoding {
                    Some(Encoding::Date { .. }) => "dates",
                    _ => "numbers",
                };
                report.min = Some(numbers.min);
                report.max = Some(numbers.max);
                report.mean = Some(numbers.mean);
                report.distinct = numbers.distinct.as_ref().map(|distinct| distinct.len());
            }
            Kind::Text(text) => {
                report.content = "text";
                report.distinct = Some(text.dictionary.len());
                let words = text
                    .dictionary
                    .words()
                    .map(|word| String::from_utf8_lossy(word).into_owned());
                let mut values: Vec<(String, u64)> =
                    words.zip(text.counts.iter().copied()).collect();
                values.sort_by(|(a, x), (b, y)| y.cmp(x).then(a.cmp(b)));
                values.truncate(VALUES);
                report.values = values;
            }
        }
        report
    }
}
