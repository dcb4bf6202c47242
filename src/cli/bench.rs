//! `perceptor bench`: settings of training from flags, a recipe or a file become a measurement.
//!
//! The flags of settings are made from their descriptions, as those of `perceptor train` are.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use perceptor::bench::team::TimedRun;
use perceptor::bench::{self, Goal, Record, Settings as Measurement, Subject, compare};
use perceptor::compute::EngineChoice;
use perceptor::compute::parallel::Workers;
use perceptor::config::setting::{Heading, Setting};
use perceptor::config::{Accuracy, CheckedConfig};
use perceptor::data::Splits;
use perceptor::nn::Spec;
use perceptor::report::bench::BenchReport;
use perceptor::run::{Layer, Settings};
use perceptor::train::State;
use perceptor::train::prepare::spec_for;
use perceptor::{Error, Model, Refusal};

use super::bar::Bar;
use super::engine::{Verbosity, choose_for_training};
use super::failure::Failure;
use super::opening::{Opened, print_notes};
use super::origin::Origin;
use super::presets::{PresetArgs, merge, write_recipes};
use super::setting_flags::{Selection, SettingFlags, set};
use super::table::Surveyed;
use super::team::choose_team;
use super::threads::workers;
use super::time_to;
use super::values::named;

const EXAMPLES: &str = "\
Examples:
  perceptor bench                                tutorial network, all threads
  perceptor bench --recipe accurate              the settings of a recipe
  perceptor bench --hidden 512,256 --activation relu --batch-size 128
  perceptor bench --format json > before.json    save the results, and later:
  perceptor bench --compare before.json          show what is slower or faster
  perceptor bench --from before.json --format markdown
  perceptor bench --time-to 97.5% --seeds 5      seconds to this test accuracy";

const MEASURED: &str = "\
Settings are those of perceptor train, and every one that changes what a step does is measured.
Training is measured with 1, 2, 3 and 4 threads, then 8, 16, ... and --threads, where auto is all
cores. With --time-to, auto is the number that train would choose. Nothing is saved.";

/// Settings that have other defaults in a bench than in a run.
const DEFAULTS: [(&str, &str); 1] = [("epochs", "30")];

/// The settings of training that a bench measures: all except those of validation and of saving.
struct MeasuredSettings;

impl Selection for MeasuredSettings {
    fn settings() -> Vec<Setting> {
        let settings = Settings::all()
            .iter()
            .filter(|setting| is_measured(setting));
        let settings = settings.cloned().map(|mut setting| {
            let default = DEFAULTS.iter().find(|(key, _)| *key == setting.key);
            if let Some((_, default)) = default {
                setting.default = Some((*default).to_owned());
            }
            // They hardly change the speed.
            setting.is_common &= !["epochs", "seed", "schedule"].contains(&setting.key);
            setting
        });
        settings.collect()
    }
}

fn is_measured(setting: &Setting) -> bool {
    !matches!(setting.heading, Heading::Validation | Heading::Runs)
}

/// Flags that decide what is measured, and so cannot be combined with `--from`.
fn measuring() -> Vec<&'static str> {
    let own = ["recipe", "config", "runs", "seconds", "time_to", "seeds"];
    let settings = MeasuredSettings::settings();
    let settings = settings.iter().map(|setting| setting.key);
    settings.chain(own).collect()
}

/// Measure how fast this machine trains a network, and compare that to its peak
#[derive(Debug, Args)]
#[command(before_help = EXAMPLES, after_help = MEASURED)]
pub struct BenchArgs {
    #[command(flatten)]
    settings: SettingFlags<MeasuredSettings>,
    #[command(flatten)]
    presets: PresetArgs,

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
    /// Measure the seconds to this test accuracy, as 97.5%, instead of rates
    ///
    /// They count from the start of a process to the first evaluation with this accuracy, as 0.975 or 97.5%. A seed that
    /// does not reach it in --epochs counts as failed.
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
    /// Runs this seed and prints the accuracy after each epoch, for the processes that --time-to starts
    #[arg(long, hide = true, value_name = "SEED", requires = "time_to")]
    evaluate_seed: Option<u64>,
    /// The engine of these processes
    #[arg(long, hide = true, requires = "evaluate_seed", value_parser = named(EngineChoice::ALL, EngineChoice::name))]
    evaluate_with: Option<EngineChoice>,

    /// Compare with this earlier JSON
    ///
    /// What is slower or faster by more than the scatter of both is reported
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    compare: Option<PathBuf>,
    /// Read results from this JSON instead of measuring
    #[arg(long, value_name = "FILE", help_heading = "Output", conflicts_with_all = measuring())]
    from: Option<PathBuf>,
    /// Output format: text, one JSON object, or Markdown
    #[arg(long, help_heading = "Output", value_enum, default_value_t = BenchFormat::Text)]
    format: BenchFormat,
    /// Do not show progress on stderr
    #[arg(long, short, help_heading = "Output")]
    quiet: bool,
}

/// Data, network and settings, ready to be trained.
struct Prepared {
    name: String,
    data: Splits,
    spec: Spec,
    config: CheckedConfig,
    init_from: Option<PathBuf>,
    /// The state to start from; `None` to start from drawn weights.
    start: Option<State>,
    workers: Workers,
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
        if self.presets.list() {
            return Ok(write_recipes(&mut io::stdout().lock())?);
        }
        let earlier = self.compare.as_deref().map(Record::read).transpose()?;
        let measured = match &self.from {
            Some(path) => Some(Record::read(path)?),
            None => self.measure(earlier.as_ref())?,
        };
        // A process that runs one seed has printed its results.
        let Some(mut record) = measured else {
            return Ok(());
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

    /// Merges the settings and measures them; `None` in a process that runs one seed.
    fn measure(&self, earlier: Option<&Record>) -> Result<Option<Record>, Failure> {
        let flags = self.settings.layer()?;
        let (file, origin) = self.presets.layer(&flags)?;
        let measured = file.clone().only(is_measured);
        if !self.is_quiet() {
            note_ignored(&origin, &file.without(&measured));
        }
        let merged = self.merge(flags, measured);
        let (settings, table) = merged.map_err(|error| origin.locate(error))?;
        if let (Some(seed), Some(goal)) = (self.evaluate_seed, self.goal(&settings)) {
            return self.one_seed((settings, table), seed, goal).map(|()| None);
        }
        let measurement = self.measurement(&settings);
        measurement.check()?;
        let prepared = self.prepare(settings, table);
        let prepared = prepared.map_err(|error| origin.locate(error))?;
        self.measure_prepared(prepared, measurement, earlier)
            .map(Some)
            .map_err(|failure| match failure {
                Failure::Refused(error) => Failure::Refused(origin.locate(error)),
                other => other,
            })
    }

    fn is_quiet(&self) -> bool {
        self.quiet || self.evaluate_seed.is_some()
    }

    /// Merges flags, file and defaults.
    fn merge(&self, flags: Layer, file: Layer) -> perceptor::Result<(Settings, Option<Surveyed>)> {
        let mut defaults = Layer::default();
        for (key, text) in DEFAULTS {
            set(&mut defaults, key, text);
        }
        merge(flags, file.over(defaults))
    }

    fn goal(&self, settings: &Settings) -> Option<Goal> {
        self.time_to.map(|accuracy| Goal {
            accuracy,
            seeds: self.seeds,
            epochs: settings.train.epochs,
        })
    }

    /// How to measure.
    fn measurement(&self, settings: &Settings) -> Measurement {
        Measurement {
            threads: settings.threads.count().unwrap_or_else(Workers::available),
            runs: self.runs,
            seconds: self.seconds,
            goal: self.goal(settings),
        }
    }

    /// Opens the data. Everything that can be refused is checked here.
    fn prepare(&self, settings: Settings, table: Option<Surveyed>) -> perceptor::Result<Prepared> {
        let workers = workers(settings.threads)?;
        settings.train.engine.resolve()?;
        let quiet = self.is_quiet();
        let opened = Opened::open(&settings, (table, None), true, (&workers, quiet))?;
        // An accuracy is reached on the test set, as in a folder without a validation set.
        let data = Splits {
            validation: None,
            ..opened.splits
        };
        let source = opened.source;
        if !quiet {
            print_notes(&opened.notes);
        }
        if self.time_to.is_some() && data.test.is_none() {
            return Err(no_test_set(source.name));
        }
        let config = settings.train.check()?;
        if let Some(accuracy) = self.time_to {
            bench::time_to::check(&config, &data, accuracy)?;
        }
        let spec = spec_for(&config, &data)?;
        spec.layers_named(&config.freeze)?;
        let start = match &settings.init_from {
            Some(path) => Some(State::warm_start(&spec, &config, &Model::load(path)?)?),
            None => None,
        };
        Ok(Prepared {
            name: source.name,
            data,
            spec,
            config,
            init_from: settings.init_from,
            start,
            workers,
        })
    }

    fn measure_prepared(
        &self,
        prepared: Prepared,
        measurement: Measurement,
        earlier: Option<&Record>,
    ) -> Result<Record, Failure> {
        let Prepared {
            name,
            data,
            spec,
            config,
            init_from,
            start,
            workers,
        } = prepared;
        let verbosity = Verbosity::new(self.quiet, false);
        let engine = choose_for_training(&config, &spec, &data.train, verbosity)?;
        let mut config = config.with_engine(engine);
        let goal = measurement.goal;
        if goal.is_none() {
            config = bench::with_rate(config, &data, &workers, start.as_ref())?;
        }
        drop(workers);
        let from = init_from.as_deref();
        let mut record = Record::new((&name, &data), &spec, &config, from, measurement)?;
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
            None => {
                let subject = Subject {
                    config: &config,
                    spec: &spec,
                    data: &data.train,
                    start: &start.unwrap_or_else(|| State::start(&spec, &config)),
                };
                bench::measure_rates(&mut record, subject, &mut show)?;
            }
        }
        bar.finish();
        Ok(record)
    }

    /// Runs a process that [`time_to::measure`] has started.
    fn one_seed(
        &self,
        (mut settings, table): (Settings, Option<Surveyed>),
        seed: u64,
        goal: Goal,
    ) -> Result<(), Failure> {
        settings.train.seed = seed;
        if let Some(engine) = self.evaluate_with {
            settings.train.engine = engine;
        }
        let threads = settings.threads;
        let prepared = self.prepare(settings, table)?;
        // As in training, whose time this is.
        let run = TimedRun {
            config: &prepared.config,
            spec: &prepared.spec,
            train: &prepared.data.train,
            from: prepared.start.as_ref(),
            cores: Workers::available(),
        };
        let team = choose_team(threads, &run, Verbosity::Quiet).shape;
        let workers = match team.threads.get() == prepared.workers.threads() {
            true => prepared.workers,
            false => Workers::new(team.threads)?,
        };
        let mut out = io::stdout();
        bench::time_to::from_seed(
            &prepared.config,
            &prepared.data,
            (&workers, prepared.start),
            goal,
            &mut |accuracy| {
                writeln!(out, "{accuracy}")?;
                Ok(out.flush()?)
            },
        )
    }
}

/// Prints which settings of a recipe or file have no meaning in a bench.
fn note_ignored(origin: &Origin, ignored: &Layer) {
    let keys: Vec<&str> = ignored.keys().collect();
    if !keys.is_empty() {
        drop(writeln!(
            io::stderr(),
            "{}: a bench neither validates nor saves, and ignores {}",
            origin.file(),
            keys.join(", ")
        ));
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
