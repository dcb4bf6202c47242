//! What encoded rows have in addition to their inputs.

use serde::{Deserialize, Serialize};

/// The targets and weights of some rows.
#[derive(Debug, Default)]
pub(in crate::table) struct Chunk {
    pub labels: Vec<u32>,
    /// `[rows, targets]`
    pub values: Vec<f32>,
    pub flags: Vec<u8>,
    pub weights: Vec<f32>,
    pub counts: Counts,
}

/// What happened to cells, for notes.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(in crate::table) struct Counts {
    /// Rows without a target.
    pub dropped: u64,
    /// Missing cells of each column of the schema.
    pub missing: Vec<u64>,
    /// Words without a category, or in the place of numbers, of each column of the schema.
    pub unknown: Vec<u64>,
}

impl Counts {
    pub fn add(&mut self, later: &Counts) {
        self.dropped += later.dropped;
        for (own, later) in [
            (&mut self.missing, &later.missing),
            (&mut self.unknown, &later.unknown),
        ] {
            own.resize(later.len(), 0);
            own.iter_mut()
                .zip(later)
                .for_each(|(own, later)| *own += later);
        }
    }
}
