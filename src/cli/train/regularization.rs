//! Flags of regularisation.

use clap::Args;
use perceptor::Result;
use perceptor::TrainConfig;
use perceptor::config::ClassWeight;

use super::precedence::{Given, take};
use crate::cli::or_none::OrNone;

#[derive(Debug, Args)]
#[command(next_help_heading = "Regularisation")]
pub struct RegularizationArgs {
    /// Share of the units of hidden layers that is dropped in training, 0 to below 1; the others make up for
    /// them
    #[arg(
        long,
        value_name = "P",
        default_value_t = 0.0,
        allow_negative_numbers = true
    )]
    dropout: f32,
    /// Share of the inputs that is dropped in training, 0 to below 1
    #[arg(
        long,
        value_name = "P",
        default_value_t = 0.0,
        allow_negative_numbers = true
    )]
    input_dropout: f32,
    /// Standard deviation of Gaussian noise on inputs in training, in units of the scaled inputs
    #[arg(
        long,
        value_name = "SD",
        default_value_t = 0.0,
        allow_negative_numbers = true
    )]
    input_noise: f32,
    /// Share of the truth that is spread over all classes in training, 0 to below 1
    #[arg(
        long,
        value_name = "E",
        default_value_t = 0.0,
        allow_negative_numbers = true
    )]
    label_smoothing: f32,
    /// Weight decay, of weights and not of biases: part of the gradient, but beside it with adamw and lion
    /// [default: 0, for adamw 0.01]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    weight_decay: Option<f32>,
    /// L1 penalty, of weights and not of biases
    #[arg(
        long,
        value_name = "X",
        default_value_t = 0.0,
        allow_negative_numbers = true
    )]
    l1: f32,
    /// Largest Euclidean norm of the weights into a hidden unit
    #[arg(
        long,
        value_name = "X",
        default_value = "none",
        allow_negative_numbers = true
    )]
    max_norm: OrNone<f32>,
    /// What an item of each class counts for in training: balanced, the rarer the more, a file with a number a
    /// line, or none, all the same
    #[arg(long, value_name = "balanced|FILE", default_value = "none")]
    class_weight: OrNone<String>,
}

impl RegularizationArgs {
    /// Puts the flags that were given over `settings`.
    ///
    /// # Errors
    /// Those of [`ClassWeight::parse`].
    pub(super) fn over(&self, settings: &mut TrainConfig, given: Given) -> Result<()> {
        let optimizer = &mut settings.optimizer;
        take! { given,
            "weight_decay": optimizer.weight_decay => self.weight_decay;
            "l1": optimizer.l1 => self.l1;
            "max_norm": optimizer.max_norm => self.max_norm.0;
        }
        let config = &mut settings.regularization;
        take! { given,
            "dropout": config.dropout => self.dropout;
            "input_dropout": config.input_dropout => self.input_dropout;
            "input_noise": config.input_noise => self.input_noise;
            "label_smoothing": config.label_smoothing => self.label_smoothing;
        }
        if given("class_weight") {
            let named = self.class_weight.0.as_deref();
            config.class_weight = named.map(ClassWeight::parse).transpose()?;
        }
        Ok(())
    }
}
