//! What a metric is: its names, its unit, which tasks have it, and how it is computed.

use super::score::Score;
use crate::nn::Task;

/// The probability from which on a sample is predicted to have a label.
pub const LABEL_THRESHOLD: f32 = 0.5;

/// A value by which a network is judged, in addition to its loss.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// The name in JSON; columns of CSV put the name of the set before it, as `test_accuracy`.
    pub key: &'static str,
    /// The name in tables and sentences.
    pub title: &'static str,
    /// What its values are.
    pub unit: Unit,
    /// Whether a good network has a high or a low value.
    pub better: Better,
    /// The tasks that have it.
    pub tasks: &'static [Task],
    /// The task whose networks are compared by it: in early stopping, for the best epoch, and in a search.
    pub decides: Option<Task>,
    /// For some tasks, words behind the value that say what it means.
    pub(super) remarks: &'static [(Task, &'static str)],
    /// Computes the value; `None` if the predictions are for a task without it.
    pub(super) measure: fn(&Predicted) -> Option<f64>,
    /// The field of a score that holds the value.
    pub(super) field: fn(&mut Score) -> &mut Option<f64>,
}

impl Metric {
    /// The value in `score`.
    pub fn of(&self, score: &Score) -> Option<f64> {
        let mut score = *score;
        *(self.field)(&mut score)
    }

    /// A value for people, as `98.02 %` or `0.9731`.
    pub fn text(&self, value: f64) -> String {
        self.unit.text(value)
    }

    /// Words behind the value that say what it means for `task`; empty if its title says it all.
    pub fn remark(&self, task: Task) -> &'static str {
        let mut remarks = self.remarks.iter();
        remarks
            .find(|(of, _)| *of == task)
            .map_or("", |(_, text)| text)
    }
}

/// Whether a good network has a high or a low value of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// The higher, the better.
    Higher,
    /// The lower, the better.
    Lower,
}

/// What the values of a metric are, which decides how they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A share of 1, written in per cent.
    Share,
    /// A number without a unit, at most 1.
    Coefficient,
    /// A number in the unit of the targets.
    Quantity,
}

impl Unit {
    /// A value for people.
    pub fn text(self, value: f64) -> String {
        match self {
            Unit::Share => format!("{:.2} %", value * 100.0),
            Unit::Coefficient | Unit::Quantity => format!("{value:.4}"),
        }
    }

    /// The width of a column of values, in characters.
    pub fn width(self) -> usize {
        match self {
            Unit::Share | Unit::Coefficient => 8,
            Unit::Quantity => 10,
        }
    }
}

/// The truth about the samples of a set, together with what a network predicts.
#[derive(Debug, Clone, Copy)]
pub enum Predicted<'a> {
    /// One class for each sample.
    Classes {
        /// The true classes, `[samples]`, each below `classes`.
        labels: &'a [u32],
        /// The likeliest classes, `[samples]`, each below `classes`.
        predictions: &'a [u32],
        /// The number of classes.
        classes: usize,
    },
    /// Any number of labels for each sample.
    Labels {
        /// 1 for a label that the sample has, else 0: `[samples, labels]`.
        flags: &'a [u8],
        /// The probability of each label, `[samples, labels]`.
        probabilities: &'a [f32],
        /// The number of labels.
        labels: usize,
    },
    /// One or more numbers for each sample.
    Values {
        /// The true numbers, `[samples, outputs]`.
        values: &'a [f32],
        /// The predicted numbers, `[samples, outputs]`.
        predictions: &'a [f32],
        /// The number of outputs.
        outputs: usize,
    },
}

/// `part / whole`, or 0 if `whole` is 0.
pub(super) fn share(part: u64, whole: u64) -> f64 {
    match whole {
        0 => 0.0,
        _ => part as f64 / whole as f64,
    }
}
