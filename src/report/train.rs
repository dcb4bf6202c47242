//! What a training run came to: the summary after it, or all of it as JSON.

use std::io::{self, Write};
use std::path::Path;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::ending::{Warning, warnings, write_cause, write_result};
use super::number::{grouped, seconds};
use super::profile::{PhaseShare, shares, write_shares};
use crate::bench::Peak;
use crate::compute::blas::Blas;
use crate::compute::parallel::Workers;
use crate::config::TrainConfig;
use crate::data::{Dataset, Splits};
use crate::message::Spelling;
use crate::scores::{EpochMetrics, METRICS, Score};
use crate::train::{Cause, Outcome, RangeTest};

/// The name and version of the JSON object's layout.
pub const SCHEMA: &str = "perceptor.train/1";

/// What is known of a run once it is over, beside its outcome.
#[derive(Debug)]
pub struct Close<'a> {
    /// Time from the start of the command to the end of the run, in seconds.
    pub wall_seconds: f64,
    /// Whether the run was resumed: then its wall time is that since.
    pub resumed: bool,
    /// The settings of the run.
    pub config: &'a TrainConfig,
    /// The model whose weights it began from; none where they were drawn.
    pub init_from: Option<&'a Path>,
    /// The most that the workers could do; none where no profile was asked for.
    pub peak: Option<Peak>,
    /// How the learning rate was found; none where it was given.
    pub range_test: Option<&'a RangeTest>,
    /// Where the model is.
    pub model: &'a Path,
    /// How settings are spelled.
    pub spelling: &'a dyn Spelling,
}

/// Says how the run ended and what to type next.
///
/// # Errors
/// Those of `out`.
pub fn summary(
    out: &mut dyn Write,
    outcome: &Outcome,
    close: &Close,
    next: &str,
) -> io::Result<()> {
    let train_seconds = outcome.train_seconds();
    write_result(out, outcome)?;
    write_cause(out, outcome, close.config)?;
    writeln!(
        out,
        "time           {}, {} {}: {} samples/s, {:.1} GFLOP/s",
        // What came before a run was resumed is known for its training alone.
        seconds(close.wall_seconds)
            + if close.resumed {
                " since it was resumed"
            } else {
                " in all"
            },
        seconds(train_seconds),
        if close.resumed {
            "of training in all"
        } else {
            "of it training"
        },
        grouped(outcome.samples_per_second().round() as usize),
        outcome.gflops(),
    )?;
    if let (Some(profile), Some(peak)) = (&outcome.profile, &close.peak) {
        write_shares(out, &shares(profile, peak), peak)?;
    }
    writeln!(out, "model          {}", close.model.display())?;
    for warning in warnings(outcome, close.spelling) {
        writeln!(out, "warning: {}", warning.what)?;
        writeln!(out, "hint: {}", warning.cure)?;
    }
    writeln!(out, "next           {next}")
}

/// A run as one JSON object.
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
    /// Training items.
    pub train_items: usize,
    /// Validation items; none without a validation set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation_items: Option<usize>,
    /// Test items; none without a test set.
    pub test_items: Option<usize>,
    /// The widths, as `784-100-10`.
    pub network: String,
    /// The number of parameters that are trained.
    pub parameters: usize,
    /// The model whose weights the run began from; none where they were drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init_from: Option<String>,
    /// Every setting that decides what is computed.
    pub config: &'a TrainConfig,
    /// How the learning rate was found; none where it was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range_test: Option<&'a RangeTest>,
    /// Worker threads.
    pub threads: usize,
    /// The engine that did the work.
    pub engine: String,
    /// The linear algebra library that is linked in.
    pub blas: &'a Blas,
    /// `release` or `debug`.
    pub build: &'static str,
    /// Every epoch in turn.
    pub epochs: &'a [EpochMetrics],
    /// Why the run ended, where that was not with its last epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<Cause>,
    /// The epoch that the model is from, where it was picked by validation data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub best_epoch: Option<usize>,
    /// Accuracy of the model on the validation set, 0 to 1; none without a validation set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation_accuracy: Option<f64>,
    /// The best accuracy on the validation set after any epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub best_validation_accuracy: Option<f64>,
    /// The score of the model on the test set, as `test_accuracy` and, for tasks that have them, `test_f1`, `test_mae` and
    /// `test_r2`; without its loss.
    #[serde(flatten, serialize_with = "test_metrics")]
    pub test: Option<Score>,
    /// The best accuracy on the test set after any epoch, 0 to 1; none without one, and where it is measured once.
    pub best_test_accuracy: Option<f64>,
    /// Time in training, evaluation not counted, in seconds.
    pub train_seconds: f64,
    /// Time from the start of the command to the end of the run, in seconds.
    pub wall_seconds: f64,
    /// Samples trained on in a second of training.
    pub samples_per_second: f64,
    /// 10⁹ floating point operations of the matrix products in a second of training.
    pub gflops: f64,
    /// The most that the workers could do, in 10⁹ floating point operations a second.
    pub peak_gflops: Option<f64>,
    /// Where the workers' time went.
    pub profile: Option<Vec<PhaseShare>>,
    /// What the user should know.
    pub warnings: Vec<Warning>,
    /// Where the model is.
    pub model: String,
}

impl<'a> TrainReport<'a> {
    /// Puts together what a run came to.
    pub fn new(
        data_name: &'a str,
        data: &Splits,
        config: &'a TrainConfig,
        workers: &'a Workers,
        outcome: &'a Outcome,
        close: &Close<'a>,
    ) -> TrainReport<'a> {
        let profile = outcome.profile.as_ref().zip(close.peak.as_ref());
        let best = outcome.best();
        TrainReport {
            schema: SCHEMA,
            version: crate::VERSION,
            revision: crate::REVISION,
            data: data_name,
            train_items: data.train.samples(),
            validation_items: data.validation.as_ref().map(Dataset::samples),
            test_items: data.test.as_ref().map(Dataset::samples),
            network: outcome.model.spec.to_string(),
            parameters: outcome.model.spec.trainable(),
            init_from: close.init_from.map(|path| path.display().to_string()),
            config,
            range_test: close.range_test,
            threads: workers.threads(),
            engine: outcome.engine.describe(workers.blas()),
            blas: workers.blas(),
            build: crate::BUILD_MODE,
            epochs: &outcome.epochs,
            ended: (outcome.cause != Cause::Epochs).then_some(outcome.cause),
            best_epoch: outcome.picked.then_some(outcome.kept().epoch),
            validation_accuracy: accuracy(outcome.kept().scores.validation),
            best_validation_accuracy: best.and_then(|best| accuracy(best.scores.validation)),
            test: outcome.test,
            best_test_accuracy: best.and_then(|best| accuracy(best.scores.test)),
            train_seconds: outcome.train_seconds(),
            wall_seconds: close.wall_seconds,
            samples_per_second: outcome.samples_per_second(),
            gflops: outcome.gflops(),
            peak_gflops: close.peak.as_ref().map(|peak| peak.gflops),
            profile: profile.map(|(profile, peak)| shares(profile, peak)),
            warnings: warnings(outcome, close.spelling),
            model: close.model.display().to_string(),
        }
    }
}

fn accuracy(score: Option<Score>) -> Option<f64> {
    score.and_then(|score| score.accuracy)
}

/// The metrics of a score as fields of their own; the accuracy is always there, as `null` if there is none.
fn test_metrics<S: Serializer>(test: &Option<Score>, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    for metric in &METRICS {
        let value = test.and_then(|test| metric.of(&test));
        if value.is_some() || metric.key == "accuracy" {
            map.serialize_entry(&format!("test_{}", metric.key), &value)?;
        }
    }
    map.end()
}
