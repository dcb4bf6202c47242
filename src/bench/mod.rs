//! Measures how fast this machine trains a given network, and how close that is to the peak of its cores.
//!
//! `peak` measures the cores in registers, `cores` what lines that travel between two of them cost, `products` the
//! matrix products of the network's shapes, `throughput` training at each number of threads, `phases` the parts of a
//! step, and `time_to` the time to an accuracy; `engine_table` chooses an engine, `team` the number of threads, and
//! `learning_rate` a rate. `statistics` computes medians and intervals of runs, `record` holds all results (`earlier`
//! reads those of earlier versions), and `compare` compares two records. Nothing here prints: see
//! [`crate::report::bench`].

pub mod compare;
pub mod cores;
mod earlier;
pub mod engine_table;
mod learning_rate;
pub mod peak;
pub mod phases;
pub mod products;
pub mod record;
#[doc(hidden)]
pub mod stages;
pub mod statistics;
pub mod team;
pub mod throughput;
pub mod time_to;

use std::num::NonZeroUsize;

use crate::compute::parallel::Workers;
use crate::config::TrainConfig;
use crate::error::Result;
use crate::nn::Spec;
use crate::train::TeamShape;
pub use compare::compare;
pub use cores::Pair;
pub use engine_table::EngineTable;
pub use learning_rate::with_rate;
pub use peak::Peak;
pub use phases::Phases;
pub use products::Product;
pub use record::{Change, Comparison, Record, SCHEMA, Settings, Verdict};
use throughput::Contest;
pub use throughput::{Subject, Training};
pub use time_to::{Goal, TimeTo};

/// Runs whose spread exceeds this share of their median get a warning.
const SCATTER: f64 = 0.05;

/// How far a measurement is.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// What is being measured, in a few words.
    pub what: &'static str,
    /// The number of parts done; 0 at the beginning.
    pub done: usize,
    /// The total number of parts.
    pub of: usize,
}

/// Counts the parts of one measurement and reports each.
struct Steps<'a> {
    progress: Progress,
    report: &'a mut dyn FnMut(&Progress),
}

impl<'a> Steps<'a> {
    fn start(what: &'static str, of: usize, report: &'a mut dyn FnMut(&Progress)) -> Steps<'a> {
        let done = 0;
        let progress = Progress { what, done, of };
        report(&progress);
        Steps { progress, report }
    }

    fn step(&mut self) {
        self.progress.done += 1;
        (self.report)(&self.progress);
    }
}

/// Measures the peak, travelling lines, the products, and training with its phases, and stores them in `record`, which
/// was made for these settings.
///
/// # Errors
/// Returns the errors of [`crate::train::train`], and an error if threads are refused.
pub fn measure_rates(
    record: &mut Record,
    subject: Subject,
    on_progress: &mut dyn FnMut(&Progress),
) -> Result<()> {
    let (runs, seconds) = (record.settings.runs, record.settings.seconds);
    let mut shapes = TeamShape::candidates(record.settings.threads);
    shapes.retain(|shape| *shape == TeamShape::of(shape.threads));
    let counts: Vec<NonZeroUsize> = shapes.iter().map(|shape| shape.threads).collect();
    record.peak = peaks(&counts, seconds, on_progress)?;
    record.cores = cores(record.settings.threads, seconds, on_progress)?;
    let (rows, peak) = (record.work.batch_size, record.peak[0].gflops);
    let Subject { config, spec, .. } = subject;
    record.products = products(config, spec, rows, (runs, seconds), peak, on_progress)?;
    let parts = counts.len() * (runs + 1);
    let mut steps = Steps::start("training", parts, on_progress);
    let teams = (teams(&counts)?, &record.peak[..]);
    let mut contest = Contest::start(subject, teams, seconds, &mut || steps.step())?;
    record.training = contest.train(runs, &mut || steps.step())?;
    let mut steps = Steps::start("phases", counts.len(), on_progress);
    record.phases = contest.phases(&mut || steps.step())?;
    record.warnings = warnings(record);
    Ok(())
}

fn teams(counts: &[NonZeroUsize]) -> Result<Vec<Workers>> {
    counts
        .iter()
        .map(|&threads| Workers::new(threads))
        .collect()
}

/// The register peak at each number of threads, with samples of some hundredths of `seconds`.
fn peaks(
    counts: &[NonZeroUsize],
    seconds: f64,
    on_progress: &mut dyn FnMut(&Progress),
) -> Result<Vec<Peak>> {
    let sample = (seconds / 50.0).clamp(1e-5, 0.02);
    let mut steps = Steps::start("register peak", counts.len(), on_progress);
    let instructions = peak::Instructions::detect();
    let mut peaks = Vec::with_capacity(counts.len());
    for workers in teams(counts)? {
        peaks.push(peak::measure(&workers, instructions, sample));
        steps.step();
    }
    Ok(peaks)
}

/// What lines that travel cost between the workers that have a core each, in about a fifth of `seconds` and at most a
/// tenth of a second; nothing with one core.
fn cores(
    threads: NonZeroUsize,
    seconds: f64,
    on_progress: &mut dyn FnMut(&Progress),
) -> Result<Vec<Pair>> {
    let workers = Workers::new(threads.min(Workers::available()))?;
    let pairs = cores::pairs(workers.threads()).len();
    if pairs == 0 {
        return Ok(Vec::new());
    }
    let mut steps = Steps::start("travelling lines", pairs, on_progress);
    let limit = (seconds / 5.0).min(0.1);
    Ok(cores::measure(&workers, limit, &mut || steps.step()))
}

/// The products of every layer with every engine, in runs of a hundredth of `seconds`.
fn products(
    config: &TrainConfig,
    spec: &Spec,
    rows: usize,
    (runs, seconds): (usize, f64),
    peak: f64,
    on_progress: &mut dyn FnMut(&Progress),
) -> Result<Vec<Product>> {
    let sample = (seconds / 100.0).clamp(1e-5, 0.02);
    let engines = products::engines(config.engine.resolve()?);
    let parts = engines.len() * spec.layers().len();
    let mut steps = Steps::start("products", parts, on_progress);
    let mut found = Vec::new();
    for engine in engines {
        for layer in 0..spec.layers().len() {
            let runs = (runs, sample);
            found.extend(products::measure(engine, (spec, layer), rows, runs, peak)?);
            steps.step();
        }
    }
    Ok(found)
}

/// Stores the times to an accuracy in `record`, which was made for these settings. They are measured by the caller,
/// which starts the processes.
pub fn put_time_to(record: &mut Record, found: TimeTo) {
    record.time_to = Some(found);
    record.warnings = warnings(record);
}

/// What the reader should know before trusting the numbers of `record`.
fn warnings(record: &Record) -> Vec<String> {
    let mut warnings = Vec::new();
    if record.build == "debug" {
        warnings.push("this is a slow debug build: measure a release build".to_owned());
    }
    let (threads, cores) = (record.settings.threads.get(), record.machine.cores);
    if threads > cores {
        warnings.push(format!("{threads} threads share {cores} cores"));
    }
    if record.cores.iter().any(Pair::is_disturbed) {
        let advice =
            "is the machine busy? The costs of travelling lines are not those of two cores";
        warnings.push(format!("two workers had no core each: {advice}"));
    }
    let scattered = record
        .training
        .iter()
        .filter(|t| t.summary.spread > SCATTER);
    warnings.extend(scattered.map(|training| {
        format!(
            "the runs with {} scatter by {:.0} %: is the machine busy? More and longer runs narrow the figures",
            compare::threads(training.threads),
            100.0 * training.summary.spread
        )
    }));
    warnings
}
