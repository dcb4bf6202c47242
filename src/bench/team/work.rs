//! The name of everything that decides how fast a network is trained.

use xxhash_rust::xxh3::xxh3_128;

use super::timed_run::TimedRun;
use crate::config::{OptimizerConfig, ScheduleConfig, TrainConfig, ValidationConfig};
use crate::data::content_hash::hexadecimal;
use crate::data::rows::Rows;

/// The number of rows whose zeros are counted, and how far from the first they may be.
const ROWS: (usize, usize) = (64, 4096);

impl TimedRun<'_> {
    /// Names everything that decides the rates, except the machine: `784-100-10 in batches of 32, native, up to 2 threads,
    /// u8 inputs with 80 % zeros, settings 6c1f…`.
    pub fn work(&self) -> String {
        let rows = self.train.rows();
        format!(
            "{} in batches of {}, {}, up to {} threads, {} inputs with {} % zeros, settings {}",
            self.spec,
            self.batch_size(),
            self.config.engine.name(),
            self.cores,
            rows.element().name(),
            10 * tenths_of_zeros(rows),
            settings(self.config),
        )
    }
}

/// A hash of the settings that change what a step does. Everything else has one value, so that a new setting counts
/// until it is added here.
fn settings(config: &TrainConfig) -> String {
    let defaults = TrainConfig::default();
    let resolved = config.resolved();
    let counting = TrainConfig {
        init: defaults.init,
        init_range: defaults.init_range,
        bias_init: defaults.bias_init,
        epochs: defaults.epochs,
        shuffle_window: defaults.shuffle_window,
        // It is in the name, limited to the number of samples.
        batch_size: defaults.batch_size,
        seed: defaults.seed,
        schedule: ScheduleConfig::default(),
        validation: ValidationConfig::default(),
        optimizer: OptimizerConfig {
            learning_rate: None,
            ..resolved.optimizer.clone()
        },
        ..resolved
    };
    let text = serde_json::to_vec(&counting).expect("plain data is always JSON");
    hexadecimal(xxh3_128(&text))
}

/// The share of elements that are zero among some of the first rows, in tenths.
fn tenths_of_zeros(rows: &Rows) -> usize {
    let (size, first) = (rows.element().size(), rows.len().min(ROWS.1));
    let (mut zeros, mut all) = (0, 0);
    for row in (0..first).step_by(first.div_ceil(ROWS.0)) {
        let elements = rows.stored(row).chunks(size);
        all += elements.len();
        zeros += elements
            .filter(|bytes| bytes.iter().all(|&b| b == 0))
            .count();
    }
    (10.0 * zeros as f64 / all.max(1) as f64).round() as usize
}
