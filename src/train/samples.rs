//! The samples of a step: which they are, which come next, and their targets.

use std::ops::Range;

use crate::data::{Dataset, TargetScaling};
use crate::nn::TargetsMut;
use crate::nn::loss::{Loss, RowShares};

/// The samples of a step.
#[derive(Clone, Copy)]
pub(super) struct Batch<'a> {
    /// The step since the run began, counted from 0.
    pub number: u64,
    /// The samples of the step.
    pub samples: &'a [u32],
    /// The samples of the step after it, to fetch ahead.
    pub next: &'a [u32],
}

/// Samples to fetch ahead, some with each piece of an update: all at once would wait for memory.
pub(super) struct NextSamples<'b> {
    pub samples: &'b [u32],
    pub at_a_time: usize,
}

impl NextSamples<'_> {
    pub(super) fn fetch_some(&mut self, data: &Dataset) {
        let (now, later) = self
            .samples
            .split_at(self.at_a_time.min(self.samples.len()));
        data.fetch_ahead(now);
        self.samples = later;
    }
}

/// Copies the targets of `samples`, standardised by `scaling`, if there is one.
///
/// # Panics
/// Panics if `data` is for another task, or a sample is out of range.
pub(super) fn gather_targets(
    data: &Dataset,
    samples: &[u32],
    scaling: Option<&TargetScaling>,
    targets: TargetsMut,
) {
    match targets {
        TargetsMut::Labels(out) => {
            let labels = data.labels();
            for (out, &sample) in out.iter_mut().zip(samples) {
                *out = labels[sample as usize];
            }
        }
        TargetsMut::Rows(mut rows) => {
            for (row, &sample) in rows.iter_mut().zip(samples) {
                data.targets().read_row(sample as usize, row);
                if let Some(scaling) = scaling {
                    scaling.apply(row);
                }
            }
        }
    }
}

/// The samples `distance` further than `rows` in a batch and then in the next one; fewer at their end.
pub(super) fn ahead<'b>(batch: Batch<'b>, distance: usize, rows: &Range<usize>) -> &'b [u32] {
    let within = |list: &'b [u32], start: usize| {
        let end = list.len().min(start + rows.len());
        list.get(start..end).unwrap_or_default()
    };
    match (rows.start + distance).checked_sub(batch.samples.len()) {
        None => within(batch.samples, rows.start + distance),
        Some(start) => within(batch.next, start),
    }
}

/// What the summed losses of `samples` are divided by for their mean: their number, or the sum of their weights, each times
/// that of its class. At least a number above 0, so that losses of samples without weight have a mean.
pub(super) fn total_weight(loss: &Loss, data: &Dataset, samples: &[u32]) -> f64 {
    if let Some(weights) = data.weights() {
        let of_class = |sample: usize| match loss {
            Loss::CrossEntropy(loss) => loss.class_weight(data.labels()[sample]),
            _ => 1.0,
        };
        let samples = samples.iter().map(|&sample| sample as usize);
        let weights = samples.map(|sample| f64::from(weights[sample]) * of_class(sample));
        return weights.sum::<f64>().max(f64::MIN_POSITIVE);
    }
    match loss {
        Loss::CrossEntropy(loss) => {
            let labels = data.labels();
            loss.total_weight(samples.iter().map(|&sample| labels[sample as usize]))
        }
        _ => samples.len() as f64,
    }
}

/// The shares of `samples`, which are some rows of a batch, in its loss. `total` is the [`total_weight`] of the batch.
pub(super) fn row_shares<'a>(data: &'a Dataset, samples: &'a [u32], total: f64) -> RowShares<'a> {
    match data.weights() {
        None => RowShares::equal(total),
        Some(weights) => RowShares::weighted(total, weights, samples),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_ahead_into_the_next_batch() {
        let batch = Batch {
            number: 0,
            samples: &[0, 1, 2, 3, 4, 5],
            next: &[6, 7, 8],
        };
        assert_eq!(ahead(batch, 2, &(0..2)), [2, 3]);
        assert_eq!(ahead(batch, 4, &(0..4)), [4, 5]);
        assert_eq!(ahead(batch, 4, &(2..4)), [6, 7]);
        assert_eq!(ahead(batch, 6, &(2..6)), [8]);
        let last = Batch { next: &[], ..batch };
        assert!(ahead(last, 6, &(2..6)).is_empty());
    }
}
