//! Flags of regularisation.

use clap::Args;
use perceptor::Result;
use perceptor::config::{ClassWeight, RegularizationConfig};

use super::settings::{Given, take};

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
    /// What an item of each class counts for in training: balanced, the rarer the more, or a file with a
    /// number a line [default: all the same]
    #[arg(long, value_name = "balanced|FILE")]
    class_weight: Option<String>,
}

impl RegularizationArgs {
    /// Puts the flags that were given over `config`.
    ///
    /// # Errors
    /// Those of [`ClassWeight::parse`].
    pub(super) fn over(&self, config: &mut RegularizationConfig, given: Given) -> Result<()> {
        take! { given,
            "dropout": config.dropout => self.dropout;
            "input_dropout": config.input_dropout => self.input_dropout;
            "input_noise": config.input_noise => self.input_noise;
            "label_smoothing": config.label_smoothing => self.label_smoothing;
        }
        if let Some(text) = &self.class_weight {
            config.class_weight = Some(ClassWeight::parse(text)?);
        }
        Ok(())
    }
}
