//! What a network scores on a data set, and what an epoch of training came to.

pub mod metrics;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use self::metrics::{ClassMetrics, OutputMetrics};
use crate::nn::Task;

/// What an epoch came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochMetrics {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// Mean of the loss that is minimised over the epoch's samples, each taken before its own step: against smoothed labels
    /// and by weight of the classes where these are asked for. Cross-entropies are in nats.
    pub train_loss: f64,
    /// Mean loss on the validation set after the epoch; none without a validation set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_loss: Option<f64>,
    /// [`Score::accuracy`] on the validation set after the epoch; none without a validation set, and in regression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_accuracy: Option<f64>,
    /// Mean loss on the test set after the epoch; none without a test set, and where there is a validation set.
    pub test_loss: Option<f64>,
    /// [`Score::accuracy`] on the test set after the epoch; none where [`EpochMetrics::test_loss`] is, and in regression.
    pub test_accuracy: Option<f64>,
    /// [`Score::f1`] on the set that is measured after the epoch; of several labels an item alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub f1: Option<f64>,
    /// [`Score::mae`] on the set that is measured after the epoch; of regression alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mae: Option<f64>,
    /// [`Score::r2`] on the set that is measured after the epoch; of regression alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r2: Option<f64>,
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
    /// The loss on the validation set, or on the test set where there is no other.
    pub fn loss(&self) -> Option<f64> {
        self.validation_loss.or(self.test_loss)
    }

    /// The accuracy on the validation set, or on the test set where there is no other; 0 to 1, none in regression.
    pub fn accuracy(&self) -> Option<f64> {
        self.validation_accuracy.or(self.test_accuracy)
    }

    /// All figures on the validation set, or on the test set where there is no other.
    pub fn score(&self) -> Option<Score> {
        Some(Score {
            loss: self.loss()?,
            accuracy: self.accuracy(),
            f1: self.f1,
            mae: self.mae,
            r2: self.r2,
        })
    }
}

impl EpochMetrics {
    /// What a schedule looks back at, on the validation set where there is one: never the test set, by which nothing may be chosen.
    pub fn watched_loss(&self) -> f64 {
        self.validation_loss.unwrap_or(self.train_loss)
    }
}

/// A figure of an epoch: its name, and where it stands.
pub type Figure = (&'static str, fn(&EpochMetrics) -> Option<f64>);

/// What epochs of a task have beside the loss.
pub fn figures(task: Task) -> &'static [Figure] {
    const ACCURACY: Figure = ("accuracy", EpochMetrics::accuracy);
    match task {
        Task::Classification => &[ACCURACY],
        Task::Regression => &[("mae", |epoch| epoch.mae), ("r2", |epoch| epoch.r2)],
        Task::Multilabel => &[ACCURACY, ("f1", |epoch| epoch.f1)],
    }
}

/// What a network comes to on a set, in figures. Those that are not of its task are none.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Mean loss: without weights, against the truth as it is. Cross-entropies are in nats.
    pub loss: f64,
    /// Share of items that are predicted right, 0 to 1: their class, or every one of their labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// F1 of several labels over all of them, 0 to 1: the harmonic mean of the share of those predicted that are right, and
    /// of those there are that are predicted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub f1: Option<f64>,
    /// Mean distance of predicted numbers from the true ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mae: Option<f64>,
    /// Share R² of the numbers' variance that is explained, at most 1; the mean over the outputs. Guessing their mean has 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r2: Option<f64>,
}

impl Score {
    /// How good it is, the higher the better: F1 or accuracy where there is one, else the loss with the sign changed.
    pub fn goodness(&self) -> f64 {
        self.f1.or(self.accuracy).unwrap_or(-self.loss)
    }
}

/// `98.02 %`, or the figures of another task.
impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |share: f64| format!("{:.2} %", share * 100.0);
        match (self.accuracy, self.f1, self.mae, self.r2) {
            (Some(accuracy), None, ..) => f.write_str(&percent(accuracy)),
            (Some(accuracy), Some(f1), ..) => {
                let (f1, accuracy) = (percent(f1), percent(accuracy));
                write!(f, "F1 {f1}, {accuracy} of items with every label right")
            }
            (None, _, Some(mae), Some(r2)) => write!(f, "R² {r2:.4}, MAE {mae:.4}"),
            _ => write!(f, "loss {:.4}", self.loss),
        }
    }
}
