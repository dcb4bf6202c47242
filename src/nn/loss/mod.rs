//! Losses with their gradients at the logits, and predictions from logits.
//!
//! Each task has its losses: [`CrossEntropy`] of a softmax for classes, the cross-entropy of a sigmoid for each of
//! several labels, and the squared error or Huber's for numbers. The loss of a sample is the mean over its outputs, and
//! the loss of a batch is the mean over its samples.

mod cross_entropy;
mod error;
mod replacement;
mod sigmoid;

pub use cross_entropy::{
    CrossEntropy, ROWS_TOGETHER, arg_max, cross_entropy, cross_entropy_backward, softmax,
};

use super::Task;

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

    /// The task that the loss is for.
    pub fn task(&self) -> Task {
        match self {
            Loss::CrossEntropy(_) => Task::Classification,
            Loss::BinaryCrossEntropy => Task::Multilabel,
            Loss::SquaredError | Loss::Huber { .. } => Task::Regression,
        }
    }

    /// Returns the loss of one sample with a row of targets, and replaces its logits by the gradient of `scale · loss`.
    ///
    /// Shapes: `logits`, `targets [outputs]`. Overwrites `logits`.
    ///
    /// # Panics
    /// Panics if the two differ in length, and for [`Loss::CrossEntropy`], which has no row of targets.
    pub fn backward(&self, logits: &mut [f32], targets: &[f32], scale: f32) -> f64 {
        assert_eq!(logits.len(), targets.len(), "logits and targets");
        let scale = scale / logits.len() as f32;
        let sum = match *self {
            Loss::CrossEntropy(_) => unreachable!("a row of targets for one class per sample"),
            Loss::BinaryCrossEntropy => sigmoid::backward(logits, targets, scale),
            Loss::SquaredError => error::squared_backward(logits, targets, scale),
            Loss::Huber { delta } => error::huber_backward(logits, targets, delta, scale),
        };
        sum / logits.len() as f64
    }
}

/// Turns logits into predictions, in place: the probability of each class by a softmax or by sigmoids, or the numbers
/// as they are.
///
/// Shapes: `logits [outputs]`. Overwrites them.
pub fn finish(task: Task, logits: &mut [f32]) {
    match task {
        Task::Classification => softmax(logits),
        Task::Regression => {}
        Task::Multilabel => sigmoid::sigmoids(logits),
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
            (loss.backward(&mut d, &t, 0.5), d)
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
    fn losses_of_labels_equal_those_computed_by_hand_and_stay_finite() {
        let mut d = [0.0, (3.0f32).ln()];
        let loss = Loss::BinaryCrossEntropy.backward(&mut d, &[1.0, 0.0], 1.0);
        // Probabilities ½ and ¾.
        assert!((loss - 0.5 * (2.0f64.ln() + 4.0f64.ln())).abs() < 1e-6);
        assert!((d[0] + 0.25).abs() < 1e-6 && (d[1] - 0.375).abs() < 1e-6);
        let mut d = [1e4, -1e4, 1e4, -1e4];
        let loss = Loss::BinaryCrossEntropy.backward(&mut d, &[1.0, 0.0, 0.0, 1.0], 1.0);
        assert_eq!(loss, 5e3);
        assert_eq!(d, [0.0, 0.0, 0.25, -0.25]);
    }

    /// The loss of a label that is predicted with near certainty, against `ln(1 + e⁻ᶻ)` in `f64`.
    #[test]
    fn small_losses_of_labels_are_accurate() {
        for z in [3.0f32, 12.0, 17.0, 40.0] {
            let expected = (-f64::from(z)).exp().ln_1p();
            for (z, t) in [(z, 1.0), (-z, 0.0)] {
                let loss = Loss::BinaryCrossEntropy.backward(&mut [z], &[t], 1.0);
                let off = (loss / expected - 1.0).abs();
                assert!(off < 1e-5, "{loss} for {expected} at {z}");
            }
        }
        // A target of ½: ½ ln(1 + e⁻ᶻ) + ½ ln(1 + eᶻ).
        let loss = Loss::BinaryCrossEntropy.backward(&mut [12.0], &[0.5], 1.0);
        assert!((loss - 6.000_006_144).abs() < 1e-6, "{loss}");
    }

    #[test]
    fn nan_logits_give_a_nan_loss() {
        for loss in [
            Loss::BinaryCrossEntropy,
            Loss::SquaredError,
            Loss::Huber { delta: 1.0 },
        ] {
            let mut logits = [0.0, f32::NAN];
            assert!(
                loss.backward(&mut logits, &[0.0, 1.0], 1.0).is_nan(),
                "{loss:?}"
            );
        }
    }

    #[test]
    fn each_task_has_its_output_function() {
        let finished = |task| {
            let mut logits = [0.0, 0.0, 0.0, 0.0];
            finish(task, &mut logits);
            logits[0]
        };
        assert_eq!(Task::ALL.map(finished), [0.25, 0.0, 0.5]);
    }
}
