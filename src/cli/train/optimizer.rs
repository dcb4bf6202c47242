//! Flags of the optimiser, and of what else is done with a gradient.

use clap::Args;
use perceptor::config::{LearningRate, OptimizerConfig, OptimizerName};

use super::precedence::{Given, take};
use crate::cli::named;
use crate::cli::or_none::OrNone;

#[derive(Debug, Args)]
#[command(next_help_heading = "Optimiser")]
pub struct OptimizerArgs {
    /// What makes a step of a gradient
    #[arg(long, default_value = OptimizerName::default().name(), value_parser = named(OptimizerName::ALL, OptimizerName::name))]
    optimizer: OptimizerName,
    /// Learning rate, on the mean gradient of a batch, or auto to find one by a range test first
    /// [default: 0.1 for sgd and nesterov, 0.001 for adam and adamw, 0.01 for rmsprop, 0.0001 for lion]
    #[arg(
        long,
        alias = "learning-rate",
        value_name = "X",
        allow_negative_numbers = true
    )]
    lr: Option<LearningRate>,
    /// Momentum of sgd, nesterov and rmsprop, 0 to below 1 [default: 0.9, for rmsprop 0]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    momentum: Option<f32>,
    /// Share of the old first moment in the new, of adam, adamw and lion [default: 0.9]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    beta1: Option<f32>,
    /// Share of the old second moment in the new, of adam, adamw and lion [default: 0.999, for lion 0.99]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    beta2: Option<f32>,
    /// Share of the old mean square in the new, of rmsprop [default: 0.99]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    alpha: Option<f32>,
    /// What is added to the root below the gradient, of adam, adamw and rmsprop [default: 1e-8]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    epsilon: Option<f32>,
    /// Scale the gradient down to this Euclidean norm
    #[arg(
        long,
        value_name = "X",
        default_value = "none",
        allow_negative_numbers = true
    )]
    clip_norm: OrNone<f32>,
    /// Cut the gradient's elements off at this magnitude
    #[arg(
        long,
        value_name = "X",
        default_value = "none",
        allow_negative_numbers = true
    )]
    clip_value: OrNone<f32>,
    /// Share of the old in a moving average of the weights, as 0.999: the average is what is measured and saved. At
    /// step t it is at most (1 + t) / (10 + t)
    #[arg(
        long,
        value_name = "X",
        default_value = "none",
        allow_negative_numbers = true
    )]
    ema: OrNone<f32>,
}

impl OptimizerArgs {
    /// Puts the flags that were given over `config`.
    pub(super) fn over(&self, config: &mut OptimizerConfig, given: Given) {
        if given("optimizer") {
            config.switch_to(self.optimizer);
        }
        take! { given,
            "lr": config.learning_rate => self.lr;
            "momentum": config.momentum => self.momentum;
            "beta1": config.beta1 => self.beta1;
            "beta2": config.beta2 => self.beta2;
            "alpha": config.alpha => self.alpha;
            "epsilon": config.epsilon => self.epsilon;
            "clip_norm": config.clip_norm => self.clip_norm.0;
            "clip_value": config.clip_value => self.clip_value.0;
            "ema": config.average => self.ema.0;
        }
    }
}
