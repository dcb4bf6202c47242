//! A search from its first rung to its last: trials are trained side by side, and each result is in the journal before it
//! counts.
//!
//! Each network is trained on a part of the threads, which was faster than all threads on one network at every size
//! (see `docs/tuning.md`); if fewer trials are left than there are threads, they share the threads, of which each trial
//! takes as many as the caller chooses. Which network has which threads, and which is done first, changes neither the
//! bits of a result nor which trials continue.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::folder::TuneFolder;
use super::halving::{Rung, by_merit, kept, promoted};
use super::journal::{Journal, Measured, Subject};
use super::plan::Plan;
use super::timing::{Clock, end_of_trial, overhead};
use super::trial::{Reached, Trial};
use crate::compute::parallel::Workers;
use crate::config::{CheckedConfig, TrainConfig};
use crate::data::{Splits, Watch};
use crate::error::{Error, Result};
use crate::nn::Spec;
use crate::table::Schema;
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
    /// How the table was read that the data are from; `None` for other data.
    pub schema: Option<&'a Schema>,
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
        let before = Duration::try_from_secs_f64(journal.spent_seconds()).unwrap_or_default();
        let clock = Clock::new(self.plan.time.map(|time| time.0), before);
        let abort = AtomicBool::new(false);
        let work = Work {
            search: self,
            folder,
            clock,
            watch: Watch::over(self.data),
            abort: &abort,
            shared: Mutex::new(Shared {
                journal,
                overhead: Duration::ZERO,
                on_event,
            }),
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

/// With a time limit, a trial is trained for at least so many times the time that others took to be set up and scored:
/// if time is short, a few trials are trained for longer rather than all for a moment.
const LEAST_TRAINING: u32 = 4;

/// A rung that is being trained: its number, the rung, and when its time is up.
type OpenRung = (usize, Rung, Option<Instant>);

/// What all threads of a search share.
pub(super) struct Work<'a, 'b> {
    pub(super) search: &'a Search<'a>,
    pub(super) folder: &'a TuneFolder,
    clock: Clock,
    /// The data files.
    watch: Watch,
    /// Stops all trials if one failed.
    abort: &'a AtomicBool,
    shared: Mutex<Shared<'a, 'b>>,
}

pub(super) struct Shared<'a, 'b> {
    pub(super) journal: Journal,
    /// The longest time that a trial took in addition to its training.
    overhead: Duration,
    on_event: &'a mut OnEvent<'b>,
}

impl<'a, 'b> Work<'a, 'b> {
    pub(super) fn lock(&self) -> MutexGuard<'_, Shared<'a, 'b>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs rung after rung, until all are done or the search must stop.
    fn rungs(&self) -> Result<Ended> {
        let plan = self.search.plan;
        let mut members: Vec<usize> = (1..=plan.trials).collect();
        let rungs = plan.rungs();
        for (number, &rung) in (1..).zip(&rungs) {
            if number > 1 {
                let (next, kept) = {
                    let journal = &mut self.lock().journal;
                    let before = journal.rung(number - 1);
                    let next = promoted(&before, rung.trials);
                    if journal.finished(number - 1).len() == members.len() {
                        journal.keep_only(&next, number);
                    }
                    let kept = kept(&before, &next);
                    (next, kept)
                };
                let ends = |trial: &&usize| !next.contains(trial) && kept != Some(**trial);
                for trial in members.iter().filter(ends) {
                    self.folder.drop_trial(*trial)?;
                }
                members = next;
            }
            let done = self.lock().journal.finished(number);
            let is_done = |trial: &usize| done.iter().any(|one| one.trial == *trial);
            let mut left: Vec<usize> = members.iter().copied().filter(|t| !is_done(t)).collect();
            // If time is limited, the best first.
            if plan.time.is_some() && number > 1 {
                let before = self.lock().journal.rung(number - 1);
                let place = |trial: &usize| before.iter().find(|one| one.trial == *trial);
                left.sort_by(|a, b| match (place(a), place(b)) {
                    (Some(a), Some(b)) => by_merit(a, b),
                    (a, b) => b.is_some().cmp(&a.is_some()),
                });
            }
            (self.lock().on_event)(Event::Rung {
                number,
                rung,
                trials: left.len(),
            });
            let end = self.clock.end_of_rung(&rungs, number - 1);
            self.side_by_side((number, rung, end), &left)?;
            self.write_best()?;
            if let Some(ended) = self.ended(number, members.len()) {
                return Ok(ended);
            }
            // If no trial is left to continue, the best is one that did not.
            if promoted(&self.lock().journal.rung(number), 1).is_empty() {
                break;
            }
        }
        let journal = &self.lock().journal;
        match (best(journal), journal.is_cut()) {
            (None, _) => Err(self.all_diverged()),
            (Some(_), true) => Ok(Ended::Time),
            (Some(_), false) => Ok(Ended::Rungs),
        }
    }

    /// Returns why a search ends after rung `number`, of which not all `members` have a result; `None` if it continues.
    fn ended(&self, number: usize, members: usize) -> Option<Ended> {
        let is_complete = self.lock().journal.finished(number).len() == members;
        match (
            self.search.stop.load(Ordering::Relaxed),
            self.clock.is_over(),
        ) {
            _ if is_complete => None,
            (true, _) => Some(Ended::Stopped),
            (false, true) => Some(Ended::Time),
            // The trials had their share of the time.
            (false, false) => None,
        }
    }

    /// Trains `trials` up to the end of a rung, as many at a time as there are threads.
    fn side_by_side(&self, rung: OpenRung, trials: &[usize]) -> Result<()> {
        let mut queue = Vec::new();
        for &trial in trials {
            let config = self.search.plan.config(trial).check()?;
            let flops = spec_for(&config, self.search.data)?.training_flops();
            queue.push((flops, trial, config));
        }
        // The longest first, so that no thread is left alone with it at the end; but not if the last ones may not be trained.
        if self.search.plan.time.is_none() {
            queue.sort_by(|(a, ..), (b, ..)| b.total_cmp(a));
        }
        let (next, failed) = (AtomicUsize::new(0), Mutex::new(None));
        let fail = |error| {
            self.abort.store(true, Ordering::Relaxed);
            let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
            failed.get_or_insert(error);
        };
        thread::scope(|scope| {
            let shares = shares(self.search.threads.get(), queue.len());
            let teams = shares.len();
            for threads in shares {
                let (queue, next, fail) = (&queue, &next, &fail);
                let train = move || {
                    if let Err(error) = self.train_next((threads, teams), rung, queue, next) {
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

    /// Trains the next trial of the queue on at most `threads`, as `teams` do in all, until none is left or the search
    /// stops.
    fn train_next(
        &self,
        (threads, teams): (NonZeroUsize, usize),
        (rung_number, rung, end): OpenRung,
        queue: &[(f64, usize, CheckedConfig)],
        next: &AtomicUsize,
    ) -> Result<()> {
        let flops: Vec<f64> = queue.iter().map(|(flops, ..)| *flops).collect();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some((_, number, config)) = queue.get(at) else {
                return Ok(());
            };
            if self.is_over(rung_number, end) {
                return Ok(());
            }
            let start = Instant::now();
            let mut on_epoch = || (self.lock().on_event)(Event::Epoch);
            let workers = self.workers(config, threads)?;
            let subject = self.lock().journal.subject.clone();
            let least = self.lock().overhead * LEAST_TRAINING;
            let trial = Trial {
                end: end.map(|end| end_of_trial(end, teams, &flops[at..]).max(start + least)),
                ..self.trial(*number, config, &subject)
            };
            let reached = trial.train_to(rung, &workers, &mut on_epoch)?;
            if let Some(measured) = self.measured((*number, rung_number, rung), &reached) {
                if let Reached::Cut(cut) = reached {
                    trial.keep(cut)?;
                }
                self.note_overhead(start, &measured);
                self.add(config, measured)?;
            } else if self.trial(*number, config, &subject).is_stopped() {
                return Ok(());
            }
        }
    }

    /// Whether no more trials of rung `number` are trained, as its time, which ends at `end`, is up or that of the search.
    /// A rung without a result tries the next trial in any case.
    fn is_over(&self, number: usize, end: Option<Instant>) -> bool {
        let is_over = end.is_some_and(|end| Instant::now() >= end);
        let journal = &self.lock().journal;
        let has_result = journal.rung(number).iter().any(|one| one.score.is_some());
        (is_over && has_result) || (self.clock.is_over() && best(journal).is_some())
    }

    /// Notes how long a trial that began at `start` took in addition to its training.
    fn note_overhead(&self, start: Instant, measured: &Measured) {
        let mut shared = self.lock();
        let earlier = shared.journal.trial(measured.trial);
        let overhead = overhead(start.elapsed(), measured, earlier.last());
        shared.overhead = shared.overhead.max(overhead.unwrap_or_default());
    }

    /// What a trial needs to be trained, with no end but that of the search.
    pub(super) fn trial<'t>(
        &'t self,
        number: usize,
        config: &'t CheckedConfig,
        subject: &'t Subject,
    ) -> Trial<'t> {
        Trial {
            number,
            config,
            data: self.search.data,
            folder: self.folder,
            subject,
            stop: [self.search.stop, self.abort],
            deadline: self.clock.deadline(),
            end: None,
            schema: self.search.schema,
        }
    }

    /// Returns the result of a trial that was trained in a rung; `None` if it was stopped, or if its time was up before it
    /// was better than in an earlier rung.
    fn measured(
        &self,
        (trial, number, rung): (usize, usize, Rung),
        reached: &Reached,
    ) -> Option<Measured> {
        let measured = Measured {
            trial,
            rung: number,
            epochs: rung.epochs,
            part: None,
            unfinished: false,
            score: None,
            train_seconds: 0.0,
            spent_seconds: self.clock.spent(),
        };
        match reached {
            Reached::Stopped => None,
            &Reached::Diverged(epochs) => Some(Measured { epochs, ..measured }),
            &Reached::End(score, train_seconds) => Some(Measured {
                score: Some(score),
                train_seconds,
                ..measured
            }),
            Reached::Cut(cut) => {
                let cut = Measured {
                    epochs: cut.epochs,
                    part: cut.part,
                    unfinished: true,
                    score: Some(cut.score),
                    train_seconds: cut.seconds,
                    ..measured
                };
                let earlier = self.lock().journal.trial(trial);
                let earlier = earlier.into_iter().rfind(|one| one.rung < number);
                let is_better = |earlier: Measured| {
                    let in_this_rung = Measured {
                        rung: number,
                        ..earlier
                    };
                    by_merit(&cut, &in_this_rung).is_lt()
                };
                earlier.is_none_or(is_better).then_some(cut)
            }
        }
    }

    /// Starts the workers of one network, at most `threads`.
    pub(super) fn workers(&self, config: &CheckedConfig, threads: NonZeroUsize) -> Result<Workers> {
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
}

/// Returns the best result; `None` if all trials diverged.
pub(super) fn best(journal: &Journal) -> Option<Measured> {
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
