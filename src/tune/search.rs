//! A search from its first rung to its last: trials are trained side by side, and each result is in the journal before it
//! counts.
//!
//! Each network is trained on a part of the threads, which was faster than all threads on one network at every size (see
//! `docs/tuning.md`); if fewer trials are left than there are threads, they share the threads, of which each trial takes as
//! many as the caller chooses. Which network has which
//! threads, and which is done first, changes neither the bits of a result nor which trials continue.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::folder::TuneFolder;
use super::halving::{Rung, by_merit, promoted};
use super::journal::{Journal, Measured};
use super::plan::Plan;
use super::trial::{Reached, Trial};
use crate::compute::parallel::Workers;
use crate::config::{CheckedConfig, TrainConfig};
use crate::data::{Splits, Watch};
use crate::durable;
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};
use crate::nn::Spec;
use crate::train::TeamShape;
use crate::train::prepare::spec_for;

/// A function that chooses the team which trains one network, with at most this number of threads.
pub type ChooseTeam<'a> = dyn Fn(&CheckedConfig, &Spec, NonZeroUsize) -> TeamShape + Sync + 'a;

/// A search that is about to start or resume.
pub struct Search<'a> {
    /// The plan of the search.
    pub plan: &'a Plan,
    /// The training and validation sets.
    pub data: &'a Splits,
    /// The number of worker threads of all trials together.
    pub threads: NonZeroUsize,
    /// Chooses the team of a trial that has more than one thread.
    pub choose_team: &'a ChooseTeam<'a>,
    /// Stops the search after the current steps when it becomes true.
    pub stop: &'a AtomicBool,
}

/// A step of a search, for progress.
#[derive(Debug)]
pub enum Event<'a> {
    /// A rung starts or resumes.
    Rung {
        /// The number of the rung, counted from 1.
        number: usize,
        /// The rung.
        rung: Rung,
        /// The number of trials that are still to be trained.
        trials: usize,
    },
    /// A trial has finished an epoch.
    Epoch,
    /// A trial reached the end of its rung.
    Measured {
        /// The result of the trial.
        measured: &'a Measured,
        /// The settings of the trial.
        config: &'a TrainConfig,
        /// The best result so far.
        best: &'a Measured,
    },
}

/// A function that receives the events of a search.
pub type OnEvent<'a> = dyn FnMut(Event) + Send + 'a;

/// Why a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// All rungs are done.
    Rungs,
    /// The time was up.
    Time,
    /// It was stopped.
    Stopped,
}

/// The results of a search.
#[derive(Debug)]
pub struct SearchResult {
    /// Every trial in the order of its number.
    pub trials: Vec<TrialResult>,
    /// The best result; `None` if there is none.
    pub best: Option<Measured>,
    /// Why the search ended.
    pub ended: Ended,
    /// The time it took in seconds.
    pub spent_seconds: f64,
}

/// A trial and its results.
#[derive(Debug)]
pub struct TrialResult {
    /// The number of the trial, counted from 1.
    pub trial: usize,
    /// The settings of the trial.
    pub config: TrainConfig,
    /// The results, rung after rung.
    pub measured: Vec<Measured>,
}

impl Search<'_> {
    /// Continues from `journal` and keeps everything in `folder`. The result depends only on plan, data and engine, unless
    /// the time is limited.
    ///
    /// # Errors
    /// Returns [`Error::Run`] if all trials diverged, [`Error::Io`] if a file cannot be written, [`Error::Data`] if a data
    /// file changes meanwhile, and the errors of [`crate::train::Training::run`].
    pub fn run(
        &self,
        folder: &TuneFolder,
        journal: Journal,
        on_event: &mut OnEvent,
    ) -> Result<SearchResult> {
        let clock = Clock {
            started: Instant::now(),
            before: Duration::try_from_secs_f64(journal.spent_seconds()).unwrap_or_default(),
        };
        let abort = AtomicBool::new(false);
        let work = Work {
            search: self,
            folder,
            clock,
            watch: Watch::over(self.data),
            abort: &abort,
            shared: Mutex::new(Shared { journal, on_event }),
        };
        let ended = work.rungs()?;
        let mut shared = work
            .shared
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let spent_seconds = clock.spent();
        if ended != Ended::Rungs {
            shared.journal.stop(spent_seconds)?;
        }
        let journal = shared.journal;
        let trials = (1..=self.plan.trials).map(|trial| TrialResult {
            trial,
            config: self.plan.config(trial),
            measured: journal.trial(trial),
        });
        Ok(SearchResult {
            trials: trials.collect(),
            best: best(&journal),
            ended,
            spent_seconds: spent_seconds.max(journal.spent_seconds()),
        })
    }
}

/// The clock of a search, which includes the time before it was resumed.
#[derive(Debug, Clone, Copy)]
struct Clock {
    started: Instant,
    before: Duration,
}

impl Clock {
    fn spent(self) -> f64 {
        (self.before + self.started.elapsed()).as_secs_f64()
    }
}

/// What all threads of a search share.
struct Work<'a, 'b> {
    search: &'a Search<'a>,
    folder: &'a TuneFolder,
    clock: Clock,
    /// The data files.
    watch: Watch,
    /// Stops all trials if one failed.
    abort: &'a AtomicBool,
    shared: Mutex<Shared<'a, 'b>>,
}

struct Shared<'a, 'b> {
    journal: Journal,
    on_event: &'a mut OnEvent<'b>,
}

impl<'a, 'b> Work<'a, 'b> {
    fn lock(&self) -> MutexGuard<'_, Shared<'a, 'b>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs rung after rung, until all are done or the search must stop.
    fn rungs(&self) -> Result<Ended> {
        let plan = self.search.plan;
        let mut members: Vec<usize> = (1..=plan.trials).collect();
        for (number, rung) in (1..).zip(plan.rungs()) {
            if number > 1 {
                let next = promoted(&self.lock().journal.rung(number - 1), rung.trials);
                for trial in members.iter().filter(|trial| !next.contains(trial)) {
                    self.folder.drop_trial(*trial)?;
                }
                members = next;
            }
            let done = self.lock().journal.rung(number);
            let is_done = |trial: &usize| done.iter().any(|one| one.trial == *trial);
            let left: Vec<usize> = members.iter().copied().filter(|t| !is_done(t)).collect();
            (self.lock().on_event)(Event::Rung {
                number,
                rung,
                trials: left.len(),
            });
            self.side_by_side((number, rung), &left)?;
            self.write_best()?;
            if let Some(ended) = self.ended(number, members.len()) {
                return Ok(ended);
            }
            // If no trial is left to continue, the best is one that did not.
            if promoted(&self.lock().journal.rung(number), 1).is_empty() {
                return match best(&self.lock().journal) {
                    Some(_) => Ok(Ended::Rungs),
                    None => Err(all_diverged(members.len())),
                };
            }
        }
        Ok(Ended::Rungs)
    }

    /// Returns why not all `members` of rung `number` have a result; `None` if they have.
    fn ended(&self, number: usize, members: usize) -> Option<Ended> {
        let is_complete = self.lock().journal.rung(number).len() == members;
        match self.search.stop.load(Ordering::Relaxed) {
            _ if is_complete => None,
            true => Some(Ended::Stopped),
            false => Some(Ended::Time),
        }
    }

    /// Trains `trials` up to the end of a rung, as many at a time as there are threads.
    fn side_by_side(&self, rung: (usize, Rung), trials: &[usize]) -> Result<()> {
        let mut queue = Vec::new();
        for &trial in trials {
            let config = self.search.plan.config(trial).check()?;
            let flops = spec_for(&config, self.search.data)?.training_flops();
            queue.push((flops, trial, config));
        }
        // The longest first, so that no thread is left alone with it at the end.
        queue.sort_by(|(a, ..), (b, ..)| b.total_cmp(a));
        let (next, failed) = (AtomicUsize::new(0), Mutex::new(None));
        let fail = |error| {
            self.abort.store(true, Ordering::Relaxed);
            let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
            failed.get_or_insert(error);
        };
        thread::scope(|scope| {
            for threads in shares(self.search.threads.get(), queue.len()) {
                let (queue, next, fail) = (&queue, &next, &fail);
                let train = move || {
                    if let Err(error) = self.train_next(threads, rung, queue, next) {
                        fail(error);
                    }
                };
                if let Err(source) = thread::Builder::new().spawn_scoped(scope, train) {
                    let action = "start a thread for trials";
                    fail(Error::io(self.folder.path(), action)(source));
                }
            }
        });
        match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Trains the next trial of the queue on at most `threads`, until none is left or the search stops.
    fn train_next(
        &self,
        threads: NonZeroUsize,
        (rung_number, rung): (usize, Rung),
        queue: &[(f64, usize, CheckedConfig)],
        next: &AtomicUsize,
    ) -> Result<()> {
        let subject = self.lock().journal.subject.clone();
        let limit = self.search.plan.time;
        let left = limit.map(|limit| limit.0.saturating_sub(self.clock.before));
        let trial_of = |number, config| Trial {
            number,
            config,
            data: self.search.data,
            folder: self.folder,
            subject: &subject,
            stop: [self.search.stop, self.abort],
            deadline: left.and_then(|left| self.clock.started.checked_add(left)),
        };
        while let Some((_, number, config)) = queue.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut on_epoch = || (self.lock().on_event)(Event::Epoch);
            let workers = self.workers(config, threads)?;
            let trial = trial_of(*number, config);
            let (epochs, score, train_seconds) =
                match trial.train_to(rung, &workers, &mut on_epoch)? {
                    Reached::End(score, seconds) => (rung.epochs, Some(score), seconds),
                    Reached::Diverged(epoch) => (epoch, None, 0.0),
                    Reached::Stopped => return Ok(()),
                };
            self.add(
                config,
                Measured {
                    trial: *number,
                    rung: rung_number,
                    epochs,
                    score,
                    train_seconds,
                    spent_seconds: self.clock.spent(),
                },
            )?;
        }
        Ok(())
    }

    /// Starts the workers of one network, at most `threads`.
    fn workers(&self, config: &CheckedConfig, threads: NonZeroUsize) -> Result<Workers> {
        if threads == NonZeroUsize::MIN {
            return Workers::new(threads);
        }
        let spec = spec_for(config, self.search.data)?;
        (self.search.choose_team)(config, &spec, threads).workers()
    }

    fn add(&self, config: &TrainConfig, measured: Measured) -> Result<()> {
        // Results on data that changed do not count.
        self.watch.check()?;
        let mut shared = self.lock();
        shared.journal.add(measured.clone())?;
        let best = best(&shared.journal).unwrap_or_else(|| measured.clone());
        (shared.on_event)(Event::Measured {
            measured: &measured,
            config,
            best: &best,
        });
        Ok(())
    }

    /// Writes the settings of the best trial so far, if there is one.
    fn write_best(&self) -> Result<()> {
        let Some(best) = best(&self.lock().journal) else {
            return Ok(());
        };
        let plan = self.search.plan;
        let mut settings = plan.settings.clone();
        settings.train = plan.config(best.trial);
        let score = best
            .score
            .map_or_else(String::new, |score| score.to_string());
        let text = format!(
            "# The best of {} trials so far: number {}, on the validation set {score}, after {} of {} epochs.\n\
             # `perceptor train` with this file as config trains it completely, and measures it on the test set.\n\n{}",
            plan.trials,
            best.trial,
            best.epochs,
            settings.train.epochs,
            settings.to_table()
        );
        durable::write_atomically(&self.folder.best(), |out| out.write_all(text.as_bytes()))
    }
}

/// Returns the best result; `None` if all trials diverged.
fn best(journal: &Journal) -> Option<Measured> {
    let latest = journal
        .latest()
        .into_iter()
        .filter(|one| one.score.is_some());
    latest.min_by(by_merit)
}

/// Divides `threads` among `trials` that run side by side, as evenly as possible. Returns the threads of each.
fn shares(threads: usize, trials: usize) -> Vec<NonZeroUsize> {
    let teams = threads.min(trials);
    let share = |team: usize| threads / teams + usize::from(team < threads % teams);
    (0..teams)
        .map(share)
        .filter_map(NonZeroUsize::new)
        .collect()
}

fn all_diverged(trials: usize) -> Error {
    let found = format!("all {trials} trials diverged");
    Error::Run(
        Refusal::new("tune", found, "a finite loss in one of them").hint(message![
            "search lower learning rates, as with ",
            Key("learning_rate").set_to("0.0001..0.01")
        ]),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_divided_evenly() {
        let shares = |threads, trials| -> Vec<usize> {
            let shares = super::shares(threads, trials);
            shares.into_iter().map(NonZeroUsize::get).collect()
        };
        assert_eq!(shares(2, 9), [1, 1]);
        assert_eq!(shares(2, 1), [2]);
        assert_eq!(shares(8, 3), [3, 3, 2]);
        assert_eq!(shares(1, 5), [1]);
        assert!(shares(4, 0).is_empty());
    }
}
