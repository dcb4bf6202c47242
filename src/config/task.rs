//! What a network is to tell of an item, and how far off it is from the truth.

use serde::{Deserialize, Serialize};

use super::demand::Demand;
use crate::message::{Key, Message, message};
use crate::nn::Task;
use crate::nn::loss::{CrossEntropy, Loss};

/// The distance δ of Huber's loss where none is given, as PyTorch has it.
const DEFAULT_DELTA: f32 = 1.0;

/// The name of a loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LossName {
    /// Of a softmax over classes.
    CrossEntropy,
    /// The mean squared error.
    Mse,
    /// Squared up to a distance, and even beyond.
    Huber,
    /// Of a sigmoid for each label.
    BinaryCrossEntropy,
}

impl LossName {
    /// Every loss.
    pub const ALL: [LossName; 4] = [
        LossName::CrossEntropy,
        LossName::Mse,
        LossName::Huber,
        LossName::BinaryCrossEntropy,
    ];

    /// The name used by flags, files and messages.
    pub fn name(self) -> &'static str {
        match self {
            LossName::CrossEntropy => "cross-entropy",
            LossName::Mse => "mse",
            LossName::Huber => "huber",
            LossName::BinaryCrossEntropy => "binary-cross-entropy",
        }
    }

    /// Those of a task, the usual one first.
    fn of(task: Task) -> &'static [LossName] {
        match task {
            Task::Classification => &[LossName::CrossEntropy],
            Task::Regression => &[LossName::Mse, LossName::Huber],
            Task::Multilabel => &[LossName::BinaryCrossEntropy],
        }
    }
}

/// The settings of the task. What is none has the default of the task.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TaskConfig {
    /// What the network is to tell of an item.
    pub task: Task,
    /// What is minimised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<LossName>,
    /// The distance δ of Huber's loss.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub huber_delta: Option<f32>,
}

impl TaskConfig {
    /// One with a value in every option that may be none, for the list of keys.
    pub(super) fn full() -> TaskConfig {
        TaskConfig {
            loss: Some(LossName::Huber),
            huber_delta: Some(DEFAULT_DELTA),
            ..TaskConfig::default()
        }
    }

    /// The loss that is minimised.
    pub fn loss(&self) -> LossName {
        self.loss.unwrap_or(LossName::of(self.task)[0])
    }

    /// The distance δ of Huber's loss.
    pub fn huber_delta(&self) -> f32 {
        self.huber_delta.unwrap_or(DEFAULT_DELTA)
    }

    /// What evaluation measures: without weights, against the truth as it is.
    pub fn plain_loss(&self) -> Loss {
        match self.loss() {
            LossName::CrossEntropy => Loss::CrossEntropy(CrossEntropy::default()),
            LossName::Mse => Loss::SquaredError,
            LossName::Huber => Loss::Huber {
                delta: self.huber_delta(),
            },
            LossName::BinaryCrossEntropy => Loss::BinaryCrossEntropy,
        }
    }

    /// The same with the task's defaults where nothing was set.
    pub fn resolved(&self) -> TaskConfig {
        let loss = self.loss();
        TaskConfig {
            task: self.task,
            loss: Some(loss),
            huber_delta: (loss == LossName::Huber).then(|| self.huber_delta()),
        }
    }

    pub(super) fn demands(&self) -> Vec<Demand> {
        let (loss, of_task) = (self.loss(), LossName::of(self.task));
        let names: Vec<&str> = of_task.iter().map(|loss| loss.name()).collect();
        let delta = self.huber_delta();
        let with = |found: &str, key: Key, name: &str| -> Message {
            message![found, " with ", key.set_to(name)]
        };
        vec![
            Demand::new(
                of_task.contains(&loss),
                Key("loss"),
                with(loss.name(), Key("task"), self.task.name()),
                names.join(" or "),
            ),
            Demand::new(
                delta.is_finite() && delta > 0.0,
                Key("huber_delta"),
                delta,
                "a finite number above 0",
            ),
            Demand::new(
                self.huber_delta.is_none() || loss == LossName::Huber,
                Key("huber_delta"),
                with(&delta.to_string(), Key("loss"), loss.name()),
                message![Key("loss").set_to("huber"), ", which alone has it"],
            ),
        ]
    }
}
