//! Samples per second in training, at each number of threads in turn.
//!
//! A pass is what [`crate::train::train`] does in an epoch, without evaluation: shuffle, and train on every sample.
//! Each number of threads trains a network of its own, and runs take turns, so that a slow minute of the machine
//! affects all.

use std::iter;
use std::num::NonZeroUsize;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::statistics::{Estimate, Summary};
use crate::compute::parallel::Workers;
use crate::config::CheckedConfig;
use crate::data::order::Order;
use crate::data::{Dataset, Preprocessing};
use crate::error::Result;
use crate::nn::{Network, Spec};
use crate::train::divergence::LossWatch;
use crate::train::{State, Stepper};

/// The speed of training at one number of threads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Training {
    /// Worker threads.
    pub threads: usize,
    /// Samples trained on in each run.
    pub samples_per_run: usize,
    /// The time of each run, in seconds.
    pub seconds: Vec<f64>,
    /// The rate of each run, in samples per second.
    pub samples_per_second: Vec<f64>,
    /// The summary of these rates.
    pub summary: Summary,
    /// 10⁹ floating point operations of the matrix products per second, in the median run.
    pub gflops: f64,
    /// That rate as a share of the peak of as many threads.
    pub of_peak: f64,
    /// The speed relative to one thread in the same round; `None` at one thread.
    pub speed_up: Option<Estimate>,
}

/// The numbers of threads to measure up to `most`: every number up to 4, then powers of two, and `most` itself.
pub fn thread_counts(most: NonZeroUsize) -> Vec<NonZeroUsize> {
    let most = most.get();
    let doubled = iter::successors(Some(1), |n: &usize| n.checked_mul(2));
    let counts = match most {
        ..=4 => (1..=most).collect::<Vec<usize>>(),
        _ => doubled.take_while(|&n| n < most).chain([most]).collect(),
    };
    counts.into_iter().filter_map(NonZeroUsize::new).collect()
}

/// A network in training.
pub(super) struct Trainee<'a> {
    config: &'a CheckedConfig,
    data: &'a Dataset,
    stepper: Stepper,
    order: Order,
    batch_size: usize,
    epoch: usize,
}

impl<'a> Trainee<'a> {
    /// Makes the network and its buffers.
    pub(super) fn new(
        config: &'a CheckedConfig,
        spec: &Spec,
        data: &'a Dataset,
        workers: &Workers,
    ) -> Result<Trainee<'a>> {
        let batch_size = config.batch_size.min(data.samples());
        let schedule = config.schedule(data.samples().div_ceil(batch_size))?;
        let state = State::start(spec, config);
        Ok(Trainee {
            config,
            data,
            stepper: Stepper::for_run(config, spec, data, schedule, &state, workers)?,
            order: Order::new(data.samples(), config.window_for(data.samples())),
            batch_size,
            epoch: 0,
        })
    }

    /// Steps in an epoch.
    pub(super) fn steps(&self) -> usize {
        self.data.samples().div_ceil(self.batch_size)
    }

    /// The network as it is now.
    pub(super) fn network(&self) -> &Network {
        self.stepper.network()
    }

    /// How samples become inputs.
    pub(super) fn preprocessing(&self) -> &Preprocessing {
        self.stepper.preprocessing()
    }

    /// Shuffles for the next epoch and takes its first `steps` steps. Returns the time in seconds, of which the
    /// shuffle counts in proportion to the steps.
    pub(super) fn pass(&mut self, workers: &Workers, steps: usize) -> Result<f64> {
        let start = Instant::now();
        self.epoch += 1;
        self.order.shuffle(self.config.seed, self.epoch);
        let shuffle = start.elapsed().as_secs_f64();
        let mut watch = LossWatch::default();
        let items = self.order.samples();
        let items = &items[..items.len().min(steps * self.batch_size)];
        let mut on_step = |step: usize, loss: f64| watch.step(step, loss);
        self.stepper.pass(workers, self.data, items, &mut on_step);
        let rest = start.elapsed().as_secs_f64() - shuffle;
        watch.check(self.epoch, 0, self.stepper.last_learning_rate())?;
        Ok(rest + shuffle * steps.min(self.steps()) as f64 / self.steps() as f64)
    }
}

/// The length of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Size {
    /// The number of epochs begun.
    passes: usize,
    /// The number of steps of each.
    steps: usize,
}

impl Size {
    /// The length that takes about `seconds`, if a step takes `step_seconds` and an epoch has `epoch` steps: whole
    /// epochs, or some steps if one epoch is too long.
    fn for_seconds(seconds: f64, step_seconds: f64, epoch: usize) -> Size {
        let wanted = seconds / step_seconds;
        if wanted < epoch as f64 {
            Size {
                passes: 1,
                steps: (wanted as usize).max(1),
            }
        } else {
            Size {
                passes: (wanted / epoch as f64).round() as usize,
                steps: epoch,
            }
        }
    }
}

/// Workers, the network they train, and the times of their runs.
struct Contestant<'a> {
    workers: Workers,
    trainee: Trainee<'a>,
    size: Size,
    seconds: Vec<f64>,
}

impl<'a> Contestant<'a> {
    /// Warms up for up to `seconds`, and derives the length of a run from it.
    fn new(workers: Workers, mut trainee: Trainee<'a>, seconds: f64) -> Result<Contestant<'a>> {
        let epoch = trainee.steps();
        let (mut steps, mut elapsed) = (1, trainee.pass(&workers, 1)?);
        while elapsed < seconds / 2.0 {
            if steps == epoch {
                elapsed = trainee.pass(&workers, epoch)?;
                break;
            }
            steps = (steps * 2).min(epoch);
            elapsed = trainee.pass(&workers, steps)?;
        }
        Ok(Contestant {
            size: Size::for_seconds(seconds, elapsed / steps as f64, epoch),
            workers,
            trainee,
            seconds: Vec::new(),
        })
    }

    /// Times one run, after a step that brings the network back into the caches.
    fn run(&mut self) -> Result<()> {
        self.trainee.pass(&self.workers, 1)?;
        let mut seconds = 0.0;
        for _ in 0..self.size.passes {
            seconds += self.trainee.pass(&self.workers, self.size.steps)?;
        }
        self.seconds.push(seconds);
        Ok(())
    }

    fn samples_per_run(&self) -> usize {
        let items = self.trainee.data.samples();
        self.size.passes * items.min(self.size.steps * self.trainee.batch_size)
    }

    fn rates(&self) -> Vec<f64> {
        let samples = self.samples_per_run() as f64;
        self.seconds.iter().map(|s| samples / s).collect()
    }
}

/// Trains on `data` with each of `teams`, the first of which is the baseline of speed-ups: `runs` runs of about
/// `seconds` each, in turn. `peaks` are those of the teams, in 10⁹ operations per second.
///
/// `on_run` is called after the warm-up of each team and after each run.
///
/// # Errors
/// Returns the errors of [`crate::train::train`].
///
/// # Panics
/// Panics if there are no teams or no runs, or not one peak for each team.
pub fn measure(
    config: &CheckedConfig,
    (spec, data): (&Spec, &Dataset),
    teams: Vec<Workers>,
    (runs, seconds): (usize, f64),
    peaks: &[f64],
    on_run: &mut dyn FnMut(),
) -> Result<Vec<Training>> {
    assert_eq!(teams.len(), peaks.len(), "one peak for each team");
    let mut contestants = Vec::with_capacity(teams.len());
    for workers in teams {
        let trainee = Trainee::new(config, spec, data, &workers)?;
        contestants.push(Contestant::new(workers, trainee, seconds)?);
        on_run();
    }
    for run in 0..runs {
        // Forward and backward in alternation, so that a steady change favours no team.
        let count = contestants.len();
        for place in 0..count {
            let place = if run % 2 == 0 {
                place
            } else {
                count - 1 - place
            };
            contestants[place].run()?;
            on_run();
        }
    }
    let baseline = contestants[0].rates();
    let results = contestants.iter().zip(peaks);
    Ok(results
        .map(|(contestant, peak)| result(contestant, *peak, &baseline))
        .collect())
}

fn result(contestant: &Contestant, peak: f64, baseline: &[f64]) -> Training {
    let rates = contestant.rates();
    let (threads, summary) = (contestant.workers.threads(), Summary::of(&rates));
    let gflops = summary.median * contestant.trainee.network().training_flops() / 1e9;
    Training {
        threads,
        samples_per_run: contestant.samples_per_run(),
        seconds: contestant.seconds.clone(),
        summary,
        gflops,
        of_peak: gflops / peak,
        speed_up: (threads > 1).then(|| Estimate::of_ratio(&rates, baseline)),
        samples_per_second: rates,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thread_counts_include_the_largest() {
        let counts = |most| {
            let counts = thread_counts(NonZeroUsize::new(most).expect("not zero"));
            counts.iter().map(|n| n.get()).collect::<Vec<usize>>()
        };
        assert_eq!(counts(1), [1]);
        assert_eq!(counts(3), [1, 2, 3]);
        assert_eq!(counts(4), [1, 2, 3, 4]);
        assert_eq!(counts(8), [1, 2, 4, 8]);
        assert_eq!(counts(12), [1, 2, 4, 8, 12]);
    }

    #[test]
    fn a_run_is_whole_epochs_or_some_steps() {
        let size = |seconds, step| {
            let size = Size::for_seconds(seconds, step, 100);
            (size.passes, size.steps)
        };
        // An epoch takes 0.2 s, five of them a second.
        assert_eq!(size(1.0, 0.002), (5, 100));
        // An epoch takes 10 s.
        assert_eq!(size(1.0, 0.1), (1, 10));
        // A step takes longer than a run should.
        assert_eq!(size(1.0, 3.0), (1, 1));
    }
}
