//! What a network predicts, and the loss.

use serde::{Deserialize, Serialize};

use super::requirement::Requirement;
use super::setting::settings;
use super::value::named_values;
use crate::message::{Key, Message, message};
use crate::named::named;
use crate::nn::Task;
use crate::nn::loss::{CrossEntropy, Loss};

/// The default distance δ of Huber's loss, as in PyTorch.
const DEFAULT_DELTA: f32 = 1.0;

named! {
    /// The name of a loss.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
    pub enum LossName {
        /// The cross-entropy of a softmax over the classes.
        CrossEntropy = "cross-entropy",
        /// The mean squared error.
        Mse = "mse",
        /// Quadratic up to a distance, and linear beyond.
        Huber = "huber",
        /// The cross-entropy of a sigmoid for each label.
        BinaryCrossEntropy = "binary-cross-entropy",
    }
}

named_values!(LossName);

impl LossName {
    /// The losses of a task, the default first.
    fn of(task: Task) -> &'static [LossName] {
        match task {
            Task::Classification => &[LossName::CrossEntropy],
            Task::Regression => &[LossName::Mse, LossName::Huber],
            Task::Multilabel => &[LossName::BinaryCrossEntropy],
        }
    }
}

settings! {
    /// The settings of the task. What is not set has the default of the task.
    pub struct TaskConfig, Task {
        /// What the network predicts: one class per sample, numbers, or several labels.
        ///
        /// For `task = regression` the label file has one or more numbers per sample, for `task = multilabel` a 0 or 1
        /// for each label.
        task: Task = Task::default();
        /// Loss to minimise.
        loss: Option<LossName> = None =>
            default("cross-entropy for classification, mse for regression, binary-cross-entropy for multilabel"),
            part_of("task");
        /// Distance from which `loss = huber` is linear, in units of the labels.
        huber_delta: Option<f32> = None => placeholder("D"), default("1"), part_of("loss");
    }
}

impl TaskConfig {
    /// The loss to minimise.
    pub fn loss(&self) -> LossName {
        self.loss.unwrap_or(LossName::of(self.task)[0])
    }

    /// The distance δ of Huber's loss.
    pub fn huber_delta(&self) -> f32 {
        self.huber_delta.unwrap_or(DEFAULT_DELTA)
    }

    /// The loss that evaluation reports: without class weights and label smoothing.
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

    /// The settings with the defaults of the task filled in.
    pub fn resolved(&self) -> TaskConfig {
        let loss = self.loss();
        TaskConfig {
            task: self.task,
            loss: Some(loss),
            huber_delta: (loss == LossName::Huber).then(|| self.huber_delta()),
        }
    }

    pub(super) fn requirements(&self) -> Vec<Requirement> {
        let (loss, losses) = (self.loss(), LossName::of(self.task));
        let names: Vec<&str> = losses.iter().map(|loss| loss.name()).collect();
        let delta = self.huber_delta();
        let with = |found: &str, key: Key, name: &str| -> Message {
            message![found, " with ", key.set_to(name)]
        };
        vec![
            Requirement::new(
                losses.contains(&loss),
                Key("loss"),
                with(loss.name(), Key("task"), self.task.name()),
                names.join(" or "),
            ),
            Requirement::above_zero(Key("huber_delta"), delta),
            Requirement::new(
                self.huber_delta.is_none() || loss == LossName::Huber,
                Key("huber_delta"),
                with(&delta.to_string(), Key("loss"), loss.name()),
                message![Key("loss").set_to("huber"), ", the only loss with it"],
            ),
        ]
    }
}
