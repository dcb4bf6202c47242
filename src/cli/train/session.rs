//! One session of training in a run folder: from what is to be done to the model, or to the state that a later session
//! goes on from.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use perceptor::bench::peak::{self, Instructions};
use perceptor::compute::Engine;
use perceptor::compute::parallel::Workers;
use perceptor::config::LearningRate;
use perceptor::data::{Fingerprint, Splits};
use perceptor::nn::Spec;
use perceptor::report::train::{EpochTable, RunDetails, TrainReport, banner, range_test_line};
use perceptor::run::{
    Care, Environment, Failure as Failed, Identifier, Keeper, Resumption, RunFolder, Settings,
};
use perceptor::train::prepare::spec_for;
use perceptor::train::{Cause, Ending, Outcome, RangeTest, State, Training, range_test};
use perceptor::{Model, REVISION, TrainConfig, VERSION};

use super::precedence::recorded;
use super::{Plan, TrainArgs};
use crate::cli::engine::{Verbosity, choose};
use crate::cli::progress::Progress;
use crate::cli::signals::{StopSignals, set_truncation_hint};
use crate::cli::source::{DataArgs, Source, program, shell_word};
use crate::cli::spelling::Flags;
use crate::cli::threads::workers;
use crate::cli::{Failure, Format, print_error, report};

/// The exit code of a run that is done, though not all of it could be recorded.
const NOT_SAVED: u8 = 4;

/// How long each sample of the peak takes that a profile is held against, in seconds.
const PEAK_SECONDS: f64 = 1e-3;

/// A run in its folder, ready to train.
pub(super) struct Session<'a> {
    args: &'a TrainArgs,
    settings: Settings,
    engine: Engine,
    workers: Workers,
    data: Arc<Splits>,
    source: Source,
    spec: Spec,
    folder: RunFolder,
    /// How the learning rate was found, where it was to be.
    range_test: Option<RangeTest>,
    /// What to go on from, or to begin from; none to begin from drawn weights.
    from: Option<State>,
    fingerprint: Option<Fingerprint>,
    resumed: bool,
    /// Whether no earlier part of the run is there to go on from.
    begins: bool,
}

impl Session<'_> {
    pub(super) fn open(args: &TrainArgs, plan: Plan) -> perceptor::Result<Session<'_>> {
        let (mut settings, resumption) = match plan {
            Plan::Begin(settings) => (*settings, None),
            Plan::Resume(resumption) => (resumption.settings.clone(), Some(*resumption)),
        };
        let workers = workers(settings.threads)?;
        if let Some(resumption) = &resumption {
            resumption.check_engine(|engine| engine.describe(workers.blas()))?;
        }
        // Refused before the data are looked at, chosen when the network is known.
        settings.train.engine.resolve()?;
        let (source, data) = open_data(&settings, &workers, args.quiet)?;
        let spec = spec_for(&settings.train, &data)?;
        let batch_size = settings.train.batch_size.min(data.train.samples());
        let verbosity = Verbosity::new(args.quiet, args.verbose.verbose);
        let engine = choose(settings.train.engine, &spec, batch_size, verbosity)?;
        settings.train.engine = engine.into();
        spec.layers_named(&settings.train.freeze)?;
        let resumed = resumption.is_some();
        // Read before a folder is made: it may be refused.
        let goes_on = resumption.as_ref().is_some_and(|run| run.from().is_some());
        let begin = match &settings.init_from {
            Some(path) if !goes_on => Some(warm_start(&settings, &spec, path)?),
            _ => None,
        };
        let (mut fingerprint, mut range_test) = (None, None);
        let (folder, from) = match resumption {
            None => {
                let folder = RunFolder::create(args.out.as_deref(), args.exist_ok)?;
                match find_rate(&mut settings, &data, &workers, begin.as_ref()) {
                    Ok(found) => range_test = found,
                    Err(error) => {
                        folder.discard();
                        return Err(error);
                    }
                }
                (folder, None)
            }
            Some(resumption) => {
                let found = Fingerprint::of(&data);
                resumption.check(&settings.train, &found, &source.name)?;
                fingerprint = Some(found);
                warn_of_damage(&resumption);
                warn_of_another_program(&resumption);
                resumption.begin()?
            }
        };
        let begins = from.is_none();
        let from = from.or(begin);
        let recorded = recorded(&settings, &source);
        let config = folder.config();
        // A run that has a checkpoint must not lose its settings in a power cut; one that begins has time for that.
        let written = match resumed {
            true => recorded.write(&config),
            false => recorded.write_unsynced(&config),
        };
        if let Err(error) = written {
            folder.discard();
            return Err(error);
        }
        Ok(Session {
            args,
            settings,
            engine,
            workers,
            data,
            source,
            spec,
            folder,
            range_test,
            from,
            fingerprint,
            resumed,
            begins,
        })
    }

    fn banner(&self) -> Result<(), Failure> {
        if self.args.quiet {
            return Ok(());
        }
        let mut text = Vec::new();
        let (name, config) = (&self.source.name, &self.settings.train);
        banner(
            &mut text,
            name,
            &self.data,
            &self.spec,
            config,
            &self.workers,
            self.engine,
        )?;
        if let Some(found) = &self.range_test {
            range_test_line(&mut text, found)?;
        }
        if let Some(path) = &self.settings.init_from {
            writeln!(text, "  start     from the weights of {}", path.display())?;
        }
        if self.resumed {
            let folder = self.folder.path().display();
            match &self.from {
                Some(state) if !self.begins => match state.over(config) {
                    Some(cause) => {
                        let why = finished(cause, &self.settings.train);
                        writeln!(text, "  finished  {folder}: {why}")?
                    }
                    None => writeln!(text, "  resuming  {folder} from {}", state.place())?,
                },
                _ => writeln!(
                    text,
                    "  resuming  {folder} from its beginning: it has no checkpoint"
                )?,
            }
        }
        // A closed stderr is no reason not to train.
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
        let (epochs, validation) = (self.settings.train.epochs, self.data.validation.is_some());
        let table = EpochTable {
            task: self.spec.task(),
            validation,
        };
        let progress = Arc::new(Progress::new(epochs, table, self.args.quiet));
        let mut keeper = match self.keeper(&signals, &progress) {
            Ok(keeper) => keeper,
            Err(error) => {
                self.folder.discard();
                return Err(error.into());
            }
        };
        let training = Training {
            config: &self.settings.train,
            data: &self.data,
            workers: &self.workers,
            profiled: self.args.profile || self.args.format == Format::Json,
            from: self.from.take(),
        };
        let ending = training.run(&mut keeper, &mut |event| progress.show(&event));
        progress.finish();
        match ending {
            Ok(Ending::Finished(outcome)) => self.finish(keeper, &outcome, start),
            Ok(Ending::Stopped(place)) => {
                let failed = keeper.finish();
                let (signal, code) = signals.received().unwrap_or(("nobody", 1));
                let mut text = format!("stopped by {signal} at {place}\n");
                if !failed {
                    let saved = self.folder.shelf().file(place);
                    text += &format!("saved          {}\n", saved.display());
                }
                text += &format!("resume         {resume}\n");
                drop(io::stderr().write_all(text.as_bytes()));
                Err(Failure::Reported(if failed { NOT_SAVED } else { code }))
            }
            Err(error) => {
                keeper.finish();
                let code = report(&error);
                if let Some((_, kept)) = self
                    .folder
                    .shelf()
                    .list()
                    .ok()
                    .and_then(|list| list.into_iter().next())
                {
                    drop(writeln!(io::stderr(), "kept           {}", kept.display()));
                }
                self.folder.discard();
                Err(Failure::Reported(code))
            }
        }
    }

    /// Who looks after the run.
    fn keeper(&self, signals: &StopSignals, progress: &Arc<Progress>) -> perceptor::Result<Keeper> {
        let config = &self.settings.train;
        let engine = self.engine.describe(self.workers.blas());
        let care = Care {
            every: self.settings.checkpoint_every,
            keep: self.settings.keep,
            steps: self
                .data
                .train
                .samples()
                .div_ceil(config.batch_size.min(self.data.train.samples())),
            stop: Arc::clone(&signals.stop),
        };
        let identifier = Identifier {
            spec: self.spec.clone(),
            config: config.clone(),
            engine: engine.clone(),
            data: Arc::clone(&self.data),
            fingerprint: self.fingerprint.clone(),
        };
        let (threads, blas) = (self.workers.threads(), self.workers.blas().clone());
        let environment = move || Environment::look(engine, threads, blas);
        let done = self.from.as_ref().map_or(&[][..], |state| &state.epochs);
        let progress = Arc::clone(progress);
        let tell = move |failure: Failed| progress.suspend(|| complain_of(&failure));
        Keeper::new(&self.folder, care, done, identifier, environment, tell)
    }

    /// Writes the model and says what the run came to.
    fn finish(self, keeper: Keeper, outcome: &Outcome, start: Instant) -> Result<(), Failure> {
        let model = self.folder.model();
        let saved = outcome.model.save(&model);
        let failed = keeper.finish();
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
            wall_seconds,
            resumed: self.resumed,
            init_from: self.settings.init_from.as_deref(),
            peak: profiled.then(peak),
            range_test: self.range_test.as_ref(),
            model: &model,
            spelling: &Flags,
        };
        let report = TrainReport::new(outcome, &details);
        let mut out = io::stdout().lock();
        match self.args.format {
            Format::Json => report.write_json(&mut out)?,
            Format::Text => report.write_text(&mut out, &self.next_command(&model))?,
        }
        out.flush()?;
        match failed {
            true => Err(Failure::Reported(NOT_SAVED)),
            false => Ok(()),
        }
    }

    /// What one would type next, by the name this program was called by: a look at the model class by
    /// class, or its use.
    fn next_command(&self, model: &Path) -> String {
        let program = program();
        let model = shell_word(model);
        match &self.data.test {
            Some(_) => format!(
                "{program} eval {model}{}",
                DataArgs::of(&self.settings).test_flags()
            ),
            None => format!("{program} predict {model} IMAGES"),
        }
    }
}

/// The sets of a run, and where they come from.
fn open_data(
    settings: &Settings,
    workers: &Workers,
    quiet: bool,
) -> perceptor::Result<(Source, Arc<Splits>)> {
    let source = DataArgs::of(settings).training(workers, quiet)?;
    let source = source.with_validation(settings);
    let (task, classes) = (settings.train.task.task, settings.classes);
    let data = Splits::open_for(task, &source.files, classes, settings.data_mode)?;
    Ok((
        source,
        Arc::new(data.hold_out(
            settings.train.validation.validation_split,
            settings.train.seed,
        )?),
    ))
}

/// The beginning of a run from the weights of the model at `path`.
fn warm_start(settings: &Settings, spec: &Spec, path: &Path) -> perceptor::Result<State> {
    State::warm_start(spec, &settings.train, &Model::load(path)?)
}

/// Finds a learning rate where one is to be found, and says how.
fn find_rate(
    settings: &mut Settings,
    data: &Splits,
    workers: &Workers,
    begin: Option<&State>,
) -> perceptor::Result<Option<RangeTest>> {
    let config = &mut settings.train;
    if config.optimizer.rate().is_some() {
        return Ok(None);
    }
    let found = range_test(config, data, workers, begin)?;
    config.optimizer.learning_rate = Some(LearningRate::Value(found.chosen));
    Ok(Some(found))
}

/// Why there is nothing left to do of a run, and what there could be.
fn finished(cause: Cause, config: &TrainConfig) -> &'static str {
    match cause {
        Cause::Epochs if config.schedule.schedule.spans_the_run() => {
            "all epochs are done, over which its schedule went; begin another run from its model, with --init-from"
        }
        Cause::Epochs => "all epochs are done; give --epochs with more to train on",
        Cause::EarlyStop => "it ended early; begin another run from its model, with --init-from",
        Cause::TargetAccuracy => "its target accuracy is reached",
        Cause::MaxTime => "its time is over; give --max-time with more to train on",
    }
}

/// Says at once what could not be written.
fn complain_of(failure: &Failed) {
    let hint = match &failure.standing {
        Some(standing) => Some(format!("training goes on; {} is whole", standing.display()).into()),
        None => failure.error.hint(),
    };
    print_error(&failure.error.message(), hint.as_ref());
}

/// Says which checkpoints are damaged.
fn warn_of_damage(resumption: &Resumption) {
    for error in resumption.damaged() {
        let error = error.message().spelled(&Flags);
        drop(writeln!(io::stderr(), "warning: {error}"));
    }
    if let (Some(from), true) = (resumption.from(), resumption.damaged().next().is_some()) {
        drop(writeln!(
            io::stderr(),
            "hint: the one before is whole: going on from {}",
            from.display()
        ));
    }
}

/// Says when this is not the program that the run was trained by so far.
fn warn_of_another_program(resumption: &Resumption) {
    if let Some(by) = resumption.other_program() {
        let (version, revision) = (&by.version, &by.revision);
        drop(writeln!(
            io::stderr(),
            "warning: the checkpoint was written by perceptor {version} ({revision}); this is {VERSION} ({REVISION}): \
             the bytes may differ from those of an uninterrupted run",
        ));
    }
}
