//! The settings of a training run.
//!
//! [`TrainConfig`] is one flat table in a file; in code its fields are grouped by theme, each group with its requirements
//! beside its fields. The data have checks of their own, and the number of threads is a setting of the workers, as it
//! changes no bit of the result. `setting` describes settings for every place that reads or lists them.

mod checked;
mod class_weight;
mod optimizer;
mod regularization;
mod requirement;
mod schedule;
pub mod setting;
mod task;
mod validation;
pub(crate) mod value;

pub use self::checked::CheckedConfig;
pub use self::class_weight::ClassWeight;
pub use self::optimizer::{LearningRate, OptimizerConfig, OptimizerName};
pub use self::regularization::RegularizationConfig;
pub use self::schedule::ScheduleConfig;
pub use self::task::{LossName, TaskConfig};
pub(crate) use self::validation::validation_set;
pub use self::validation::{Accuracy, EarlyStop, MaxTime, ValidationConfig};
pub use crate::data::holdout::Holdout;

use self::requirement::Requirement;
use self::setting::settings;
use crate::compute::EngineChoice;
use crate::data::Scale;
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};
use crate::nn::init::{DEFAULT_RANGE, Start};
use crate::nn::{Activation, Dropout, Init, Noise};
use crate::schedule::Schedule;

/// The largest range of initial weights: twice it is still finite.
const MAX_RANGE: f32 = 1e38;

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
        /// How to scale inputs: `unit` (range of the element type), `standard` (mean and deviation of the training
        /// set), `none`, or `model` (as in `init_from`; the default with it).
        scale: Scale = Scale::default() => under(Heading::Data);
        /// Passes over the training set.
        epochs: usize = 10 => under(Heading::Training), common, may_change;
        /// Shuffle within windows of about N samples, for files larger than memory; none shuffles the whole set.
        ///
        /// Windows are read ahead in large blocks, while a full permutation reads from all over the disk.
        shuffle_window: Option<usize> = None => under(Heading::Training);
        /// Samples per step.
        batch_size: usize = 32 => under(Heading::Training), common, searched;
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
        CheckedConfig::new(self)
    }

    /// Returns the error of the first requirement that is not met.
    fn check_requirements(&self) -> Result<()> {
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
        requirements
            .map(Requirement::check)
            .find(Result::is_err)
            .unwrap_or(Ok(()))
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
            Requirement::count(Key("shuffle_window"), self.shuffle_window.unwrap_or(1)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
