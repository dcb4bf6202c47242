//! What each row counts in the loss of its batch.

/// The share of each row in the loss of a batch: its weight over the sum of the weights.
#[derive(Debug, Clone, Copy)]
pub struct RowShares<'a> {
    /// 1 over the sum of the weights.
    scale: f32,
    /// The weights of all samples, and the samples of these rows; `None` if all rows weigh 1.
    weights: Option<(&'a [f32], &'a [u32])>,
}

impl<'a> RowShares<'a> {
    /// Rows that weigh the same, in a batch whose weights add up to `total`.
    pub fn equal(total: f64) -> RowShares<'static> {
        RowShares {
            scale: scale(total),
            weights: None,
        }
    }

    /// The rows of `samples`, which have these `weights [samples of the set]`, in a batch whose weights add up to `total`.
    /// If they are all 0, so are the shares.
    pub fn weighted(total: f64, weights: &'a [f32], samples: &'a [u32]) -> RowShares<'a> {
        RowShares {
            scale: scale(total),
            weights: Some((weights, samples)),
        }
    }

    /// The weight of a row.
    ///
    /// # Panics
    /// Panics if there is no such row.
    pub fn weight(&self, row: usize) -> f32 {
        self.weights
            .map_or(1.0, |(weights, samples)| weights[samples[row] as usize])
    }

    /// The shares of so many rows from `first` on.
    ///
    /// # Panics
    /// Panics if there are fewer rows.
    pub(super) fn rows(&self, first: usize, count: usize) -> RowShares<'a> {
        let of_rows = |samples: &'a [u32]| &samples[first..first + count];
        RowShares {
            scale: self.scale,
            weights: self
                .weights
                .map(|(weights, samples)| (weights, of_rows(samples))),
        }
    }

    /// 1 over the sum of the weights, by which the weight of a row is multiplied.
    pub fn scale(&self) -> f32 {
        self.scale
    }

    /// Whether rows have weights.
    pub(super) fn are_weighted(&self) -> bool {
        self.weights.is_some()
    }
}

/// `1 / total`, or the largest number instead of infinity: times a weight of 0 it is 0.
fn scale(total: f64) -> f32 {
    (1.0 / total).min(f32::MAX.into()) as f32
}
