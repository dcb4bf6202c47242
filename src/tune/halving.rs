//! Successive halving: how many trials are trained for how many epochs, and which of them continue.

use std::cmp::Ordering;

use serde::Serialize;

use super::journal::Measured;

/// One in this many trials of a rung continues, for this many times the epochs. Hyperband uses 3.
pub const REDUCTION: usize = 3;

/// A stage of the search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Rung {
    /// The number of epochs of each trial at the end of the rung, counted from its first.
    pub epochs: usize,
    /// The number of trials.
    pub trials: usize,
}

/// Returns the rungs of a search that starts with `trials` and trains the last of them for `epochs`: as many as both allow.
///
/// # Panics
/// Panics if either is 0.
pub fn rungs(trials: usize, epochs: usize) -> Vec<Rung> {
    assert!(trials > 0 && epochs > 0, "at least a trial and an epoch");
    let last = trials.min(epochs).ilog(REDUCTION);
    let power = |exponent: u32| REDUCTION.pow(exponent);
    let rung = |index: u32| Rung {
        // Rounded to the nearest epoch in integer arithmetic.
        epochs: (epochs + power(last - index) / 2) / power(last - index),
        trials: trials / power(index),
    };
    (0..=last).map(rung).collect()
}

/// Returns the best `count` trials of a rung in ascending order, without those that diverged.
pub fn promoted(measured: &[Measured], count: usize) -> Vec<usize> {
    let mut ranked: Vec<&Measured> = measured.iter().filter(|one| one.score.is_some()).collect();
    ranked.sort_by(|a, b| by_merit(a, b));
    let mut trials: Vec<usize> = ranked.iter().take(count).map(|one| one.trial).collect();
    trials.sort_unstable();
    trials
}

/// Returns the trial of a rung whose state must be kept although it is not among the `next`: the best of the others, which is
/// the best of the search if all the next diverge, if its time was up within an epoch. What it has computed so far depends on
/// the time, so that it cannot be computed again.
pub(super) fn kept(measured: &[Measured], next: &[usize]) -> Option<usize> {
    let others = measured.iter().filter(|one| !next.contains(&one.trial));
    let best = others
        .filter(|one| one.score.is_some())
        .min_by(|a, b| by_merit(a, b))?;
    best.part.map(|_| best.trial)
}

/// Orders the better result first: by rung, then by [`Score::goodness`](crate::scores::Score::goodness), then by loss, and
/// among equals by the number of the trial.
pub fn by_merit(a: &Measured, b: &Measured) -> Ordering {
    let figures = |one: &Measured| {
        one.score
            .map_or((f64::NEG_INFINITY, f64::INFINITY), |score| {
                (score.goodness(), score.loss)
            })
    };
    let ((goodness_a, loss_a), (goodness_b, loss_b)) = (figures(a), figures(b));
    let reached = |one: &Measured| one.score.map(|_| one.rung);
    reached(b)
        .cmp(&reached(a))
        .then(goodness_b.total_cmp(&goodness_a))
        .then(loss_a.total_cmp(&loss_b))
        .then(a.trial.cmp(&b.trial))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scores::Score;

    fn pairs(trials: usize, epochs: usize) -> Vec<(usize, usize)> {
        let rungs = rungs(trials, epochs);
        rungs
            .iter()
            .map(|rung| (rung.trials, rung.epochs))
            .collect()
    }

    #[test]
    fn a_third_continues_for_three_times_as_long() {
        assert_eq!(pairs(27, 27), [(27, 1), (9, 3), (3, 9), (1, 27)]);
        assert_eq!(pairs(16, 10), [(16, 1), (5, 3), (1, 10)]);
        // Few epochs or few trials make few rungs.
        assert_eq!(pairs(100, 3), [(100, 1), (33, 3)]);
        assert_eq!(pairs(4, 100), [(4, 33), (1, 100)]);
        assert_eq!(pairs(2, 5), [(2, 5)]);
        assert_eq!(pairs(50, 1), [(50, 1)]);
        // 20 / 3 is nearer to 7 than to 6.
        assert_eq!(pairs(9, 20), [(9, 2), (3, 7), (1, 20)]);
    }

    #[test]
    fn epochs_increase_from_rung_to_rung_up_to_those_of_the_plan() {
        for trials in 1..100 {
            for epochs in 1..100 {
                let rungs = rungs(trials, epochs);
                assert!(rungs.windows(2).all(|pair| {
                    pair[0].epochs < pair[1].epochs && pair[0].trials > pair[1].trials
                }));
                assert_eq!(rungs[0].trials, trials);
                assert!(rungs[0].epochs >= 1);
                assert_eq!(rungs[rungs.len() - 1].epochs, epochs);
            }
        }
    }

    fn measured(trial: usize, rung: usize, score: Option<(f64, f64)>) -> Measured {
        Measured {
            trial,
            rung,
            epochs: 1,
            part: None,
            unfinished: false,
            score: score.map(|(accuracy, loss)| Score {
                accuracy: Some(accuracy),
                ..Score::of_loss(loss)
            }),
            train_seconds: 0.0,
            spent_seconds: 0.0,
        }
    }

    #[test]
    fn the_best_trials_continue_and_diverged_ones_do_not() {
        let all = [
            measured(0, 0, Some((0.5, 1.0))),
            measured(1, 0, None),
            measured(2, 0, Some((0.9, 0.5))),
            measured(3, 0, Some((0.9, 0.4))),
            measured(4, 0, Some((0.9, 0.4))),
        ];
        assert_eq!(promoted(&all, 1), [3]);
        assert_eq!(promoted(&all, 2), [3, 4]);
        assert_eq!(promoted(&all, 3), [2, 3, 4]);
        assert_eq!(promoted(&all, 9), [0, 2, 3, 4]);
        assert!(promoted(&all[1..2], 3).is_empty());
    }

    #[test]
    fn the_state_of_the_best_trial_that_was_cut_and_does_not_continue_is_kept() {
        let cut = |trial, score| Measured {
            part: Some(0.5),
            unfinished: true,
            ..measured(trial, 0, score)
        };
        let best = measured(1, 0, Some((0.9, 1.0)));
        let all = [
            best,
            cut(2, Some((0.8, 1.0))),
            cut(3, Some((0.7, 1.0))),
            cut(4, None),
        ];
        assert_eq!(kept(&all, &[1]), Some(2));
        assert_eq!(kept(&all, &[1, 2]), Some(3));
        assert_eq!(kept(&all, &[1, 2, 3]), None);
        // Whole epochs are computed again.
        assert_eq!(kept(&all, &[2]), None);
    }

    #[test]
    fn a_later_rung_ranks_before_a_better_score_in_an_earlier_one() {
        let mut all = [
            measured(0, 0, Some((0.99, 0.1))),
            measured(1, 1, Some((0.9, 0.5))),
            measured(2, 2, None),
            measured(3, 1, Some((0.91, 0.5))),
        ];
        all.sort_by(by_merit);
        assert_eq!(all.map(|one| one.trial), [3, 1, 0, 2]);
    }
}
