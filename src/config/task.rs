//! What a network predicts, and the loss.

use serde::{Deserialize, Serialize};

use super::requirement::Requirement;
use super::setting::settings;
use super::value::named_values;
use crate::data::TargetScale;
use crate::message::{Key, Message, message};
use crate::named::named;
use crate::nn::loss::{CrossEntropy, Loss};
use crate::nn::{Link, Task};

/// The default distance δ of Huber's loss, as in PyTorch.
const DEFAULT_DELTA: f32 = 1.0;
/// The default quantile, the median.
const DEFAULT_QUANTILE: f32 = 0.5;

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
        /// The mean absolute error.
        Mae = "mae",
        /// The pinball loss, whose best prediction is a quantile.
        Quantile = "quantile",
        /// The Poisson deviance of counts, with the logarithm of the mean as output.
        Poisson = "poisson",
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
            Task::Regression => &[
                LossName::Mse,
                LossName::Huber,
                LossName::Mae,
                LossName::Quantile,
                LossName::Poisson,
            ],
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
        ///
        /// A regression predicts means by `mse` and `poisson` (for counts), medians by `mae`, and a quantile by `quantile`.
        loss: Option<LossName> = None =>
            default("cross-entropy for classification, mse for regression, binary-cross-entropy for multilabel"),
            part_of("task");
        /// Distance from which `loss = huber` is linear, in units of the labels.
        huber_delta: Option<f32> = None => placeholder("D"), default("1"), part_of("loss");
        /// With `loss = quantile`, the share of targets that lie below the predictions, between 0 and 1.
        quantile: Option<f32> = None => placeholder("Q"), default("0.5, the median"), part_of("loss");
        /// How to scale the targets of a regression: `standard` (mean and deviation of each output in the training set; with
        /// `loss = poisson` only the mean, as a factor), or `none`.
        ///
        /// Losses and predictions stay in the targets' own units. A network that starts from a model takes the scaling of
        /// that model.
        target_scale: Option<TargetScale> = None => default("standard"), part_of("task");
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

    /// The share of targets below a predicted quantile.
    pub fn quantile(&self) -> f32 {
        self.quantile.unwrap_or(DEFAULT_QUANTILE)
    }

    /// What the outputs of the network are.
    pub fn link(&self) -> Link {
        self.plain_loss().link()
    }

    /// How targets are scaled.
    pub fn target_scale(&self) -> TargetScale {
        match self.task {
            Task::Regression => self.target_scale.unwrap_or_default(),
            Task::Classification | Task::Multilabel => TargetScale::None,
        }
    }

    /// The loss that evaluation reports: without class weights and label smoothing.
    pub fn plain_loss(&self) -> Loss {
        match self.loss() {
            LossName::CrossEntropy => Loss::CrossEntropy(CrossEntropy::default()),
            LossName::Mse => Loss::SquaredError,
            LossName::Huber => Loss::Huber {
                delta: self.huber_delta(),
            },
            LossName::Mae => Loss::AbsoluteError,
            LossName::Quantile => Loss::Quantile {
                share: self.quantile(),
            },
            LossName::Poisson => Loss::Poisson,
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
            quantile: (loss == LossName::Quantile).then(|| self.quantile()),
            target_scale: (self.task == Task::Regression).then(|| self.target_scale()),
        }
    }

    pub(super) fn requirements(&self) -> Vec<Requirement> {
        let (loss, losses) = (self.loss(), LossName::of(self.task));
        let names: Vec<&str> = losses.iter().map(|loss| loss.name()).collect();
        let (delta, quantile) = (self.huber_delta(), self.quantile());
        let with = |found: &str, key: Key, name: &str| -> Message {
            message![found, " with ", key.set_to(name)]
        };
        vec![
            Requirement::new(
                losses.contains(&loss),
                Key("loss"),
                with(loss.name(), Key("task"), self.task.name()),
                names.join(", "),
            ),
            Requirement::above_zero(Key("huber_delta"), delta),
            Requirement::new(
                self.huber_delta.is_none() || loss == LossName::Huber,
                Key("huber_delta"),
                with(&delta.to_string(), Key("loss"), loss.name()),
                message![Key("loss").set_to("huber"), ", the only loss with it"],
            ),
            Requirement::new(
                quantile > 0.0 && quantile < 1.0,
                Key("quantile"),
                quantile,
                "above 0 and below 1",
            ),
            Requirement::new(
                self.quantile.is_none() || loss == LossName::Quantile,
                Key("quantile"),
                with(&quantile.to_string(), Key("loss"), loss.name()),
                message![Key("loss").set_to("quantile"), ", the only loss with it"],
            ),
            Requirement::new(
                self.target_scale.is_none() || self.task == Task::Regression,
                Key("target_scale"),
                with(
                    self.target_scale.unwrap_or_default().name(),
                    Key("task"),
                    self.task.name(),
                ),
                message![Key("task").set_to("regression"), ", the only task with it"],
            ),
        ]
    }
}
