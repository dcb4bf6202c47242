//! The report of a training run: a summary for people, or one JSON object.
//!
//! [`banner`](self::banner()) is printed before a run, [`EpochTable`] makes a line of each epoch, and [`TrainReport`]
//! holds everything that is known at the end.

pub(super) mod banner;
mod ending;
mod epochs;
mod profile;
mod warnings;

use std::io::{self, Write};
use std::path::Path;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

pub use self::banner::{BannerData, banner, range_test_line};
pub use self::epochs::EpochTable;
use super::number::{grouped, seconds};
use super::warning::Warning;
use crate::bench::Peak;
use crate::bench::phases::{PhaseShare, shares};
use crate::bench::team::TeamChoice;
use crate::compute::blas::Blas;
use crate::compute::parallel::Workers;
use crate::config::TrainConfig;
use crate::data::{Dataset, Note, Splits};
use crate::message::Spelling;
use crate::scores::{EpochMetrics, METRICS, Score};
use crate::train::{Cause, Outcome, RangeTest};

/// The name and version of the JSON object's layout.
pub const SCHEMA: &str = "perceptor.train/1";

/// What is known of a run at its end, in addition to its outcome.
#[derive(Debug)]
pub struct RunDetails<'a> {
    /// Where the data came from.
    pub data_name: &'a str,
    /// The sets of the run.
    pub data: &'a Splits,
    /// The settings of the run.
    pub config: &'a TrainConfig,
    /// The threads that computed.
    pub workers: &'a Workers,
    /// How their number was chosen.
    pub team: &'a TeamChoice,
    /// Time from the start of the command to the end of the run, in seconds.
    pub wall_seconds: f64,
    /// Whether the run was resumed; then the wall time is the time since.
    pub resumed: bool,
    /// The model whose weights the run began from; `None` if they were drawn.
    pub init_from: Option<&'a Path>,
    /// The peak of the workers; `None` if no profile was made.
    pub peak: Option<Peak>,
    /// How the learning rate was found; `None` if it was set.
    pub range_test: Option<&'a RangeTest>,
    /// The file of the model.
    pub model: &'a Path,
    /// How settings are spelled.
    pub spelling: &'a dyn Spelling,
    /// What was guessed, left out or changed in the tables that were read.
    pub notes: &'a [Note],
}

/// Everything there is to say about a finished run. Fields that are not skipped are those of the JSON object.
#[derive(Debug, Serialize)]
pub struct TrainReport<'a> {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// The version of the program.
    pub version: &'static str,
    /// The revision of its source.
    pub revision: &'static str,
    /// Where the data came from.
    pub data: &'a str,
    /// The number of training samples.
    pub train_items: usize,
    /// The number of validation samples; `None` without a validation set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation_items: Option<usize>,
    /// The number of test samples; `None` without a test set.
    pub test_items: Option<usize>,
    /// The widths of the layers, as `784-100-10`.
    pub network: String,
    /// The number of parameters that are trained.
    pub parameters: usize,
    /// The model whose weights the run began from; `None` if they were drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init_from: Option<String>,
    /// The number of features that are left out because they are constant in the training set, with a scaling of each
    /// feature.
    #[serde(skip_serializing_if = "is_zero")]
    pub left_out_features: usize,
    /// The settings that decide the result.
    pub config: &'a TrainConfig,
    /// How the learning rate was found; `None` if it was set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range_test: Option<&'a RangeTest>,
    /// The number of worker threads.
    pub threads: usize,
    /// How that number was chosen.
    pub team: &'a TeamChoice,
    /// The engine that computed.
    pub engine: String,
    /// The library that computed the products; `None` if the engine calls none.
    pub blas: Option<Blas>,
    /// `release` or `debug`.
    pub build: &'static str,
    /// The epochs, in order.
    pub epochs: &'a [EpochMetrics],
    /// Why the run ended, if not after its last epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<Cause>,
    /// The epoch that the model is from, if it is the best one on the validation set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub best_epoch: Option<usize>,
    /// Accuracy of the model on the validation set, 0 to 1; `None` without a validation set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation_accuracy: Option<f64>,
    /// The highest accuracy on the validation set after any epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub best_validation_accuracy: Option<f64>,
    /// The score of the model on the test set: `test_accuracy`, and `test_f1`, `test_mae` and `test_r2` for tasks that
    /// have them; without its loss.
    #[serde(flatten, serialize_with = "test_metrics")]
    pub test: Option<Score>,
    /// The highest accuracy on the test set after any epoch, 0 to 1; `None` if it was not evaluated after each epoch.
    pub best_test_accuracy: Option<f64>,
    /// Time spent training, without evaluation, in seconds.
    pub train_seconds: f64,
    /// Time from the start of the command to the end of the run, in seconds.
    pub wall_seconds: f64,
    /// Samples trained on per second of training.
    pub samples_per_second: f64,
    /// 10⁹ floating point operations of the matrix products per second of training.
    pub gflops: f64,
    /// The peak of the workers, in 10⁹ floating point operations per second.
    pub peak_gflops: Option<f64>,
    /// How the workers spent their time.
    pub profile: Option<Vec<PhaseShare>>,
    /// What was guessed, left out or changed in the tables that were read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What the user should know about the model.
    pub warnings: Vec<Warning>,
    /// The file of the model.
    pub model: String,
    #[serde(skip)]
    outcome: &'a Outcome,
    #[serde(skip)]
    peak: Option<&'a Peak>,
    #[serde(skip)]
    resumed: bool,
}

impl<'a> TrainReport<'a> {
    /// The report of a run with this outcome.
    pub fn new(outcome: &'a Outcome, details: &'a RunDetails<'a>) -> TrainReport<'a> {
        let RunDetails { data, workers, .. } = *details;
        let (best, kept) = (outcome.best(), outcome.kept());
        let profile = outcome.profile.as_ref().zip(details.peak.as_ref());
        TrainReport {
            schema: SCHEMA,
            version: crate::VERSION,
            revision: crate::REVISION,
            data: details.data_name,
            train_items: data.train.samples(),
            validation_items: data.validation.as_ref().map(Dataset::samples),
            test_items: data.test.as_ref().map(Dataset::samples),
            network: outcome.model.spec.to_string(),
            parameters: outcome.model.spec.trainable(),
            init_from: details.init_from.map(|path| path.display().to_string()),
            left_out_features: outcome.model.scaling.left_out(),
            config: details.config,
            range_test: details.range_test,
            threads: workers.threads(),
            team: details.team,
            engine: outcome.engine.describe(),
            blas: outcome.engine.library(),
            build: crate::BUILD_MODE,
            epochs: &outcome.epochs,
            ended: (outcome.cause != Cause::Epochs).then_some(outcome.cause),
            best_epoch: outcome.picked.then_some(kept.epoch),
            validation_accuracy: accuracy(kept.scores.validation),
            best_validation_accuracy: best.and_then(|best| accuracy(best.scores.validation)),
            test: outcome.test,
            best_test_accuracy: best.and_then(|best| accuracy(best.scores.test)),
            train_seconds: outcome.train_seconds(),
            wall_seconds: details.wall_seconds,
            samples_per_second: outcome.samples_per_second(),
            gflops: outcome.gflops(),
            peak_gflops: details.peak.as_ref().map(|peak| peak.gflops),
            profile: profile.map(|(profile, peak)| shares(profile, peak)),
            notes: super::note_texts(details.notes, details.spelling),
            warnings: warnings::warnings(outcome, &data.train, details.spelling),
            model: details.model.display().to_string(),
            outcome,
            peak: details.peak.as_ref(),
            resumed: details.resumed,
        }
    }

    /// Writes a summary for people: the result, why and when the run ended, and `next`, the command to run next.
    ///
    /// # Errors
    /// Returns the errors of `out`.
    pub fn write_text(&self, out: &mut dyn Write, next: &str) -> io::Result<()> {
        ending::write_result(out, self.outcome)?;
        ending::write_cause(out, self.outcome, self.config)?;
        // The wall time before a run was resumed is not known, only its training time.
        let (since, of) = match self.resumed {
            true => ("since it was resumed", "of training in total"),
            false => ("in total", "of it training"),
        };
        writeln!(
            out,
            "time           {} {since}, {} {of}: {} samples/s, {:.1} GFLOP/s",
            seconds(self.wall_seconds),
            seconds(self.train_seconds),
            grouped(self.samples_per_second.round() as usize),
            self.gflops,
        )?;
        if let (Some(shares), Some(peak)) = (&self.profile, self.peak) {
            profile::write_shares(out, shares, peak)?;
        }
        if self.left_out_features > 0 {
            writeln!(
                out,
                "features       {} of {} left out: constant in the training set",
                grouped(self.left_out_features),
                grouped(self.outcome.model.spec.inputs()),
            )?;
        }
        writeln!(out, "model          {}", self.model)?;
        for warning in &self.warnings {
            warning.write_text(out)?;
        }
        writeln!(out, "next           {next}")
    }

    /// Writes one JSON object.
    ///
    /// # Errors
    /// Returns the errors of `out`.
    pub fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        super::write_json(out, self)
    }
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

fn accuracy(score: Option<Score>) -> Option<f64> {
    score.and_then(|score| score.accuracy)
}

/// The metrics of a score as fields of their own, as `null` if they are not defined for its samples; the accuracy is always
/// there.
fn test_metrics<S: Serializer>(test: &Option<Score>, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    for metric in &METRICS {
        let value = test.and_then(|test| metric.of(&test));
        let is_undefined = test.is_some_and(|test| metric.is_undefined_in(&test));
        if value.is_some() || is_undefined || metric.key == "accuracy" {
            map.serialize_entry(&format!("test_{}", metric.key), &value)?;
        }
    }
    map.end()
}
