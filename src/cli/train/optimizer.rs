//! Flags of the optimiser.

use clap::Args;
use perceptor::config::OptimizerConfig;

use super::settings::{Given, take};

#[derive(Debug, Args)]
#[command(next_help_heading = "Optimiser")]
pub struct OptimizerArgs {
    /// Learning rate, on the mean gradient of a batch
    #[arg(long, alias = "learning-rate", value_name = "X", default_value_t = OptimizerConfig::default().learning_rate, allow_negative_numbers = true)]
    lr: f32,
    /// Momentum, 0 to below 1
    #[arg(long, value_name = "X", default_value_t = OptimizerConfig::default().momentum, allow_negative_numbers = true)]
    momentum: f32,
}

impl OptimizerArgs {
    /// Puts the flags that were given over `config`.
    pub(super) fn over(&self, config: &mut OptimizerConfig, given: Given) {
        take! { given,
            "lr": config.learning_rate => self.lr;
            "momentum": config.momentum => self.momentum;
        }
    }
}
