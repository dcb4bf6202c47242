//! A session of training in a run folder: from the settings to the model, or to the state from which a later session resumes.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use perceptor::Model;
use perceptor::bench::peak::{self, Instructions};
use perceptor::bench::team::{TeamChoice, TimedRun};
use perceptor::compute::Engine;
use perceptor::compute::parallel::Workers;
use perceptor::config::CheckedConfig;
use perceptor::data::{Dataset, Fingerprint, Note, Rows, Splits};
use perceptor::nn::Spec;
use perceptor::report::train::{
    BannerData, EpochTable, RunDetails, TrainReport, banner, range_test_line,
};
use perceptor::run::{
    Environment, IdentitySource, Policy, Resumption, RunFolder, RunSupervisor, Settings,
    WriteFailure,
};
use perceptor::table::Schema;
use perceptor::train::prepare::spec_for;
use perceptor::train::{Ending, Outcome, RangeTest, State, Training, range_test};

use super::notices::{finished, report_write_failure, warn_of_another_program, warn_of_damage};
use super::output::OutputArgs;
use crate::cli::engine::{Verbosity, choose_for_training};
use crate::cli::failure::{Failure, report};
use crate::cli::opening::{Opened, missing_model, print_notes};
use crate::cli::origin::Origin;
use crate::cli::progress::Progress;
use crate::cli::shell::{program, shell_word};
use crate::cli::signals::{StopSignals, set_truncation_hint};
use crate::cli::source::{DataArgs, Source, recorded};
use crate::cli::spelling::Flags;
use crate::cli::table::Surveyed;
use crate::cli::team::choose_team;
use crate::cli::threads::workers;
use crate::cli::values::Format;

/// The exit code of a completed run some of whose records could not be written.
const NOT_SAVED: u8 = 4;

/// The time of each measurement of the peak performance, in seconds.
const PEAK_SECONDS: f64 = 1e-3;

/// What to train.
pub(super) struct Plan {
    pub settings: Settings,
    /// The table to train on; `None` for IDX files.
    pub table: Option<Surveyed>,
    /// The run to resume; `None` for a new one.
    pub resumption: Option<Resumption>,
}

/// A run in its folder, ready to train.
pub(super) struct Session<'a> {
    output: &'a OutputArgs,
    origin: &'a Origin,
    settings: Settings,
    config: CheckedConfig,
    engine: Engine,
    team: TeamChoice,
    workers: Workers,
    data: Arc<Splits>,
    /// How the table was read; `None` for IDX files.
    schema: Option<Schema>,
    /// What was guessed, left out or changed in the table.
    notes: Vec<Note>,
    source: Source,
    spec: Spec,
    folder: RunFolder,
    /// How the learning rate was found, if it was `auto`.
    range_test: Option<RangeTest>,
    /// The state to resume or start from; `None` to start from random weights.
    from: Option<State>,
    fingerprint: Option<Fingerprint>,
    is_resumed: bool,
    /// Whether the run starts at its first step.
    is_new: bool,
}

impl Session<'_> {
    /// Opens the data and the folder of a run.
    ///
    /// # Errors
    /// Returns the errors of both, and an error if settings do not fit the data. A created folder is removed then.
    pub(super) fn open<'a>(
        output: &'a OutputArgs,
        plan: Plan,
        origin: &'a Origin,
    ) -> perceptor::Result<Session<'a>> {
        // A table may be larger than the memory, and its rows then go to the folder of the run.
        let mut early = match (&plan.table, &plan.resumption) {
            (Some(_), None) => Some(RunFolder::prepare(output.out.as_deref(), output.exist_ok)?),
            _ => None,
        };
        let session = Session::open_in(&mut early, output, plan, origin);
        if let (Err(_), Some(folder)) = (&session, early) {
            folder.discard();
        }
        session
    }

    /// Opens the data and the folder of a run, which is `early` if it was created before the data are read.
    fn open_in<'a>(
        early: &mut Option<RunFolder>,
        output: &'a OutputArgs,
        plan: Plan,
        origin: &'a Origin,
    ) -> perceptor::Result<Session<'a>> {
        let Plan {
            mut settings,
            table,
            resumption,
        } = plan;
        let workers = workers(settings.threads)?;
        if let Some(resumption) = &resumption {
            resumption.check_engine(|engine| engine.describe())?;
        }
        // Checked before the data are read; the choice needs the network.
        settings.train.engine.resolve()?;
        let of_run = resumption.as_ref().map(|resumption| &resumption.folder);
        let cache = early.as_ref().or(of_run).map(RunFolder::cache);
        let table = (table, cache.as_deref());
        let opened = Opened::open(&settings, table, true, (&workers, output.quiet))?;
        let (source, data) = (opened.source, Arc::new(opened.splits));
        // Those that were found without being named, too.
        recorded(&settings, &source).check_texts()?;
        if !output.quiet {
            print_notes(&opened.notes);
        }
        let config = settings.train.clone().check()?;
        let spec = spec_for(&config, &data)?;
        let verbosity = Verbosity::new(output.quiet, output.verbose.verbose);
        let engine = choose_for_training(&config, &spec, &data.train, verbosity)?;
        let mut config = config.with_engine(engine);
        spec.layers_named(&config.freeze)?;
        let is_resumed = resumption.is_some();
        // Read before the folder is created, as it may be refused.
        let has_checkpoint = resumption.as_ref().is_some_and(|run| run.from().is_some());
        let start = match &settings.init_from {
            Some(path) if !has_checkpoint => {
                Some(State::warm_start(&spec, &config, &Model::load(path)?)?)
            }
            _ => None,
        };
        let run = TimedRun {
            config: &config,
            spec: &spec,
            train: &data.train,
            from: start.as_ref(),
            cores: Workers::available(),
        };
        let team = choose_team(settings.threads, &run, verbosity);
        let workers = match team.shape.threads.get() == workers.threads() {
            true => workers.dividing_by(team.shape.division),
            false => team.shape.workers()?,
        };
        let (mut fingerprint, mut range_test) = (None, None);
        let (folder, from) = match resumption {
            None => {
                let folder = match early.take() {
                    Some(folder) => folder.begin()?,
                    None => RunFolder::create(output.out.as_deref(), output.exist_ok)?,
                };
                match find_rate(config, &data, &workers, start.as_ref()) {
                    Ok(found) => (config, range_test) = found,
                    Err(error) => {
                        folder.discard();
                        return Err(error);
                    }
                }
                (folder, None)
            }
            Some(resumption) => {
                let found = Fingerprint::of(&data);
                let checked = resumption.check(&config, &found, &source.name);
                let has_names = data.train.class_names().is_some();
                checked.map_err(|error| missing_model(&settings, has_names).unwrap_or(error))?;
                fingerprint = Some(found);
                warn_of_damage(&resumption);
                warn_of_another_program(&resumption);
                resumption.begin()?
            }
        };
        folder.clear_cache(&caches(&data));
        let is_new = from.is_none();
        let from = from.or(start);
        settings.train = config.clone().into_inner();
        let recorded = recorded(&settings, &source);
        let path = folder.config();
        // A run with a checkpoint must not lose its settings in a power cut; a new one has nothing to lose yet.
        let written = match is_resumed {
            true => recorded.write(&path),
            false => recorded.write_unsynced(&path),
        };
        if let Err(error) = written {
            folder.discard();
            return Err(error);
        }
        Ok(Session {
            output,
            origin,
            settings,
            config,
            engine,
            team,
            workers,
            data,
            schema: opened.schema,
            notes: opened.notes,
            source,
            spec,
            folder,
            range_test,
            from,
            fingerprint,
            is_resumed,
            is_new,
        })
    }

    fn banner(&self) -> Result<(), Failure> {
        if self.output.quiet {
            return Ok(());
        }
        let mut text = Vec::new();
        let config = &self.config;
        let settings = (config, self.from.as_ref());
        let data = BannerData {
            name: &self.source.name,
            sets: &self.data,
            schema: self.schema.as_ref(),
            default_settings: self.origin.is_default().then(|| self.origin.file()),
        };
        let computed = (&self.workers, &self.team, self.engine);
        banner(&mut text, &data, &self.spec, settings, computed)?;
        if let Some(found) = &self.range_test {
            range_test_line(&mut text, found)?;
        }
        if let Some(path) = &self.settings.init_from {
            writeln!(text, "  start     from the weights of {}", path.display())?;
        }
        if self.is_resumed {
            let folder = self.folder.path().display();
            match &self.from {
                Some(state) if !self.is_new => match state.over(config) {
                    Some(cause) => {
                        let why = finished(cause, &self.settings.train);
                        writeln!(text, "  finished  {folder}: {why}")?
                    }
                    None => writeln!(text, "  resuming  {folder} from {}", state.position())?,
                },
                _ => writeln!(
                    text,
                    "  resuming  {folder} from its start: it has no checkpoint"
                )?,
            }
        }
        // A closed stderr must not end training.
        drop(io::stderr().write_all(&text));
        Ok(())
    }

    pub(super) fn run(mut self, start: Instant) -> Result<(), Failure> {
        self.banner()?;
        let resume = format!(
            "{} train --resume {}",
            program(),
            shell_word(self.folder.path())
        );
        set_truncation_hint(&format!("put the file back as it was, then {resume}"));
        let signals = StopSignals::install();
        let (epochs, has_validation) = (self.settings.train.epochs, self.data.validation.is_some());
        let table = EpochTable {
            task: self.spec.task(),
            validation: has_validation,
        };
        let progress = Arc::new(Progress::new(epochs, table, self.output.quiet));
        let mut supervisor = match self.supervisor(&signals, &progress) {
            Ok(supervisor) => supervisor,
            Err(error) => {
                self.folder.discard();
                return Err(error.into());
            }
        };
        let training = Training {
            config: &self.config,
            data: &self.data,
            schema: self.schema.as_ref(),
            workers: &self.workers,
            profiled: self.output.profile || self.output.format == Format::Json,
            from: self.from.take(),
        };
        let ending = training.run(&mut supervisor, &mut |event| progress.show(&event));
        progress.finish();
        match ending {
            Ok(Ending::Finished(outcome)) => self.finish(supervisor, &outcome, start),
            Ok(Ending::Stopped(place)) => {
                let failed = supervisor.finish();
                let (signal, code) = signals.received().unwrap_or(("nobody", 1));
                let mut text = format!("stopped by {signal} at {place}\n");
                if !failed {
                    let saved = self.folder.checkpoints().file(place);
                    text += &format!("saved          {}\n", saved.display());
                }
                text += &format!("resume         {resume}\n");
                drop(io::stderr().write_all(text.as_bytes()));
                Err(Failure::Reported(if failed { NOT_SAVED } else { code }))
            }
            Err(error) => {
                supervisor.finish();
                let code = report(&self.origin.locate(error));
                if let Some((_, kept)) = self
                    .folder
                    .checkpoints()
                    .list()
                    .ok()
                    .and_then(|list| list.into_iter().next())
                {
                    drop(writeln!(io::stderr(), "kept           {}", kept.display()));
                }
                self.folder.clear_cache(&[]);
                self.folder.discard();
                Err(Failure::Reported(code))
            }
        }
    }

    /// What saves the run, and stops it on a signal.
    fn supervisor(
        &self,
        signals: &StopSignals,
        progress: &Arc<Progress>,
    ) -> perceptor::Result<RunSupervisor> {
        let config = &self.config;
        let engine = self.engine;
        let policy = Policy {
            every: self.settings.checkpoint_every,
            keep: self.settings.keep,
            steps_per_epoch: self
                .data
                .train
                .samples()
                .div_ceil(config.batch_for(self.data.train.samples())),
            stop: Arc::clone(&signals.stop),
        };
        let identity = IdentitySource {
            spec: self.spec.clone(),
            config: config.clone().into_inner(),
            engine: engine.describe(),
            data: Arc::clone(&self.data),
            fingerprint: self.fingerprint.clone(),
            schema: self.schema.clone(),
        };
        let threads = self.workers.threads();
        let environment = move || Environment::describe(engine, threads);
        let done = self.from.as_ref().map_or(&[][..], |state| &state.epochs);
        let progress = Arc::clone(progress);
        let report =
            move |failure: WriteFailure| progress.suspend(|| report_write_failure(&failure));
        RunSupervisor::new(&self.folder, policy, done, identity, environment, report)
    }

    /// Writes the model and prints the results of the run.
    fn finish(
        self,
        supervisor: RunSupervisor,
        outcome: &Outcome,
        start: Instant,
    ) -> Result<(), Failure> {
        let model = self.folder.model();
        let saved = outcome.model.save(&model);
        let failed = supervisor.finish();
        // Until everything is saved, the run may have to be resumed. A file stays readable as long as it is mapped.
        self.folder.clear_cache(&[]);
        if let Err(error) = saved {
            self.folder.discard();
            return Err(error.into());
        }
        let wall_seconds = start.elapsed().as_secs_f64();
        let profiled = outcome.profile.is_some();
        let peak = || peak::measure(&self.workers, Instructions::detect(), PEAK_SECONDS);
        let details = RunDetails {
            data_name: &self.source.name,
            data: &self.data,
            config: &self.settings.train,
            workers: &self.workers,
            team: &self.team,
            wall_seconds,
            resumed: self.is_resumed,
            init_from: self.settings.init_from.as_deref(),
            peak: profiled.then(peak),
            range_test: self.range_test.as_ref(),
            model: &model,
            spelling: &Flags,
            notes: &self.notes,
        };
        let report = TrainReport::new(outcome, &details);
        let mut out = io::stdout().lock();
        match self.output.format {
            Format::Json => report.write_json(&mut out)?,
            Format::Text => report.write_text(&mut out, &self.next_command(&model))?,
        }
        out.flush()?;
        match failed {
            true => Err(Failure::Reported(NOT_SAVED)),
            false => Ok(()),
        }
    }

    /// Returns a command to type next, under the name that this program was called by.
    fn next_command(&self, model: &Path) -> String {
        let program = program();
        let model = shell_word(model);
        match &self.data.test {
            Some(_) => format!(
                "{program} eval {model}{}",
                DataArgs::of(&self.settings).test_flags()
            ),
            None if self.schema.is_some() => format!("{program} predict {model} TABLE"),
            None => format!("{program} predict {model} IMAGES"),
        }
    }
}

/// The files with rows of `data` that are too many for the memory.
fn caches(data: &Splits) -> Vec<&Path> {
    let sets = [
        Some(&data.train),
        data.validation.as_ref(),
        data.test.as_ref(),
    ];
    let rows = sets.into_iter().flatten().map(Dataset::rows);
    rows.filter_map(Rows::cache).collect()
}

/// Finds a learning rate by a range test, if it is `auto`.
fn find_rate(
    config: CheckedConfig,
    data: &Splits,
    workers: &Workers,
    start: Option<&State>,
) -> perceptor::Result<(CheckedConfig, Option<RangeTest>)> {
    if config.optimizer.rate().is_some() {
        return Ok((config, None));
    }
    let found = range_test(&config, data, workers, start)?;
    Ok((config.with_learning_rate(found.chosen)?, Some(found)))
}
