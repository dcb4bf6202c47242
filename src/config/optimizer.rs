//! How a gradient moves the weights: the optimiser and its numbers.

use serde::{Deserialize, Serialize};

use super::Demand;

/// The settings of the optimiser.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OptimizerConfig {
    /// The learning rate η (`--lr`), on the mean gradient of a batch.
    #[serde(alias = "lr")]
    pub learning_rate: f32,
    /// The momentum μ, 0 to below 1.
    pub momentum: f32,
}

impl Default for OptimizerConfig {
    fn default() -> OptimizerConfig {
        OptimizerConfig {
            learning_rate: 0.1,
            momentum: 0.9,
        }
    }
}

impl OptimizerConfig {
    pub(super) fn demands(&self) -> Vec<Demand> {
        let rate = self.learning_rate;
        vec![
            Demand::new(
                rate.is_finite() && rate > 0.0,
                "--lr",
                rate,
                "a finite number above 0",
            ),
            Demand::new(
                (0.0..1.0).contains(&self.momentum),
                "--momentum",
                self.momentum,
                "0 to below 1",
            ),
        ]
    }
}
