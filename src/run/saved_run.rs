//! A run that is saved in a folder, for library users: created or resumed by one call and trained by another.
//!
//! The folder has the same files as one of the command line, so that either can resume a run of the other.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use super::config_file::Settings;
use super::environment::Environment;
use super::every::Every;
use super::folder::RunFolder;
use super::resume::Resumption;
use super::saver::{IdentitySource, WriteFailure};
use super::supervisor::{Policy, RunSupervisor};
use crate::compute::parallel::Workers;
use crate::config::TrainConfig;
use crate::data::{Fingerprint, Splits};
use crate::error::Result;
use crate::table::Schema;
use crate::train::event::EventHandler;
use crate::train::prepare::spec_for;
use crate::train::{Ending, State, Training};

/// A training run with a folder that keeps its settings, metrics, checkpoints and, at the end, its model.
///
/// A run that was stopped or killed is resumed from its newest checkpoint, and ends with the same model, bit for bit, as
/// if it had never been interrupted.
///
/// ```
/// use perceptor::{Ending, SavedRun, Workers};
/// # use perceptor::ndarray::{arr1, arr2};
/// # use perceptor::{Dataset, Splits, Targets, TrainConfig};
/// # let data = || -> perceptor::Result<Splits> {
/// #     let x = arr2(&[[0.0, 1.0], [1.0, 0.0], [0.2, 0.9], [0.9, 0.1]]);
/// #     let y = Targets::classes(arr1(&[0u8, 1, 0, 1]).view(), 2)?;
/// #     Splits::new(Dataset::from_rows(x.view(), y)?, None, None)
/// # };
/// # let temporary = tempfile::tempdir().expect("a temporary folder");
/// # let folder = temporary.path().join("run");
/// # let workers = Workers::new(Workers::available())?;
///
/// let config = TrainConfig { hidden: vec![4], epochs: 3, ..TrainConfig::default() };
/// SavedRun::create(&folder, &config, data()?, &workers)?.train(&mut |_| {})?;
///
/// // Later, or after a crash, in another process: two more epochs.
/// let mut run = SavedRun::resume(&folder, data()?, &workers)?;
/// run.set_epochs(5);
/// let Ending::Finished(outcome) = run.train(&mut |_| {})? else { panic!("nobody stopped it") };
/// assert_eq!(outcome.epochs.len(), 5);
/// # Ok::<(), perceptor::Error>(())
/// ```
pub struct SavedRun<'w> {
    start: Start,
    settings: Settings,
    data: Arc<Splits>,
    schema: Option<Schema>,
    workers: &'w Workers,
    stop: Arc<AtomicBool>,
}

/// How the run starts.
enum Start {
    New(RunFolder),
    Resumed(Box<Resumption>),
}

impl<'w> SavedRun<'w> {
    /// Creates `folder` for a new run of `config` on `data`.
    ///
    /// # Errors
    /// Returns [`crate::Error::Config`] if a setting is out of range or the folder already has a run,
    /// [`crate::Error::Run`] if another process trains in the folder, and [`crate::Error::Io`] if it cannot be written.
    pub fn create(
        folder: &Path,
        config: &TrainConfig,
        data: Splits,
        workers: &'w Workers,
    ) -> Result<SavedRun<'w>> {
        let config = config.clone().check()?.resolved();
        let engine = config.engine.resolve()?;
        let config = config.with_engine(engine);
        spec_for(&config, &data)?;
        let settings = Settings {
            train: config.into_inner(),
            ..Settings::default()
        };
        Ok(SavedRun {
            start: Start::New(RunFolder::create(Some(folder), false)?),
            settings,
            data: Arc::new(data),
            schema: None,
            workers,
            stop: Arc::default(),
        })
    }

    /// Opens the run in `folder` to resume it on the same `data`. Settings are those it was created with; damaged
    /// checkpoints are renamed and an older one is used.
    ///
    /// # Errors
    /// Returns [`crate::Error::Run`] if `folder` is not that of a run, if another process trains in it, or if the engine
    /// is not available, and [`crate::Error::Checkpoint`] if every checkpoint is damaged.
    pub fn resume(folder: &Path, data: Splits, workers: &'w Workers) -> Result<SavedRun<'w>> {
        let resumption = Resumption::open(folder)?;
        resumption.check_engine(|engine| engine.describe())?;
        let mut settings = resumption.settings.clone();
        settings.train.engine = settings.train.engine.resolve()?.into();
        Ok(SavedRun {
            schema: resumption.schema().cloned(),
            start: Start::Resumed(Box::new(resumption)),
            settings,
            data: Arc::new(data),
            workers,
            stop: Arc::default(),
        })
    }

    /// Keeps the schema of the table that the data are from in the model. A run that resumes has the schema of its
    /// checkpoint.
    pub fn set_schema(&mut self, schema: Schema) {
        self.schema = Some(schema);
    }

    /// Returns the settings of the run.
    pub fn config(&self) -> &TrainConfig {
        &self.settings.train
    }

    /// Changes the number of epochs, for example to train a finished run further.
    pub fn set_epochs(&mut self, epochs: usize) {
        self.settings.train.epochs = epochs;
    }

    /// Changes how often a checkpoint is written: after every epoch unless set.
    pub fn set_checkpoint_every(&mut self, every: Every) {
        self.settings.checkpoint_every = every;
    }

    /// Returns a flag that stops the run after the current step, with a checkpoint, once it is set to `true` from any
    /// thread or signal handler.
    pub fn stop_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    /// Trains until the run is over or stopped, passing events to `on_event`, and saves the model in the folder when it
    /// is over. `on_event` must not use the workers.
    ///
    /// # Errors
    /// Returns the errors of [`Training::run`], [`crate::Error::Run`] if the settings or the data differ from those of
    /// the checkpoint, and [`crate::Error::Io`] if a file cannot be written.
    pub fn train(self, on_event: &mut EventHandler) -> Result<Ending> {
        let config = &self.settings.train.clone().check()?;
        let spec = spec_for(config, &self.data)?;
        let (folder, from, fingerprint) = match self.start {
            Start::New(folder) => (folder, None, None),
            Start::Resumed(resumption) => {
                let found = Fingerprint::of(&self.data);
                resumption.check(config, &found, self.data.train.rows().name())?;
                let (folder, state) = resumption.begin()?;
                (folder, state, Some(found))
            }
        };
        self.settings.write(&folder.config())?;
        let engine = config.engine.resolve()?;
        let samples = self.data.train.samples();
        let policy = Policy {
            every: self.settings.checkpoint_every,
            keep: self.settings.keep,
            steps_per_epoch: samples.div_ceil(config.batch_for(samples)),
            stop: self.stop,
        };
        let identity = IdentitySource {
            spec,
            config: config.clone().into_inner(),
            engine: engine.describe(),
            data: Arc::clone(&self.data),
            fingerprint,
            schema: self.schema.clone(),
        };
        let threads = self.workers.threads();
        let environment = move || Environment::describe(engine, threads);
        let failed = Arc::new(Mutex::new(None));
        let first = Arc::clone(&failed);
        let report = move |failure: WriteFailure| {
            let mut first = first.lock().unwrap_or_else(PoisonError::into_inner);
            first.get_or_insert(failure.error);
        };
        let done = from.as_ref().map_or(&[][..], |state: &State| &state.epochs);
        let mut supervisor =
            RunSupervisor::new(&folder, policy, done, identity, environment, report)?;
        let training = Training {
            config,
            data: &self.data,
            schema: self.schema.as_ref(),
            workers: self.workers,
            profiled: false,
            from,
        };
        let ending = training.run(&mut supervisor, on_event);
        supervisor.finish();
        let ending = ending?;
        if let Ending::Finished(outcome) = &ending {
            outcome.model.save(&folder.model())?;
        }
        let failed = failed.lock().unwrap_or_else(PoisonError::into_inner).take();
        failed.map_or(Ok(ending), Err)
    }
}
