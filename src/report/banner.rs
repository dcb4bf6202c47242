//! What is said before a run: what will learn what, by what, on what.

use std::io::{self, Write};

use super::ending::stop_words;
use super::number::{bytes, counted, grouped, percent, rate};
use crate::compute::Engine;
use crate::compute::parallel::Workers;
use crate::config::{ClassWeight, LossName, TaskConfig, TrainConfig};
use crate::data::idx::ElementType;
use crate::data::{Dataset, Scale, Splits, Targets};
use crate::nn::Spec;
use crate::nn::Task;
use crate::schedule::ScheduleName;
use crate::train::RangeTest;

/// Says what will run on what. `engine` computes.
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
    engine: Engine,
) -> io::Result<()> {
    let blas = workers.blas();
    let test = match &data.test {
        Some(test) => format!("{} test", grouped(test.samples())),
        None => "no test".to_owned(),
    };
    writeln!(
        out,
        "perceptor {} ({}, {} build)",
        crate::VERSION,
        crate::REVISION,
        crate::BUILD_MODE
    )?;
    let train = match &data.validation {
        Some(set) => format!(
            "{} training, {} validation",
            grouped(data.train.samples()),
            grouped(set.samples())
        ),
        None => format!("{} training", grouped(data.train.samples())),
    };
    writeln!(
        out,
        "  data      {data_name}: {train} and {test} items, {}{}, {}",
        item_shape(&data.train),
        scale_words(config.scale),
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
        config.batch_size.min(data.train.samples()),
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
        engine.describe(blas),
        blas.library,
        blas.version,
        blas.kernel,
        blas.threading,
        counted(blas.threads, "thread"),
    )?;
    write_warnings(out, &data.train, workers)
}

/// What may make the run slow, or its network learn little.
fn write_warnings(out: &mut dyn Write, train: &Dataset, workers: &Workers) -> io::Result<()> {
    let (threads, cores) = (workers.threads(), Workers::available().get());
    if threads > cores {
        writeln!(
            out,
            "  warning: {threads} threads share {}, which is slower than as many threads as cores",
            counted(cores, "core"),
        )?;
    }
    if let Some(times) = unevenness(train) {
        writeln!(
            out,
            "  warning: one feature's range is {} times the usual one, and one scale serves all: bring columns to about one range first",
            grouped(times as usize)
        )?;
    }
    if let Some(size) = size_of_large(train.targets()) {
        writeln!(
            out,
            "  warning: the numbers to predict are about {size:.0} in size; networks learn numbers about 1 best: divide them, or lower the learning rate"
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

/// `, standard scale`: how elements become inputs, where that is not by their type.
fn scale_words(scale: Scale) -> String {
    match scale {
        Scale::Unit => String::new(),
        other => format!(", {} scale", other.name()),
    }
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

/// How many times the median range of features the largest is, where that is so much that the rest hardly count. Looks at
/// some of the items; bytes are never so far apart.
fn unevenness(train: &Dataset) -> Option<f32> {
    const ITEMS: usize = 1000;
    const MUCH: f32 = 100.0;
    if train.rows().element() == ElementType::U8 {
        return None;
    }
    let mut row = vec![0.0; train.features()];
    let mut bounds = vec![(f32::INFINITY, f32::NEG_INFINITY); train.features()];
    for item in (0..train.samples()).step_by(train.samples().div_ceil(ITEMS)) {
        train.rows().read(item, &mut row);
        for ((low, high), &x) in bounds.iter_mut().zip(&row) {
            (*low, *high) = (low.min(x), high.max(x));
        }
    }
    let ranges = bounds.into_iter().map(|(low, high)| high - low);
    let mut ranges: Vec<f32> = ranges.filter(|range| *range > 0.0).collect();
    ranges.sort_by(f32::total_cmp);
    let times = ranges.last()? / ranges[(ranges.len() - 1) / 2];
    (times > MUCH).then_some(times)
}

/// What may end a run before its last epoch.
fn early_ends(config: &TrainConfig) -> Vec<String> {
    let (task, validation) = (config.task.task, &config.validation);
    let stop = validation.early_stop;
    let stop = stop.map(|stop| format!("when {}, with the best weights", stop_words(stop, task)));
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

/// `28×28 u8`.
fn item_shape(data: &Dataset) -> String {
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
