//! From logits to a loss, and in place to its gradient; and from logits to what a network tells of an item.
//!
//! Each task has its losses: [`CrossEntropy`] of a softmax for classes, the cross-entropy of a sigmoid for each of several
//! labels, the squared or Huber's error for numbers. The losses of an item's outputs are averaged, those of the items of a
//! batch too.

mod cross_entropy;
mod error;
mod sigmoid;

pub use cross_entropy::{CrossEntropy, arg_max, cross_entropy, cross_entropy_backward, softmax};

use super::Task;

/// What training minimises.
#[derive(Debug, Clone, PartialEq)]
pub enum Loss {
    /// Of classes, one an item.
    CrossEntropy(CrossEntropy),
    /// Of labels, several an item: `−mean(t ln p + (1 − t) ln(1 − p))` with `p = 1 / (1 + e⁻ᶻ)`, in nats, as PyTorch's
    /// `BCEWithLogitsLoss`.
    BinaryCrossEntropy,
    /// Of numbers: `mean((z − t)²)`, as PyTorch's `MSELoss`; there is no ½ in it.
    SquaredError,
    /// Of numbers: the mean of `½ (z − t)²` up to a distance of δ and of `δ (|z − t| − ½ δ)` beyond, as PyTorch's
    /// `HuberLoss` (P. Huber, *Robust Estimation of a Location Parameter*, 1964).
    Huber {
        /// The distance δ from which on errors count by their size alone.
        delta: f32,
    },
}

/// The plain one of classification.
impl Default for Loss {
    fn default() -> Loss {
        Loss::of(Task::default())
    }
}

impl Loss {
    /// The usual one of a task, which counts all classes and labels the same.
    pub fn of(task: Task) -> Loss {
        match task {
            Task::Classification => Loss::CrossEntropy(CrossEntropy::default()),
            Task::Regression => Loss::SquaredError,
            Task::Multilabel => Loss::BinaryCrossEntropy,
        }
    }

    /// The task it is for.
    pub fn task(&self) -> Task {
        match self {
            Loss::CrossEntropy(_) => Task::Classification,
            Loss::BinaryCrossEntropy => Task::Multilabel,
            Loss::SquaredError | Loss::Huber { .. } => Task::Regression,
        }
    }

    /// Loss of one sample with a row of targets, and the gradient of `scale · loss` at its logits in their place.
    ///
    /// Shapes: `logits`, `targets [outputs]`. Overwrites `logits`.
    ///
    /// # Panics
    /// When the two differ in length, and for the loss of classes.
    pub fn backward(&self, logits: &mut [f32], targets: &[f32], scale: f32) -> f64 {
        assert_eq!(logits.len(), targets.len(), "logits and targets");
        let scale = scale / logits.len() as f32;
        let sum = match *self {
            Loss::CrossEntropy(_) => unreachable!("a row of targets where items have a class each"),
            Loss::BinaryCrossEntropy => sigmoid::backward(logits, targets, scale),
            Loss::SquaredError => error::squared_backward(logits, targets, scale),
            Loss::Huber { delta } => error::huber_backward(logits, targets, delta, scale),
        };
        sum / logits.len() as f64
    }
}

/// What a network tells of an item, from its logits, in place: the probability of each class by a softmax or by sigmoids,
/// or the numbers as they are.
///
/// Shapes: `logits [outputs]`. Overwrites them.
pub fn finish(task: Task, logits: &mut [f32]) {
    match task {
        Task::Classification => softmax(logits),
        Task::Regression => {}
        Task::Multilabel => sigmoid::sigmoids(logits),
    }
}

/// Lanes in which sums are taken, so that they have the same bits in every instruction set.
const LANES: usize = 16;

/// `z = f(z, t)` where `f` gives the new value and a term of the sum; gives the sum.
///
/// Shapes: `z`, `t [n]`. Overwrites `z`.
#[inline(always)]
fn replace_and_sum(z: &mut [f32], t: &[f32], f: impl Fn(f32, f32) -> (f32, f32)) -> f64 {
    let mut sums = [0.0f32; LANES];
    for (z, t) in z.chunks_mut(LANES).zip(t.chunks(LANES)) {
        for ((z, t), sum) in z.iter_mut().zip(t).zip(&mut sums) {
            let (new, term) = f(*z, *t);
            *z = new;
            *sum += term;
        }
    }
    sums.into_iter().map(f64::from).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Loss and gradient of `[1, 2, 3]` against `[1.5, 2, 0]`, by PyTorch's formulas worked out by hand.
    #[test]
    fn errors_by_hand() {
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
    fn sigmoids_by_hand_and_far_out() {
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

    /// Against `ln(1 + e⁻ᶻ)` in `f64`: the loss of a label that is there and nearly certain.
    #[test]
    fn small_losses_of_sigmoids_keep_their_digits() {
        for z in [3.0f32, 12.0, 17.0, 40.0] {
            let expected = (-f64::from(z)).exp().ln_1p();
            for (z, t) in [(z, 1.0), (-z, 0.0)] {
                let loss = Loss::BinaryCrossEntropy.backward(&mut [z], &[t], 1.0);
                let off = (loss / expected - 1.0).abs();
                assert!(off < 1e-5, "{loss} for {expected} at {z}");
            }
        }
        // Half there: ½ ln(1 + e⁻ᶻ) + ½ ln(1 + eᶻ).
        let loss = Loss::BinaryCrossEntropy.backward(&mut [12.0], &[0.5], 1.0);
        assert!((loss - 6.000_006_144).abs() < 1e-6, "{loss}");
    }

    #[test]
    fn what_is_no_number_gives_a_loss_that_is_none() {
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
    fn each_task_finishes_its_outputs() {
        let finished = |task| {
            let mut logits = [0.0, 0.0, 0.0, 0.0];
            finish(task, &mut logits);
            logits[0]
        };
        assert_eq!(Task::ALL.map(finished), [0.25, 0.0, 0.5]);
    }
}
