//! The learning rate of a bench whose settings leave it to a range test.

use crate::compute::parallel::Workers;
use crate::config::CheckedConfig;
use crate::data::Splits;
use crate::error::Result;
use crate::train::{State, range_test};

/// The settings with a learning rate: if it is `auto`, the one that a range test finds, as in training.
///
/// # Errors
/// Returns the errors of [`range_test()`].
pub fn with_rate(
    config: CheckedConfig,
    data: &Splits,
    workers: &Workers,
    start: Option<&State>,
) -> Result<CheckedConfig> {
    match config.optimizer.rate() {
        Some(_) => Ok(config),
        None => {
            let found = range_test(&config, data, workers, start)?;
            config.with_learning_rate(found.chosen)
        }
    }
}
