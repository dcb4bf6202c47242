//! Seconds until a network first reaches an accuracy, over several seeds.
//!
//! The clock of a seed starts before its workers are started and its data files are opened. It counts that, the
//! checks of files and labels, making the network and its buffers, every epoch, and the evaluation on the whole test
//! set after every epoch. It stops when the evaluation that reaches the accuracy is done. Not counted are the start
//! of the program, the drawing of generated digits, and writing a model, which is not done here.

use std::num::NonZeroUsize;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::statistics::{deviation, mean};
use super::training::Trainee;
use crate::compute::parallel::Workers;
use crate::config::TrainConfig;
use crate::data::dataset::Files;
use crate::data::{Dataset, Splits};
use crate::error::{Error, Refusal, Result};
use crate::train::Evaluator;
use crate::train::trainer::spec_for;

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
    /// Seconds since the clock started.
    pub seconds: f64,
    /// Share of the test set predicted right, 0 to 1.
    pub accuracy: f64,
}

impl TimeTo {
    fn new(goal: Goal, seeds: Vec<Seed>) -> TimeTo {
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

/// Trains on `files` from each seed until `goal` is reached or its epochs are over, telling `on_seed` after each.
///
/// # Errors
/// [`Error::Data`] where there is no test set, and as [`crate::train::train`].
pub fn measure(
    config: &TrainConfig,
    files: &Files,
    threads: NonZeroUsize,
    goal: Goal,
    on_seed: &mut dyn FnMut(&Seed),
) -> Result<TimeTo> {
    let seeds = (0..goal.seeds).map(|offset| {
        let config = TrainConfig {
            seed: config.seed.wrapping_add(offset),
            ..config.clone()
        };
        let seed = from_seed(&config, files, threads, goal)?;
        on_seed(&seed);
        Ok(seed)
    });
    Ok(TimeTo::new(goal, seeds.collect::<Result<_>>()?))
}

fn from_seed(
    config: &TrainConfig,
    files: &Files,
    threads: NonZeroUsize,
    goal: Goal,
) -> Result<Seed> {
    let start = Instant::now();
    let workers = Workers::new(threads)?;
    let data = Splits::open(files, None)?;
    let test = test_set(&data)?;
    let spec = spec_for(config, &data)?;
    let mut trainee = Trainee::new(config, &spec, &data.train, &workers)?;
    let mut evaluator = Evaluator::new(&spec, trainee.preprocessing().clone(), &workers)?;
    let mut evaluations = Vec::new();
    let mut reached = None;
    while reached.is_none() && evaluations.len() < goal.epochs {
        trainee.pass(&workers, trainee.steps())?;
        let accuracy = evaluator
            .evaluate(&workers, trainee.network(), test)?
            .accuracy;
        let seconds = start.elapsed().as_secs_f64();
        evaluations.push(Evaluated {
            epoch: evaluations.len() + 1,
            seconds,
            accuracy,
        });
        reached = (accuracy >= goal.accuracy).then_some(seconds);
    }
    Ok(Seed {
        seed: config.seed,
        seconds: reached,
        evaluations,
    })
}

/// The test half of `data`.
fn test_set(data: &Splits) -> Result<&Dataset> {
    data.test.as_ref().ok_or_else(|| {
        Error::Data(
            Refusal::new(
                data.train.images().path().display(),
                "no test set beside it",
                "one, to measure the accuracy on",
            )
            .hint("name the files with --test-images and --test-labels"),
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
        let seed = |seed, seconds| Seed {
            seed,
            seconds,
            evaluations: Vec::new(),
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
