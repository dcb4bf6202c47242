//! Settings that are known to be valid.

use std::ops::Deref;

use super::{LearningRate, TrainConfig};
use crate::compute::Engine;
use crate::error::Result;

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
    /// Checks `config`.
    ///
    /// # Errors
    /// Returns the errors of [`TrainConfig::check`].
    pub(super) fn new(config: TrainConfig) -> Result<CheckedConfig> {
        config.check_requirements()?;
        Ok(CheckedConfig(config))
    }

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

    /// Returns the settings with another learning rate.
    ///
    /// # Errors
    /// Returns [`crate::Error::Config`] if `rate` is out of range.
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
