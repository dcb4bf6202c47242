//! A run between two steps: what a checkpoint holds and a resumed run starts from.
//!
//! Every random stream of a run belongs to the seed, a purpose and an epoch ([`crate::random`]), and an epoch's order is
//! drawn anew where the epoch begins. So no generator has a state of its own to keep: the seed, which is a setting,
//! and the place say it all.

use std::fmt;
use std::time::Duration;

use super::outcome::EpochMetrics;

/// How far a run is. Places are ordered as a run comes by them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Epochs that are done and measured.
    pub epochs: usize,
    /// Steps done in the epoch after these.
    pub steps: usize,
}

/// `step 120 of epoch 4`, or `the end of epoch 3`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.epochs, self.steps) {
            (0, 0) => f.write_str("the start"),
            (epochs, 0) => write!(f, "the end of epoch {epochs}"),
            (epochs, steps) => write!(f, "step {steps} of epoch {}", epochs + 1),
        }
    }
}

/// All that the steps still to come depend on, beside settings and data.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// The epochs that are done, in turn; the best so far is among them.
    pub epochs: Vec<EpochMetrics>,
    /// Steps done in the epoch after these.
    pub steps: usize,
    /// Summed losses of the samples of these steps, in nats.
    pub loss_sum: f64,
    /// Time these steps took.
    pub elapsed: Duration,
    /// The parameters, `[parameters]`.
    pub parameters: Vec<f32>,
    /// What the optimiser keeps, in the order of [`crate::optim::Rule::slots`], each laid out as the parameters.
    pub slots: Vec<Vec<f32>>,
}

impl State {
    /// How far the run is.
    pub fn place(&self) -> Place {
        Place {
            epochs: self.epochs.len(),
            steps: self.steps,
        }
    }
}
