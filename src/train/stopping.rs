//! When a run stops, and which of its epochs is the best.
//!
//! Both follow from the epochs that are done, so that a resumed run stops after the same epoch as an uninterrupted
//! one. Only the time limit depends on the clock. A run whose loss is no longer finite ends with an error, see
//! `divergence`.
//!
//! Early stopping watches the accuracy on the validation set, as scikit-learn's `early_stopping` does: classifiers are
//! judged by it, and their loss can rise long after the accuracy has stopped rising. With several labels per sample it
//! watches F1, and in a regression the loss, which should fall.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::config::{Accuracy, CheckedConfig, EarlyStop, MaxTime};
use crate::scores::EpochMetrics;
#[cfg(any(doc, test))]
use crate::scores::Score;

/// Why a run is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// All epochs are done.
    Epochs,
    /// No epoch was better for as many epochs as [`EarlyStop`] waits.
    EarlyStop,
    /// The target accuracy is reached.
    TargetAccuracy,
    /// The time limit is reached.
    MaxTime,
}

/// Why a run of `config` is over after `epochs`, apart from its time limit; `None` if it continues.
pub fn cause(config: &CheckedConfig, epochs: &[EpochMetrics]) -> Option<Cause> {
    let validation = &config.validation;
    let accuracy = epochs.last().and_then(EpochMetrics::accuracy);
    let reached = |target: Accuracy| accuracy.is_some_and(|accuracy| accuracy >= target.0);
    let patient = |stop: EarlyStop| epochs_without_gain(stop, epochs) < stop.patience;
    match () {
        () if validation.target_accuracy.is_some_and(reached) => Some(Cause::TargetAccuracy),
        () if validation.early_stop.is_some_and(|stop| !patient(stop)) => Some(Cause::EarlyStop),
        () if epochs.len() >= config.epochs => Some(Cause::Epochs),
        () => None,
    }
}

/// How good an epoch is, by [`Score::goodness`] on the validation set, or on the test set without a validation set;
/// `None` if neither was evaluated.
fn goodness(epoch: &EpochMetrics) -> Option<f64> {
    epoch.score().map(|score| score.goodness())
}

fn validation_loss(epoch: &EpochMetrics) -> Option<f64> {
    epoch.scores.validation.map(|score| score.loss)
}

/// The number of epochs since the last gain on the validation set. A gain is an epoch that is better than the one of
/// the gain before it by more than the smallest difference that counts.
fn epochs_without_gain(stop: EarlyStop, epochs: &[EpochMetrics]) -> usize {
    let validated = epochs
        .iter()
        .filter(|epoch| epoch.scores.validation.is_some());
    let start = (f64::NEG_INFINITY, 0);
    let (_, since) = validated
        .filter_map(goodness)
        .fold(start, |(best, since), goodness| {
            match goodness - best > stop.min_delta {
                true => (goodness, 0),
                false => (best, since + 1),
            }
        });
    since
}

/// The best of `epochs`: the one with the highest accuracy or F1, or the lowest loss in regression, on the validation
/// set, or on the test set without a validation set. Of equals it is the first with the lowest validation loss. `None`
/// if nothing was evaluated.
pub fn best(epochs: &[EpochMetrics]) -> Option<usize> {
    let measured = epochs.iter().enumerate();
    let measured =
        measured.filter_map(|(at, epoch)| Some((at, goodness(epoch)?, validation_loss(epoch))));
    let best = measured.reduce(|best, epoch| {
        let better = epoch.1 > best.1 || (epoch.1 == best.1 && epoch.2 < best.2);
        if better { epoch } else { best }
    });
    best.map(|(at, ..)| at)
}

/// The clock of a run, which continues when the run is resumed.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimeLimit {
    began: Instant,
    /// The time the run had taken before it was resumed.
    before: Duration,
    end: Option<Instant>,
}

impl TimeLimit {
    /// The clock of a run that began or resumed at `began`, after it had taken some time `before`.
    pub(super) fn new(limit: Option<MaxTime>, began: Instant, before: Duration) -> TimeLimit {
        let end = limit.and_then(|limit| began.checked_add(limit.0.saturating_sub(before)));
        TimeLimit { began, before, end }
    }

    /// [`Cause::MaxTime`] if the limit is reached.
    pub(super) fn cause(self) -> Option<Cause> {
        let over = self.end.is_some_and(|end| Instant::now() >= end);
        over.then_some(Cause::MaxTime)
    }

    /// The time the run has taken.
    pub(super) fn spent(self) -> Duration {
        self.before + self.began.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{TrainConfig, ValidationConfig};
    use crate::scores::SetScores;

    /// Makes epochs with these accuracies and losses on the validation set.
    fn epochs(measured: &[(f64, f64)]) -> Vec<EpochMetrics> {
        let epochs = (1..).zip(measured);
        let epochs = epochs.map(|(epoch, &(accuracy, loss))| EpochMetrics {
            epoch,
            train_loss: 1.0,
            scores: SetScores {
                validation: Some(Score {
                    accuracy: Some(accuracy),
                    ..Score::of_loss(loss)
                }),
                test: None,
            },
            learning_rate: 0.1,
            train_seconds: 1.0,
            samples_per_second: 1.0,
            gflops: 1.0,
            part: None,
        });
        epochs.collect()
    }

    fn config(validation: ValidationConfig) -> CheckedConfig {
        let config = TrainConfig {
            epochs: 100,
            validation,
            ..TrainConfig::default()
        };
        config.check().expect("valid settings")
    }

    /// The number of epochs after which the run is over, and why.
    fn length(config: &CheckedConfig, epochs: &[EpochMetrics]) -> Option<(usize, Cause)> {
        (0..=epochs.len()).find_map(|done| Some((done, cause(config, &epochs[..done])?)))
    }

    #[test]
    fn the_best_epoch_has_the_highest_accuracy_and_then_the_lowest_loss() {
        assert_eq!(best(&[]), None);
        assert_eq!(
            best(&epochs(&[(0.5, 1.0), (0.9, 0.4), (0.8, 0.1)])),
            Some(1)
        );
        let equal = epochs(&[(0.9, 0.4), (0.9, 0.3), (0.9, 0.3), (0.9, 0.5)]);
        assert_eq!(best(&equal), Some(1));
    }

    #[test]
    fn regressions_compare_epochs_by_loss_and_multilabel_runs_by_f1() {
        let mut run = epochs(&[(0.9, 0.4), (0.8, 0.2), (0.7, 0.3), (0.6, 0.3)]);
        let score = |epoch: &mut EpochMetrics, change: &dyn Fn(&mut Score)| {
            change(epoch.scores.validation.as_mut().expect("a score"));
        };
        for (epoch, f1) in run.iter_mut().zip([0.1, 0.2, 0.4, 0.3]) {
            score(epoch, &|score| score.f1 = Some(f1));
        }
        assert_eq!(best(&run), Some(2));
        for epoch in &mut run {
            score(epoch, &|score| (score.f1, score.accuracy) = (None, None));
        }
        assert_eq!(best(&run), Some(1));
        let config = config(ValidationConfig {
            early_stop: Some(EarlyStop {
                patience: 2,
                min_delta: 0.0,
            }),
            ..ValidationConfig::default()
        });
        assert_eq!(length(&config, &run), Some((4, Cause::EarlyStop)));
    }

    #[test]
    fn a_run_that_no_longer_improves_stops_after_its_patience() {
        let stop = |patience, min_delta| {
            config(ValidationConfig {
                early_stop: Some(EarlyStop {
                    patience,
                    min_delta,
                }),
                ..ValidationConfig::default()
            })
        };
        let run = [0.5, 0.6, 0.6, 0.7, 0.7, 0.65, 0.71, 0.705];
        let run = epochs(&run.map(|accuracy| (accuracy, 1.0)));
        assert_eq!(length(&stop(1, 0.0), &run), Some((3, Cause::EarlyStop)));
        assert_eq!(length(&stop(2, 0.0), &run), Some((6, Cause::EarlyStop)));
        assert_eq!(length(&stop(3, 0.0), &run), None);
        // 0.71 exceeds 0.7 by too little: four epochs have passed since the last gain.
        assert_eq!(length(&stop(4, 0.02), &run), Some((8, Cause::EarlyStop)));
        // Small gains add up, because each is compared with the last one that counted.
        let slow = epochs(&[0.5, 0.51, 0.52, 0.53].map(|accuracy| (accuracy, 1.0)));
        assert_eq!(length(&stop(2, 0.015), &slow), None);
        assert_eq!(length(&stop(1, 0.015), &slow), Some((2, Cause::EarlyStop)));
    }

    #[test]
    fn a_run_stops_when_its_target_is_reached_or_its_epochs_are_done() {
        let config = config(ValidationConfig {
            target_accuracy: Some(Accuracy(0.9)),
            ..ValidationConfig::default()
        });
        let run = epochs(&[(0.5, 1.0), (0.89, 1.0), (0.9, 1.0), (0.95, 1.0)]);
        assert_eq!(length(&config, &run), Some((3, Cause::TargetAccuracy)));
        let shorter = TrainConfig {
            epochs: 2,
            ..config.into_inner()
        };
        let shorter = shorter.check().expect("valid settings");
        assert_eq!(length(&shorter, &run), Some((2, Cause::Epochs)));
    }
}
