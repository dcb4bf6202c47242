//! Samples per second in training, at each number of threads in turn.
//!
//! A pass is what [`crate::train::train`] does in an epoch, without evaluation: shuffle, and train on every sample.
//! Each number of threads trains a network of its own, and runs take turns, so that a slow minute of the machine
//! affects all.

use std::ops::ControlFlow;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::peak::Peak;
use super::phases::Phases;
use super::statistics::{Estimate, Summary};
use crate::compute::parallel::Workers;
use crate::config::CheckedConfig;
use crate::data::Dataset;
use crate::data::order::Order;
use crate::error::Result;
use crate::nn::Spec;
use crate::train::divergence::LossWatch;
use crate::train::{Profile, State, StepHandler, Stepper};

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

/// What is trained.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The settings.
    pub config: &'a CheckedConfig,
    /// The network.
    pub spec: &'a Spec,
    /// The training set.
    pub data: &'a Dataset,
    /// The state that every number of threads starts from.
    pub start: &'a State,
}

/// A network in training.
struct Trainee<'a> {
    subject: Subject<'a>,
    stepper: Stepper,
    order: Order,
    epoch: usize,
}

impl<'a> Trainee<'a> {
    /// Makes the network and its buffers.
    fn new(subject: Subject<'a>, workers: &Workers) -> Result<Trainee<'a>> {
        let Subject {
            config,
            spec,
            data,
            start,
        } = subject;
        let samples = data.samples();
        let batch_size = config.batch_for(samples);
        let schedule = config.schedule(samples.div_ceil(batch_size))?;
        Ok(Trainee {
            subject,
            stepper: Stepper::for_run(config, spec, data, schedule, start, workers)?,
            order: Order::new(samples, config.window_for(samples)),
            epoch: 0,
        })
    }

    /// Steps in an epoch.
    fn steps(&self) -> usize {
        self.samples().div_ceil(self.stepper.batch_size())
    }

    /// Samples in an epoch.
    fn samples(&self) -> usize {
        self.subject.data.samples()
    }

    /// Shuffles for the next epoch and takes its first `steps` steps. Returns the time in seconds, of which the
    /// shuffle counts in proportion to the steps.
    fn pass(&mut self, workers: &Workers, steps: usize) -> Result<f64> {
        let start = Instant::now();
        self.shuffle();
        let shuffle = start.elapsed().as_secs_f64();
        self.take_steps(steps, |stepper, data, samples, on_step| {
            stepper.pass(workers, data, samples, on_step);
        })?;
        let rest = start.elapsed().as_secs_f64() - shuffle;
        Ok(rest + shuffle * steps.min(self.steps()) as f64 / self.steps() as f64)
    }

    /// Takes steps as [`Trainee::pass`] does, with clocks.
    fn profiled_pass(&mut self, workers: &Workers, steps: usize) -> Result<Profile> {
        self.shuffle();
        self.take_steps(steps, |stepper, data, samples, on_step| {
            stepper.profiled_pass(workers, data, samples, on_step)
        })
    }

    fn shuffle(&mut self) {
        self.epoch += 1;
        self.order.shuffle(self.subject.config.seed, self.epoch);
    }

    /// Lets `pass` take up to `steps` steps of the epoch, until a loss is no longer finite, and reads ahead meanwhile.
    fn take_steps<R>(
        &mut self,
        steps: usize,
        pass: impl FnOnce(&mut Stepper, &Dataset, &[u32], &mut StepHandler) -> R,
    ) -> Result<R> {
        let (data, stepper) = (self.subject.data, &mut self.stepper);
        let batch_size = stepper.batch_size();
        let all = self.order.samples();
        let samples = &all[..all.len().min(steps * batch_size)];
        let mut watch = LossWatch::default();
        let result = self.order.reading_ahead(data.rows(), |advance| {
            advance(0);
            let mut on_step = |step: usize, loss: f64| {
                watch.step(step, loss)?;
                advance(samples.len().min((step + 1) * batch_size));
                ControlFlow::Continue(())
            };
            pass(stepper, data, samples, &mut on_step)
        });
        watch.check(self.epoch, 0, self.stepper.last_learning_rate())?;
        Ok(result)
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

    /// Takes the steps of a run, at most an epoch, with clocks.
    fn phases(&mut self, peak: &Peak) -> Result<Phases> {
        self.trainee.pass(&self.workers, 1)?;
        let steps = self.size.steps;
        let profile = self.trainee.profiled_pass(&self.workers, steps)?;
        Ok(Phases::new(&profile, steps, peak))
    }

    fn samples_per_run(&self) -> usize {
        let batch_size = self.trainee.stepper.batch_size();
        self.size.passes * self.trainee.samples().min(self.size.steps * batch_size)
    }

    fn rates(&self) -> Vec<f64> {
        let samples = self.samples_per_run() as f64;
        self.seconds.iter().map(|s| samples / s).collect()
    }

    /// The speed relative to the rates of `baseline`, and to the `peak` of as many threads.
    fn training(&self, peak: &Peak, baseline: &[f64]) -> Training {
        let rates = self.rates();
        let (threads, summary) = (self.workers.threads(), Summary::of(&rates));
        let gflops = summary.median * self.trainee.stepper.network().training_flops() / 1e9;
        Training {
            threads,
            samples_per_run: self.samples_per_run(),
            seconds: self.seconds.clone(),
            summary,
            gflops,
            of_peak: gflops / peak.gflops,
            speed_up: (threads > 1).then(|| Estimate::of_ratio(&rates, baseline)),
            samples_per_second: rates,
        }
    }
}

/// Teams of workers, each of which trains a network of its own.
pub(super) struct Contest<'a> {
    contestants: Vec<Contestant<'a>>,
    /// The peak of each team.
    peaks: &'a [Peak],
}

impl<'a> Contest<'a> {
    /// Warms up each of `teams`, the first of which is the baseline of speed-ups, and derives runs of about `seconds`
    /// from that. `on_part` is called after each.
    ///
    /// # Errors
    /// Returns the errors of [`crate::train::train`].
    ///
    /// # Panics
    /// Panics if there is not one peak for each team.
    pub(super) fn start(
        subject: Subject<'a>,
        (teams, peaks): (Vec<Workers>, &'a [Peak]),
        seconds: f64,
        on_part: &mut dyn FnMut(),
    ) -> Result<Contest<'a>> {
        assert_eq!(teams.len(), peaks.len(), "one peak for each team");
        let mut contestants = Vec::with_capacity(teams.len());
        for workers in teams {
            let trainee = Trainee::new(subject, &workers)?;
            contestants.push(Contestant::new(workers, trainee, seconds)?);
            on_part();
        }
        Ok(Contest { contestants, peaks })
    }

    /// Trains `runs` times with each team, in turn, and calls `on_run` after each run.
    ///
    /// # Errors
    /// Returns the errors of [`crate::train::train`].
    ///
    /// # Panics
    /// Panics if there are no teams or no runs.
    pub(super) fn train(&mut self, runs: usize, on_run: &mut dyn FnMut()) -> Result<Vec<Training>> {
        for run in 0..runs {
            // Forward and backward in alternation, so that a steady change favours no team.
            let count = self.contestants.len();
            for place in 0..count {
                let place = if run % 2 == 0 {
                    place
                } else {
                    count - 1 - place
                };
                self.contestants[place].run()?;
                on_run();
            }
        }
        let baseline = self.contestants[0].rates();
        let results = self.contestants.iter().zip(self.peaks);
        Ok(results
            .map(|(contestant, peak)| contestant.training(peak, &baseline))
            .collect())
    }

    /// Takes steps with clocks with each team, and calls `on_team` after each.
    ///
    /// # Errors
    /// Returns the errors of [`crate::train::train`].
    pub(super) fn phases(&mut self, on_team: &mut dyn FnMut()) -> Result<Vec<Phases>> {
        let teams = self.contestants.iter_mut().zip(self.peaks);
        let phases = teams.map(|(contestant, peak)| {
            let phases = contestant.phases(peak);
            on_team();
            phases
        });
        phases.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
