//! How the targets of a regression are standardised: `t' = (t − offset) · factor`, with a pair of numbers for each
//! output.
//!
//! The numbers are fitted to the training set in `f64` and stored in the model. A step learns the standardised targets;
//! predictions and losses are shown in the targets' own units.

use std::iter::repeat;

use serde::{Deserialize, Serialize};

use super::targets::Targets;
use crate::named::named;

named! {
    /// A rule that fits a [`TargetScaling`] to a training set.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
    pub enum TargetScale {
        /// Subtract the mean of each output and divide by its standard deviation; divide counts by their mean.
        #[default]
        Standard = "standard",
        /// Use the targets unchanged.
        None = "none",
    }
}

/// An affine map for each output of a regression, from targets to what the network learns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetScaling {
    /// Subtracted first, in units of the targets, `[outputs]`.
    pub offset: Vec<f64>,
    /// Multiplied last, per unit of the targets, `[outputs]`, all above 0.
    pub factor: Vec<f64>,
}

impl TargetScaling {
    /// Fits mean and standard deviation to the values of each output, with the weights of the samples. The factor of a
    /// constant output is 1.
    ///
    /// Shapes: `weights [samples]`, not all 0; all samples weigh the same without them.
    ///
    /// # Panics
    /// Panics if the targets are not those of a regression.
    pub fn standard(targets: &Targets, weights: Option<&[f32]>) -> TargetScaling {
        let Targets::Values { values, outputs } = targets else {
            panic!("values of targets for {}", targets.task().name());
        };
        let pairs = (0..*outputs).map(|output| {
            let column = values.iter().skip(output).step_by(*outputs);
            let weights = weights.into_iter().flatten().chain(repeat(&1.0));
            let pairs = column.zip(weights);
            standard(pairs.map(|(&value, &weight)| (f64::from(value), f64::from(weight))))
        });
        let (offset, factor) = pairs.unzip();
        TargetScaling { offset, factor }
    }

    /// Fits only a factor, 1 over the mean of each output: for counts, whose logarithms the network learns. The factor is 1
    /// if the mean is 0. The arguments are those of [`TargetScaling::standard`].
    ///
    /// # Panics
    /// Panics if the targets are not those of a regression.
    pub fn of_means(targets: &Targets, weights: Option<&[f32]>) -> TargetScaling {
        let TargetScaling { offset, .. } = TargetScaling::standard(targets, weights);
        let factor = |&mean: &f64| if mean > 0.0 { 1.0 / mean } else { 1.0 };
        TargetScaling {
            factor: offset.iter().map(factor).collect(),
            offset: vec![0.0; offset.len()],
        }
    }

    /// Standardises a row of targets.
    ///
    /// Shapes: `row [outputs]`, in place.
    pub fn apply(&self, row: &mut [f32]) {
        for (t, (offset, factor)) in row.iter_mut().zip(self.pairs()) {
            *t = ((f64::from(*t) - offset) * factor) as f32;
        }
    }

    /// Turns a row of outputs into values in the targets' own units, `z / factor + offset` in `f64`.
    ///
    /// Shapes: `row [outputs]`, in place.
    pub fn undo(&self, row: &mut [f32]) {
        for (z, (offset, factor)) in row.iter_mut().zip(self.pairs()) {
            *z = (f64::from(*z) / factor + offset) as f32;
        }
    }

    /// Makes the last layer of a network return values in the targets' own units: [`TargetScaling::undo`] within its
    /// weights and biases.
    ///
    /// Shapes: `weight [inputs · outputs]`, row-major, `bias [outputs]`, both in place.
    pub(crate) fn fold(&self, weight: &mut [f32], bias: &mut [f32]) {
        for row in weight.chunks_exact_mut(self.factor.len()) {
            for (w, factor) in row.iter_mut().zip(&self.factor) {
                *w = (f64::from(*w) / factor) as f32;
            }
        }
        self.undo(bias);
    }

    /// [`TargetScaling::fold`] for outputs that are logarithms: a factor of the value is a term of its logarithm.
    ///
    /// Shapes: `bias [outputs]`, in place.
    pub(crate) fn fold_logarithms(&self, bias: &mut [f32]) {
        for (b, factor) in bias.iter_mut().zip(&self.factor) {
            *b = (f64::from(*b) - factor.ln()) as f32;
        }
    }

    /// The size of a unit of each output in units of its target, `[outputs]`: the standard deviation.
    pub fn deviations(&self) -> Vec<f64> {
        self.factor.iter().map(|factor| 1.0 / factor).collect()
    }

    /// Whether these are pairs for so many outputs, with finite offsets, and factors that can be undone.
    pub(crate) fn fits(&self, outputs: usize) -> bool {
        let is_factor = |factor: &f64| factor.is_normal() && *factor > 0.0;
        (self.offset.len(), self.factor.len()) == (outputs, outputs)
            && self.offset.iter().all(|offset| offset.is_finite())
            && self.factor.iter().all(is_factor)
    }

    fn pairs(&self) -> impl Iterator<Item = (f64, f64)> {
        let offsets = self.offset.iter().copied();
        offsets.zip(self.factor.iter().copied())
    }
}

/// The mean of pairs of a value and its weight, and 1 over their standard deviation.
fn standard(pairs: impl Iterator<Item = (f64, f64)> + Clone) -> (f64, f64) {
    let (mut total, mut sum) = (0.0, 0.0);
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for (value, weight) in pairs.clone().filter(|&(_, weight)| weight > 0.0) {
        total += weight;
        sum += weight * value;
        (low, high) = (value.min(low), value.max(high));
    }
    // The mean of equal values may be rounded, and then they would seem to differ.
    if low >= high {
        return (low, 1.0);
    }
    let mean = sum / total;
    let squares: f64 = pairs
        .map(|(value, weight)| weight * (value - mean).powi(2))
        .sum();
    (mean, 1.0 / (squares / total).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, arr2};

    fn of(values: Array2<f32>) -> TargetScaling {
        TargetScaling::standard(&Targets::values(values.view()).expect("values"), None)
    }

    #[test]
    fn each_output_has_its_own_mean_and_deviation() {
        let values = arr2(&[[300_000.0, -1.0], [100_000.0, 1.0], [200_000.0, 0.0]]);
        let scaling = of(values.clone());
        let deviation = (2.0f64 / 3.0).sqrt();
        for (found, expected) in [
            (scaling.offset[0], 200_000.0),
            (scaling.offset[1], 0.0),
            (scaling.deviations()[0], 100_000.0 * deviation),
            (scaling.deviations()[1], deviation),
        ] {
            assert!((found - expected).abs() < 1e-9, "{found} for {expected}");
        }
        for row in values.rows() {
            let mut row = row.to_vec();
            let before = row.clone();
            scaling.apply(&mut row);
            assert!(row.iter().all(|t| t.abs() < 1.3), "{row:?}");
            scaling.undo(&mut row);
            for (found, expected) in row.iter().zip(&before) {
                assert!((found - expected).abs() <= 0.02, "{found} for {expected}");
            }
        }
    }

    #[test]
    fn samples_count_by_their_weight() {
        let column = |values: &[f32]| {
            let values = Array2::from_shape_vec((values.len(), 1), values.to_vec());
            Targets::values(values.expect("a column").view()).expect("values")
        };
        let weights = Some(&[1.0, 0.0, 2.0][..]);
        let weighted = TargetScaling::standard(&column(&[1.0, 99.0, 4.0]), weights);
        assert_eq!(
            weighted,
            TargetScaling::standard(&column(&[1.0, 4.0, 4.0]), None)
        );
        let counts = TargetScaling::of_means(&column(&[1.0, 99.0, 4.0]), weights);
        assert_eq!((counts.offset, counts.factor), (vec![0.0], vec![1.0 / 3.0]));
        let zeros = TargetScaling::of_means(&column(&[0.0, 0.0]), None);
        assert_eq!(zeros.factor, [1.0]);
    }

    #[test]
    fn a_constant_output_has_the_factor_1() {
        let values = Array2::from_elem((1001, 1), 0.1);
        let scaling = of(values);
        assert_eq!(scaling.offset, [f64::from(0.1f32)]);
        assert_eq!(scaling.factor, [1.0]);
        let mut row = [0.1];
        scaling.apply(&mut row);
        assert_eq!(row, [0.0]);
    }

    #[test]
    fn offsets_far_from_zero_are_subtracted_before_rounding() {
        // Seconds since 1970, a minute apart: nearly all of the value is the offset.
        let first = 1_600_000_000.0f32;
        let values = Array2::from_shape_fn((100, 1), |(row, _)| first + 128.0 * row as f32);
        let scaling = of(values.clone());
        let mut row = [first + 128.0];
        scaling.apply(&mut row);
        let expected = (1.0 - 49.5) / (9999.0f64 / 12.0).sqrt();
        assert!((f64::from(row[0]) - expected).abs() < 1e-6, "{row:?}");
    }

    #[test]
    fn numbers_that_cannot_be_undone_do_not_fit() {
        let scaling = |offset: f64, factor: f64| TargetScaling {
            offset: vec![offset],
            factor: vec![factor],
        };
        assert!(scaling(1.0, 0.5).fits(1));
        assert!(!scaling(1.0, 0.5).fits(2));
        for (offset, factor) in [
            (f64::NAN, 1.0),
            (0.0, 0.0),
            (0.0, -1.0),
            (0.0, f64::INFINITY),
            (0.0, 1e-310),
        ] {
            assert!(!scaling(offset, factor).fits(1), "{offset} {factor}");
        }
    }
}
