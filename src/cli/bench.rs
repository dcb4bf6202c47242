//! `perceptor bench`.

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use perceptor::bench::{self, Goal, Record, Settings, compare};
use perceptor::compute::EngineChoice;
use perceptor::compute::parallel::Workers;
use perceptor::config::accuracy;
use perceptor::config::{LearningRate, OptimizerConfig, OptimizerName};
use perceptor::data::Splits;
use perceptor::nn::Activation;
use perceptor::report::bench::{write_json, write_markdown, write_text};
use perceptor::train::prepare::spec_for;
use perceptor::{Error, Refusal, TrainConfig};

use super::bar::Bar;
use super::engine::{Tell, choose};
use super::source::DataArgs;
use super::time_to;
use super::{Failure, Hidden, named, parse_hidden};

const EXAMPLES: &str = "\
Examples:
  perceptor bench                                the tutorial's network, at every number of threads
  perceptor bench --hidden 512,256 --activation relu --batch-size 128
  perceptor bench --format json > before.json    keep the figures, and later:
  perceptor bench --compare before.json          what got slower or faster since
  perceptor bench --from before.json --format markdown
  perceptor bench --time-to 97.5% --seeds 5      seconds until the test set is predicted that well";

/// What decides a measurement, and therefore has no place beside figures that are there already.
const MEASURING: [&str; 18] = [
    "data",
    "train_images",
    "train_labels",
    "test_images",
    "test_labels",
    "hidden",
    "activation",
    "batch_size",
    "lr",
    "momentum",
    "seed",
    "runs",
    "seconds",
    "threads",
    "engine",
    "time_to",
    "seeds",
    "epochs",
];

/// Measure how fast this machine trains a network, and how near that is to its peak
#[derive(Debug, Args)]
#[command(before_help = EXAMPLES)]
pub struct BenchArgs {
    #[command(flatten)]
    data: DataArgs,

    /// Widths of the hidden layers, or none
    #[arg(long, value_name = "N,N,...", help_heading = "Network", default_value = "100", value_parser = parse_hidden)]
    hidden: Hidden,
    /// Activation of the hidden layers
    #[arg(long, help_heading = "Network", default_value = Activation::default().name(), value_parser = named(Activation::ALL, Activation::name))]
    activation: Activation,

    /// Samples a step
    #[arg(long, value_name = "N", help_heading = "Training", default_value_t = TrainConfig::default().batch_size)]
    batch_size: usize,
    /// Learning rate, on the mean gradient of a batch
    #[arg(long, value_name = "X", help_heading = "Training", default_value_t = OptimizerName::default().default_learning_rate(), allow_negative_numbers = true)]
    lr: f32,
    /// Momentum, 0 to below 1
    #[arg(
        long,
        value_name = "X",
        help_heading = "Training",
        default_value_t = 0.9,
        allow_negative_numbers = true
    )]
    momentum: f32,
    /// Seed of all randomness
    #[arg(long, value_name = "N", help_heading = "Training", default_value_t = TrainConfig::default().seed, overrides_with = "seed")]
    seed: u64,

    /// Timed runs of everything, after a warm-up
    #[arg(
        long,
        value_name = "N",
        help_heading = "Measurement",
        default_value_t = 5,
        conflicts_with = "time_to"
    )]
    runs: usize,
    /// About how long a run of training takes: whole epochs, or some steps of one
    #[arg(
        long,
        value_name = "X",
        help_heading = "Measurement",
        default_value_t = 1.0,
        conflicts_with = "time_to",
        allow_negative_numbers = true
    )]
    seconds: f64,
    /// The most worker threads: measured are 1, 2, 4, 8, … and this many, up to 4 every number
    /// [default: all cores this process may use]
    #[arg(long, value_name = "N", help_heading = "Measurement")]
    threads: Option<NonZeroUsize>,
    /// Who computes in training, as for train; products are measured under every engine there is
    #[arg(long, help_heading = "Measurement", default_value = EngineChoice::default().name(), value_parser = named(EngineChoice::ALL, EngineChoice::name), overrides_with = "engine")]
    engine: EngineChoice,

    /// Measure, instead of rates, the seconds from the start of a process to the first evaluation with this
    /// accuracy, as 0.975 or 97.5%
    #[arg(long, value_name = "ACCURACY", help_heading = "Time to an accuracy", value_parser = accuracy)]
    time_to: Option<f64>,
    /// Seeds to do that from: --seed and those that follow it
    #[arg(
        long,
        value_name = "N",
        help_heading = "Time to an accuracy",
        default_value_t = 3,
        requires = "time_to"
    )]
    seeds: u64,
    /// Epochs after which a seed is given up
    #[arg(
        long,
        value_name = "N",
        help_heading = "Time to an accuracy",
        default_value_t = 30,
        requires = "time_to"
    )]
    epochs: usize,
    /// What each of the processes does that --time-to starts: one seed, and the accuracy on a line of its own after each epoch
    #[arg(long, hide = true, requires = "time_to")]
    evaluations: bool,

    /// Say what got slower or faster since this earlier JSON, beyond the scatter of both
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    compare: Option<PathBuf>,
    /// Take the figures from this earlier JSON instead of measuring
    #[arg(long, value_name = "FILE", help_heading = "Output", conflicts_with_all = MEASURING)]
    from: Option<PathBuf>,
    /// Text, one JSON object, or Markdown
    #[arg(long, help_heading = "Output", value_enum, default_value_t = BenchFormat::Text)]
    format: BenchFormat,
    /// No progress on stderr
    #[arg(long, short, help_heading = "Output")]
    quiet: bool,
}

/// How the figures are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum BenchFormat {
    Text,
    Json,
    Markdown,
}

impl BenchArgs {
    pub fn run(&self) -> Result<(), Failure> {
        if let (true, Some(goal)) = (self.evaluations, self.settings().goal) {
            return self.one_seed(goal);
        }
        let earlier = self.compare.as_deref().map(Record::read).transpose()?;
        let mut record = match &self.from {
            Some(path) => Record::read(path)?,
            None => self.measure(earlier.as_ref())?,
        };
        if let Some(earlier) = &earlier {
            record.comparison = Some(compare(&self.compare_name(), earlier, &record)?);
        }
        let mut out = io::stdout().lock();
        match self.format {
            BenchFormat::Text => write_text(&mut out, &record)?,
            BenchFormat::Json => write_json(&mut out, &record)?,
            BenchFormat::Markdown => write_markdown(&mut out, &record)?,
        }
        out.flush()?;
        Ok(())
    }

    /// What the earlier record is called in messages.
    fn compare_name(&self) -> String {
        let path = self.compare.as_deref().unwrap_or_else(|| "".as_ref());
        path.display().to_string()
    }

    /// Opens the data and measures. What could be refused is looked at before minutes are spent.
    fn measure(&self, earlier: Option<&Record>) -> Result<Record, Failure> {
        let (config, settings) = (self.config(), self.settings());
        config.check()?;
        settings.check()?;
        let workers = Workers::new(settings.threads)?;
        let source = self.data.training(&workers, self.quiet)?;
        drop(workers);
        let data = Splits::open(&source.files, None)?;
        if self.time_to.is_some() && data.test.is_none() {
            return Err(no_test_set(source.name).into());
        }
        let spec = spec_for(&config, &data)?;
        let goal = settings.goal;
        let batch_size = config.batch_size.min(data.train.samples());
        let tell = Tell::new(self.quiet, false);
        let config = TrainConfig {
            engine: choose(config.engine, &spec, batch_size, tell)?.into(),
            ..config
        };
        let mut record = Record::new(&source.name, &data, &spec, &config, settings)?;
        if let Some(earlier) = earlier {
            bench::compare::check(&self.compare_name(), earlier, &record)?;
        }
        let bar = Bar::new("measuring {prefix} {bar:24} {pos}/{len}", self.quiet);
        let mut show = |step: &bench::Progress| show(&bar, step);
        match goal {
            Some(goal) => {
                let found = time_to::measure(&config, goal, &mut show)?;
                bench::put_time_to(&mut record, found);
            }
            None => bench::measure_rates(&mut record, &config, &data, &spec, &mut show)?,
        }
        bar.finish();
        Ok(record)
    }

    /// The life of a process that [`time_to::measure`] starts.
    fn one_seed(&self, goal: Goal) -> Result<(), Failure> {
        let threads = self.settings().threads;
        // Few threads, if any: all are drawn or found by the process that started this one.
        let source = self
            .data
            .training(&Workers::new(NonZeroUsize::MIN)?, true)?;
        let mut out = io::stdout().lock();
        bench::time_to::from_seed(
            &self.config(),
            &source.files,
            threads,
            goal,
            &mut |accuracy| {
                writeln!(out, "{accuracy}")?;
                Ok(out.flush()?)
            },
        )
    }

    fn config(&self) -> TrainConfig {
        TrainConfig {
            hidden: self.hidden.0.clone(),
            activation: self.activation,
            epochs: self.epochs,
            batch_size: self.batch_size,
            optimizer: OptimizerConfig {
                learning_rate: Some(LearningRate::Value(self.lr)),
                momentum: Some(self.momentum),
                ..OptimizerConfig::default()
            },
            seed: self.seed,
            engine: self.engine,
            ..TrainConfig::default()
        }
    }

    fn settings(&self) -> Settings {
        let goal = self.time_to.map(|accuracy| Goal {
            accuracy,
            seeds: self.seeds,
            epochs: self.epochs,
        });
        Settings {
            threads: self.threads.unwrap_or_else(Workers::available),
            runs: self.runs,
            seconds: self.seconds,
            goal,
        }
    }
}

fn no_test_set(name: String) -> Error {
    Error::Data(
        Refusal::new(name, "no test files", "t10k-… or test-…, for --time-to")
            .hint("name the files with --test-images and --test-labels"),
    )
}

/// Moves the bar; where none is seen, a line tells each kind of figure.
fn show(bar: &Bar, step: &bench::Progress) {
    bar.bar.set_prefix(step.what);
    bar.bar.set_length(step.of as u64);
    bar.bar.set_position(step.done as u64);
    if !bar.is_seen() && step.done == 0 {
        bar.line(&format!("measuring {}", step.what));
    }
}
