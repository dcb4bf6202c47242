//! Losses with their gradients at the logits, and predictions from logits.
//!
//! Each task has its losses: [`CrossEntropy`] of a softmax for classes, the cross-entropy of a sigmoid for each of
//! several labels, and for numbers the squared error, Huber's, the absolute error, that of a quantile or the Poisson
//! deviance. The loss of a sample is the mean over its outputs, and
//! the loss of a batch is the mean over its samples.

mod cross_entropy;
mod error;
mod poisson;
mod replacement;
mod row_shares;
mod sigmoid;
mod units;

pub use cross_entropy::{
    CrossEntropy, ROWS_TOGETHER, arg_max, cross_entropy, cross_entropy_backward, softmax,
};

pub use row_shares::RowShares;
pub use units::Units;

use super::{Link, Task};

/// The loss that training minimises.
#[derive(Debug, Clone, PartialEq)]
pub enum Loss {
    /// The cross-entropy of one class per sample.
    CrossEntropy(CrossEntropy),
    /// The cross-entropy of several labels per sample: `−mean(t ln p + (1 − t) ln(1 − p))` with `p = 1 / (1 + e⁻ᶻ)`, in
    /// nats, as PyTorch's `BCEWithLogitsLoss`.
    BinaryCrossEntropy,
    /// The squared error of numbers: `mean((z − t)²)`, as PyTorch's `MSELoss`, without a factor ½.
    SquaredError,
    /// The Huber loss of numbers: the mean of `½ (z − t)²` up to a distance of δ and of `δ (|z − t| − ½ δ)` beyond, as
    /// PyTorch's `HuberLoss` (P. Huber, *Robust Estimation of a Location Parameter*, 1964).
    Huber {
        /// The distance δ beyond which the loss grows linearly.
        delta: f32,
    },
    /// The absolute error of numbers: `mean |z − t|`, as PyTorch's `L1Loss`. Predicts medians.
    AbsoluteError,
    /// The pinball loss, by which numbers are predicted that the share q of the targets is below: the mean of `q (t − z)`
    /// for targets above the prediction and `(1 − q) (z − t)` for those below (R. Koenker and G. Bassett, *Regression
    /// Quantiles*, 1978; scikit-learn's `mean_pinball_loss`).
    Quantile {
        /// The share q, between 0 and 1.
        share: f32,
    },
    /// The Poisson deviance of counts with a log link, where the output z is `ln μ` of the mean μ that is predicted: `2
    /// mean(t ln(t / μ) − t + μ)`, twice the negative log-likelihood relative to that of `μ = t` (P. McCullagh and J.
    /// Nelder, *Generalized Linear Models*, 1989; scikit-learn's `mean_poisson_deviance`).
    Poisson,
}

/// The plain loss of classification.
impl Default for Loss {
    fn default() -> Loss {
        Loss::of(Task::default())
    }
}

impl Loss {
    /// The default loss of a task, in which all classes and labels have the same weight.
    pub fn of(task: Task) -> Loss {
        match task {
            Task::Classification => Loss::CrossEntropy(CrossEntropy::default()),
            Task::Regression => Loss::SquaredError,
            Task::Multilabel => Loss::BinaryCrossEntropy,
        }
    }

    /// The default loss of a task whose outputs have a `link`.
    pub fn with_link(task: Task, link: Link) -> Loss {
        match (task, link) {
            (Task::Regression, Link::Log) => Loss::Poisson,
            _ => Loss::of(task),
        }
    }

    /// What the outputs of a network are that minimises the loss.
    pub fn link(&self) -> Link {
        match self {
            Loss::Poisson => Link::Log,
            _ => Link::Identity,
        }
    }

    /// The task that the loss is for.
    pub fn task(&self) -> Task {
        match self {
            Loss::CrossEntropy(_) => Task::Classification,
            Loss::BinaryCrossEntropy => Task::Multilabel,
            Loss::SquaredError
            | Loss::Huber { .. }
            | Loss::AbsoluteError
            | Loss::Quantile { .. }
            | Loss::Poisson => Task::Regression,
        }
    }

    /// Returns the loss of one sample with a row of targets, and replaces its logits by the gradient of `scale · loss`.
    ///
    /// With `units` the targets are standardised: the gradient is that of the loss of standardised targets, and the
    /// result is the loss in their own units, the mean over the outputs.
    ///
    /// Shapes: `logits`, `targets [outputs]`. Overwrites `logits`.
    ///
    /// # Panics
    /// Panics if the two differ in length, if `units` are of another loss or number of outputs, and for
    /// [`Loss::CrossEntropy`], which has no row of targets.
    pub fn backward(
        &self,
        logits: &mut [f32],
        targets: &[f32],
        units: Option<&Units>,
        scale: f32,
    ) -> f64 {
        assert_eq!(logits.len(), targets.len(), "logits and targets");
        let scale = scale / logits.len() as f32;
        let relative = units.and_then(Units::relative);
        let sum = match *self {
            Loss::CrossEntropy(_) => unreachable!("a row of targets for one class per sample"),
            Loss::BinaryCrossEntropy => sigmoid::backward(logits, targets, scale),
            Loss::SquaredError => error::squared_backward(logits, targets, relative, scale),
            Loss::AbsoluteError => {
                error::pinball_backward(logits, targets, relative, (1.0, 1.0), scale)
            }
            Loss::Quantile { share } => {
                let slopes = (share, 1.0 - share);
                error::pinball_backward(logits, targets, relative, slopes, scale)
            }
            Loss::Poisson => poisson::backward(logits, targets, relative, scale),
            Loss::Huber { delta } => match (units, relative) {
                (None, _) => error::huber_backward(logits, targets, delta, scale),
                (Some(units), None) => {
                    error::huber_backward(logits, targets, units.deltas()[0], scale)
                }
                (Some(units), Some(relative)) => {
                    let of_outputs = (units.deltas(), relative);
                    error::huber_backward_in_units(logits, targets, of_outputs, scale)
                }
            },
        };
        let mean = sum / logits.len() as f64;
        units.map_or(mean, |units| mean * units.largest())
    }

    /// What turns the loss of targets that are standardised by these deviations, `[outputs]`, into the loss in their own
    /// units.
    pub fn units(&self, deviations: &[f64]) -> Units {
        let delta = match *self {
            Loss::Huber { delta } => Some(delta),
            _ => None,
        };
        Units::new(self.degree(), delta, deviations)
    }

    /// The power of a unit of the targets that the loss is measured in.
    fn degree(&self) -> i32 {
        match self {
            Loss::CrossEntropy(_) | Loss::BinaryCrossEntropy => 0,
            Loss::AbsoluteError | Loss::Quantile { .. } | Loss::Poisson => 1,
            Loss::SquaredError | Loss::Huber { .. } => 2,
        }
    }
}

/// Turns logits into predictions, in place: the probability of each class by a softmax or by sigmoids, the numbers as they
/// are, or the exponentials of their logarithms.
///
/// Shapes: `logits [outputs]`. Overwrites them.
pub fn finish(task: Task, link: Link, logits: &mut [f32]) {
    match (task, link) {
        (Task::Classification, _) => softmax(logits),
        (Task::Multilabel, _) => sigmoid::sigmoids(logits),
        (Task::Regression, Link::Identity) => {}
        (Task::Regression, Link::Log) => poisson::exponentials(logits),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Loss and gradient of `[1, 2, 3]` against `[1.5, 2, 0]`, computed by hand from PyTorch's formulas.
    #[test]
    fn losses_of_numbers_equal_those_computed_by_hand() {
        let (z, t) = ([1.0, 2.0, 3.0], [1.5, 2.0, 0.0]);
        let of = |loss: Loss| {
            let mut d = z;
            (loss.backward(&mut d, &t, None, 0.5), d)
        };
        // (0.25 + 0 + 9) / 3, and 2 (z − t) / 3 · 0.5.
        let (loss, d) = of(Loss::SquaredError);
        assert!((loss - 9.25 / 3.0).abs() < 1e-6);
        for (found, expected) in d.into_iter().zip([-0.5 / 3.0, 0.0, 1.0]) {
            assert!((found - expected).abs() < 1e-6, "{d:?}");
        }
        // (0.125 + 0 + 2 · (3 − 1)) / 3, and errors of at most 2, / 3 · 0.5.
        let (loss, d) = of(Loss::Huber { delta: 2.0 });
        assert!((loss - 4.125 / 3.0).abs() < 1e-6);
        for (found, expected) in d.into_iter().zip([-0.25 / 3.0, 0.0, 1.0 / 3.0]) {
            assert!((found - expected).abs() < 1e-6, "{d:?}");
        }
    }

    #[test]
    fn losses_of_medians_quantiles_and_counts_equal_those_computed_by_hand() {
        let close = |found: &[f32], expected: [f32; 3]| {
            let mut pairs = found.iter().zip(expected);
            assert!(
                pairs.all(|(found, expected)| (found - expected).abs() < 1e-6),
                "{found:?}"
            );
        };
        let (z, t) = ([1.0, 2.0, 3.0], [1.5, 2.0, 0.0]);
        let mut d = z;
        let loss = Loss::AbsoluteError.backward(&mut d, &t, None, 3.0);
        assert!((loss - 3.5 / 3.0).abs() < 1e-6);
        close(&d, [-1.0, 0.0, 1.0]);
        // 0.9 · 0.5 above the prediction, and 0.1 · 3 below.
        let mut d = z;
        let loss = Loss::Quantile { share: 0.9 }.backward(&mut d, &t, None, 3.0);
        assert!((loss - 0.75 / 3.0).abs() < 1e-6, "{loss}");
        close(&d, [-0.9, 0.0, 0.1]);
        // Means 1, 2 and 4 of counts 0, 2 and 3.
        let ln = |mean: f32| mean.ln();
        let mut d = [0.0, ln(2.0), ln(4.0)];
        let loss = Loss::Poisson.backward(&mut d, &[0.0, 2.0, 3.0], None, 3.0);
        let expected = 2.0 * (1.0 + 0.0 + (3.0 * (0.75f64).ln() - 3.0 + 4.0)) / 3.0;
        assert!((loss - expected).abs() < 1e-6, "{loss} for {expected}");
        close(&d, [2.0, 0.0, 2.0]);
    }

    /// Deviances near 0, where `t ln(t / μ) − t + μ` cancels, and far from it, against `f64`.
    #[test]
    fn deviances_of_counts_are_accurate() {
        for t in [0.0f32, 1e-3, 1.0, 7.0, 1e3, 1e6] {
            for z in [-20.0f32, -3.0, 0.0, 1.9, 6.9, 13.8, 20.0] {
                for z in [z, t.max(1e-3).ln() + 0.01, t.max(1e-3).ln() + 0.49] {
                    let (wide_z, wide_t) = (f64::from(z), f64::from(t));
                    let log = if t > 0.0 {
                        wide_t * (wide_t.ln() - wide_z)
                    } else {
                        0.0
                    };
                    let expected = 2.0 * (log - wide_t + wide_z.exp());
                    let mut d = [z];
                    let loss = Loss::Poisson.backward(&mut d, &[t], None, 1.0);
                    // The rounding of z, as a deviance.
                    let rounding = 4e-7 * z.abs().max(1.0);
                    let slope = 2.0 * (wide_z.exp() - wide_t).abs();
                    let off = (loss - expected).abs() - f64::from(rounding) * slope;
                    assert!(off <= 1e-5 * expected, "{loss} for {expected} at {z}, {t}");
                }
            }
        }
    }

    #[test]
    fn losses_of_labels_equal_those_computed_by_hand_and_stay_finite() {
        let mut d = [0.0, (3.0f32).ln()];
        let loss = Loss::BinaryCrossEntropy.backward(&mut d, &[1.0, 0.0], None, 1.0);
        // Probabilities ½ and ¾.
        assert!((loss - 0.5 * (2.0f64.ln() + 4.0f64.ln())).abs() < 1e-6);
        assert!((d[0] + 0.25).abs() < 1e-6 && (d[1] - 0.375).abs() < 1e-6);
        let mut d = [1e4, -1e4, 1e4, -1e4];
        let loss = Loss::BinaryCrossEntropy.backward(&mut d, &[1.0, 0.0, 0.0, 1.0], None, 1.0);
        assert_eq!(loss, 5e3);
        assert_eq!(d, [0.0, 0.0, 0.25, -0.25]);
    }

    /// The loss of a label that is predicted with near certainty, against `ln(1 + e⁻ᶻ)` in `f64`.
    #[test]
    fn small_losses_of_labels_are_accurate() {
        for z in [3.0f32, 12.0, 17.0, 40.0] {
            let expected = (-f64::from(z)).exp().ln_1p();
            for (z, t) in [(z, 1.0), (-z, 0.0)] {
                let loss = Loss::BinaryCrossEntropy.backward(&mut [z], &[t], None, 1.0);
                let off = (loss / expected - 1.0).abs();
                assert!(off < 1e-5, "{loss} for {expected} at {z}");
            }
        }
        // A target of ½: ½ ln(1 + e⁻ᶻ) + ½ ln(1 + eᶻ).
        let loss = Loss::BinaryCrossEntropy.backward(&mut [12.0], &[0.5], None, 1.0);
        assert!((loss - 6.000_006_144).abs() < 1e-6, "{loss}");
    }

    #[test]
    fn nan_logits_give_a_nan_loss() {
        for loss in [
            Loss::BinaryCrossEntropy,
            Loss::SquaredError,
            Loss::Huber { delta: 1.0 },
            Loss::AbsoluteError,
            Loss::Quantile { share: 0.3 },
            Loss::Poisson,
        ] {
            let mut logits = [0.0, f32::NAN];
            assert!(
                loss.backward(&mut logits, &[0.0, 1.0], None, 1.0).is_nan(),
                "{loss:?}"
            );
        }
    }

    /// The loss in units of the targets is that of the targets themselves, and a gradient in units is per deviation.
    #[test]
    fn losses_in_units_equal_those_of_the_targets_themselves() {
        let (z, t) = ([1.0, 2.0, 3.0], [1.5, 2.0, 0.0]);
        for deviations in [[4.0; 3], [0.5, 4.0, 3.0], [1e-25, 1.0, 1e25]] {
            for loss in [
                Loss::SquaredError,
                Loss::Huber { delta: 2.0 },
                Loss::AbsoluteError,
                Loss::Quantile { share: 0.3 },
            ] {
                let own = |x: [f32; 3]| std::array::from_fn(|i| x[i] * deviations[i] as f32);
                let (mut in_units, mut alone): ([f32; 3], [f32; 3]) = (z, own(z));
                let units = loss.units(&deviations);
                let found = loss.backward(&mut in_units, &t, Some(&units), 0.5);
                let squares: f64 = own(z)
                    .iter()
                    .zip(own(t))
                    .map(|(z, t)| f64::from(z - t).powi(2))
                    .sum();
                let expected = match loss {
                    // Squares may leave the range of f32.
                    Loss::SquaredError => squares / 3.0,
                    _ => loss.backward(&mut alone, &own(t), None, 0.5),
                };
                assert!(
                    (found / expected - 1.0).abs() < 1e-6,
                    "{found} for {expected}"
                );
                if let Loss::Huber { .. } = loss {
                    for ((found, expected), deviation) in in_units.iter().zip(alone).zip(deviations)
                    {
                        let expected = f64::from(expected) / deviation;
                        let off = (f64::from(*found) - expected).abs();
                        assert!(off <= 1e-6 * expected.abs(), "{found} for {expected}");
                    }
                }
            }
        }
    }

    #[test]
    fn each_task_has_its_output_function() {
        let finished = |task| {
            let mut logits = [0.0, 0.0, 0.0, 0.0];
            finish(task, Link::Identity, &mut logits);
            logits[0]
        };
        assert_eq!(Task::ALL.map(finished), [0.25, 0.0, 0.5]);
        let mut logits = [0.0, 1.0];
        finish(Task::Regression, Link::Log, &mut logits);
        assert_eq!(logits[0], 1.0);
        assert!((logits[1] - std::f32::consts::E).abs() < 1e-6);
    }
}
