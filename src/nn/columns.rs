//! The features of a sample, divided into active and idle ones.
//!
//! A feature that is 0 in every training sample adds nothing to any product, and its weights get no gradient. Training
//! skips such idle features, with exactly the same result. [`crate::data::fit_columns`] finds them.

use std::ops::Range;

/// The features of a sample, divided into active ones and idle ones, which are zero in the whole training set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    active: Vec<Range<usize>>,
    idle: Vec<usize>,
    features: usize,
}

impl Columns {
    /// Columns with all `features` active.
    pub fn all(features: usize) -> Columns {
        Columns {
            active: std::iter::once(0..features).collect(),
            idle: Vec::new(),
            features,
        }
    }

    /// Columns from whether each feature is active. If none is, all count as active, as a product needs a width.
    pub(crate) fn from_flags(flags: impl Iterator<Item = bool>) -> Columns {
        let mut columns = Columns {
            active: Vec::new(),
            idle: Vec::new(),
            features: 0,
        };
        for (column, active) in flags.enumerate() {
            columns.features += 1;
            match (active, columns.active.last_mut()) {
                (false, _) => columns.idle.push(column),
                (true, Some(run)) if run.end == column => run.end += 1,
                (true, _) => columns.active.push(column..column + 1),
            }
        }
        if columns.active.is_empty() {
            return Columns::all(columns.features);
        }
        columns
    }

    /// The number of features, active and idle.
    pub fn features(&self) -> usize {
        self.features
    }

    /// The number of active features.
    pub fn width(&self) -> usize {
        self.features - self.idle.len()
    }

    /// The active features as runs of neighbours, in ascending order; at least one.
    pub fn active(&self) -> &[Range<usize>] {
        &self.active
    }

    /// The idle features, in ascending order.
    pub fn idle(&self) -> &[usize] {
        &self.idle
    }
}
