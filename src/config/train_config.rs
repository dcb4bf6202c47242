//! All settings that decide what a run computes, unchecked and checked.

use std::ops::Deref;

use super::optimizer::{LearningRate, OptimizerConfig};
use super::regularization::RegularizationConfig;
use super::requirement::Requirement;
use super::schedule::ScheduleConfig;
use super::setting::settings;
use super::task::TaskConfig;
use super::validation::ValidationConfig;
use crate::compute::{Engine, EngineChoice};
use crate::data::{Scale, TargetScale};
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};
use crate::nn::init::{DEFAULT_RANGE, Start};
use crate::nn::{Activation, Dropout, Init, Noise, Task};
use crate::schedule::Schedule;

/// The largest range of initial weights: twice it is still finite.
const MAX_RANGE: f32 = 1e38;

/// The smallest batch that `min_steps` leads to; the gradient of a smaller one is mostly noise.
const SMALLEST_BATCH: usize = 16;

/// What batch sizes that follow from `min_steps` are multiples of, so that kernels have few rows left over.
const BATCH_MULTIPLE: usize = 8;

settings! {
    /// Every setting that decides what a run computes, except the data. The default is the network of the classic
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
    /// assert!(config.clone().check().is_ok());
    /// assert!(TrainConfig { hidden: vec![0], ..config }.check().is_err());
    /// ```
    pub struct TrainConfig, Network {
        /// Widths of the hidden layers, or none.
        ///
        /// Without hidden layers the network is a softmax regression.
        hidden: Vec<usize> = vec![100] => common, searched;
        /// Activation of the hidden layers.
        activation: Activation = Activation::default() => common;
        /// Batch normalisation of every hidden layer, over shards of up to 64 samples of a batch.
        batch_norm: bool = false => searched;
        /// Initial weights.
        ///
        /// `auto` is `he` before `relu` and similar functions (`leaky-relu`, `elu`, `gelu`, `silu`, `mish`, `softplus`),
        /// `lecun` before `scaled-tanh`, and `xavier` otherwise.
        init: Init = Init::default();
        /// With `init = uniform`, weights start between -X and X.
        init_range: Option<f32> = None => default("0.05");
        /// Initial value of every bias.
        bias_init: f32 = 0.0;
        /// Layers that training leaves unchanged, by their names in the model file; the first is `layers.0`.
        freeze: Vec<String> = Vec::new();
        /// How to scale inputs: `unit` (range of the element type), `standard` (each feature by its mean and deviation),
        /// `standard-global` (all by one pair), `log` (`standard`, with logarithms of columns of a table that have a long
        /// tail), `none`, or `model` (as in `init_from`; the default with it).
        ///
        /// Means and deviations are computed from the training set.
        scale: Scale = Scale::default() => under(Heading::Data);
        /// Passes over the training set.
        epochs: usize = 10 => under(Heading::Training), common, may_change;
        /// Shuffle within windows of about N samples, for files larger than memory; none shuffles the whole set.
        ///
        /// Windows are read ahead in large blocks, while a full permutation reads from all over the disk.
        shuffle_window: Option<usize> = None => under(Heading::Training);
        /// Samples per step.
        batch_size: usize = 32 => under(Heading::Training), common, searched;
        /// Take at least N steps per epoch: smaller sets are trained in smaller batches, of at least 16 samples.
        ///
        /// With `batch_size = 256` and 32 steps, 1,000 samples are trained in batches of 24. Such sizes are multiples of
        /// 8.
        min_steps: Option<usize> = None => under(Heading::Training);
        /// Seed of all randomness.
        ///
        /// The same seed gives the same model.
        seed: u64 = 1 => under(Heading::Training), common;
        /// The code that computes matrix products: `native` (perceptor's kernels), `openblas`, `portable` (pure Rust), or
        /// `auto`, the fastest for the network.
        ///
        /// The speeds are measured once on each machine and kept in the user's cache. Engines differ in the last bits of
        /// results.
        engine: EngineChoice = EngineChoice::default() => under(Heading::Compute);
    }
    groups {
        /// What is predicted, and the loss.
        #[serde(flatten)]
        task: TaskConfig;
        /// How a gradient moves the weights.
        #[serde(flatten)]
        optimizer: OptimizerConfig;
        /// The learning rate over the run.
        #[serde(flatten)]
        schedule: ScheduleConfig;
        /// What reduces overfitting.
        #[serde(flatten)]
        regularization: RegularizationConfig;
        /// What is held out, and when the run ends early.
        #[serde(flatten)]
        validation: ValidationConfig;
    }
}

impl TrainConfig {
    /// The number of samples in a step on a training set of `samples`; only the last step of an epoch may have fewer.
    ///
    /// ```
    /// use perceptor::TrainConfig;
    ///
    /// let config = TrainConfig { batch_size: 256, min_steps: Some(32), ..TrainConfig::default() };
    /// assert_eq!([10, 100, 1_000, 10_000].map(|samples| config.batch_for(samples)), [10, 16, 24, 256]);
    /// ```
    pub fn batch_for(&self, samples: usize) -> usize {
        let batch = match self.min_steps {
            Some(steps) => {
                let share = samples / steps.max(1) / BATCH_MULTIPLE * BATCH_MULTIPLE;
                self.batch_size.min(share.max(SMALLEST_BATCH))
            }
            None => self.batch_size,
        };
        batch.min(samples)
    }

    /// The window to shuffle a set of `items` samples in; `None` if one window would hold them all.
    pub fn window_for(&self, items: usize) -> Option<usize> {
        self.shuffle_window.filter(|&window| window < items)
    }

    /// The initial values of the parameters.
    pub fn start(&self) -> Start {
        Start {
            init: self.init,
            range: self.init_range.unwrap_or(DEFAULT_RANGE),
            bias: self.bias_init,
        }
    }

    /// The settings with the defaults of task, optimiser and schedule filled in, as runs are recorded.
    pub fn resolved(&self) -> TrainConfig {
        TrainConfig {
            task: self.task.resolved(),
            optimizer: self.optimizer.resolved(),
            schedule: self.schedule.resolved(self.epochs),
            ..self.clone()
        }
    }

    /// The noise on inputs and the dropout of training.
    pub fn noise(&self) -> Noise {
        let regularization = &self.regularization;
        Noise {
            seed: self.seed,
            inputs: regularization.input_noise,
            input_dropout: Dropout::new(regularization.input_dropout),
            dropout: Dropout::new(regularization.dropout),
        }
    }

    /// Whether the weights of features that are zero in every sample move, so that these cannot be left out.
    pub fn moves_idle_weights(&self) -> bool {
        self.regularization.input_noise > 0.0 || self.optimizer.rule().moves_idle_weights()
    }

    /// The schedule of a run with `steps_per_epoch`.
    ///
    /// # Errors
    /// Returns [`Error::Config`] if the learning rate is `auto`.
    pub fn schedule(&self, steps_per_epoch: usize) -> Result<Schedule> {
        let Some(rate) = self.optimizer.rate() else {
            let expected = "a number when a run starts";
            return Err(Error::Config(
                Refusal::new(Key("learning_rate"), "auto", expected)
                    .hint("train::range_test finds one"),
            ));
        };
        let schedule = &self.schedule;
        Ok(schedule.schedule(rate, self.epochs, steps_per_epoch))
    }

    /// Checks the range of every setting.
    ///
    /// # Errors
    /// Returns [`Error::Config`] with the key of the first setting that is out of range.
    pub fn check(self) -> Result<CheckedConfig> {
        let requirements = self.requirements().into_iter().chain(
            self.task
                .requirements()
                .into_iter()
                .chain(self.optimizer.requirements())
                .chain(
                    self.schedule
                        .requirements(self.epochs, self.optimizer.rate()),
                )
                .chain(self.regularization.requirements(self.task.task))
                .chain(self.validation.requirements(self.task.task)),
        );
        let error = requirements.map(Requirement::check).find_map(Result::err);
        error.map_or(Ok(CheckedConfig(self)), Err)
    }

    /// The requirements on settings that are in no group.
    fn requirements(&self) -> Vec<Requirement> {
        let range = self.init_range;
        vec![
            Requirement::new(
                !self.hidden.contains(&0),
                Key("hidden"),
                format!("{:?}", self.hidden),
                "widths of at least 1",
            ),
            Requirement::new(
                !(self.batch_norm && self.hidden.is_empty()),
                Key("batch_norm"),
                message!["given with ", Key("hidden").set_to("none")],
                "a hidden layer to normalise",
            ),
            Requirement::new(
                !(self.batch_norm && self.batch_size == 1),
                Key("batch_size"),
                message!["1 with ", Key("batch_norm")],
                "at least 2, to normalise over",
            ),
            Requirement::new(
                range.is_none_or(|range| range > 0.0 && range <= MAX_RANGE),
                Key("init_range"),
                range.unwrap_or(1.0),
                format!("a number above 0, to {MAX_RANGE:e}"),
            ),
            Requirement::new(
                range.is_none() || self.init == Init::Uniform,
                Key("init_range"),
                message!["given with ", Key("init").set_to(self.init.name())],
                message![Key("init").set_to("uniform"), ", the only one with a range"],
            ),
            Requirement::new(
                self.bias_init.is_finite(),
                Key("bias_init"),
                self.bias_init,
                "a finite number",
            ),
            Requirement::count(Key("epochs"), self.epochs),
            Requirement::count(Key("batch_size"), self.batch_size),
            Requirement::count(Key("min_steps"), self.min_steps.unwrap_or(1)),
            Requirement::count(Key("shuffle_window"), self.shuffle_window.unwrap_or(1)),
        ]
    }
}

/// Settings whose values are all in range and do not contradict each other. [`TrainConfig::check`] is the only way to make
/// them.
///
/// ```
/// use perceptor::TrainConfig;
///
/// let config = TrainConfig { epochs: 3, ..TrainConfig::default() };
/// let checked = config.check()?;
/// assert_eq!(checked.epochs, 3);
/// # Ok::<(), perceptor::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedConfig(TrainConfig);

impl CheckedConfig {
    /// Returns the settings with the defaults of task, optimiser and schedule filled in.
    pub fn resolved(&self) -> CheckedConfig {
        CheckedConfig(self.0.resolved())
    }

    /// Returns the settings with another engine.
    pub fn with_engine(self, engine: Engine) -> CheckedConfig {
        CheckedConfig(TrainConfig {
            engine: engine.into(),
            ..self.0
        })
    }

    /// Returns the settings with the scaling of targets that a run really has.
    pub(crate) fn with_target_scale(self, scale: TargetScale) -> CheckedConfig {
        let mut config = self.0;
        config.task.target_scale = (config.task.task == Task::Regression).then_some(scale);
        CheckedConfig(config)
    }

    /// Returns the settings with another learning rate.
    ///
    /// # Errors
    /// Returns [`Error::Config`] if `rate` is out of range.
    pub fn with_learning_rate(self, rate: f32) -> Result<CheckedConfig> {
        let mut config = self.0;
        config.optimizer.learning_rate = Some(LearningRate::Value(rate));
        config.check()
    }

    /// Returns the settings as a type that may be changed.
    pub fn into_inner(self) -> TrainConfig {
        self.0
    }
}

impl Deref for CheckedConfig {
    type Target = TrainConfig;

    fn deref(&self) -> &TrainConfig {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smaller_sets_are_trained_in_smaller_batches_only_with_min_steps() {
        let batches = |batch_size, min_steps| {
            let config = TrainConfig {
                batch_size,
                min_steps,
                ..TrainConfig::default()
            };
            [1, 40, 999, 100_000].map(|samples| config.batch_for(samples))
        };
        assert_eq!(batches(64, None), [1, 40, 64, 64]);
        assert_eq!(batches(64, Some(32)), [1, 16, 24, 64]);
        assert_eq!(batches(64, Some(usize::MAX)), [1, 16, 16, 16]);
        assert_eq!(batches(8, Some(32)), [1, 8, 8, 8]);
        let none = TrainConfig {
            min_steps: Some(0),
            ..TrainConfig::default()
        };
        assert!(none.check().is_err());
    }

    #[test]
    fn a_window_that_holds_the_whole_set_is_ignored() {
        let with = |shuffle_window| TrainConfig {
            shuffle_window,
            ..TrainConfig::default()
        };
        assert_eq!(with(Some(99)).window_for(100), Some(99));
        assert_eq!(with(Some(100)).window_for(100), None);
        assert_eq!(with(None).window_for(100), None);
    }
}
