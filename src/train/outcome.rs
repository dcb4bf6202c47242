//! What a run tells while it trains, and what it ends with.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::profile::Profile;
use super::state::Place;
use super::stopping::{self, Cause};
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
    /// Mean cross-entropy on the validation set after the epoch, in nats; none without a validation set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_loss: Option<f64>,
    /// Share of the validation set predicted right after the epoch, 0 to 1; none without a validation set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_accuracy: Option<f64>,
    /// Mean cross-entropy on the test set after the epoch, in nats; none without a test set, and where there is a
    /// validation set.
    pub test_loss: Option<f64>,
    /// Share of the test set predicted right after the epoch, 0 to 1; none where [`EpochMetrics::test_loss`] is.
    pub test_accuracy: Option<f64>,
    /// The learning rate of its last step.
    pub learning_rate: f32,
    /// Time in training, evaluation not counted, in seconds.
    pub train_seconds: f64,
    /// Samples trained on in a second of that.
    pub samples_per_second: f64,
    /// 10⁹ floating point operations of the matrix products in a second of that.
    pub gflops: f64,
    /// The share of the epoch's samples that was trained on, where the time was over before its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<f64>,
}

impl EpochMetrics {
    /// The loss on the validation set, or on the test set where there is no other; in nats.
    pub fn loss(&self) -> Option<f64> {
        self.validation_loss.or(self.test_loss)
    }

    /// The accuracy on the validation set, or on the test set where there is no other; 0 to 1.
    pub fn accuracy(&self) -> Option<f64> {
        self.validation_accuracy.or(self.test_accuracy)
    }
}

/// What a network comes to on a set.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Mean cross-entropy, in nats.
    pub loss: f64,
    /// Share of items whose class is predicted right, 0 to 1.
    pub accuracy: f64,
}

impl EpochMetrics {
    /// What a schedule looks back at, on the validation set where there is one: never the test set, by which nothing may be chosen.
    pub fn watched_loss(&self) -> f64 {
        self.validation_loss.unwrap_or(self.train_loss)
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
    /// It is over, for one of the reasons of [`Cause`].
    Finished(Outcome),
    /// It was told to stop, here; its state was handed over.
    Stopped(Place),
}

/// What a run comes to.
#[derive(Debug)]
pub struct Outcome {
    /// The network after the epoch that [`Outcome::kept`] tells.
    pub model: Model,
    /// Every epoch in turn; at least one. The last may be a part of one.
    pub epochs: Vec<EpochMetrics>,
    /// Which of them the model is from, counted from 0.
    pub kept: usize,
    /// Whether that is the best one by validation data, and not just the last.
    pub picked: bool,
    /// Why there are no more.
    pub cause: Cause,
    /// What the model comes to on the test set; none without one.
    pub test: Option<Score>,
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

    /// The epoch that the model is from.
    pub fn kept(&self) -> &EpochMetrics {
        &self.epochs[self.kept]
    }

    /// The best epoch by [`stopping::best`]; none where nothing was measured.
    pub fn best(&self) -> Option<&EpochMetrics> {
        stopping::best(&self.epochs).map(|at| &self.epochs[at])
    }
}
