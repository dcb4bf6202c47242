//! The settings of a training run: checked once, then trusted.
//!
//! One flat table for whoever writes it, groups for whoever reads the code: each has its ranges beside its fields. Not
//! here are the data, which have their own checks, and the number of threads, which is an argument of the workers
//! and changes no bit of the result.

mod class_weight;
mod demand;
mod optimizer;
mod regularization;
mod schedule;
mod task;
mod validation;

use serde::{Deserialize, Serialize};

pub use self::class_weight::ClassWeight;
pub use self::optimizer::{LearningRate, OptimizerConfig, OptimizerName};
pub use self::regularization::RegularizationConfig;
pub use self::schedule::ScheduleConfig;
pub use self::task::{LossName, TaskConfig};
pub(crate) use self::validation::validation_set;
pub use self::validation::{EarlyStop, MaxTime, ValidationConfig, accuracy};
pub use crate::data::holdout::Holdout;

use self::demand::Demand;
use crate::compute::EngineChoice;
use crate::data::Scale;
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};
use crate::nn::init::{DEFAULT_RANGE, Start};
use crate::nn::{Activation, Dropout, Init, Noise};
use crate::schedule::Schedule;

/// Twice of it is a number still.
const MAX_RANGE: f32 = 1e38;

/// Everything that decides what a run computes, beside the data. The default is the network of the classic
/// tutorial: one hidden layer of 100 sigmoid units.
///
/// ```
/// use perceptor::{Activation, TrainConfig};
///
/// let config = TrainConfig {
///     hidden: vec![128, 64],
///     activation: Activation::Relu,
///     epochs: 20,
///     ..TrainConfig::default()
/// };
/// assert!(config.check().is_ok());
/// assert!(TrainConfig { hidden: vec![0], ..config }.check().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrainConfig {
    /// What the network is to tell of an item.
    #[serde(flatten)]
    pub task: TaskConfig,
    /// Widths of the hidden layers; empty for softmax regression.
    pub hidden: Vec<usize>,
    /// The activation of every hidden layer.
    pub activation: Activation,
    /// Whether every hidden layer is normalised over batches, between its product and its activation.
    pub batch_norm: bool,
    /// How weights start.
    pub init: Init,
    /// The range x of a uniform init, U(−x, x), above 0; none for 0.05. No other init has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init_range: Option<f32>,
    /// What every bias starts at.
    pub bias_init: f32,
    /// Layers that training leaves as they are, by their names in the model file: `layers.0`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub freeze: Vec<String>,
    /// How elements become inputs.
    pub scale: Scale,
    /// Passes over the training set.
    pub epochs: usize,
    /// Items that are shuffled among themselves, for files larger than memory; none for a full permutation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shuffle_window: Option<usize>,
    /// Samples a step; a larger one than the training set is the whole set.
    pub batch_size: usize,
    /// How a gradient moves the weights.
    #[serde(flatten)]
    pub optimizer: OptimizerConfig,
    /// How the learning rate goes.
    #[serde(flatten)]
    pub schedule: ScheduleConfig,
    /// What keeps the network from learning its training set by heart.
    #[serde(flatten)]
    pub regularization: RegularizationConfig,
    /// What is held out, and when the run ends early.
    #[serde(flatten)]
    pub validation: ValidationConfig,
    /// Where all randomness comes from.
    pub seed: u64,
    /// Who computes the products. Engines differ in the last bits.
    pub engine: EngineChoice,
}

impl Default for TrainConfig {
    fn default() -> TrainConfig {
        TrainConfig {
            task: TaskConfig::default(),
            hidden: vec![100],
            activation: Activation::default(),
            batch_norm: false,
            init: Init::default(),
            init_range: None,
            bias_init: 0.0,
            freeze: Vec::new(),
            scale: Scale::default(),
            epochs: 10,
            shuffle_window: None,
            batch_size: 32,
            optimizer: OptimizerConfig::default(),
            schedule: ScheduleConfig::default(),
            regularization: RegularizationConfig::default(),
            validation: ValidationConfig::default(),
            seed: 1,
            engine: EngineChoice::default(),
        }
    }
}

impl TrainConfig {
    /// The window to shuffle `items` in; none where that would hold them all.
    pub fn window_for(&self, items: usize) -> Option<usize> {
        self.shuffle_window.filter(|&window| window < items)
    }

    /// How the parameters start.
    pub fn start(&self) -> Start {
        Start {
            init: self.init,
            range: self.init_range.unwrap_or(DEFAULT_RANGE),
            bias: self.bias_init,
        }
    }

    /// The same with what task, optimiser and schedule have by default where nothing was set, as it is recorded.
    pub fn resolved(&self) -> TrainConfig {
        TrainConfig {
            task: self.task.resolved(),
            optimizer: self.optimizer.resolved(),
            schedule: self.schedule.resolved(self.epochs),
            ..self.clone()
        }
    }

    /// What is done to inputs and hidden units in training.
    pub fn noise(&self) -> Noise {
        let regularization = &self.regularization;
        Noise {
            seed: self.seed,
            inputs: regularization.input_noise,
            input_dropout: Dropout::new(regularization.input_dropout),
            dropout: Dropout::new(regularization.dropout),
        }
    }

    /// Whether weights of features that are zero in every item move, so that these cannot be left out.
    pub fn moves_idle_weights(&self) -> bool {
        self.regularization.input_noise > 0.0 || self.optimizer.rule().moves_idle_weights()
    }

    /// The schedule of a run with `steps_per_epoch`.
    ///
    /// # Errors
    /// [`Error::Config`] when the learning rate is still to be found.
    pub fn schedule(&self, steps_per_epoch: usize) -> Result<Schedule> {
        let Some(rate) = self.optimizer.rate() else {
            let expected = "a number where a run begins";
            return Err(Error::Config(
                Refusal::new(Key("learning_rate"), "auto", expected)
                    .hint("train::range_test finds one"),
            ));
        };
        let schedule = &self.schedule;
        Ok(schedule.schedule(rate, self.epochs, steps_per_epoch))
    }

    /// One with a value in every option that may be none, for the list of keys.
    pub(crate) fn full() -> TrainConfig {
        TrainConfig {
            batch_norm: true,
            task: TaskConfig::full(),
            init_range: Some(1.0),
            freeze: vec![String::new()],
            shuffle_window: Some(1),
            optimizer: OptimizerConfig::full(),
            schedule: ScheduleConfig::full(),
            regularization: RegularizationConfig::full(),
            validation: ValidationConfig::full(),
            ..TrainConfig::default()
        }
    }

    /// Holds every setting against its range.
    ///
    /// # Errors
    /// [`Error::Config`], naming the key of the first setting that is out of range.
    pub fn check(&self) -> Result<()> {
        let count = |key, found: usize| {
            let met = (1..=u32::MAX as usize).contains(&found);
            Demand::new(met, key, found, "1 to 4294967295")
        };
        let own = [
            Demand::new(
                !self.hidden.contains(&0),
                Key("hidden"),
                format!("{:?}", self.hidden),
                "widths of at least 1",
            ),
            Demand::new(
                !(self.batch_norm && self.hidden.is_empty()),
                Key("batch_norm"),
                message!["given with ", Key("hidden").set_to("none")],
                "a hidden layer to normalise",
            ),
            Demand::new(
                !(self.batch_norm && self.batch_size == 1),
                Key("batch_size"),
                message!["1 with ", Key("batch_norm")],
                "at least 2, to normalise over",
            ),
            Demand::new(
                self.init_range
                    .is_none_or(|range| range > 0.0 && range <= MAX_RANGE),
                Key("init_range"),
                self.init_range.unwrap_or(1.0),
                format!("a number above 0, to {MAX_RANGE:e}"),
            ),
            Demand::new(
                self.init_range.is_none() || self.init == Init::Uniform,
                Key("init_range"),
                message!["given with ", Key("init").set_to(self.init.name())],
                message![Key("init").set_to("uniform"), ", which alone has a range"],
            ),
            Demand::new(
                self.bias_init.is_finite(),
                Key("bias_init"),
                self.bias_init,
                "a finite number",
            ),
            count(Key("epochs"), self.epochs),
            count(Key("batch_size"), self.batch_size),
            count(Key("shuffle_window"), self.shuffle_window.unwrap_or(1)),
        ];
        let demands = own
            .into_iter()
            .chain(self.task.demands())
            .chain(self.optimizer.demands())
            .chain(self.schedule.demands(self.epochs, self.optimizer.rate()))
            .chain(self.regularization.demands(self.task.task))
            .chain(self.validation.demands(self.task.task));
        demands
            .map(Demand::check)
            .find(Result::is_err)
            .unwrap_or(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_that_holds_the_whole_set_is_none() {
        let with = |shuffle_window| TrainConfig {
            shuffle_window,
            ..TrainConfig::default()
        };
        assert_eq!(with(Some(99)).window_for(100), Some(99));
        assert_eq!(with(Some(100)).window_for(100), None);
        assert_eq!(with(None).window_for(100), None);
    }
}
