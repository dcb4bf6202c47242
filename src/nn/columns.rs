//! The features of a sample, divided into active and idle ones, and how many of their elements are zero.
//!
//! A feature that is 0 in every training sample adds nothing to any product, and its weights get no gradient. Training
//! skips such idle features, with exactly the same result. [`crate::data::fit_columns`] finds them.

use std::ops::Range;

use crate::compute::elements::ByteValues;

/// The features of a sample, divided into active ones and idle ones, which are zero in the whole training set.
#[derive(Debug, Clone, PartialEq)]
pub struct Columns {
    active: Vec<Range<usize>>,
    idle: Vec<usize>,
    features: usize,
    sparsity: Option<Sparsity>,
}

/// What a first layer needs to know of inputs whose zeros it skips.
#[derive(Debug, Clone, PartialEq)]
pub struct Sparsity {
    /// The estimated share of features that are not zero, active or idle, 0 to 1.
    pub density: f64,
    /// What the layer subtracts from every input, in units of the scaled inputs: inputs are stored without the offset
    /// of the scaling, which would make zeros something else.
    pub offset: f32,
    /// In training: if the rows are stored as bytes, and nothing is done to them but scaling, the input that each byte
    /// becomes. Then the layer takes the bytes.
    pub bytes: Option<ByteValues>,
}

impl Columns {
    /// Columns with all `features` active.
    pub fn all(features: usize) -> Columns {
        Columns {
            active: std::iter::once(0..features).collect(),
            idle: Vec::new(),
            features,
            sparsity: None,
        }
    }

    /// Columns from whether each feature is active. If none is, all count as active, as a product needs a width.
    pub(crate) fn from_flags(flags: impl Iterator<Item = bool>) -> Columns {
        let mut columns = Columns {
            active: Vec::new(),
            idle: Vec::new(),
            features: 0,
            sparsity: None,
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

    /// The same columns, with zeros that the first layer skips.
    pub fn with_sparsity(self, sparsity: Option<Sparsity>) -> Columns {
        Columns { sparsity, ..self }
    }

    /// What the first layer needs to know to skip zeros; `None` if it computes all products.
    pub fn sparsity(&self) -> Option<&Sparsity> {
        self.sparsity.as_ref()
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
