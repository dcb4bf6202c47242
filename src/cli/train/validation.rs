//! Flags of validation and of a run's early end. Those of the validation set are `perceptor tune`'s, too.

use std::path::PathBuf;

use clap::Args;
use perceptor::config::{EarlyStop, MaxTime, accuracy};
use perceptor::data::Holdout;
use perceptor::run::Settings;

use super::precedence::{Given, take};
use crate::cli::or_none::{OrNone, or_none};

#[derive(Debug, Args)]
#[command(next_help_heading = "Validation")]
pub struct HoldoutArgs {
    /// Hold this share of the training items out as a validation set, or so many of them, drawn from every class by
    /// the seed [default: none; of tune, which needs one, 0.1]
    #[arg(long, value_name = "SHARE|N", default_value = "none", hide_default_value = true, conflicts_with_all = ["validation_images", "validation_labels"])]
    validation_split: OrNone<Holdout>,
    /// Validation images, an IDX file of their own
    #[arg(long, value_name = "FILE", requires = "validation_labels")]
    validation_images: Option<PathBuf>,
    /// Validation labels, an IDX file
    #[arg(long, value_name = "FILE", requires = "validation_images")]
    validation_labels: Option<PathBuf>,
}

impl HoldoutArgs {
    /// Puts the flags that were given over `settings`. Either way to a validation set takes the place of the other.
    pub fn over(&self, settings: &mut Settings, given: Given) {
        let config = &mut settings.train.validation;
        if given("validation_split") {
            (settings.validation_images, settings.validation_labels) = (None, None);
        }
        if given("validation_images") {
            config.validation_split = None;
        }
        take! { given,
            "validation_split": config.validation_split => self.validation_split.0;
            "validation_images": settings.validation_images => self.validation_images.clone();
            "validation_labels": settings.validation_labels => self.validation_labels.clone();
        }
    }
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Validation")]
pub struct ValidationArgs {
    #[command(flatten)]
    holdout: HoldoutArgs,
    /// End after PATIENCE epochs in a row whose validation accuracy (0 to 1; F1 of several labels, the loss in
    /// regression) got better by no more than MIN-DELTA, or 0, with the weights of the best epoch
    #[arg(long, value_name = "PATIENCE[,MIN-DELTA]", default_value = "none")]
    early_stop: OrNone<EarlyStop>,
    /// End after the epoch whose accuracy on the validation set, or the test set where there is no other, is at least
    /// this, as 0.98 or 98%
    #[arg(long, value_name = "ACCURACY", default_value = "none", value_parser = accuracy_or_none)]
    target_accuracy: OrNone<f64>,
    /// End after the step at which this time is over, as 90s, 10m or 1h 30m; the time before a run was resumed counts
    #[arg(long, value_name = "TIME", default_value = "none")]
    max_time: OrNone<MaxTime>,
}

impl ValidationArgs {
    /// Puts the flags that were given over `settings`.
    pub(super) fn over(&self, settings: &mut Settings, given: Given) {
        self.holdout.over(settings, given);
        let config = &mut settings.train.validation;
        take! { given,
            "early_stop": config.early_stop => self.early_stop.0;
            "target_accuracy": config.target_accuracy => self.target_accuracy.0;
            "max_time": config.max_time => self.max_time.0;
        }
    }
}

fn accuracy_or_none(text: &str) -> Result<OrNone<f64>, String> {
    or_none(text, accuracy)
}
