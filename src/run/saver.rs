//! Writes checkpoints on a thread of its own, one after the other, so that training need not wait for the disk.
//!
//! What is written first: what the run runs on, for which there is no hurry. Before the first checkpoint the data are
//! read once more for their fingerprint. An older checkpoint is removed only when the new one is durable. Failures are
//! told at once, with the checkpoint that still stands; where none does, the run is lost and must end.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::checkpoint::{Checkpoint, Identity};
use super::checkpoints::Shelf;
use super::environment::Environment;
use super::folder::RunFolder;
use crate::config::TrainConfig;
use crate::data::{Fingerprint, Splits, Watch};
use crate::durable;
use crate::error::{Error, Result};
use crate::nn::Spec;
use crate::train::State;

/// Something that could not be written.
#[derive(Debug)]
pub struct Failure {
    /// What went wrong.
    pub error: Error,
    /// The checkpoint that still stands, read through once more; none where the failure was not one of saving a state.
    pub standing: Option<PathBuf>,
}

/// What it takes to say what a run is.
#[derive(Debug, Clone)]
pub struct Identifier {
    /// The network.
    pub spec: Spec,
    /// The settings, with the engine at work.
    pub config: TrainConfig,
    /// The engine with what it runs on.
    pub engine: String,
    /// The data.
    pub data: Arc<Splits>,
    /// Their fingerprint, where it is known already.
    pub fingerprint: Option<Fingerprint>,
}

impl Identifier {
    pub(super) fn watch(&self) -> Watch {
        Watch::over(&self.data)
    }

    fn identity(&mut self) -> Result<Identity> {
        if self.fingerprint.is_none() {
            let fingerprint = Fingerprint::of(&self.data);
            // Else it may be that of other data than were learned from.
            self.watch().check()?;
            self.fingerprint = Some(fingerprint);
        }
        let data = self.fingerprint.clone().expect("it was taken above");
        Ok(Identity {
            version: crate::VERSION.to_owned(),
            revision: crate::REVISION.to_owned(),
            config: self.config.clone(),
            engine: self.engine.clone(),
            data,
        })
    }
}

/// The thread, and what it shares with those who hand it work.
pub(super) struct Saver {
    jobs: SyncSender<State>,
    thread: JoinHandle<()>,
    shared: Arc<Shared>,
}

struct Shared {
    /// States handed over and not yet dealt with.
    pending: AtomicUsize,
    failed: AtomicBool,
    lost: AtomicBool,
    /// Why the run is lost, until it is asked for.
    why: Mutex<Option<Error>>,
    tell: Box<dyn Fn(Failure) + Send + Sync>,
}

impl Shared {
    fn fail(&self, error: Error, standing: Option<PathBuf>) {
        self.failed.store(true, Ordering::Relaxed);
        (self.tell)(Failure { error, standing });
    }

    fn lose(&self, error: Error) {
        self.failed.store(true, Ordering::Relaxed);
        *self.why.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        self.lost.store(true, Ordering::Release);
    }
}

impl Saver {
    pub fn start(
        folder: &RunFolder,
        keep: NonZeroU32,
        identifier: Identifier,
        environment: impl FnOnce() -> Environment + Send + 'static,
        tell: impl Fn(Failure) + Send + Sync + 'static,
    ) -> Saver {
        let (jobs, waiting) = sync_channel(1);
        let shared = Arc::new(Shared {
            pending: AtomicUsize::new(0),
            failed: AtomicBool::new(false),
            lost: AtomicBool::new(false),
            why: Mutex::new(None),
            tell: Box::new(tell),
        });
        let mut desk = Desk {
            shelf: folder.shelf(),
            record: vec![folder.config(), folder.path().to_owned()],
            above: std::path::absolute(folder.path()).map_or_else(
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
            identifier,
            shared: Arc::clone(&shared),
        };
        let file = folder.environment();
        let thread = std::thread::spawn(move || {
            if let Err(error) = environment().write(&file) {
                desk.shared.fail(error, None);
            }
            desk.work(&waiting);
        });
        Saver {
            jobs,
            thread,
            shared,
        }
    }

    pub fn is_busy(&self) -> bool {
        self.shared.pending.load(Ordering::Acquire) > 0
    }

    /// Whether nothing of the run is kept.
    pub fn is_lost(&self) -> bool {
        self.shared.lost.load(Ordering::Acquire)
    }

    /// Why nothing is kept.
    pub fn take_lost(&self) -> Option<Error> {
        let mut why = self
            .shared
            .why
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        why.take()
    }

    pub fn tell(&self, error: Error) {
        self.shared.fail(error, None);
    }

    /// Waits where two are on their way already.
    pub fn hand_over(&self, state: State) {
        self.shared.pending.fetch_add(1, Ordering::AcqRel);
        // A thread that is gone has panicked, and the process with it.
        drop(self.jobs.send(state));
    }

    /// Waits for all that was handed over; says whether anything failed.
    pub fn finish(self) -> bool {
        drop(self.jobs);
        // A panic has ended the process.
        drop(self.thread.join());
        if let Some(error) = self
            .shared
            .why
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
        {
            self.shared.fail(error, None);
        }
        self.shared.failed.load(Ordering::Relaxed)
    }
}

/// What the thread has.
struct Desk {
    shelf: Shelf,
    /// What must be durable before the first checkpoint is: the settings and the folder of the run.
    record: Vec<PathBuf>,
    /// The folders above, in which this one may be new.
    above: Vec<PathBuf>,
    keep: NonZeroU32,
    identifier: Identifier,
    shared: Arc<Shared>,
}

impl Desk {
    fn work(&mut self, waiting: &Receiver<State>) {
        for state in waiting {
            match self.save(state) {
                Ok(()) => {}
                Err(error) => self.take_stock(error),
            }
            self.shared.pending.fetch_sub(1, Ordering::AcqRel);
        }
    }

    fn save(&mut self, state: State) -> Result<()> {
        let identity = self.identifier.identity()?;
        for path in &self.record {
            durable::sync(path)?;
        }
        for path in self.above.drain(..) {
            // One may lie where we are not allowed to look.
            drop(durable::sync(&path));
        }
        let checkpoint = Checkpoint {
            spec: self.identifier.spec.clone(),
            identity,
            state,
        };
        self.shelf.save(&checkpoint)?;
        self.record.clear();
        let place = checkpoint.state.place();
        if let Err(error) = self.shelf.thin_out(place, self.keep.get() as usize) {
            self.shared.fail(error, None);
        }
        Ok(())
    }

    /// Looks what is left after a state could not be saved.
    fn take_stock(&self, error: Error) {
        match self.shelf.newest() {
            Ok(newest) if newest.good.is_some() => {
                let standing = newest.good.map(|(path, _)| path);
                self.shared.fail(error, standing);
            }
            _ => self.shared.lose(match error {
                Error::Io { .. } => Error::Unsaved(Box::new(error)),
                error => error,
            }),
        }
    }
}
