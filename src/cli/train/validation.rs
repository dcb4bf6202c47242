//! Flags of validation and of a run's early end. Those of the validation set are `perceptor tune`'s, too.

use std::path::PathBuf;

use clap::Args;
use perceptor::config::{EarlyStop, Holdout, MaxTime};
use perceptor::run::Settings;

use super::settings::{Given, take};
use crate::cli::parse_accuracy;

#[derive(Debug, Args)]
#[command(next_help_heading = "Validation")]
pub struct HoldoutArgs {
    /// Hold this share of the training items out as a validation set, or so many of them, drawn from every class by
    /// the seed [default: nothing; of tune, where no other set is named, 0.1]
    #[arg(long, value_name = "SHARE|N", conflicts_with_all = ["validation_images", "validation_labels"])]
    validation_split: Option<Holdout>,
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
            "validation_split": config.validation_split => self.validation_split;
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
    /// End after PATIENCE epochs in a row whose validation accuracy (0 to 1) rose by no more than MIN-DELTA [default:
    /// 0], with the weights of the best epoch
    #[arg(long, value_name = "PATIENCE[,MIN-DELTA]")]
    early_stop: Option<EarlyStop>,
    /// End after the epoch whose accuracy on the validation set, or the test set where there is no other, is at least
    /// this, as 0.98 or 98%
    #[arg(long, value_name = "ACCURACY", value_parser = parse_accuracy)]
    target_accuracy: Option<f64>,
    /// End after the step at which this time is over, as 90s, 10m or 1h 30m; the time before a run was resumed counts
    #[arg(long, value_name = "TIME")]
    max_time: Option<MaxTime>,
}

impl ValidationArgs {
    /// Puts the flags that were given over `settings`.
    pub(super) fn over(&self, settings: &mut Settings, given: Given) {
        self.holdout.over(settings, given);
        let config = &mut settings.train.validation;
        take! { given,
            "early_stop": config.early_stop => self.early_stop;
            "target_accuracy": config.target_accuracy => self.target_accuracy;
            "max_time": config.max_time => self.max_time;
        }
    }
}
