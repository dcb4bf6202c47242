//! The time of a search: how much is left, and how it is divided among rungs and trials.
//!
//! With a time limit each rung has a share of the time that is left, in proportion to the epochs that it trains in total,
//! and each trial a share of the time of its rung, in proportion to the operations of its network. A trial whose share is
//! over is cut between two steps and scored as it is. If the share is too small to be worth the scoring, fewer trials are
//! trained. So every rung has results, however short the time; if time is plentiful, no share is used up, and the limit
//! changes nothing.

use std::time::{Duration, Instant};

use super::halving::Rung;
use super::journal::Measured;

/// The clock of a search, which includes the time before it was resumed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    started: Instant,
    before: Duration,
    deadline: Option<Instant>,
}

impl Clock {
    /// The clock of a search that starts or resumes now, after it had taken some time `before`.
    pub(super) fn new(limit: Option<Duration>, before: Duration) -> Clock {
        let started = Instant::now();
        let left = limit.map(|limit| limit.saturating_sub(before));
        Clock {
            started,
            before,
            deadline: left.and_then(|left| started.checked_add(left)),
        }
    }

    /// The time of the search so far in seconds.
    pub(super) fn spent(self) -> f64 {
        (self.before + self.started.elapsed()).as_secs_f64()
    }

    /// When the time of the search is up.
    pub(super) fn deadline(self) -> Option<Instant> {
        self.deadline
    }

    /// Whether the time of the search is up.
    pub(super) fn is_over(self) -> bool {
        self.deadline.is_some_and(|end| Instant::now() >= end)
    }

    /// When the time of the rung `index` of `rungs`, counted from 0, is up if it starts now.
    pub(super) fn end_of_rung(self, rungs: &[Rung], index: usize) -> Option<Instant> {
        let now = Instant::now();
        let left = self.deadline?.saturating_duration_since(now);
        let epochs = |at: usize| {
            let before = at.checked_sub(1).map_or(0, |before| rungs[before].epochs);
            (rungs[at].trials * (rungs[at].epochs - before)) as f64
        };
        let all: f64 = (index..rungs.len()).map(epochs).sum();
        Some(now + left.mul_f64((epochs(index) / all).min(1.0)))
    }
}

/// When the time of the next trial is up, of those that are `left` in a rung that ends at `end` and of which so many
/// `teams` train one each.
///
/// Shapes: `left [trials]`, the operations for a sample of each trial, that of the next one first.
pub(super) fn end_of_trial(end: Instant, teams: usize, left: &[f64]) -> Instant {
    let now = Instant::now();
    let all: f64 = left.iter().sum();
    let teams = teams.min(left.len()) as f64;
    let share = left.first().map_or(1.0, |next| teams * next / all);
    now + end.saturating_duration_since(now).mul_f64(share.min(1.0))
}

/// The time that a trial took in addition to its training, of `elapsed` since its `earlier` result; `None` if it diverged, as
/// the time of its training is not known then.
pub(super) fn overhead(
    elapsed: Duration,
    measured: &Measured,
    earlier: Option<&Measured>,
) -> Option<Duration> {
    measured.score.as_ref()?;
    let earlier = earlier.map_or(0.0, |one| one.train_seconds);
    let trained = Duration::try_from_secs_f64(measured.train_seconds - earlier);
    Some(elapsed.saturating_sub(trained.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scores::Score;
    use crate::tune::rungs;

    #[test]
    fn the_training_of_a_diverged_trial_is_not_overhead() {
        let of = |score: Option<Score>, train_seconds: f64| Measured {
            trial: 1,
            rung: 1,
            epochs: 1,
            part: None,
            unfinished: false,
            score,
            train_seconds,
            spent_seconds: 0.0,
        };
        let score = Score {
            loss: 0.5,
            accuracy: Some(0.9),
            f1: None,
            mae: None,
            r2: None,
        };
        let elapsed = Duration::from_secs(10);
        let scored = overhead(elapsed, &of(Some(score), 9.0), None);
        assert_eq!(scored, Some(Duration::from_secs(1)));
        let earlier = of(Some(score), 2.0);
        let scored = overhead(elapsed, &of(Some(score), 9.0), Some(&earlier));
        assert_eq!(scored, Some(Duration::from_secs(3)));
        assert_eq!(overhead(elapsed, &of(None, 0.0), None), None);
    }

    #[test]
    fn rungs_and_trials_share_the_time_in_proportion_to_their_work() {
        let hour = Duration::from_secs(3600);
        let clock = Clock::new(Some(hour), Duration::ZERO);
        let near = |end: Instant, share: f64| {
            let left = end.saturating_duration_since(Instant::now()).as_secs_f64();
            assert!(
                (left / 3600.0 - share).abs() < 0.01,
                "{left} of 3600, {share}"
            );
        };
        // 27 epochs, 9 · 2, 3 · 6 and 18.
        let rungs = rungs(27, 27);
        near(clock.end_of_rung(&rungs, 0).expect("a limit"), 27.0 / 81.0);
        near(clock.end_of_rung(&rungs, 3).expect("a limit"), 1.0);
        let end = Instant::now() + hour;
        near(end_of_trial(end, 1, &[2.0, 1.0, 1.0]), 0.5);
        near(end_of_trial(end, 2, &[1.0, 1.0, 1.0, 1.0]), 0.5);
        near(end_of_trial(end, 4, &[1.0, 1.0]), 1.0);
        assert!(Clock::new(None, hour).end_of_rung(&rungs, 0).is_none());
        assert!(Clock::new(Some(hour), hour).is_over() && !clock.is_over());
    }
}
