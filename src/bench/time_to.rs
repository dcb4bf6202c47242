//! Seconds until a network first reaches an accuracy, over several seeds.
//!
//! Each seed is a process of its own, and its clock starts before that does. It counts the start of the program, the
//! opening and checks of files and labels, making the network and its buffers, every epoch, and the evaluation on the
//! whole test set after every epoch. It stops when the evaluation that reaches the accuracy has been told. Not counted
//! are the drawing of generated digits, and writing a model, which is not done here. Whoever starts the processes
//! holds the clock; here is what such a process does, [`from_seed`], and what is made of the times.

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

use super::statistics::{deviation, mean};
use super::throughput::Trainee;
use crate::compute::parallel::Workers;
use crate::config::CheckedConfig;
use crate::data::splits::Files;
use crate::data::{Dataset, Splits};
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};
use crate::train::Evaluator;
use crate::train::prepare::spec_for;

/// What is to be reached.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Goal {
    /// Share of the test set predicted right, above 0 and up to 1.
    pub accuracy: f64,
    /// Seeds to try: that of the settings and those that follow it.
    pub seeds: u64,
    /// Epochs after which a seed is given up.
    pub epochs: usize,
}

/// How long it took over all seeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TimeTo {
    /// What was to be reached.
    pub goal: Goal,
    /// Every seed in turn.
    pub seeds: Vec<Seed>,
    /// Seeds that reached it.
    pub reached: usize,
    /// Mean of the seconds of those; none where there are none.
    pub mean: Option<f64>,
    /// Standard deviation of the same (divisor n − 1); none of fewer than two.
    pub deviation: Option<f64>,
}

/// How long it took from one seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Seed {
    /// The seed.
    pub seed: u64,
    /// Seconds to the end of the first evaluation that reached the accuracy; none where none did.
    pub seconds: Option<f64>,
    /// Every evaluation up to that.
    pub evaluations: Vec<Evaluated>,
}

/// An evaluation after an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Evaluated {
    /// Epochs done.
    pub epoch: usize,
    /// Seconds since the process was started.
    pub seconds: f64,
    /// Share of the test set predicted right, 0 to 1.
    pub accuracy: f64,
}

impl Seed {
    /// From the evaluations of a seed up to the one that reached `goal`, or all where none did.
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
    /// Puts all seeds together.
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

/// Opens `files` and trains with the seed of `config` until `goal` is reached or its epochs are over, telling
/// `on_evaluation` the accuracy after each epoch.
///
/// # Errors
/// [`Error::Data`] where there is no test set, as [`crate::train::train`], and those of `on_evaluation`.
pub fn from_seed<E: From<Error>>(
    config: &CheckedConfig,
    files: &Files,
    threads: NonZeroUsize,
    goal: Goal,
    on_evaluation: &mut dyn FnMut(f64) -> Result<(), E>,
) -> Result<(), E> {
    let workers = Workers::new(threads)?;
    let data = Splits::open(files, None)?;
    let test = test_set(&data)?;
    let spec = spec_for(config, &data)?;
    let mut trainee = Trainee::new(config, &spec, &data.train, &workers)?;
    let mut evaluator = Evaluator::new(&spec, trainee.preprocessing().clone(), &workers)?;
    for _ in 0..goal.epochs {
        trainee.pass(&workers, trainee.steps())?;
        let network = trainee.network();
        let score = evaluator.evaluate(&workers, network, test)?.score;
        let accuracy = score.accuracy.expect("the data are for classification");
        on_evaluation(accuracy)?;
        if accuracy >= goal.accuracy {
            break;
        }
    }
    Ok(())
}

/// The test half of `data`.
fn test_set(data: &Splits) -> Result<&Dataset> {
    data.test.as_ref().ok_or_else(|| {
        Error::Data(
            Refusal::new(
                data.train.rows().name(),
                "no test set beside it",
                "one, to measure the accuracy on",
            )
            .hint(message![
                "name the files with ",
                Key("test_images"),
                " and ",
                Key("test_labels")
            ]),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_that_do_not_get_there_are_left_out_of_the_mean() {
        let goal = Goal {
            accuracy: 0.9,
            seeds: 3,
            epochs: 2,
        };
        // The second epoch is too good for its own time to be taken for the first one's.
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
