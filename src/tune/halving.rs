//! Successive halving: how many trials are trained how far, and which of them go on.

use std::cmp::Ordering;

use serde::Serialize;

use super::journal::Measured;

/// Of the trials of a rung, one in so many goes on; for so many times as many epochs. Three is what Hyperband takes.
pub const REDUCTION: usize = 3;

/// A stage of the search: so many trials are trained up to so many epochs, counted from their first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Rung {
    /// Epochs of each trial at its end.
    pub epochs: usize,
    /// Trials that come so far.
    pub trials: usize,
}

/// The rungs of a search that begins with `trials` and trains its last for `epochs`: as many as both allow.
///
/// # Panics
/// When either is 0.
pub fn rungs(trials: usize, epochs: usize) -> Vec<Rung> {
    assert!(trials > 0 && epochs > 0, "at least a trial and an epoch");
    let last = trials.min(epochs).ilog(REDUCTION);
    let power = |exponent: u32| REDUCTION.pow(exponent);
    let rung = |index: u32| Rung {
        // To the nearest whole epoch, in whole numbers.
        epochs: (epochs + power(last - index) / 2) / power(last - index),
        trials: trials / power(index),
    };
    (0..=last).map(rung).collect()
}

/// The best `count` of the trials that a rung measured, in ascending order; those that diverged are none of them.
pub fn promoted(measured: &[Measured], count: usize) -> Vec<usize> {
    let mut ranked: Vec<&Measured> = measured.iter().filter(|one| one.score.is_some()).collect();
    ranked.sort_by(|a, b| by_merit(a, b));
    let mut trials: Vec<usize> = ranked.iter().take(count).map(|one| one.trial).collect();
    trials.sort_unstable();
    trials
}

/// The better first: who came further, then by [`Score::goodness`](crate::scores::Score::goodness), then by loss, and of equals the one that was
/// drawn first.
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
    fn a_third_goes_on_for_three_times_as_long() {
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
    fn epochs_rise_from_rung_to_rung_and_end_where_they_should() {
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
            score: score.map(|(accuracy, loss)| Score {
                accuracy: Some(accuracy),
                ..Score::of_loss(loss)
            }),
            train_seconds: 0.0,
            spent_seconds: 0.0,
        }
    }

    #[test]
    fn the_best_go_on_and_what_diverged_does_not() {
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
    fn who_came_further_is_better_than_who_was_better_earlier() {
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
