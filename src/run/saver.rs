//! Writes checkpoints on its own thread, one after the other, so that training does not wait for the disk.
//!
//! The thread first writes `environment.json`, and before the first checkpoint it reads the data once more for their
//! fingerprint. An older checkpoint is removed only after the new one is durable. Failures are reported at once, with the
//! newest checkpoint that is still valid; if there is none, the run must end.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::checkpoint::{Checkpoint, Identity};
use super::checkpoints::Checkpoints;
use super::environment::Environment;
use super::folder::RunFolder;
use crate::config::TrainConfig;
use crate::data::{Fingerprint, Splits, Watch};
use crate::durable;
use crate::error::{Error, Result};
use crate::nn::Spec;
use crate::pulse;
use crate::table::Schema;
use crate::train::State;

/// A file of a run that could not be written.
#[derive(Debug)]
pub struct WriteFailure {
    /// Why it could not be written.
    pub error: Error,
    /// The newest checkpoint, which was read again and is valid; `None` if the file was not a checkpoint.
    pub newest: Option<PathBuf>,
}

/// What the [`Identity`] of a run is made from.
#[derive(Debug, Clone)]
pub struct IdentitySource {
    /// The network.
    pub spec: Spec,
    /// The settings, with the engine at work.
    pub config: TrainConfig,
    /// The engine together with what it runs on.
    pub engine: String,
    /// The data.
    pub data: Arc<Splits>,
    /// The fingerprint of the data, if it is known already.
    pub fingerprint: Option<Fingerprint>,
    /// How the table was read that it trains on; `None` for other data.
    pub schema: Option<Schema>,
}

impl IdentitySource {
    pub(super) fn watch(&self) -> Watch {
        Watch::over(&self.data)
    }

    fn identity(&mut self) -> Result<Identity> {
        if self.fingerprint.is_none() {
            let fingerprint = Fingerprint::of(&self.data);
            // The data may have changed since training started.
            self.watch().check()?;
            self.fingerprint = Some(fingerprint);
        }
        let data = self.fingerprint.clone().expect("it was computed above");
        Ok(Identity {
            version: crate::VERSION.to_owned(),
            revision: crate::REVISION.to_owned(),
            config: self.config.clone(),
            engine: self.engine.clone(),
            data,
            schema: self.schema.clone(),
        })
    }
}

/// The thread that writes checkpoints, and what it shares with training.
pub(super) struct Saver {
    jobs: SyncSender<State>,
    thread: JoinHandle<()>,
    shared: Arc<Shared>,
}

struct Shared {
    /// States that were handed over and are not saved yet.
    pending: AtomicUsize,
    failed: AtomicBool,
    /// Whether no valid checkpoint is left.
    is_fatal: AtomicBool,
    /// The error that left no valid checkpoint, until it is taken.
    fatal: Mutex<Option<Error>>,
    report: Box<dyn Fn(WriteFailure) + Send + Sync>,
}

impl Shared {
    fn fail(&self, error: Error, newest: Option<PathBuf>) {
        self.failed.store(true, Ordering::Relaxed);
        (self.report)(WriteFailure { error, newest });
    }

    fn fail_fatally(&self, error: Error) {
        self.failed.store(true, Ordering::Relaxed);
        *self.fatal.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        self.is_fatal.store(true, Ordering::Release);
    }
}

impl Saver {
    /// Starts the thread that saves.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the system does not grant the thread.
    pub fn start(
        folder: &RunFolder,
        keep: NonZeroU32,
        identity: IdentitySource,
        environment: impl FnOnce() -> Environment + Send + 'static,
        report: impl Fn(WriteFailure) + Send + Sync + 'static,
    ) -> Result<Saver> {
        let (jobs, waiting) = sync_channel(1);
        let shared = Arc::new(Shared {
            pending: AtomicUsize::new(0),
            failed: AtomicBool::new(false),
            is_fatal: AtomicBool::new(false),
            fatal: Mutex::new(None),
            report: Box::new(report),
        });
        let mut writer = Writer {
            checkpoints: folder.checkpoints(),
            records: vec![folder.config(), folder.path().to_owned()],
            parents: std::path::absolute(folder.path()).map_or_else(
                |_| Vec::new(),
                |path| {
                    path.ancestors()
                        .skip(1)
                        .take(2)
                        .map(PathBuf::from)
                        .collect()
                },
            ),
            keep,
            identity,
            shared: Arc::clone(&shared),
        };
        let file = folder.environment();
        let thread = std::thread::Builder::new().name("checkpoint".to_owned());
        let thread = thread.spawn(move || {
            if let Err(error) = environment().write(&file) {
                writer.shared.fail(error, None);
            }
            writer.run(&waiting);
        });
        let refused = Error::io(folder.path(), "start the thread that saves");
        Ok(Saver {
            jobs,
            thread: thread.map_err(refused)?,
            shared,
        })
    }

    pub fn is_busy(&self) -> bool {
        self.shared.pending.load(Ordering::Acquire) > 0
    }

    /// Whether a state could not be saved and no valid checkpoint is left.
    pub fn has_failed(&self) -> bool {
        self.shared.is_fatal.load(Ordering::Acquire)
    }

    /// Takes the error that left no valid checkpoint.
    pub fn take_fatal(&self) -> Option<Error> {
        let fatal = self.shared.fatal.lock();
        fatal.unwrap_or_else(PoisonError::into_inner).take()
    }

    pub fn report(&self, error: Error) {
        self.shared.fail(error, None);
    }

    /// Hands a state over to be saved; waits if two are pending already.
    pub fn save(&self, state: State) {
        self.shared.pending.fetch_add(1, Ordering::AcqRel);
        // If the thread has ended it has panicked, and the process with it.
        drop(self.jobs.send(state));
    }

    /// Waits for all pending states, and returns whether anything could not be written.
    pub fn finish(self) -> bool {
        drop(self.jobs);
        // A panic of the thread ends the process.
        drop(self.thread.join());
        let fatal = self.shared.fatal.lock();
        if let Some(error) = fatal.unwrap_or_else(PoisonError::into_inner).take() {
            self.shared.fail(error, None);
        }
        self.shared.failed.load(Ordering::Relaxed)
    }
}

/// The thread's own data.
struct Writer {
    checkpoints: Checkpoints,
    /// What must be durable before the first checkpoint: the settings and the folder of the run.
    records: Vec<PathBuf>,
    /// The parent folders, in which the folder of the run may be new.
    parents: Vec<PathBuf>,
    keep: NonZeroU32,
    identity: IdentitySource,
    shared: Arc<Shared>,
}

impl Writer {
    fn run(&mut self, waiting: &Receiver<State>) {
        for state in waiting {
            if let Err(error) = self.save(state) {
                self.handle(error);
            }
            self.shared.pending.fetch_sub(1, Ordering::AcqRel);
        }
    }

    fn save(&mut self, state: State) -> Result<()> {
        // The first one hashes the data.
        let identity = pulse::during_wait(|| self.identity.identity())?;
        for path in &self.records {
            durable::sync(path)?;
        }
        for path in self.parents.drain(..) {
            // A parent may be unreadable for this user.
            drop(durable::sync(&path));
        }
        let checkpoint = Checkpoint {
            spec: self.identity.spec.clone(),
            identity,
            state,
        };
        self.checkpoints.save(&checkpoint)?;
        self.records.clear();
        let place = checkpoint.state.position();
        if let Err(error) = self.checkpoints.remove_old(place, self.keep.get() as usize) {
            self.shared.fail(error, None);
        }
        Ok(())
    }

    /// Reports that a state could not be saved, and ends the run if no valid checkpoint is left.
    fn handle(&self, error: Error) {
        match self.checkpoints.newest() {
            Ok(newest) if newest.valid.is_some() => {
                let path = newest.valid.map(|(path, _)| path);
                self.shared.fail(error, path);
            }
            _ => self.shared.fail_fatally(match error {
                Error::Io { .. } => Error::Unsaved(Box::new(error)),
                error => error,
            }),
        }
    }
}
