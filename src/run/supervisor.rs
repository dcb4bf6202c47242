//! The supervisor of a run in a folder: it writes metrics after each epoch, saves checkpoints when they are due, checks that
//! the data files do not change, and stops the run on request.
//!
//! The `saver` writes checkpoints on its own thread while training continues, one at a time: if one is due while the last
//! is still being written, it is saved at the next opportunity. Stopping and the end of a run wait for the saver.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::environment::Environment;
use super::every::Every;
use super::folder::RunFolder;
use super::metrics::MetricsLog;
use super::saver::{IdentitySource, Saver, WriteFailure};
use crate::data::Watch;
use crate::error::Result;
use crate::scores::EpochMetrics;
use crate::train::{Next, Position, State, Supervisor};

/// When a run is saved and stopped.
#[derive(Debug, Clone)]
pub struct Policy {
    /// How often a checkpoint is saved.
    pub every: Every,
    /// The number of checkpoints that are kept.
    pub keep: NonZeroU32,
    /// Steps per epoch.
    pub steps_per_epoch: usize,
    /// Stops the run after the current step when it becomes true.
    pub stop: Arc<AtomicBool>,
}

/// The supervisor of a run in a folder.
pub struct RunSupervisor {
    policy: Policy,
    metrics: MetricsLog,
    watch: Watch,
    saver: Saver,
    last_saved: Instant,
    /// Whether a checkpoint was due and not saved yet.
    is_overdue: bool,
}

impl RunSupervisor {
    /// Supervises the run in `folder`, of which the epochs `done` are done. `report` receives what could not be written,
    /// from any thread.
    ///
    /// # Errors
    /// Returns [`crate::Error::Io`] if the metrics cannot be written.
    pub fn new(
        folder: &RunFolder,
        policy: Policy,
        done: &[EpochMetrics],
        identity: IdentitySource,
        environment: impl FnOnce() -> Environment + Send + 'static,
        report: impl Fn(WriteFailure) + Send + Sync + 'static,
    ) -> Result<RunSupervisor> {
        Ok(RunSupervisor {
            metrics: MetricsLog::start(
                folder,
                (identity.spec.task(), identity.data.validation.is_some()),
                done,
            )?,
            watch: identity.watch(),
            saver: Saver::start(folder, policy.keep, identity, environment, report)?,
            policy,
            last_saved: Instant::now(),
            is_overdue: false,
        })
    }

    /// Waits until everything is written, and returns whether anything could not be written.
    pub fn finish(self) -> bool {
        self.saver.finish()
    }

    fn must_stop(&self) -> bool {
        self.policy.stop.load(Ordering::Relaxed) || self.saver.has_failed()
    }

    /// Decides what to do next; a checkpoint is due if `is_due`.
    fn next(&mut self, is_due: bool) -> Next {
        if self.must_stop() {
            return Next::Stop;
        }
        self.is_overdue |= is_due;
        if self.is_overdue && !self.saver.is_busy() {
            Next::Save
        } else {
            Next::Continue
        }
    }
}

impl Supervisor for RunSupervisor {
    fn after_step(&mut self, place: Position) -> Next {
        let is_due = match self.policy.every {
            Every::Steps(steps) => {
                (place.epochs * self.policy.steps_per_epoch + place.steps).is_multiple_of(steps)
            }
            Every::Minutes(_) => self.interval_is_over(),
            // Saved at the ends of epochs, also when overdue.
            Every::Epochs(_) | Every::Never => {
                return if self.must_stop() {
                    Next::Stop
                } else {
                    Next::Continue
                };
            }
        };
        self.next(is_due)
    }

    fn after_epoch(&mut self, epochs: &[EpochMetrics], is_last: bool) -> Result<Next> {
        // An epoch on data that changed is neither measured nor saved.
        self.watch.check()?;
        if let Err(error) = self.metrics.add_last(epochs) {
            self.saver.report(error);
        }
        if self.must_stop() {
            return Ok(Next::Stop);
        }
        if is_last {
            return Ok(match self.policy.every {
                Every::Never => Next::Continue,
                _ => Next::Save,
            });
        }
        let is_due = match self.policy.every {
            Every::Epochs(every) => epochs.len().is_multiple_of(every),
            Every::Steps(_) | Every::Minutes(_) | Every::Never => false,
        };
        Ok(self.next(is_due))
    }

    fn save(&mut self, state: State) -> Result<()> {
        if let Some(error) = self.saver.take_fatal() {
            return Err(error);
        }
        self.watch.check()?;
        (self.is_overdue, self.last_saved) = (false, Instant::now());
        self.saver.save(state);
        Ok(())
    }
}

impl RunSupervisor {
    fn interval_is_over(&self) -> bool {
        let interval = self.policy.every.interval();
        interval.is_some_and(|interval| self.last_saved.elapsed() >= interval)
    }
}
