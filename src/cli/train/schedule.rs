//! Flags of the learning rate's schedule.

use clap::Args;
use perceptor::config::ScheduleConfig;
use perceptor::schedule::ScheduleName;

use super::precedence::{Given, take};
use crate::cli::named;

#[derive(Debug, Args)]
#[command(next_help_heading = "Learning rate schedule")]
pub struct ScheduleArgs {
    /// How the learning rate goes, step by step, from or up to that of --lr
    #[arg(long, default_value = ScheduleName::default().name(), value_parser = named(ScheduleName::ALL, ScheduleName::name))]
    schedule: ScheduleName,
    /// Epochs in which the learning rate first rises from zero, as 0.5; with one-cycle, those until it is highest
    /// [default: 0, for one-cycle 0.3 of all]
    #[arg(long, value_name = "EPOCHS", allow_negative_numbers = true)]
    warmup: Option<f32>,
    /// What step, exponential (an epoch) and plateau multiply it by [default: 0.1, for exponential 0.95]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    lr_factor: Option<f32>,
    /// Epochs from one multiplication to the next, of step [default: a third of all]
    #[arg(long, value_name = "EPOCHS", allow_negative_numbers = true)]
    lr_every: Option<f32>,
    /// Epochs without a lower loss that plateau bears [default: 10]
    #[arg(long, value_name = "EPOCHS")]
    lr_patience: Option<usize>,
    /// The lowest learning rate of cosine and plateau [default: 0]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    lr_min: Option<f32>,
    /// The power p of inverse-scaling, X / (1 + epochs)^p [default: 0.5]
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    lr_power: Option<f32>,
}

impl ScheduleArgs {
    /// Puts the flags that were given over `config`.
    pub(super) fn over(&self, config: &mut ScheduleConfig, given: Given) {
        if given("schedule") {
            config.switch_to(self.schedule);
        }
        take! { given,
            "warmup": config.warmup => self.warmup;
            "lr_factor": config.lr_factor => self.lr_factor;
            "lr_every": config.lr_every => self.lr_every;
            "lr_patience": config.lr_patience => self.lr_patience;
            "lr_min": config.lr_min => self.lr_min;
            "lr_power": config.lr_power => self.lr_power;
        }
    }
}
