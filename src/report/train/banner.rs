//! What is printed before a run: the data, the network, how it is trained, and what computes it.

use std::io::{self, Write};

use super::ending::stop_words;
use crate::bench::team::TeamChoice;
use crate::compute::Engine;
use crate::compute::parallel::Workers;
use crate::config::{CheckedConfig, ClassWeight, LossName, TaskConfig, TrainConfig};
use crate::data::idx::ElementType;
use crate::data::{Dataset, Scale, Splits, TargetScale, Targets};
use crate::nn::{Link, Spec, Task};
use crate::report::number::{bytes, counted, grouped, percent, rate};
use crate::report::schema::{schema_words, target_titles};
use crate::report::target_words;
use crate::schedule::ScheduleName;
use crate::table::Schema;
use crate::train::prepare::density_if_skipped;
use crate::train::{RangeTest, State};

/// The data of a run, for its banner.
#[derive(Debug)]
pub struct BannerData<'a> {
    /// Where they come from.
    pub name: &'a str,
    /// The sets.
    pub sets: &'a Splits,
    /// How the table was read that they are from; `None` for other data.
    pub schema: Option<&'a Schema>,
    /// The settings that were taken as no others were named, such as `recipe table`.
    pub default_settings: Option<&'a str>,
}

/// Writes what a run is about to do: data, network, settings, the engine and threads that compute, and warnings. `from` is
/// the state that the run starts from, if there is any.
///
/// # Errors
/// Returns the errors of `out`.
pub fn banner(
    out: &mut dyn Write,
    data: &BannerData,
    spec: &Spec,
    (config, from): (&CheckedConfig, Option<&State>),
    (workers, team, engine): (&Workers, &TeamChoice, Engine),
) -> io::Result<()> {
    writeln!(
        out,
        "perceptor {} ({}, {} build)",
        crate::VERSION,
        crate::REVISION,
        crate::BUILD_MODE
    )?;
    let default_settings = data.default_settings;
    let (name, schema, data) = (data.name, data.schema, data.sets);
    writeln!(out, "  data      {name}: {}", data_words(data, config))?;
    if let Some(schema) = schema {
        writeln!(out, "  table     {}", schema_words(schema))?;
        writeln!(out, "  target    {}", target_titles(schema))?;
    }
    let init = config.init.name();
    writeln!(out, "  network   {}, {init} init", network_words(spec))?;
    if let Some(default) = default_settings {
        writeln!(out, "  settings  {default}, the default for a table")?;
    }
    writeln!(
        out,
        "  training  {}, batch size {}, seed {}",
        counted(config.epochs, "epoch"),
        config.batch_for(data.train.samples()),
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
    writeln!(out, "  compute   {}", compute_words(workers, team, engine))?;
    let density = density_if_skipped(
        config,
        &data.train,
        from.and_then(|from| from.origin.as_ref()),
    );
    if let (Engine::Native, Some(density)) = (engine, density) {
        let zeros = (100.0 * (1.0 - density)).round();
        writeln!(
            out,
            "            skips the {zeros} % of inputs that are zero"
        )?;
    }
    write_warnings(out, &data.train, config, workers)
}

/// The sets, the shape and scaling of samples, and the targets: `60,000 training and 10,000 test samples, 28×28 u8, 10
/// classes`.
fn data_words(data: &Splits, config: &TrainConfig) -> String {
    let samples = |set: &Dataset, name: &str| format!("{} {name}", grouped(set.samples()));
    let mut sets = samples(&data.train, "training");
    if let Some(validation) = &data.validation {
        sets += &format!(", {}", samples(validation, "validation"));
    }
    if data.train.weights().is_some() {
        sets += " (weighted)";
    }
    let test = data.test.as_ref().map(|test| samples(test, "test"));
    format!(
        "{sets} and {} samples, {}{}, {}",
        test.unwrap_or_else(|| "no test".to_owned()),
        sample_shape(&data.train),
        scale_words(config.scale),
        target_words(data.train.targets()),
    )
}

/// The layers, their activation and output, and the number of parameters.
pub(in crate::report) fn network_words(spec: &Spec) -> String {
    let activation = match spec.layers() {
        [_] => String::new(),
        _ if spec.batch_norm() => format!("batch norm, {} and ", spec.activation().name()),
        _ => format!("{} and ", spec.activation().name()),
    };
    format!(
        "{spec}, {activation}{}, {} parameters ({})",
        spec.output_function(),
        grouped(spec.trainable()),
        bytes(4 * spec.parameters()),
    )
}

/// The threads and the engine.
fn compute_words(workers: &Workers, team: &TeamChoice, engine: Engine) -> String {
    let threads = match team.is_auto() {
        true => format!(
            "{} of {} (auto)",
            workers.threads(),
            counted(team.cores.get(), "thread")
        ),
        false => counted(workers.threads(), "thread"),
    };
    format!("{threads}, engine {}", engine.describe())
}

/// Writes warnings about what may slow the run down, or keep the network from learning.
fn write_warnings(
    out: &mut dyn Write,
    train: &Dataset,
    config: &TrainConfig,
    workers: &Workers,
) -> io::Result<()> {
    let (threads, cores) = (workers.threads(), Workers::available().get());
    if threads > cores {
        writeln!(
            out,
            "  warning: {threads} threads share {}; one thread per core is faster",
            counted(cores, "core"),
        )?;
    }
    if let Some(times) = unevenness(train, config.scale) {
        writeln!(
            out,
            "  warning: one feature's values are {} times as large as the median range of a feature, and one pair of \
             numbers scales them all: scale = standard scales each feature by its own mean and deviation",
            grouped(times as usize)
        )?;
    }
    if let Some(value) = rounded(train, config.scale) {
        writeln!(
            out,
            "  warning: inputs have 24 bits, so elements such as {value} are rounded before they are scaled: \
             scale = standard subtracts the mean of each feature first"
        )?;
    }
    if let Targets::Classes { labels, .. } = train.targets()
        && let [first, rest @ ..] = &labels[..]
        && rest.iter().all(|label| label == first)
    {
        writeln!(
            out,
            "  warning: every training sample is of class {first}: the network can only learn to answer {first}"
        )?;
    }
    let large = train.targets().large_size();
    if let (Some(size), TargetScale::None) = (large, config.task.target_scale()) {
        writeln!(
            out,
            "  warning: the numbers to predict are about {size:.0} in size, and networks learn numbers near 1 best: \
             standardise them, scale them down, or lower the learning rate"
        )?;
    }
    if cfg!(debug_assertions) {
        writeln!(
            out,
            "  warning: this is a slow debug build; a release build is many times faster"
        )?;
    }
    Ok(())
}

/// How inputs are scaled, unless by the range of their element type: `, standard scale`.
fn scale_words(scale: Scale) -> String {
    match scale {
        Scale::Unit => String::new(),
        other => format!(", {} scale", other.name()),
    }
}

/// The task and its loss: `regression by huber loss, δ 1, targets standardised`.
pub(in crate::report) fn task_words(config: &TaskConfig) -> String {
    let (task, loss) = (config.task.name(), config.loss());
    let delta = match loss {
        LossName::Huber => format!(", δ {}", config.huber_delta()),
        LossName::Quantile => format!(", share {}", config.quantile()),
        _ => String::new(),
    };
    let scale = match (config.target_scale(), config.link()) {
        (TargetScale::Standard, Link::Identity) => ", targets standardised",
        (TargetScale::Standard, Link::Log) => ", targets divided by their mean",
        (TargetScale::None, _) => "",
    };
    format!("{task} by {} loss{delta}{scale}", loss.name())
}

/// The largest distance of a feature from the offset of all features, as a multiple of the median range of a feature, if
/// one pair of numbers scales all and the multiple is so large that other features hardly count: one has a far larger
/// range, or is far from zero. Only some of the samples are read, and none of a set of bytes, whose ranges cannot differ
/// so much.
fn unevenness(train: &Dataset, scale: Scale) -> Option<f32> {
    const SAMPLES: usize = 1000;
    const MUCH: f32 = 100.0;
    let offset_is_mean = match scale {
        Scale::Unit | Scale::None => false,
        Scale::StandardGlobal => true,
        Scale::Standard | Scale::Log | Scale::Model => return None,
    };
    if train.rows().element() == ElementType::U8 || train.rows().are_inputs() {
        return None;
    }
    let mut row = vec![0.0; train.features()];
    let mut bounds = vec![(f32::INFINITY, f32::NEG_INFINITY); train.features()];
    let (mut sum, mut count) = (0.0, 0);
    for sample in (0..train.samples()).step_by(train.samples().div_ceil(SAMPLES)) {
        train.rows().read(sample, &mut row);
        for ((low, high), &x) in bounds.iter_mut().zip(&row) {
            (*low, *high) = (low.min(x), high.max(x));
        }
        sum += row.iter().map(|&x| f64::from(x)).sum::<f64>();
        count += row.len();
    }
    let offset = match offset_is_mean {
        true => (sum / count as f64) as f32,
        false => 0.0,
    };
    bounds.retain(|(low, high)| high > low);
    let distance = |&(low, high): &(f32, f32)| (low - offset).abs().max((high - offset).abs());
    let largest = bounds.iter().map(distance).reduce(f32::max)?;
    let mut ranges: Vec<f32> = bounds.iter().map(|(low, high)| high - low).collect();
    ranges.sort_by(f32::total_cmp);
    let times = largest / ranges[(ranges.len() - 1) / 2];
    (times > MUCH).then_some(times)
}

/// The first whole element that an `f32` rounds, if one pair of numbers scales all. Only some of the samples are read.
fn rounded(train: &Dataset, scale: Scale) -> Option<f64> {
    const SAMPLES: usize = 1000;
    let is_wide = matches!(train.rows().element(), ElementType::I32 | ElementType::F64);
    let is_global = matches!(scale, Scale::Unit | Scale::StandardGlobal | Scale::None);
    if !is_wide || !is_global {
        return None;
    }
    let mut row = vec![0.0; train.features()];
    let mut samples = (0..train.samples()).step_by(train.samples().div_ceil(SAMPLES));
    samples.find_map(|sample| {
        train.rows().read_wide(sample, &mut row);
        let rounds = |&&value: &&f64| value.fract() == 0.0 && f64::from(value as f32) != value;
        row.iter().find(rounds).copied()
    })
}

/// The conditions that end a run before its last epoch.
fn early_ends(config: &TrainConfig) -> Vec<String> {
    let (task, validation) = (config.task.task, &config.validation);
    let stop = validation.early_stop;
    let stop =
        stop.map(|stop| format!("when {}, keeping the best weights", stop_words(stop, task)));
    let target = validation.target_accuracy;
    let target = target.map(|target| format!("at an accuracy of {}", percent(target.0)));
    let time = validation.max_time.map(|time| format!("after {time}"));
    [stop, target, time].into_iter().flatten().collect()
}

/// The optimiser with all its settings: `adamw, learning rate 0.001 by cosine, β₁ 0.9, …`.
pub(in crate::report) fn optimizer_words(config: &TrainConfig) -> String {
    let config = config.resolved();
    let (optimizer, schedule) = (&config.optimizer, &config.schedule);
    let mut learning_rate = match optimizer.rate() {
        Some(found) => format!("learning rate {}", rate(found)),
        None => "learning rate found by a range test".to_owned(),
    };
    if schedule.schedule != ScheduleName::Constant {
        learning_rate += &format!(" by {}", schedule.schedule.name());
    }
    if let Some(warmup) = schedule.warmup {
        learning_rate += &format!(", warm-up {warmup} epochs");
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

/// The regularisation in use, empty if there is none: `dropout 0.5, balanced classes`.
pub(in crate::report) fn regularization_words(config: &TrainConfig) -> String {
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

/// The shape and element type of a sample: `28×28 u8`.
fn sample_shape(data: &Dataset) -> String {
    let rows = data.rows();
    let sizes: Vec<String> = rows.dimensions()[1..]
        .iter()
        .map(usize::to_string)
        .collect();
    let sizes = if sizes.is_empty() {
        "1".to_owned()
    } else {
        sizes.join("×")
    };
    format!("{sizes} {}", rows.element().name())
}

/// Writes which learning rate a range test chose, and why.
///
/// # Errors
/// Returns the errors of `out`.
pub fn range_test_line(out: &mut dyn Write, found: &RangeTest) -> io::Result<()> {
    let steps = found.losses.len();
    let (first, last) = (found.learning_rates[0], found.learning_rates[steps - 1]);
    writeln!(
        out,
        "  found     learning rate {}: a tenth of {}, at which the loss was lowest in {steps} steps from {} to {}",
        rate(found.chosen),
        rate(found.at_lowest),
        rate(first),
        rate(last),
    )
}
