//! `perceptor tune`: what was typed and what a file says become the plan of a search, the search is run and looked after,
//! and what it found is told. `ranges` says what is drawn from where, `progress` shows it on the way.

mod progress;
mod ranges;

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use clap::{ArgMatches, Args};
use perceptor::compute::parallel::Workers;
use perceptor::config::{MaxTime, OptimizerName};
use perceptor::data::Holdout;
use perceptor::data::{Fingerprint, Splits};
use perceptor::nn::Activation;
use perceptor::report::tune::{TuneReport, banner};
use perceptor::run::Settings;
use perceptor::schedule::ScheduleName;
use perceptor::train::prepare::spec_for;
use perceptor::tune::{Ended, Journal, Plan, Search, Subject, TuneFolder, Tuned};
use perceptor::{REVISION, TrainConfig, VERSION};

use self::progress::Progress;
use self::ranges::{BatchNorm, RangeArgs};
use super::engine::{ComputeArgs, Verbosity, choose};
use super::signals::{StopSignals, set_truncation_hint};
use super::source::{DataArgs, Source, program, shell_word};
use super::threads::workers;
use super::train::{
    HoldoutArgs, TaskArgs, check_files, check_resume_flags, is_given, recorded, take,
};
use super::{Failure, Format, named};

const EXAMPLES: &str = "\
Examples:
  perceptor tune --data DIR                         27 trials, the best of them for 27 epochs
  perceptor tune --data DIR --trials 81 --time 10m  more of them, and no longer than that
  perceptor tune --data DIR --width 256..1024 --depth 2 --dropout 0
  perceptor tune --data DIR --config my.toml        what stands in the file is fixed
  perceptor tune --resume runs/tune-1               go on with a search that was stopped";

const SEARCH: &str = "\
Random search with successive halving: all trials are trained for a few epochs, the best third of
them by the accuracy on a validation set goes on to three times as many, and so on. The test set is
not looked at. One seed gives the same trials and, without --time, the same result on any number of
threads. Networks are trained side by side, on a part of the threads each. Afterwards,
perceptor train --config FOLDER/best.toml trains the best, and measures it on the test set.";

/// Trials of the first rung, and epochs of the last, where nothing says otherwise.
const TRIALS: usize = 27;
const EPOCHS: usize = 27;
/// The share held out where no validation set is named.
const HELD_OUT: Holdout = Holdout::Fraction(0.1);

/// Flags that a search may go on with as they are given: they change nothing of what it finds, or, as `--time`, only how
/// far it comes.
const FREE: [&str; 13] = [
    "resume",
    "data",
    "train_images",
    "train_labels",
    "validation_images",
    "validation_labels",
    "test_images",
    "test_labels",
    "time",
    "threads",
    "format",
    "quiet",
    "help",
];

/// Search for learning rate, network, batch size and regularisation
#[derive(Debug, Args)]
#[command(before_help = EXAMPLES, after_help = SEARCH)]
pub struct TuneArgs {
    #[command(flatten)]
    data: DataArgs,
    /// Number of classes [default: counted from the training labels]
    #[arg(long, value_name = "N", help_heading = "Data")]
    classes: Option<usize>,

    /// Trials of the first rung
    #[arg(long, value_name = "N", help_heading = "Search", default_value_t = TRIALS)]
    trials: usize,
    /// End after this time, as 90s, 10m or 1h 30m, with the best so far; the time before a search was resumed counts
    #[arg(long, value_name = "TIME", help_heading = "Search")]
    time: Option<MaxTime>,
    /// Epochs of the last rung
    #[arg(long, value_name = "N", help_heading = "Search", default_value_t = EPOCHS)]
    epochs: usize,
    /// Seed of all randomness: what is drawn, what is held out, and how each network starts
    #[arg(long, value_name = "N", help_heading = "Search", default_value_t = TrainConfig::default().seed)]
    seed: u64,

    #[command(flatten)]
    ranges: RangeArgs,
    #[command(flatten)]
    task: TaskArgs,

    /// Activation of the hidden layers, in all trials
    #[arg(long, help_heading = "Fixed", default_value = Activation::Relu.name(), value_parser = named(Activation::ALL, Activation::name))]
    activation: Activation,
    /// What makes a step of a gradient, in all trials
    #[arg(long, help_heading = "Fixed", default_value = OptimizerName::default().name(), value_parser = named(OptimizerName::ALL, OptimizerName::name))]
    optimizer: OptimizerName,
    /// How the learning rate goes over the epochs of the last rung, in all trials
    #[arg(long, help_heading = "Fixed", default_value = ScheduleName::Cosine.name(), value_parser = named(ScheduleName::ALL, ScheduleName::name))]
    schedule: ScheduleName,
    /// Settings of all trials, as the config.toml of a run; what stands in it is fixed, unless a flag gives a range
    #[arg(
        long,
        value_name = "FILE",
        help_heading = "Fixed",
        conflicts_with = "resume"
    )]
    config: Option<PathBuf>,

    #[command(flatten)]
    holdout: HoldoutArgs,
    #[command(flatten)]
    compute: ComputeArgs,

    /// Go on with the search in this folder, to the very same result. Only --time, --threads, the place of the data
    /// and how the search is told may be given anew
    #[arg(long, value_name = "FOLDER", help_heading = "Output")]
    resume: Option<PathBuf>,
    /// Folder of the search [default: runs/tune-N, N the next free number]
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    out: Option<PathBuf>,
    /// Text, or one JSON object on stdout
    #[arg(long, help_heading = "Output", value_enum, default_value_t = Format::Text)]
    format: Format,
    /// No banner and no progress on stderr
    #[arg(long, short, help_heading = "Output")]
    quiet: bool,
}

impl TuneArgs {
    pub fn run(&self, matches: &ArgMatches) -> Result<(), Failure> {
        let (mut plan, earlier) = match &self.resume {
            None => (self.plan(matches)?, None),
            Some(path) => {
                let hint = "start another search with this flag";
                check_resume_flags(matches, &FREE, ("the search", hint))?;
                let folder = TuneFolder::open(path)?;
                let mut plan = Plan::read(&folder.plan())?;
                self.take_free(&mut plan, matches);
                (plan, Some(folder))
            }
        };
        plan.check()?;
        let workers = workers(plan.settings.threads)?;
        plan.settings.train.engine.resolve()?;
        let source = DataArgs::of(&plan.settings).training(&workers, self.quiet)?;
        let mut source = source.with_validation(&plan.settings);
        let with_places = recorded(&plan.settings, &source);
        source.files.test = None;
        let data = self.open(&mut plan, &source)?;
        let train = &plan.settings.train;
        let subject = Subject {
            version: VERSION.to_owned(),
            revision: REVISION.to_owned(),
            engine: train.engine.resolve()?.describe(workers.blas()),
            data: Fingerprint::of(&data),
        };
        let resumed = earlier.is_some();
        let folder = match earlier {
            Some(folder) => folder,
            None => TuneFolder::create(self.out.as_deref())?,
        };
        let begun = Journal::read(&folder.journal())?;
        if let Some(journal) = &begun {
            journal.check(&subject, &source.name)?;
            warn_of_another_program(journal);
        }
        plan.settings = Settings {
            train: plan.settings.train.clone(),
            ..with_places
        };
        plan.write(&folder.plan())?;
        let journal = match begun {
            Some(journal) => journal,
            None => Journal::begin(&folder.journal(), subject)?,
        };
        let session = Session {
            args: self,
            plan,
            name: source.name,
            data,
            workers,
            folder,
            resumed,
        };
        session.run(journal)
    }

    /// What to search, from flags and files, before any data are read.
    fn plan(&self, matches: &ArgMatches) -> perceptor::Result<Plan> {
        let given = |flag: &str| is_given(matches, flag);
        let (mut settings, keys) = match &self.config {
            Some(path) => (Settings::read(path)?, Settings::keys(path)?),
            None => (Settings::default(), Vec::new()),
        };
        // The defaults of a search are not those of a run: they win over the latter, and not over the file.
        let decides = |flag: &str| given(flag) || !keys.iter().any(|key| key == flag);
        let train = &mut settings.train;
        if decides("optimizer") {
            train.optimizer.switch_to(self.optimizer);
        }
        if decides("schedule") {
            train.schedule.switch_to(self.schedule);
        }
        take! { decides,
            "activation": train.activation => self.activation;
            "epochs": train.epochs => self.epochs;
            "seed": train.seed => self.seed;
            "engine": train.engine => self.compute.engine;
            "threads": settings.threads => self.compute.threads.threads;
            "classes": settings.classes => self.classes;
        }
        self.task.over(&mut settings.train.task, &given);
        self.holdout.over(&mut settings, &given);
        if settings.validation_images.is_none() {
            settings
                .train
                .validation
                .validation_split
                .get_or_insert(HELD_OUT);
        }
        if DataArgs::names_any(&given) {
            self.data.copy_to(&mut settings);
        }
        check_files(&settings)?;
        let fixed = |key: &str| {
            let other = if key == "learning_rate" { "lr" } else { key };
            keys.iter().any(|known| known == key || known == other)
        };
        let space = self.ranges.space(&settings.train, &fixed);
        if let Some(BatchNorm::On | BatchNorm::Off) = self.ranges.batch_norm {
            settings.train.batch_norm = self.ranges.batch_norm == Some(BatchNorm::On);
        }
        Ok(Plan {
            trials: self.trials,
            time: self.time,
            space,
            settings,
        })
    }

    /// Takes over what a search may go on with as it is given.
    fn take_free(&self, plan: &mut Plan, matches: &ArgMatches) {
        let given = |flag: &str| is_given(matches, flag);
        if given("time") {
            plan.time = self.time;
        }
        if given("threads") {
            plan.settings.threads = self.compute.threads.threads;
        }
        if given("validation_images") {
            self.holdout.over(&mut plan.settings, &given);
        }
        if DataArgs::names_any(&given) {
            self.data.copy_to(&mut plan.settings);
        }
    }

    /// Opens the data, without a test set, and decides who computes: one engine for all trials, that of the first.
    fn open(&self, plan: &mut Plan, source: &Source) -> perceptor::Result<Splits> {
        let settings = &plan.settings;
        let (task, classes) = (settings.train.task.task, settings.classes);
        let data = Splits::open_for(task, &source.files, classes, settings.data_mode)?;
        let data = data.hold_out(
            settings.train.validation.validation_split,
            settings.train.seed,
        )?;
        let first = plan.config(1);
        let spec = spec_for(&first, &data)?;
        let batch_size = first.batch_size.min(data.train.samples());
        let verbosity = Verbosity::new(self.quiet, false);
        plan.settings.train.engine = choose(first.engine, &spec, batch_size, verbosity)?.into();
        Ok(data)
    }
}

/// A search in its folder, ready to run.
struct Session<'a> {
    args: &'a TuneArgs,
    plan: Plan,
    name: String,
    data: Splits,
    workers: Workers,
    folder: TuneFolder,
    resumed: bool,
}

impl Session<'_> {
    fn run(self, journal: Journal) -> Result<(), Failure> {
        let engine = journal.subject.engine.clone();
        self.banner(&engine)?;
        let path = shell_word(self.folder.path());
        let resume = format!("{} tune --resume {path}", program());
        set_truncation_hint(&format!("put the file back as it was, then {resume}"));
        let signals = StopSignals::install();
        let progress = Progress::new(&self.plan, self.args.quiet);
        let tuned = self.search(&signals.stop, journal, &progress);
        progress.finish();
        let tuned = tuned?;
        let best = shell_word(&self.folder.best());
        let next = match (&tuned.best, tuned.ended) {
            (Some(_), Ended::Rungs | Ended::Time) => format!("{} train --config {best}", program()),
            _ => resume.clone(),
        };
        self.tell(&tuned, &engine, &next)?;
        match (tuned.ended, signals.received()) {
            (Ended::Stopped, Some((signal, code))) => {
                let text = format!("stopped by {signal}\nresume         {resume}\n");
                drop(io::stderr().write_all(text.as_bytes()));
                Err(Failure::Reported(code))
            }
            _ => Ok(()),
        }
    }

    fn banner(&self, engine: &str) -> Result<(), Failure> {
        if self.args.quiet {
            return Ok(());
        }
        let mut text = Vec::new();
        let threads = self.workers.threads();
        banner(
            &mut text, &self.name, &self.data, &self.plan, threads, engine,
        )?;
        if self.resumed {
            writeln!(text, "  resuming  {}", self.folder.path().display())?;
        }
        // A closed stderr is no reason not to search.
        drop(io::stderr().write_all(&text));
        Ok(())
    }

    fn search(
        &self,
        stop: &AtomicBool,
        journal: Journal,
        progress: &Progress,
    ) -> perceptor::Result<Tuned> {
        let threads = self.plan.settings.threads;
        let search = Search {
            plan: &self.plan,
            data: &self.data,
            threads: threads.unwrap_or_else(Workers::available),
            stop,
        };
        search.run(&self.folder, journal, &mut |event| progress.show(&event))
    }

    fn tell(&self, tuned: &Tuned, engine: &str, next: &str) -> Result<(), Failure> {
        let computed = (self.workers.threads(), engine);
        let data = (self.name.as_str(), &self.data);
        let report = TuneReport::new(data, &self.plan, computed, tuned, &self.folder.best());
        let mut out = io::stdout().lock();
        match self.args.format {
            Format::Json => report.write_json(&mut out)?,
            Format::Text => report.write_text(&mut out, next)?,
        }
        Ok(out.flush()?)
    }
}

/// Says when this is not the program that the search began with.
fn warn_of_another_program(journal: &Journal) {
    let (version, revision) = (&journal.subject.version, &journal.subject.revision);
    if (version.as_str(), revision.as_str()) != (VERSION, REVISION) {
        drop(writeln!(
            io::stderr(),
            "warning: the search was begun by perceptor {version} ({revision}); this is {VERSION} ({REVISION}): \
             what it finds may differ from what an uninterrupted search finds",
        ));
    }
}
