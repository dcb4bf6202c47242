//! The time until a network first reaches an accuracy, over several seeds.
//!
//! Each seed is a process of its own, and its clock starts before the process does. The time includes the start of the
//! program, opening and checking the files, making the network and its buffers, every epoch, and the evaluation on the
//! whole test set after every epoch. It ends when the evaluation that reaches the accuracy is reported. It does not
//! include drawing generated digits, and no model is written. The caller starts the processes and holds the clock;
//! [`from_seed`] is what such a process does, and the rest is made of the times.

use serde::{Deserialize, Serialize};

use super::learning_rate::with_rate;
use super::statistics::{deviation, mean};
use crate::compute::parallel::Workers;
use crate::config::{Accuracy, CheckedConfig, ValidationConfig};
use crate::data::Splits;
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};
use crate::nn::Task;
use crate::train::{Event, State, Training, Unsupervised};

/// The accuracy to reach, and how to try.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Goal {
    /// The accuracy on the test set, above 0 and up to 1.
    pub accuracy: f64,
    /// The number of seeds to try: the one of the settings and those that follow it.
    pub seeds: u64,
    /// The number of epochs after which a seed is given up.
    pub epochs: usize,
}

/// The times of all seeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TimeTo {
    /// The accuracy to reach.
    pub goal: Goal,
    /// The seeds, in order.
    pub seeds: Vec<Seed>,
    /// The number of seeds that reached it.
    pub reached: usize,
    /// The mean time of these seeds, in seconds; `None` if there are none.
    pub mean: Option<f64>,
    /// The standard deviation of these times (divisor n − 1); `None` if there are fewer than two.
    pub deviation: Option<f64>,
}

/// The time of one seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Seed {
    /// The seed.
    pub seed: u64,
    /// Seconds until the end of the first evaluation that reached the accuracy; `None` if none did.
    pub seconds: Option<f64>,
    /// Every evaluation until then.
    pub evaluations: Vec<Evaluated>,
}

/// An evaluation after an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Evaluated {
    /// Epochs done.
    pub epoch: usize,
    /// Seconds since the process was started.
    pub seconds: f64,
    /// The accuracy on the test set, 0 to 1.
    pub accuracy: f64,
}

impl Seed {
    /// The result of the evaluations of a seed, which end with the first that reached `goal`, if one did.
    pub fn new(seed: u64, goal: Goal, evaluations: Vec<Evaluated>) -> Seed {
        let last = evaluations.last();
        let reached = last.filter(|last| last.accuracy >= goal.accuracy);
        Seed {
            seed,
            seconds: reached.map(|last| last.seconds),
            evaluations,
        }
    }
}

impl TimeTo {
    /// Combines the results of all seeds.
    pub fn new(goal: Goal, seeds: Vec<Seed>) -> TimeTo {
        let seconds: Vec<f64> = seeds.iter().filter_map(|seed| seed.seconds).collect();
        TimeTo {
            goal,
            reached: seconds.len(),
            mean: mean(&seconds),
            deviation: deviation(&seconds),
            seeds,
        }
    }
}

/// Trains on `data` with the settings `config` until the accuracy of `goal` or its last epoch is reached, and calls
/// `on_evaluation` with the accuracy after each epoch. An error of `on_evaluation` is returned at the end.
///
/// # Errors
/// Returns [`Error::Data`] if there is no test set, [`Error::Config`] in regression, the errors of
/// [`crate::train::train`], and the first one of `on_evaluation`.
pub fn from_seed<E: From<Error> + Send>(
    config: &CheckedConfig,
    data: &Splits,
    (workers, start): (&Workers, Option<State>),
    goal: Goal,
    on_evaluation: &mut (dyn FnMut(f64) -> Result<(), E> + Send),
) -> Result<(), E> {
    check(config, data, goal.accuracy)?;
    let mut config = with_rate(config.clone(), data, workers, start.as_ref())?.into_inner();
    config.epochs = goal.epochs;
    config.validation = ValidationConfig {
        target_accuracy: Some(Accuracy(goal.accuracy)),
        ..ValidationConfig::default()
    };
    let training = Training {
        schema: None,
        config: &config.check()?,
        data,
        workers,
        profiled: false,
        from: start,
    };
    let mut failed = None;
    training.run(&mut Unsupervised, &mut |event| {
        if let (Event::Epoch(metrics), None) = (event, &failed) {
            let accuracy = metrics.accuracy().expect("it was checked");
            failed = on_evaluation(accuracy).err();
        }
    })?;
    failed.map_or(Ok(()), Err)
}

/// Checks that `accuracy` can be measured.
///
/// # Errors
/// Returns [`Error::Data`] if there is no test set, and [`Error::Config`] in regression.
pub fn check(config: &CheckedConfig, data: &Splits, accuracy: f64) -> Result<()> {
    if config.task.task == Task::Regression {
        let found = message![accuracy, " with ", Key("task").set_to("regression")];
        let expected = "a task that has an accuracy";
        return Err(Error::Config(Refusal::new(Key("time_to"), found, expected)));
    }
    if data.test.is_some() {
        return Ok(());
    }
    let name = data.train.rows().name();
    let hint = message![
        "name the files with ",
        Key("test_images"),
        " and ",
        Key("test_labels")
    ];
    Err(Error::Data(
        Refusal::new(
            name,
            "no test set with it",
            "one, to measure the accuracy on",
        )
        .hint(hint),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_that_do_not_reach_the_accuracy_are_not_in_the_mean() {
        let goal = Goal {
            accuracy: 0.9,
            seeds: 3,
            epochs: 2,
        };
        // Only the second evaluation reaches the accuracy.
        let seed = |seed, seconds: Option<f64>| {
            let evaluated = |epoch, accuracy| Evaluated {
                epoch,
                seconds: seconds.unwrap_or(9.0) * epoch as f64 / 2.0,
                accuracy,
            };
            let last = if seconds.is_some() { 0.95 } else { 0.8 };
            Seed::new(seed, goal, vec![evaluated(1, 0.5), evaluated(2, last)])
        };
        let found = TimeTo::new(
            goal,
            vec![seed(1, Some(2.0)), seed(2, None), seed(3, Some(4.0))],
        );
        // Deviations −1 and 1: √(2 / 1).
        assert_eq!(
            (found.reached, found.mean, found.deviation),
            (2, Some(3.0), Some(2f64.sqrt()))
        );
        let found = TimeTo::new(goal, vec![seed(1, None)]);
        assert_eq!(
            (found.reached, found.mean, found.deviation),
            (0, None, None)
        );
    }
}
