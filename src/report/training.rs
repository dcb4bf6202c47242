//! A training run, told: the banner before it, a line an epoch, the summary after it, or all of it as JSON.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use super::number::{bytes, grouped, percent, rate, seconds};
use super::profile::{PhaseShare, shares, write_shares};
use crate::bench::Peak;
use crate::compute::blas::Blas;
use crate::compute::parallel::Workers;
use crate::config::TrainConfig;
use crate::data::{Dataset, Splits};
use crate::nn::Spec;
use crate::schedule::ScheduleName;
use crate::train::{EpochMetrics, Outcome, RangeTest};

/// The name and version of the JSON object's layout.
pub const SCHEMA: &str = "perceptor.train/1";

/// The columns that [`epoch_line`] fills.
pub const EPOCH_HEADER: &str =
    "epoch  train loss  test loss  test accuracy  learning rate   samples/s  GFLOP/s";

/// Says what will run on what. The engine of `config` is no longer auto.
///
/// # Errors
/// Those of `out`.
pub fn banner(
    out: &mut dyn Write,
    data_name: &str,
    data: &Splits,
    spec: &Spec,
    config: &TrainConfig,
    workers: &Workers,
) -> io::Result<()> {
    let blas = workers.blas();
    let test = match &data.test {
        Some(test) => format!("{} test", grouped(test.items())),
        None => "no test".to_owned(),
    };
    writeln!(
        out,
        "perceptor {} ({}, {} build)",
        crate::VERSION,
        crate::REVISION,
        build_mode()
    )?;
    writeln!(
        out,
        "  data      {data_name}: {} training and {test} items, {}, {} classes",
        grouped(data.train.items()),
        item_shape(&data.train),
        data.train.classes(),
    )?;
    let activation = match spec.layers() {
        [_] => String::new(),
        _ if spec.batch_norm() => format!("batch norm, {} and ", spec.activation().name()),
        _ => format!("{} and ", spec.activation().name()),
    };
    writeln!(
        out,
        "  network   {spec}, {activation}softmax, {} parameters ({}), {} init",
        grouped(spec.trainable()),
        bytes(4 * spec.parameters()),
        config.init.name(),
    )?;
    writeln!(
        out,
        "  training  {}, batch size {}, seed {}",
        counted(config.epochs, "epoch"),
        config.batch_size.min(data.train.items()),
        config.seed
    )?;
    writeln!(out, "  optimiser {}", optimizer_words(config))?;
    writeln!(
        out,
        "  compute   {}, engine {} ({} {} linked in: {} kernels, {}, {} a call)",
        counted(workers.threads(), "thread"),
        config.engine.describe(blas),
        blas.library,
        blas.version,
        blas.kernel,
        blas.threading,
        counted(blas.threads, "thread"),
    )?;
    let (threads, cores) = (workers.threads(), Workers::available().get());
    if threads > cores {
        writeln!(
            out,
            "  warning: {threads} threads share {}, which is slower than as many threads as cores",
            counted(cores, "core"),
        )?;
    }
    if cfg!(debug_assertions) {
        writeln!(
            out,
            "  warning: this is a debug build and slow; cargo run --release is many times faster"
        )?;
    }
    Ok(())
}

/// `adamw, learning rate 0.001 by cosine, β₁ 0.9, …`: what moves the weights, with all that takes part in it.
fn optimizer_words(config: &TrainConfig) -> String {
    let config = config.resolved();
    let (optimizer, schedule) = (&config.optimizer, &config.schedule);
    let mut learning_rate = match optimizer.rate() {
        Some(found) => format!("learning rate {}", rate(found)),
        None => "learning rate to be found".to_owned(),
    };
    if schedule.schedule != ScheduleName::Constant {
        learning_rate += &format!(" by {}", schedule.schedule.name());
    }
    if schedule.warmup > 0.0 {
        learning_rate += &format!(", warm-up {} epochs", schedule.warmup);
    }
    let some = |name: &'static str, number: Option<f32>| number.map(|number| (name, number));
    let acting = |name, number: Option<f32>| some(name, number.filter(|number| *number != 0.0));
    let numbers = [
        some("momentum", optimizer.momentum),
        some("β₁", optimizer.beta1),
        some("β₂", optimizer.beta2),
        some("α", optimizer.alpha),
        acting("weight decay", optimizer.weight_decay),
        acting("L1", Some(optimizer.l1)),
        some("max-norm", optimizer.max_norm),
        some("gradient norm at most", optimizer.clip_norm),
        some("gradient elements at most", optimizer.clip_value),
        some("average of the weights with", optimizer.average),
    ];
    let numbers = numbers.into_iter().flatten();
    let numbers = numbers.map(|(name, number)| format!("{name} {number}"));
    let parts = [optimizer.optimizer.name().to_owned(), learning_rate];
    parts
        .into_iter()
        .chain(numbers)
        .collect::<Vec<_>>()
        .join(", ")
}

/// `1 epoch`, `3 epochs`.
fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn build_mode() -> &'static str {
    if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    }
}

/// `28×28 u8`.
fn item_shape(data: &Dataset) -> String {
    let header = data.images().header();
    let sizes: Vec<String> = header.dimensions()[1..]
        .iter()
        .map(usize::to_string)
        .collect();
    let sizes = if sizes.is_empty() {
        "1".to_owned()
    } else {
        sizes.join("×")
    };
    format!("{sizes} {}", header.element().name())
}

/// One epoch under [`EPOCH_HEADER`].
pub fn epoch_line(epoch: &EpochMetrics) -> String {
    let or_dash = |figure: Option<String>| figure.unwrap_or_else(|| "–".to_owned());
    format!(
        "{:>5}  {:>10.4}  {:>9}  {:>13}  {:>13}  {:>10}  {:>7.1}",
        epoch.epoch,
        epoch.train_loss,
        or_dash(epoch.test_loss.map(|loss| format!("{loss:.4}"))),
        or_dash(epoch.test_accuracy.map(percent)),
        rate(epoch.learning_rate),
        grouped(epoch.samples_per_second.round() as usize),
        epoch.gflops,
    )
}

/// Says which learning rate a range test chose, and why.
///
/// # Errors
/// Those of `out`.
pub fn range_test_line(out: &mut dyn Write, found: &RangeTest) -> io::Result<()> {
    let steps = found.losses.len();
    let (first, last) = (found.learning_rates[0], found.learning_rates[steps - 1]);
    writeln!(
        out,
        "  found     learning rate {}: a tenth of {}, where the loss was lowest in {steps} steps from {} to {}",
        rate(found.chosen),
        rate(found.at_lowest),
        rate(first),
        rate(last),
    )
}

/// What is known of a run once it is over, beside its outcome.
#[derive(Debug)]
pub struct Close<'a> {
    /// Time from the start of the command to the end of the run, in seconds.
    pub wall_seconds: f64,
    /// Whether the run was resumed: then its wall time is that since.
    pub resumed: bool,
    /// The most that the workers could do; none where no profile was asked for.
    pub peak: Option<Peak>,
    /// How the learning rate was found; none where it was given.
    pub range_test: Option<&'a RangeTest>,
    /// Where the model is.
    pub model: &'a Path,
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
    let (last, train_seconds) = (outcome.last(), outcome.train_seconds());
    match (last.test_accuracy, outcome.best()) {
        (Some(accuracy), Some(best)) => writeln!(
            out,
            "test accuracy  {} after the last epoch (the model); best {} after epoch {}",
            percent(accuracy),
            percent(best.test_accuracy.unwrap_or(0.0)),
            best.epoch
        )?,
        _ => writeln!(out, "training loss  {:.4} (no test set)", last.train_loss)?,
    }
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
    for warning in warnings(outcome) {
        writeln!(out, "warning: {}", warning.what)?;
        writeln!(out, "hint: {}", warning.cure)?;
    }
    writeln!(out, "next           {next}")
}

/// Something the user should know about a run that did end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// What was found.
    pub what: String,
    /// What to do about it.
    pub cure: String,
}

/// What is wrong with the network that a run ended with.
pub fn warnings(outcome: &Outcome) -> Vec<Warning> {
    let layers = outcome.model.spec.layers();
    let identical = outcome.identical_layers.iter().map(|&layer| Warning {
        what: format!(
            "all {} units of hidden layer {layer} are the same: with equal initial weights they get \
             equal gradients and learn one feature between them",
            layers[layer - 1].fan_out
        ),
        cure: "start from different weights, with --init auto (or xavier, he, normal)".to_owned(),
    });
    identical.chain(learned_nothing(outcome)).collect()
}

/// A network that guesses every class alike has a loss of `ln classes`.
fn learned_nothing(outcome: &Outcome) -> Option<Warning> {
    let last = outcome.last();
    let loss = last.test_loss.unwrap_or(last.train_loss);
    let provenance = outcome.model.provenance.as_ref();
    let highest = provenance.and_then(|provenance| provenance.config.optimizer.rate());
    let guessing = (outcome.model.spec.classes() as f64).ln();
    // Where units are copies of one another, that is the reason.
    let unexplained = outcome.identical_layers.is_empty();
    (unexplained && loss >= guessing).then(|| Warning {
        what: format!("the loss of {loss:.4} is no better than that of guessing, {guessing:.4}"),
        cure: format!(
            "a learning rate of {} may be too high; try a tenth of it, or fewer epochs",
            rate(highest.unwrap_or(last.learning_rate))
        ),
    })
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
    /// Test items; none without a test set.
    pub test_items: Option<usize>,
    /// The widths, as `784-100-10`.
    pub network: String,
    /// The number of parameters that are trained.
    pub parameters: usize,
    /// Every setting of the run.
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
    /// Accuracy on the test set after the last epoch, 0 to 1; none without a test set.
    pub test_accuracy: Option<f64>,
    /// The best accuracy after any epoch, 0 to 1; none without a test set.
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
        TrainReport {
            schema: SCHEMA,
            version: crate::VERSION,
            revision: crate::REVISION,
            data: data_name,
            train_items: data.train.items(),
            test_items: data.test.as_ref().map(Dataset::items),
            network: outcome.model.spec.to_string(),
            parameters: outcome.model.spec.trainable(),
            config,
            range_test: close.range_test,
            threads: workers.threads(),
            engine: outcome.engine.describe(workers.blas()),
            blas: workers.blas(),
            build: build_mode(),
            epochs: &outcome.epochs,
            test_accuracy: outcome.last().test_accuracy,
            best_test_accuracy: outcome.best().and_then(|best| best.test_accuracy),
            train_seconds: outcome.train_seconds(),
            wall_seconds: close.wall_seconds,
            samples_per_second: outcome.samples_per_second(),
            gflops: outcome.gflops(),
            peak_gflops: close.peak.as_ref().map(|peak| peak.gflops),
            profile: profile.map(|(profile, peak)| shares(profile, peak)),
            warnings: warnings(outcome),
            model: close.model.display().to_string(),
        }
    }
}
