//! Everything that a bench measured on one machine, and what the work was. This is what its JSON holds.
//!
//! The raw measurements of every run are kept in addition to their statistics, so that a later reader need not trust
//! these.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::num::NonZeroUsize;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::cores::Pair;
use super::earlier;
use super::peak::{Instructions, Peak};
use super::phases::Phases;
use super::products::Product;
use super::throughput::Training;
use super::time_to::{Goal, TimeTo};
use crate::compute::parallel::Workers;
use crate::config::{CheckedConfig, TrainConfig};
use crate::data::{Dataset, Splits};
use crate::error::{Error, Refusal, Result};
use crate::message::{Command, Key, message};
use crate::nn::Spec;

/// The name and version of the JSON object's layout.
pub const SCHEMA: &str = "perceptor.bench/3";

/// The longest file that is read as a record, in bytes.
const MAX_LENGTH: u64 = 64 << 20;
/// The most runs.
const MAX_RUNS: usize = 1000;

/// The results of a bench.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// [`SCHEMA`].
    pub schema: String,
    /// The version of the program.
    pub version: String,
    /// The revision of its source.
    pub revision: String,
    /// `release` or `debug`.
    pub build: String,
    /// The machine it ran on.
    pub machine: Machine,
    /// What was trained.
    pub work: Work,
    /// How it was measured.
    pub settings: Settings,
    /// Register peak by number of threads; empty if only [`Record::time_to`] was measured.
    pub peak: Vec<Peak>,
    /// What lines that travel cost between pairs of workers; empty in the same case, and with one thread or one core.
    pub cores: Vec<Pair>,
    /// Products of the network's shapes on one thread, the engine in use first; empty in the same case.
    pub products: Vec<Product>,
    /// Training by number of threads, one first; empty in the same case.
    pub training: Vec<Training>,
    /// The phases of a step by number of threads, as for `training`.
    pub phases: Vec<Phases>,
    /// Time to an accuracy, if it was measured.
    pub time_to: Option<TimeTo>,
    /// The comparison with an earlier record, if there was one.
    pub comparison: Option<Comparison>,
    /// What the reader should know before trusting the numbers.
    pub warnings: Vec<String>,
}

/// What decides the speed of a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's name if the system reports it, else `unknown`.
    pub processor: String,
    /// `x86_64`, `aarch64`, …
    pub architecture: String,
    /// `linux`, `macos`, …
    pub system: String,
    /// The number of cores this process may use, by affinity and control group.
    pub cores: usize,
    /// The widest registers, in which the peak is measured.
    pub instructions: String,
}

/// The data, the network, and how it is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Work {
    /// Where the data came from.
    pub data: String,
    /// The number of training samples.
    pub train_items: usize,
    /// The number of test samples; `None` without a test set.
    pub test_items: Option<usize>,
    /// The widths, as `784-100-10`.
    pub network: String,
    /// The number of parameters.
    pub parameters: usize,
    /// Floating point operations of the matrix products for one sample.
    pub flops_per_sample: f64,
    /// Samples per step: the batch size, or all samples if these are fewer.
    pub batch_size: usize,
    /// The name of the engine in use, which is never `auto`.
    pub engine: String,
    /// The engine with the instruction set or library it uses.
    pub kernels: String,
    /// The model whose weights training starts from; `None` if they are drawn.
    pub init_from: Option<String>,
    /// Every setting of training, with the defaults of task, optimiser and schedule filled in.
    pub settings: TrainConfig,
}

/// How to measure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The largest number of threads.
    pub threads: NonZeroUsize,
    /// The number of timed runs of everything.
    pub runs: usize,
    /// About how long a run of training takes, in seconds; runs of products take a hundredth of it.
    pub seconds: f64,
    /// The accuracy whose time is measured instead of rates, if any.
    pub goal: Option<Goal>,
}

/// The result of comparing two sets of runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Slower than before.
    Slower,
    /// Faster than before.
    Faster,
    /// No difference that exceeds the scatter.
    Same,
    /// Too few runs on one of the sides to judge.
    Open,
}

/// One measurement before and now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// What was measured, with its unit.
    pub what: String,
    /// The median before.
    pub before: f64,
    /// The median now.
    pub now: f64,
    /// The speed as a multiple of the earlier one; above 1 is faster.
    pub speed: f64,
    /// Whether the difference counts.
    pub verdict: Verdict,
}

/// The comparison of everything that two records have in common.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The name of the earlier record.
    pub with: String,
    /// Other conditions that changed, as sentences.
    pub notes: Vec<String>,
    /// Every measurement that both have.
    pub changes: Vec<Change>,
}

impl Comparison {
    /// The measurements with this verdict.
    pub fn with_verdict(&self, verdict: Verdict) -> impl Iterator<Item = &Change> {
        let changes = self.changes.iter();
        changes.filter(move |change| change.verdict == verdict)
    }
}

impl Settings {
    /// Checks every setting against its range.
    ///
    /// # Errors
    /// [`Error::Config`], naming the key of the first setting that is out of range.
    pub fn check(&self) -> Result<()> {
        let refuse = |key: Key, found: String, expected: String| {
            Err(Error::Config(Refusal::new(key, found, expected)))
        };
        let seconds_fit = self.seconds > 0.0 && self.seconds <= 3600.0;
        if !(1..=MAX_RUNS).contains(&self.runs) {
            return refuse(
                Key("runs"),
                self.runs.to_string(),
                format!("1 to {MAX_RUNS}"),
            );
        }
        if !seconds_fit {
            let expected = "above 0 and up to 3600".to_owned();
            return refuse(Key("seconds"), self.seconds.to_string(), expected);
        }
        match self.goal {
            Some(goal) if !(1..=MAX_RUNS as u64).contains(&goal.seeds) => refuse(
                Key("seeds"),
                goal.seeds.to_string(),
                format!("1 to {MAX_RUNS}"),
            ),
            Some(goal) if !(goal.accuracy > 0.0 && goal.accuracy <= 1.0) => refuse(
                Key("time_to"),
                goal.accuracy.to_string(),
                "above 0 and up to 1".to_owned(),
            ),
            _ => Ok(()),
        }
    }
}

impl Work {
    /// The settings of training that are set, as they are typed.
    pub fn settings_by_key(&self) -> BTreeMap<String, String> {
        by_key(&self.settings)
    }

    /// Whether the learning rate depends on the number of epochs.
    pub fn depends_on_epochs(&self) -> bool {
        self.settings.schedule.schedule.spans_the_run()
    }

    /// The settings of training that differ from the defaults of a run.
    pub fn changed_settings(&self) -> BTreeMap<String, String> {
        let defaults = by_key(&TrainConfig::default().resolved());
        let mut settings = self.settings_by_key();
        settings.retain(|key, value| defaults.get(key) != Some(value));
        settings
    }
}

fn by_key(config: &TrainConfig) -> BTreeMap<String, String> {
    // By way of text, which has the shortest number with the same 32 bits.
    let text = serde_json::to_string(config).expect("plain data is always JSON");
    let values: BTreeMap<String, Value> = serde_json::from_str(&text).expect("it was written now");
    let typed = values.into_iter().map(|(key, value)| (key, typed(&value)));
    typed.collect()
}

/// A value as it is typed: `512,256`, `relu`, `none`.
fn typed(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "none".to_owned(),
        Value::Array(values) if values.is_empty() => "none".to_owned(),
        Value::Array(values) => values.iter().map(typed).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

impl Record {
    /// A record of this machine and this work, without results yet.
    ///
    /// # Errors
    /// Returns the errors of [`crate::compute::Engine::check`].
    pub fn new(
        (data_name, data): (&str, &Splits),
        spec: &Spec,
        config: &CheckedConfig,
        init_from: Option<&Path>,
        settings: Settings,
    ) -> Result<Record> {
        let engine = config.engine.resolve()?;
        let work = Work {
            data: data_name.to_owned(),
            train_items: data.train.samples(),
            test_items: data.test.as_ref().map(Dataset::samples),
            network: spec.to_string(),
            parameters: spec.parameters(),
            flops_per_sample: spec.training_flops(),
            batch_size: config.batch_for(data.train.samples()),
            engine: engine.name().to_owned(),
            kernels: engine.describe(),
            init_from: init_from.map(|path| path.display().to_string()),
            settings: config.resolved().into_inner(),
        };
        Ok(Record {
            schema: SCHEMA.to_owned(),
            version: crate::VERSION.to_owned(),
            revision: crate::REVISION.to_owned(),
            build: crate::BUILD_MODE.to_owned(),
            machine: Machine {
                processor: processor(),
                architecture: std::env::consts::ARCH.to_owned(),
                system: std::env::consts::OS.to_owned(),
                cores: Workers::available().get(),
                instructions: Instructions::detect().name().to_owned(),
            },
            work,
            settings,
            peak: Vec::new(),
            cores: Vec::new(),
            products: Vec::new(),
            training: Vec::new(),
            phases: Vec::new(),
            time_to: None,
            comparison: None,
            warnings: Vec::new(),
        })
    }

    /// Reads a record that was written as JSON.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the file cannot be read, and [`Error::Data`] if it is not a record of this schema.
    pub fn read(path: &Path) -> Result<Record> {
        let file = fs::File::open(path).map_err(Error::io(path, "open the file"))?;
        let mut bytes = Vec::new();
        file.take(MAX_LENGTH)
            .read_to_end(&mut bytes)
            .map_err(Error::io(path, "read the file"))?;
        Record::from_bytes(path, &bytes)
    }

    /// Reads a record from the content of the file `path`, also one of an earlier version of the program.
    ///
    /// # Errors
    /// Returns [`Error::Data`] if it is not a record, or if a measurement or setting in it is out of range.
    pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Record> {
        let refuse = |found: String, expected: &str| {
            Error::Data(Refusal::new(path.display(), found, expected).hint(message![
                "write one with ",
                Command("bench"),
                " and ",
                Key("format").set_to("json > FILE")
            ]))
        };
        let mut value: Value = serde_json::from_slice(bytes)
            .map_err(|error| refuse(format!("not JSON ({error})"), SCHEMA))?;
        match value.get("schema").and_then(Value::as_str) {
            Some(SCHEMA) => {}
            Some(earlier::FIRST) => earlier::convert_first(&mut value, SCHEMA),
            Some(earlier::SECOND) => earlier::convert_second(&mut value, SCHEMA),
            Some(other) => return Err(refuse(format!("schema {other}"), SCHEMA)),
            None => return Err(refuse("JSON without a schema".to_owned(), SCHEMA)),
        }
        let mut record: Record = serde_json::from_value(value)
            .map_err(|error| refuse(error.to_string(), "the fields of a record"))?;
        let settings = record.work.settings.clone().check();
        let settings =
            settings.map_err(|error| refuse(error.to_string(), "settings of a bench"))?;
        record.work.settings = settings.resolved().into_inner();
        if let Some(phases) = record
            .phases
            .iter()
            .find(|it| it.threads == 0 || it.steps == 0)
        {
            let found = format!("{} steps of {} threads", phases.steps, phases.threads);
            return Err(refuse(found, "at least one of each"));
        }
        if let Some(runs) = record.all_runs().find(|runs| !are_timings(runs)) {
            let found = format!("runs of {runs:?}");
            return Err(refuse(found, "1 to 1000 numbers above 0"));
        }
        Ok(record)
    }

    /// Every list of raw measurements.
    fn all_runs(&self) -> impl Iterator<Item = &[f64]> {
        let peak = self.peak.iter().map(|peak| &peak.samples[..]);
        let products = self.products.iter().map(|product| &product.seconds[..]);
        let rates = self.training.iter().map(|t| &t.samples_per_second[..]);
        peak.chain(products).chain(rates)
    }
}

/// Whether statistics can be computed from `runs`.
fn are_timings(runs: &[f64]) -> bool {
    (1..=MAX_RUNS).contains(&runs.len()) && runs.iter().all(|run| run.is_finite() && *run > 0.0)
}

/// The processor's name, if Linux reports it.
pub(super) fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    let name = lines.find(|(key, _)| key.trim() == "model name");
    name.map_or("unknown".to_owned(), |(_, name)| name.trim().to_owned())
}
