//! `perceptor bench`.

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use perceptor::bench::{self, Goal, Record, Settings, compare};
use perceptor::compute::EngineChoice;
use perceptor::compute::parallel::Workers;
use perceptor::config::Accuracy;
use perceptor::config::{LearningRate, OptimizerConfig, OptimizerName};
use perceptor::data::Splits;
use perceptor::nn::Activation;
use perceptor::report::bench::BenchReport;
use perceptor::train::prepare::spec_for;
use perceptor::{Error, Refusal, TrainConfig};

use super::bar::Bar;
use super::engine::{Verbosity, choose};
use super::failure::Failure;
use super::source::DataArgs;
use super::time_to;
use super::values::{Hidden, named, parse_hidden};

const EXAMPLES: &str = "\
Examples:
  perceptor bench                                tutorial network, all threads
  perceptor bench --hidden 512,256 --activation relu --batch-size 128
  perceptor bench --format json > before.json    save the results, and later:
  perceptor bench --compare before.json          show what is slower or faster
  perceptor bench --from before.json --format markdown
  perceptor bench --time-to 97.5% --seeds 5      seconds to this test accuracy";

/// Flags that decide what is measured, and so cannot be combined with `--from`.
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

/// Measure how fast this machine trains a network, and compare that to its peak
#[derive(Debug, Args)]
#[command(before_help = EXAMPLES)]
pub struct BenchArgs {
    #[command(flatten)]
    data: DataArgs,

    /// Widths of the hidden layers, or none
    #[arg(long, value_name = "N,N,...", help_heading = "Network", default_value = "100", value_parser = parse_hidden)]
    hidden: Hidden,
    /// Activation of the hidden layers
    #[arg(long, hide_short_help = true, help_heading = "Network", default_value = Activation::default().name(), value_parser = named(Activation::ALL, Activation::name))]
    activation: Activation,

    /// Samples per step
    #[arg(long, value_name = "N", help_heading = "Training", default_value_t = TrainConfig::default().batch_size)]
    batch_size: usize,
    /// Learning rate, applied to the mean gradient of a batch
    #[arg(long, hide_short_help = true, value_name = "X", help_heading = "Training", default_value_t = OptimizerName::default().default_learning_rate(), allow_negative_numbers = true)]
    lr: f32,
    /// Momentum, at least 0 and less than 1
    #[arg(
        long,
        hide_short_help = true,
        value_name = "X",
        help_heading = "Training",
        default_value_t = 0.9,
        allow_negative_numbers = true
    )]
    momentum: f32,
    /// Seed of all randomness
    #[arg(long, hide_short_help = true, value_name = "N", help_heading = "Training", default_value_t = TrainConfig::default().seed, overrides_with = "seed")]
    seed: u64,

    /// Timed runs of each measurement, after a warm-up
    #[arg(
        long,
        hide_short_help = true,
        value_name = "N",
        help_heading = "Measurement",
        default_value_t = 5,
        conflicts_with = "time_to"
    )]
    runs: usize,
    /// Approximate seconds per training run, which is some steps of an epoch or several epochs
    #[arg(
        long,
        hide_short_help = true,
        value_name = "X",
        help_heading = "Measurement",
        default_value_t = 1.0,
        conflicts_with = "time_to",
        allow_negative_numbers = true
    )]
    seconds: f64,
    /// Largest number of worker threads [default: all cores]
    ///
    /// Every number up to 4 is measured, then 8, 16, … and this one [default: all cores this process may use]
    #[arg(long, value_name = "N", help_heading = "Measurement")]
    threads: Option<NonZeroUsize>,
    /// Engine of the training runs, as for train; matrix products are measured on every engine
    #[arg(long, hide_short_help = true, help_heading = "Measurement", default_value = EngineChoice::default().name(), value_parser = named(EngineChoice::ALL, EngineChoice::name), overrides_with = "engine")]
    engine: EngineChoice,

    /// Measure the seconds to this test accuracy, as 97.5%, instead of rates
    ///
    /// They count from the start of a process to the first evaluation with this accuracy, as 0.975 or 97.5%
    #[arg(long, value_name = "ACCURACY", help_heading = "Time to an accuracy", value_parser = accuracy)]
    time_to: Option<f64>,
    /// Number of seeds, starting with --seed
    #[arg(
        long,
        hide_short_help = true,
        value_name = "N",
        help_heading = "Time to an accuracy",
        default_value_t = 3,
        requires = "time_to"
    )]
    seeds: u64,
    /// Epochs after which a seed counts as failed
    #[arg(
        long,
        hide_short_help = true,
        value_name = "N",
        help_heading = "Time to an accuracy",
        default_value_t = 30,
        requires = "time_to"
    )]
    epochs: usize,
    /// Runs one seed and prints the accuracy after each epoch, for the processes that --time-to starts
    #[arg(long, hide = true, requires = "time_to")]
    evaluations: bool,

    /// Compare with this earlier JSON
    ///
    /// What is slower or faster by more than the scatter of both is reported
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    compare: Option<PathBuf>,
    /// Read results from this JSON instead of measuring
    #[arg(long, value_name = "FILE", help_heading = "Output", conflicts_with_all = MEASURING)]
    from: Option<PathBuf>,
    /// Output format: text, one JSON object, or Markdown
    #[arg(long, help_heading = "Output", value_enum, default_value_t = BenchFormat::Text)]
    format: BenchFormat,
    /// Do not show progress on stderr
    #[arg(long, short, help_heading = "Output")]
    quiet: bool,
}

/// How the results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum BenchFormat {
    Text,
    Json,
    Markdown,
}

fn accuracy(text: &str) -> Result<f64, String> {
    text.parse().map(|Accuracy(share)| share)
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
        let report = BenchReport::new(&record);
        let mut out = io::stdout().lock();
        match self.format {
            BenchFormat::Text => report.write_text(&mut out)?,
            BenchFormat::Json => report.write_json(&mut out)?,
            BenchFormat::Markdown => report.write_markdown(&mut out)?,
        }
        out.flush()?;
        Ok(())
    }

    /// Returns the name of the earlier record for messages.
    fn compare_name(&self) -> String {
        let path = self.compare.as_deref().unwrap_or_else(|| "".as_ref());
        path.display().to_string()
    }

    /// Opens the data and measures. Everything that can be refused is checked first.
    fn measure(&self, earlier: Option<&Record>) -> Result<Record, Failure> {
        let (config, settings) = (self.config().check()?, self.settings());
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
        let verbosity = Verbosity::new(self.quiet, false);
        let engine = choose(config.engine, &spec, batch_size, verbosity)?;
        let config = config.with_engine(engine);
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

    /// Runs a process that [`time_to::measure`] has started.
    fn one_seed(&self, goal: Goal) -> Result<(), Failure> {
        let threads = self.settings().threads;
        // One thread is enough: the process that started this one has made the data set.
        let source = self
            .data
            .training(&Workers::new(NonZeroUsize::MIN)?, true)?;
        let mut out = io::stdout().lock();
        bench::time_to::from_seed(
            &self.config().check()?,
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

/// Moves the bar or, if it is not visible, prints a line for each kind of measurement.
fn show(bar: &Bar, step: &bench::Progress) {
    bar.bar.set_prefix(step.what);
    bar.bar.set_length(step.of as u64);
    bar.bar.set_position(step.done as u64);
    if !bar.is_visible() && step.done == 0 {
        bar.line(&format!("measuring {}", step.what));
    }
}
