//! Looks after a run on behalf of its folder: metrics after each epoch, checkpoints when they are due, the files of the
//! data watched, and a stop where one was asked for.
//!
//! Checkpoints are written by the `saver` on a thread of its own while training goes on. One is written at a time: a
//! moment that comes while the last is still on its way to the disk is made up for at the next one. Stopping and the end
//! of a run wait.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::environment::Environment;
use super::every::Every;
use super::folder::RunFolder;
use super::metrics::MetricsLog;
use super::saver::{Failure, Identifier, Saver};
use crate::data::Watch;
use crate::error::Result;
use crate::scores::EpochMetrics;
use crate::train::{Place, State, Supervisor, Then};

/// How a run is looked after.
#[derive(Debug, Clone)]
pub struct Care {
    /// How often a checkpoint is written.
    pub every: Every,
    /// How many are kept.
    pub keep: NonZeroU32,
    /// Steps in an epoch.
    pub steps: usize,
    /// Stops the run after the step under way when it becomes true.
    pub stop: Arc<AtomicBool>,
}

/// Looks after one run.
pub struct Keeper {
    care: Care,
    metrics: MetricsLog,
    watch: Watch,
    saver: Saver,
    last: Instant,
    /// A moment has passed that no checkpoint was written at.
    overdue: bool,
}

impl Keeper {
    /// For the run in `folder`, of which `done` epochs are done. `tell` hears of what could not be written, from
    /// whichever thread finds it out.
    ///
    /// # Errors
    /// [`crate::Error::Io`] when the metrics cannot be written.
    pub fn new(
        folder: &RunFolder,
        care: Care,
        done: &[EpochMetrics],
        identifier: Identifier,
        environment: impl FnOnce() -> Environment + Send + 'static,
        tell: impl Fn(Failure) + Send + Sync + 'static,
    ) -> Result<Keeper> {
        Ok(Keeper {
            metrics: MetricsLog::start(
                folder,
                (identifier.spec.task(), identifier.data.validation.is_some()),
                done,
            )?,
            watch: identifier.watch(),
            saver: Saver::start(folder, care.keep, identifier, environment, tell),
            care,
            last: Instant::now(),
            overdue: false,
        })
    }

    /// Waits until all that was handed over is on the disk, and says whether anything failed on the way.
    pub fn finish(self) -> bool {
        self.saver.finish()
    }

    fn asked_to_stop(&self) -> bool {
        self.care.stop.load(Ordering::Relaxed) || self.saver.is_lost()
    }

    /// What is due at a moment, which is one to save at if `due`.
    fn then(&mut self, due: bool) -> Then {
        if self.asked_to_stop() {
            return Then::Stop;
        }
        self.overdue |= due;
        if self.overdue && !self.saver.is_busy() {
            Then::Save
        } else {
            Then::GoOn
        }
    }
}

impl Supervisor for Keeper {
    fn after_step(&mut self, place: Place) -> Then {
        let due = match self.care.every {
            Every::Steps(steps) => {
                (place.epochs * self.care.steps + place.steps).is_multiple_of(steps)
            }
            Every::Minutes(_) => self.interval_is_over(),
            // These are saved at the ends of epochs, late ones too.
            Every::Epochs(_) | Every::Never => {
                return if self.asked_to_stop() {
                    Then::Stop
                } else {
                    Then::GoOn
                };
            }
        };
        self.then(due)
    }

    fn after_epoch(&mut self, epochs: &[EpochMetrics], over: bool) -> Result<Then> {
        // What was learned from data that changed is neither measured nor kept.
        self.watch.check()?;
        if let Err(error) = self.metrics.add_last(epochs) {
            self.saver.tell(error);
        }
        if self.asked_to_stop() {
            return Ok(Then::Stop);
        }
        if over {
            let never = self.care.every == Every::Never;
            return Ok(if never { Then::GoOn } else { Then::Save });
        }
        let due = match self.care.every {
            Every::Epochs(every) => epochs.len().is_multiple_of(every),
            Every::Steps(_) | Every::Minutes(_) | Every::Never => false,
        };
        Ok(self.then(due))
    }

    fn save(&mut self, state: State) -> Result<()> {
        if let Some(error) = self.saver.take_lost() {
            return Err(error);
        }
        self.watch.check()?;
        (self.overdue, self.last) = (false, Instant::now());
        self.saver.hand_over(state);
        Ok(())
    }
}

impl Keeper {
    fn interval_is_over(&self) -> bool {
        let interval = self.care.every.interval();
        interval.is_some_and(|interval| self.last.elapsed() >= interval)
    }
}
