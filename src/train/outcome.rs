//! What a run tells while it trains, and what it ends with.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::profile::Profile;
use super::state::Place;
use crate::compute::Engine;
use crate::model::Model;

/// What an epoch came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochMetrics {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// Mean of the loss that is minimised over the epoch's samples, each taken before its own step, in nats: the
    /// cross-entropy, against smoothed labels and by weight of the classes where these are asked for.
    pub train_loss: f64,
    /// Mean cross-entropy on the test set after the epoch, in nats; none without a test set.
    pub test_loss: Option<f64>,
    /// Share of the test set predicted right after the epoch, 0 to 1; none without a test set.
    pub test_accuracy: Option<f64>,
    /// The learning rate of its last step.
    pub learning_rate: f32,
    /// Time in training, evaluation not counted, in seconds.
    pub train_seconds: f64,
    /// Samples trained on in a second of that.
    pub samples_per_second: f64,
    /// 10⁹ floating point operations of the matrix products in a second of that.
    pub gflops: f64,
}

impl EpochMetrics {
    /// What a schedule looks back at: never the test set, by which nothing may be chosen.
    pub fn watched_loss(&self) -> f64 {
        self.train_loss
    }
}

/// What happens during a run.
#[derive(Debug)]
pub enum Event<'a> {
    /// Some batches of an epoch are done.
    Progress {
        /// The epoch, counted from 1.
        epoch: usize,
        /// Samples of this epoch done.
        samples: usize,
        /// Samples in an epoch.
        of: usize,
        /// Mean loss over the epoch so far, in nats.
        loss: f64,
        /// Time in training since the epoch began.
        elapsed: Duration,
    },
    /// An epoch is done and measured.
    Epoch(&'a EpochMetrics),
}

/// How a run ends.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one a run")]
pub enum Ending {
    /// All epochs are done.
    Finished(Outcome),
    /// It was told to stop, here; its state was handed over.
    Stopped(Place),
}

/// What a run comes to.
#[derive(Debug)]
pub struct Outcome {
    /// The network after the last epoch.
    pub model: Model,
    /// Every epoch in turn; at least one.
    pub epochs: Vec<EpochMetrics>,
    /// The engine that did the work; never [`Engine::Auto`].
    pub engine: Engine,
    /// Where the time went, all workers together; none where it was not asked for.
    pub profile: Option<Profile>,
    /// Hidden layers, counted from 1, whose units are copies of one another: see
    /// [`crate::nn::symmetry`].
    pub identical_layers: Vec<usize>,
}

impl Outcome {
    /// Time in training over all epochs, evaluation not counted, in seconds.
    pub fn train_seconds(&self) -> f64 {
        self.epochs.iter().map(|epoch| epoch.train_seconds).sum()
    }

    /// Samples trained on in a second of [`Outcome::train_seconds`].
    pub fn samples_per_second(&self) -> f64 {
        let samples: f64 = self
            .epochs
            .iter()
            .map(|epoch| epoch.samples_per_second * epoch.train_seconds)
            .sum();
        samples / self.train_seconds()
    }

    /// 10⁹ floating point operations of the matrix products in a second of training.
    pub fn gflops(&self) -> f64 {
        let done = self.epochs.iter();
        let done = done.map(|epoch| epoch.gflops * epoch.train_seconds);
        done.sum::<f64>() / self.train_seconds()
    }

    /// The last epoch.
    pub fn last(&self) -> &EpochMetrics {
        &self.epochs[self.epochs.len() - 1]
    }

    /// The epoch with the best test accuracy, the first of equals; none without a test set.
    pub fn best(&self) -> Option<&EpochMetrics> {
        let measured = self
            .epochs
            .iter()
            .filter(|epoch| epoch.test_accuracy.is_some());
        measured.reduce(|best, epoch| {
            if epoch.test_accuracy > best.test_accuracy {
                epoch
            } else {
                best
            }
        })
    }
}
