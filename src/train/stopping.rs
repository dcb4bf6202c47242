//! When a run is over, and which of its epochs is the best.
//!
//! Both follow from the epochs that are done, so that a run that was resumed ends where it would have ended. The time
//! limit alone follows from the clock; it is the trainer's.
//!
//! What is watched is the accuracy on the validation set, as scikit-learn's `early_stopping` does: it is what a
//! classifier is judged by, while its loss can rise for long after the accuracy has stopped to. Of several labels an
//! item it is their F1, of a regression its loss, which is to fall.

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
    /// No epoch was better for as long as `--early-stop` waits.
    EarlyStop,
    /// The accuracy of `--target-accuracy` is reached.
    TargetAccuracy,
    /// The time of `--max-time` is over.
    MaxTime,
}

/// Why a run of `config` is over after `epochs`, its time not considered; none where it goes on.
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

/// How good an epoch is, by [`Score::goodness`] on the validation set where there is one and else on the test set.
/// None where nothing was measured.
fn goodness(epoch: &EpochMetrics) -> Option<f64> {
    epoch.score().map(|score| score.goodness())
}

fn validation_loss(epoch: &EpochMetrics) -> Option<f64> {
    epoch.scores.validation.map(|score| score.loss)
}

/// The epochs since the last one that was more than the smallest gain better than the one before it that was, on the
/// validation set.
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

/// Which of `epochs` is the best: that of the highest accuracy, or F1, or of the lowest loss in regression, on the
/// validation set where there is one and else on the test set; of equals that of the lowest validation loss, and the
/// first of those. None where nothing was measured.
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

/// The clock of a run, which goes on where the run does.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimeLimit {
    began: Instant,
    /// Time that the run had taken before.
    before: Duration,
    end: Option<Instant>,
}

impl TimeLimit {
    /// Of a run that began at `began`, or went on then after it had taken some time `before`.
    pub(super) fn new(limit: Option<MaxTime>, began: Instant, before: Duration) -> TimeLimit {
        let end = limit.and_then(|limit| began.checked_add(limit.0.saturating_sub(before)));
        TimeLimit { began, before, end }
    }

    /// That the time is over, when it is.
    pub(super) fn cause(self) -> Option<Cause> {
        let over = self.end.is_some_and(|end| Instant::now() >= end);
        over.then_some(Cause::MaxTime)
    }

    /// Time that the run has taken.
    pub(super) fn spent(self) -> Duration {
        self.before + self.began.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{TrainConfig, ValidationConfig};
    use crate::scores::SetScores;

    /// Epochs with these accuracies and losses on the validation set.
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

    /// After how many of the epochs the run is over.
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
    fn epochs_of_a_regression_are_compared_by_loss_and_those_of_several_labels_by_f1() {
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
    fn a_run_that_no_longer_gets_better_is_over_after_its_patience() {
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
        // 0.71 is not enough more than 0.7: four epochs have passed since the last gain.
        assert_eq!(length(&stop(4, 0.02), &run), Some((8, Cause::EarlyStop)));
        // Small gains add up, as they are held against the last one that counted.
        let slow = epochs(&[0.5, 0.51, 0.52, 0.53].map(|accuracy| (accuracy, 1.0)));
        assert_eq!(length(&stop(2, 0.015), &slow), None);
        assert_eq!(length(&stop(1, 0.015), &slow), Some((2, Cause::EarlyStop)));
    }

    #[test]
    fn a_run_is_over_when_its_target_is_reached_or_its_epochs_are_done() {
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
