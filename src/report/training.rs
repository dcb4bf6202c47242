//! A training run, told: the banner before it, the summary after it, or all of it as JSON.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use super::ending::{Warning, standstill, warnings, write_cause, write_result};
use super::number::{bytes, grouped, percent, rate, seconds};
use super::profile::{PhaseShare, shares, write_shares};
use crate::bench::Peak;
use crate::compute::blas::Blas;
use crate::compute::parallel::Workers;
use crate::config::{ClassWeight, LossName, TaskConfig, TrainConfig};
use crate::data::{Dataset, Splits, Targets, Task};
use crate::nn::Spec;
use crate::schedule::ScheduleName;
use crate::train::{Cause, EpochMetrics, Outcome, RangeTest};

/// The name and version of the JSON object's layout.
pub const SCHEMA: &str = "perceptor.train/1";

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
    let train = match &data.validation {
        Some(set) => format!(
            "{} training, {} validation",
            grouped(data.train.items()),
            grouped(set.items())
        ),
        None => format!("{} training", grouped(data.train.items())),
    };
    writeln!(
        out,
        "  data      {data_name}: {train} and {test} items, {}, {}",
        item_shape(&data.train),
        target_words(data.train.targets()),
    )?;
    let activation = match spec.layers() {
        [_] => String::new(),
        _ if spec.batch_norm() => format!("batch norm, {} and ", spec.activation().name()),
        _ => format!("{} and ", spec.activation().name()),
    };
    writeln!(
        out,
        "  network   {spec}, {activation}{}, {} parameters ({}), {} init",
        spec.task().output_function(),
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
    if spec.task() != Task::Classification {
        writeln!(out, "  task      {}", task_words(&config.task))?;
    }
    writeln!(out, "  optimiser {}", optimizer_words(config))?;
    let regularization = regularization_words(config);
    if !regularization.is_empty() {
        writeln!(out, "            {regularization}")?;
    }
    if !config.freeze.is_empty() {
        writeln!(out, "  frozen    {}", config.freeze.join(", "))?;
    }
    let ends = early_ends(config);
    if !ends.is_empty() {
        writeln!(out, "  ends      {}", ends.join("; "))?;
    }
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
    if let Some(size) = size_of_large(data.train.targets()) {
        writeln!(
            out,
            "  warning: the numbers to predict are about {size:.0} in size; networks learn numbers about 1 best: divide them, or lower --lr"
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

/// `10 classes`, `2 numbers to predict`.
pub fn target_words(targets: &Targets) -> String {
    let outputs = targets.outputs();
    match targets {
        Targets::Classes { .. } => format!("{outputs} classes"),
        Targets::Values { .. } => format!("{} to predict", counted(outputs, "number")),
        Targets::Flags { .. } => format!("{}, any of them", counted(outputs, "label")),
    }
}

/// `regression by huber loss, δ 1`.
fn task_words(config: &TaskConfig) -> String {
    let (task, loss) = (config.task.name(), config.loss());
    let delta = match loss {
        LossName::Huber => format!(", δ {}", config.huber_delta()),
        _ => String::new(),
    };
    format!("{task} by {} loss{delta}", loss.name())
}

/// The root of the mean square of numbers to predict, where they are so large that usual learning rates are too.
fn size_of_large(targets: &Targets) -> Option<f64> {
    /// Losses are squares of it.
    const LARGE: f64 = 30.0;
    let Targets::Values { values, .. } = targets else {
        return None;
    };
    let squares = values.iter().map(|&value| f64::from(value).powi(2));
    let size = (squares.sum::<f64>() / values.len() as f64).sqrt();
    (size > LARGE).then_some(size)
}

/// What may end a run before its last epoch.
fn early_ends(config: &TrainConfig) -> Vec<String> {
    let (task, validation) = (config.task.task, &config.validation);
    let stop = validation.early_stop.map(|stop| {
        let least = match (stop.min_delta, task) {
            (0.0, _) => String::new(),
            (delta, Task::Regression) => format!(" by more than {delta}"),
            (delta, _) => format!(" by more than {}", percent(delta)),
        };
        let (epochs, stands) = (counted(stop.patience, "epoch"), standstill(task));
        format!("when the validation {stands}{least} for {epochs}, with the best weights")
    });
    let target = validation.target_accuracy;
    let target = target.map(|target| format!("at an accuracy of {}", percent(target)));
    let time = validation.max_time.map(|time| format!("after {time}"));
    [stop, target, time].into_iter().flatten().collect()
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

/// `dropout 0.5, balanced classes`: what keeps the network from learning by heart; nothing where nothing does.
fn regularization_words(config: &TrainConfig) -> String {
    let regularization = &config.regularization;
    let strengths = [
        ("dropout", regularization.dropout),
        ("input dropout", regularization.input_dropout),
        ("input noise", regularization.input_noise),
        ("label smoothing", regularization.label_smoothing),
    ];
    let used = strengths.iter().filter(|(_, strength)| *strength != 0.0);
    let used = used.map(|(name, strength)| format!("{name} {strength}"));
    let weights = regularization.class_weight.as_ref();
    let weights = weights.map(|weight| match weight {
        ClassWeight::Balanced => "balanced classes".to_owned(),
        ClassWeight::Given(_) => "weighted classes".to_owned(),
    });
    used.chain(weights).collect::<Vec<_>>().join(", ")
}

/// `1 epoch`, `3 epochs`.
pub(super) fn counted(count: usize, what: &str) -> String {
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
    /// The settings of the run.
    pub config: &'a TrainConfig,
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
    for warning in warnings(outcome) {
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
    /// Accuracy of the model on the test set, 0 to 1; none without a test set, and in regression.
    pub test_accuracy: Option<f64>,
    /// F1 of the model on the test set, of several labels an item alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_f1: Option<f64>,
    /// Mean absolute error of the model on the test set, of regression alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_mae: Option<f64>,
    /// R² of the model on the test set, of regression alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_r2: Option<f64>,
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
            train_items: data.train.items(),
            validation_items: data.validation.as_ref().map(Dataset::items),
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
            ended: (outcome.cause != Cause::Epochs).then_some(outcome.cause),
            best_epoch: outcome.picked.then_some(outcome.kept().epoch),
            validation_accuracy: outcome.kept().validation_accuracy,
            best_validation_accuracy: best.and_then(|best| best.validation_accuracy),
            test_accuracy: outcome.test.and_then(|test| test.accuracy),
            test_f1: outcome.test.and_then(|test| test.f1),
            test_mae: outcome.test.and_then(|test| test.mae),
            test_r2: outcome.test.and_then(|test| test.r2),
            best_test_accuracy: best.and_then(|best| best.test_accuracy),
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
