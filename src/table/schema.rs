//! The schema of a table: what each column of the training file was, and how a row becomes the inputs of a network.
//!
//! The model's file contains it as JSON under `schema`, so that later files are read as the training file was. A column
//! has the `type` of its encoding next to its name:
//!
//! ```json
//! {"header": true,
//!  "columns": [
//!   {"name": "id", "position": 0, "type": "omitted", "reason": "index"},
//!   {"name": "carat", "position": 1, "type": "number", "offset": 0.8, "factor": 2.1, "fill": 0.7, "missing": true},
//!   {"name": "cut", "position": 2, "type": "categories", "values": ["Fair", "Good"], "other": true, "fill": "Good"},
//!   {"name": "air", "position": 3, "type": "flag", "no": "no", "yes": "yes", "fill": "no"},
//!   {"name": "sold", "position": 4, "type": "date", "format": "%Y-%m-%d", "offset": 11.0, "factor": 0.5, "fill": 12.0}],
//!  "targets": [{"name": "price", "position": 5, "type": "values"}]}
//! ```
//!
//! The inputs are those of the columns in their order. Let `cell` be the text of a cell without surrounding white space,
//! or `fill` if the cell is missing (one of [`MISSING`](super::cell::MISSING)):
//!
//! | type | inputs |
//! |---|---|
//! | `omitted` | none |
//! | `number` | one: `(number − offset) · factor`, in `f64` and then rounded to `f32`; with `log_unit`, `sign(number) · ln(1 + |number| / log_unit)` takes the place of the number |
//! | `date` | one, as for a number: days since 1970-01-01 |
//! | `flag` | one: 1 if the cell is `yes`, else 0 |
//! | `categories` | one for each of `values`: 1 if the cell is that value, else 0; then one for any other value if `other` is set |
//!
//! If `missing` is set, one further input follows: 1 if the cell is missing, else 0. Keys that are `false` or have no value
//! are absent.

use serde::{Deserialize, Serialize};

use crate::nn::Task;

/// What the columns of a table are, and how its rows become inputs and targets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Schema {
    /// Whether the first row of the training file had the names of the columns. If not, columns have numbers only, and
    /// every later file must have as many.
    pub header: bool,
    /// All columns of the training file except targets and sample weights, in the order of the file.
    pub columns: Vec<Column>,
    /// The columns to predict, in the order of the network's outputs.
    pub targets: Vec<Target>,
    /// The column with the weight of each row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample_weight: Option<Place>,
}

/// A column of the training file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Where it was.
    #[serde(flatten)]
    pub place: Place,
    /// How it becomes inputs.
    #[serde(flatten)]
    pub encoding: Encoding,
}

/// Where a column was in the training file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The name in the header; `None` without a header. As in pandas, a repeated name ends in `.1`, `.2` and so on, and a
    /// column without a name is called `Unnamed: ` and its position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The number of the column, from 0.
    pub position: usize,
}

/// How the cells of a column become inputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Encoding {
    /// The column is left out.
    Omitted {
        /// Why.
        reason: Reason,
    },
    /// A number.
    Number {
        /// How the number becomes an input.
        #[serde(flatten)]
        scale: NumberScaling,
        /// The number of a missing cell: the median of the training file.
        fill: f64,
        /// Whether words in the place of numbers count as missing, as some of the training file did.
        #[serde(default, skip_serializing_if = "is_false")]
        words: bool,
        /// Whether an input that marks missing cells follows.
        #[serde(default, skip_serializing_if = "is_false")]
        missing: bool,
    },
    /// A date, as days since 1970-01-01.
    Date {
        /// How dates are written, in the notation of `strftime`.
        format: String,
        /// How the days become an input.
        #[serde(flatten)]
        scale: NumberScaling,
        /// The days of a missing cell: the median of the training file.
        fill: f64,
        /// Whether an input that marks missing cells follows.
        #[serde(default, skip_serializing_if = "is_false")]
        missing: bool,
    },
    /// One of two values.
    Flag {
        /// The value whose input is 0.
        no: String,
        /// The value whose input is 1.
        yes: String,
        /// The value of a missing cell: the more frequent one.
        fill: String,
        /// Whether an input that marks missing cells follows.
        #[serde(default, skip_serializing_if = "is_false")]
        missing: bool,
    },
    /// One of several values, with an input each.
    Categories {
        /// The values that have an input of their own.
        values: Vec<String>,
        /// Whether an input that all other values share follows.
        #[serde(default, skip_serializing_if = "is_false")]
        other: bool,
        /// The value of a missing cell: the most frequent one.
        fill: String,
        /// Whether an input that marks missing cells follows.
        #[serde(default, skip_serializing_if = "is_false")]
        missing: bool,
    },
}

/// The map from a number to an input: `(number − offset) · factor`, computed in `f64`. With a `log_unit`, it takes
/// [`compressed`](NumberScaling::compressed) numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct NumberScaling {
    /// The distance from zero up to which numbers of a column with a long tail stay nearly linear; `None` if numbers are
    /// taken as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_unit: Option<f64>,
    /// Subtracted first.
    pub offset: f64,
    /// Multiplied last.
    pub factor: f64,
}

impl NumberScaling {
    /// The map that changes nothing.
    pub const IDENTITY: NumberScaling = NumberScaling {
        log_unit: None,
        offset: 0.0,
        factor: 1.0,
    };

    /// Returns the input of `number`.
    pub fn apply(self, number: f64) -> f32 {
        let number = match self.log_unit {
            None => number,
            Some(unit) => NumberScaling::compressed(number, unit),
        };
        ((number - self.offset) * self.factor) as f32
    }

    /// Returns `sign(number) · ln(1 + |number| / unit)`, which shortens the tails of a distribution on both sides of zero.
    pub fn compressed(number: f64, unit: f64) -> f64 {
        (number.abs() / unit).ln_1p().copysign(number)
    }
}

/// Why a column is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The user dropped it.
    Dropped,
    /// All of its cells are missing.
    Empty,
    /// All of its cells are the same.
    Constant,
    /// It only counts or numbers the rows.
    Index,
    /// It is text that is almost different in every row, such as names.
    Identifiers,
    /// It is text in which dates were found, which become numbers only if asked for.
    Dates,
}

impl Reason {
    /// Every reason, in the order of their notes.
    pub const ALL: [Reason; 6] = [
        Reason::Dropped,
        Reason::Empty,
        Reason::Constant,
        Reason::Index,
        Reason::Identifiers,
        Reason::Dates,
    ];

    /// Returns what is the matter with a column, or with several: `only numbers the rows`.
    pub fn clause(self, is_one: bool) -> &'static str {
        match (self, is_one) {
            (Reason::Dropped, true) => "is dropped",
            (Reason::Dropped, false) => "are dropped",
            (Reason::Empty, true) => "has no value",
            (Reason::Empty, false) => "have no value",
            (Reason::Constant, true) => "has the same value in each row",
            (Reason::Constant, false) => "have the same value in each row",
            (Reason::Index, true) => "only numbers the rows",
            (Reason::Index, false) => "only number the rows",
            (Reason::Identifiers, true) => "has text that differs in almost each row",
            (Reason::Identifiers, false) => "have text that differs in almost each row",
            (Reason::Dates, true) => "has dates that differ in almost each row",
            (Reason::Dates, false) => "have dates that differ in almost each row",
        }
    }
}

/// A column to predict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// Where it was.
    #[serde(flatten)]
    pub place: Place,
    /// What its cells mean.
    #[serde(flatten)]
    pub kind: TargetKind,
}

/// What the cells of a target mean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum TargetKind {
    /// The name of a class.
    Classes {
        /// The names in the order of the classes. A cell that is a number matches a name that is the same number.
        classes: Vec<String>,
    },
    /// A number.
    Values,
    /// Whether the row has the label that the column is named after.
    Label,
}

impl Schema {
    /// Returns the number of inputs of a row.
    pub fn inputs(&self) -> usize {
        self.columns.iter().map(|c| c.encoding.inputs()).sum()
    }

    /// Returns the task of the targets; `None` if there are none.
    pub fn task(&self) -> Option<Task> {
        self.targets.first().map(|target| match target.kind {
            TargetKind::Classes { .. } => Task::Classification,
            TargetKind::Values => Task::Regression,
            TargetKind::Label => Task::Multilabel,
        })
    }

    /// Returns the names of the classes, if the task is classification.
    pub fn classes(&self) -> Option<&[String]> {
        match &self.targets.first()?.kind {
            TargetKind::Classes { classes } => Some(classes),
            TargetKind::Values | TargetKind::Label => None,
        }
    }

    /// Returns the number of columns of the training file.
    pub fn width(&self) -> usize {
        self.columns.len() + self.targets.len() + usize::from(self.sample_weight.is_some())
    }
}

impl Encoding {
    /// Returns the number of inputs.
    pub fn inputs(&self) -> usize {
        let own = match self {
            Encoding::Omitted { .. } => 0,
            Encoding::Number { .. } | Encoding::Date { .. } | Encoding::Flag { .. } => 1,
            Encoding::Categories { values, other, .. } => values.len() + usize::from(*other),
        };
        own + usize::from(self.marks_missing())
    }

    /// Returns whether an input that marks missing cells follows.
    pub fn marks_missing(&self) -> bool {
        match *self {
            Encoding::Omitted { .. } => false,
            Encoding::Number { missing, .. }
            | Encoding::Date { missing, .. }
            | Encoding::Flag { missing, .. }
            | Encoding::Categories { missing, .. } => missing,
        }
    }
}

impl Place {
    /// Returns the place of the same column in a table where it has another number.
    pub(super) fn moved_to(&self, position: usize) -> Place {
        Place {
            name: self.name.clone(),
            position,
        }
    }

    /// Returns the number and name of the column, as `column 3 (petal_length)`.
    pub fn title(&self) -> String {
        match &self.name {
            Some(name) => format!(
                "column {} ({})",
                self.position + 1,
                super::cell::short(name)
            ),
            None => format!("column {}", self.position + 1),
        }
    }
}

fn is_false(flag: &bool) -> bool {
    !flag
}
