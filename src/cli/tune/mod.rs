//! `perceptor tune`: settings and ranges from flags, a file and the defaults become the plan of a search, which then runs in
//! its folder. `ranges` has the flags of ranges, `progress` shows the search on stderr.

mod progress;
mod ranges;

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

use clap::{ArgMatches, Args};
use perceptor::bench::team::TimedRun;
use perceptor::compute::parallel::Workers;
use perceptor::config::setting::Setting;
use perceptor::config::{CheckedConfig, MaxTime, Threads};
use perceptor::data::{Fingerprint, Holdout, Splits};
use perceptor::nn::Spec;
use perceptor::report::tune::{TuneReport, banner};
use perceptor::run::{Layer, Settings};
use perceptor::table::Schema;
use perceptor::train::TeamShape;
use perceptor::train::prepare::spec_for;
use perceptor::tune::{Ended, Journal, Plan, Search, SearchResult, Subject, TuneFolder};
use perceptor::{REVISION, VERSION};

use self::progress::Progress;
use self::ranges::{BatchNorm, RangeFlags};
use super::engine::{Verbosity, choose_for_training};
use super::failure::Failure;
use super::opening::{Opened, print_notes};
use super::origin::Origin;
use super::presets::survey;
use super::setting_flags::{Selection, SettingFlags, check_resumed, is_typed, set};
use super::shell::{program, shell_word};
use super::signals::{StopSignals, set_truncation_hint};
use super::source::recorded;
use super::table::Surveyed;
use super::team::choose_team;
use super::threads::workers;
use super::values::Format;

const EXAMPLES: &str = "\
Examples:
  perceptor tune --data DIR                         27 trials, the best of them for 27 epochs
  perceptor tune --data DIR --trials 81 --time 10m  more of them, and no longer than that
  perceptor tune --data DIR --width 256..1024 --depth 2 --dropout 0
  perceptor tune --data DIR --config my.toml        settings in the file are fixed
  perceptor tune --resume runs/tune-1               resume a stopped search";

const SEARCH: &str = "\
Random search with successive halving: all trials are trained for a few epochs, the best third of
them by the accuracy on a validation set continues to three times as many, and so on. The test set
is not opened. One seed gives the same trials and, without --time, the same result on any number of
threads. Networks are trained side by side, on a part of the threads each. Afterwards,
perceptor train --config FOLDER/best.toml trains the best, and measures it on the test set.";

/// The default number of trials of the first rung.
const TRIALS: usize = 27;
/// The share that is held out if there is no other validation set.
const HELD_OUT: Holdout = Holdout::Fraction(0.1);

/// Settings that have other defaults in a search than in a run.
const DEFAULTS: [(&str, &str); 3] = [
    ("activation", "relu"),
    ("schedule", "cosine"),
    ("epochs", "27"),
];

/// Settings that are the same in all trials, and have flags.
const KEYS: [&str; 36] = [
    "data",
    "test_data",
    "target",
    "sample_weight",
    "drop",
    "missing",
    "max_categories",
    "dates",
    "delimiter",
    "decimal",
    "header",
    "comment",
    "table_memory",
    "train_images",
    "train_labels",
    "test_images",
    "test_labels",
    "sample_weights",
    "classes",
    "task",
    "loss",
    "huber_delta",
    "quantile",
    "target_scale",
    "scale",
    "activation",
    "optimizer",
    "schedule",
    "epochs",
    "seed",
    "validation_split",
    "validation_data",
    "validation_images",
    "validation_labels",
    "threads",
    "engine",
];

/// Flags that may be given with --resume, in addition to settings that may change.
const WITH_RESUME: [&str; 5] = ["resume", "time", "format", "quiet", "help"];

/// The settings of a search that are not drawn.
struct FixedSettings;

impl Selection for FixedSettings {
    fn settings() -> Vec<Setting> {
        let settings = Settings::all()
            .iter()
            .filter(|setting| KEYS.contains(&setting.key));
        let settings = settings.cloned().map(|mut setting| {
            let default = DEFAULTS.iter().find(|(key, _)| *key == setting.key);
            if let Some((_, default)) = default {
                setting.default = Some((*default).to_owned());
            }
            if setting.key == "validation_split" {
                setting.default = Some("0.1".to_owned());
            }
            // The ranges are more common.
            setting.is_common &= !["activation", "optimizer", "schedule"].contains(&setting.key);
            setting
        });
        settings.collect()
    }
}

/// Search for learning rate, network, batch size and regularisation
#[derive(Debug, Args)]
#[command(before_help = EXAMPLES, after_help = SEARCH)]
pub struct TuneArgs {
    #[command(flatten)]
    settings: SettingFlags<FixedSettings>,
    /// Trials of the first rung
    #[arg(long, value_name = "N", help_heading = "Search", default_value_t = TRIALS)]
    trials: usize,
    /// End after this time, such as 90s, 10m or 1h 30m, with the best so far
    ///
    /// Rungs and trials share the time: a trial that needs more than its share is scored where it is. The time before a
    /// search was resumed counts.
    #[arg(long, value_name = "TIME", help_heading = "Search")]
    time: Option<MaxTime>,
    #[command(flatten)]
    ranges: RangeFlags,
    /// Settings of all trials in a file, such as the config.toml of a run
    ///
    /// They are fixed, except those that have a range as a flag.
    #[arg(
        long,
        value_name = "FILE",
        help_heading = "Fixed",
        conflicts_with = "resume"
    )]
    config: Option<PathBuf>,

    /// Resume the search in this folder; the result is bit-identical
    ///
    /// Only --time, --threads, data paths and output options may change.
    #[arg(long, value_name = "FOLDER", help_heading = "Output")]
    resume: Option<PathBuf>,
    /// Folder of the search [default: runs/tune-N, N the next free number]
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    out: Option<PathBuf>,
    /// Text, or one JSON object on stdout
    #[arg(long, help_heading = "Output", value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Print neither banner nor progress on stderr
    #[arg(long, short, help_heading = "Output")]
    quiet: bool,
}

impl TuneArgs {
    pub fn run(self, matches: &ArgMatches) -> Result<(), Failure> {
        let flags = self.settings.layer()?;
        let (plan, table, earlier, origin) = match &self.resume {
            None => {
                let (file, origin) = match &self.config {
                    Some(path) => {
                        let file = Layer::read(path)?;
                        let origin = Origin::new(path.display().to_string(), &file, &flags);
                        (file, origin)
                    }
                    None => (Layer::default(), Origin::default()),
                };
                let (plan, table) = self
                    .plan(flags, file)
                    .map_err(|error| origin.locate(error))?;
                (plan, table, None, origin)
            }
            Some(path) => {
                let hint = "start another search with this flag";
                let may_change = |setting: &Setting| setting.may_change && setting.key != "epochs";
                check_resumed(matches, &WITH_RESUME, ("the search", hint), may_change)?;
                let folder = TuneFolder::open(path)?;
                let mut plan = Plan::read(&folder.plan())?;
                let given = flags.over(Layer::of(&plan.settings));
                plan.settings = given.settings()?;
                let table = survey(&plan.settings, &given)?;
                if is_typed(matches, "time") {
                    plan.time = self.time;
                }
                (plan, table, Some(folder), Origin::default())
            }
        };
        plan.check().map_err(|error| origin.locate(error))?;
        let (session, journal) = self
            .open(plan, table, earlier)
            .map_err(|error| origin.locate(error))?;
        session.run(journal)
    }

    /// Opens the data and the folder of the search.
    fn open(
        &self,
        mut plan: Plan,
        table: Option<Surveyed>,
        earlier: Option<TuneFolder>,
    ) -> perceptor::Result<(Session<'_>, Journal)> {
        let workers = workers(plan.settings.threads)?;
        plan.settings.train.engine.resolve()?;
        let opened = Opened::open(&plan.settings, (table, None), false, (&workers, self.quiet))?;
        if !self.quiet {
            print_notes(&opened.notes);
        }
        let (source, data) = (opened.source, opened.splits);
        let with_paths = recorded(&plan.settings, &source);
        with_paths.check_texts()?;
        self.choose_engine(&mut plan, &data)?;
        let train = &plan.settings.train;
        let subject = Subject {
            version: VERSION.to_owned(),
            revision: REVISION.to_owned(),
            engine: train.engine.resolve()?.describe(),
            data: Fingerprint::of(&data),
        };
        let is_resumed = earlier.is_some();
        let folder = match earlier {
            Some(folder) => folder,
            None => TuneFolder::create(self.out.as_deref())?,
        };
        let earlier_journal = Journal::read(&folder.journal())?;
        if let Some(journal) = &earlier_journal {
            journal.check(&subject, &source.name)?;
            warn_of_another_program(journal);
        }
        plan.settings = Settings {
            train: plan.settings.train.clone(),
            ..with_paths
        };
        plan.write(&folder.plan())?;
        let journal = match earlier_journal {
            Some(journal) => journal,
            None => Journal::begin(&folder.journal(), subject)?,
        };
        let session = Session {
            args: self,
            plan,
            name: source.name,
            data,
            schema: opened.schema,
            workers,
            folder,
            is_resumed,
        };
        Ok((session, journal))
    }

    /// Returns what to search, from flags and a file. Of the data only a table is read, which is returned.
    fn plan(&self, flags: Layer, file: Layer) -> perceptor::Result<(Plan, Option<Surveyed>)> {
        let mut defaults = Layer::default();
        for (key, text) in DEFAULTS {
            set(&mut defaults, key, text);
        }
        // The defaults of a search win over those of a run, and not over the file.
        let upper = flags.over(defaults.without(&file));
        let is_fixed = |key: &str| file.gives(key);
        let given = upper.clone().over(file.clone());
        let mut settings = with_validation(given.settings()?);
        settings.check_paths()?;
        let table = survey(&settings, &given)?;
        if let Some(table) = &table {
            let lower = file.clone().over(table.layer());
            settings = with_validation(upper.over(lower).settings()?);
        }
        let space = self.ranges.space(&settings.train, &is_fixed);
        if let Some(BatchNorm::On | BatchNorm::Off) = self.ranges.batch_norm {
            settings.train.batch_norm = self.ranges.batch_norm == Some(BatchNorm::On);
        }
        let plan = Plan {
            trials: self.trials,
            time: self.time,
            space,
            settings,
        };
        Ok((plan, table))
    }

    /// Chooses the engine of all trials, which is that of the first.
    fn choose_engine(&self, plan: &mut Plan, data: &Splits) -> perceptor::Result<()> {
        let first = plan.config(1).check()?;
        let spec = spec_for(&first, data)?;
        let verbosity = Verbosity::new(self.quiet, false);
        let engine = choose_for_training(&first, &spec, &data.train, verbosity)?;
        plan.settings.train.engine = engine.into();
        Ok(())
    }
}

/// Returns settings with a validation set: a part of the training set, if there is no other.
fn with_validation(mut settings: Settings) -> Settings {
    if !settings.has_validation_files() {
        let split = &mut settings.train.validation.validation_split;
        split.get_or_insert(HELD_OUT);
    }
    settings
}

/// A search in its folder, ready to run.
struct Session<'a> {
    args: &'a TuneArgs,
    plan: Plan,
    name: String,
    data: Splits,
    schema: Option<Schema>,
    workers: Workers,
    folder: TuneFolder,
    is_resumed: bool,
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
        self.report(&tuned, &engine, &next)?;
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
        if self.is_resumed {
            writeln!(text, "  resuming  {}", self.folder.path().display())?;
        }
        // A closed stderr must not end the search.
        drop(io::stderr().write_all(&text));
        Ok(())
    }

    fn search(
        &self,
        stop: &AtomicBool,
        journal: Journal,
        progress: &Progress,
    ) -> perceptor::Result<SearchResult> {
        let threads = self.plan.settings.threads;
        // One measurement at a time; what trains meanwhile has threads of its own.
        let measuring = Mutex::new(());
        let choose_team = |config: &CheckedConfig, spec: &Spec, most: NonZeroUsize| -> TeamShape {
            let guard = measuring.lock().unwrap_or_else(PoisonError::into_inner);
            let run = TimedRun {
                config,
                spec,
                train: &self.data.train,
                from: None,
                cores: most,
            };
            // A number of threads is that of all trials together.
            let threads = threads
                .count()
                .map_or(Threads::Auto, |_| Threads::Count(most));
            let choice = choose_team(threads, &run, Verbosity::Quiet);
            drop(guard);
            choice.shape
        };
        let search = Search {
            plan: &self.plan,
            data: &self.data,
            schema: self.schema.as_ref(),
            threads: threads.count().unwrap_or_else(Workers::available),
            choose_team: &choose_team,
            stop,
        };
        search.run(&self.folder, journal, &mut |event| progress.show(&event))
    }

    fn report(&self, tuned: &SearchResult, engine: &str, next: &str) -> Result<(), Failure> {
        let computed = (self.workers.threads(), engine);
        let data = (self.name.as_str(), &self.data);
        let report = TuneReport::new(data, &self.plan, computed, tuned, &self.folder);
        let mut out = io::stdout().lock();
        match self.args.format {
            Format::Json => report.write_json(&mut out)?,
            Format::Text => report.write_text(&mut out, next)?,
        }
        Ok(out.flush()?)
    }
}

/// Warns if another version of the program started the search.
fn warn_of_another_program(journal: &Journal) {
    let (version, revision) = (&journal.subject.version, &journal.subject.revision);
    if (version.as_str(), revision.as_str()) != (VERSION, REVISION) {
        drop(writeln!(
            io::stderr(),
            "warning: the search was started by perceptor {version} ({revision}); this is {VERSION} ({REVISION}): \
             what it finds may differ from what an uninterrupted search finds",
        ));
    }
}
