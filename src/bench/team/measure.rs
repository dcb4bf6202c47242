//! Times some steps of a run with each candidate, on networks of their own.

use std::ops::ControlFlow;
use std::time::Instant;

use super::TeamRate;
use super::timed_run::TimedRun;
use crate::compute::parallel::Workers;
use crate::config::{CheckedConfig, TrainConfig};
use crate::data::order::Order;
use crate::data::{Dataset, Scale};
use crate::error::Result;
use crate::nn::Init;
use crate::schedule::Schedule;
use crate::train::{State, Stepper, TeamShape};

/// About how long all runs take together, in seconds.
const BUDGET: f64 = 0.045;
/// The shortest part of a run that is timed, in seconds, if a step does not take longer.
const PART: f64 = 4e-4;
/// The number of rounds, in each of which every candidate has a run, if there is time for them.
const ROUNDS: usize = 3;
/// The number of training samples that are used, unless a batch has more: the first ones, which the run reads next.
const SAMPLES: usize = 4096;
/// The longest run, in samples and in steps; it is at least two steps.
const LONGEST: (usize, usize) = (1 << 16, 1 << 10);

/// Trains networks like that of `run` for a few steps, one with each of `candidates` in turn, which takes about 50 ms,
/// and frees them. Returns the rate of each.
///
/// The run itself is not touched: it draws its own numbers.
///
/// # Errors
/// Returns the errors of [`Stepper::for_run`], and an error if threads are refused.
pub fn measure(run: &TimedRun, candidates: &[TeamShape]) -> Result<Vec<TeamRate>> {
    let scratch = Scratch::new(run, candidates.len().max(1))?;
    let contestants = candidates
        .iter()
        .map(|&shape| Contestant::new(&scratch, shape));
    let mut contestants = contestants.collect::<Result<Vec<Contestant>>>()?;
    let start = Instant::now();
    for round in 0..ROUNDS {
        contestants
            .iter_mut()
            .for_each(|contestant| contestant.train(&scratch));
        // Forward and backward in alternation, so that a steady change favours no candidate.
        contestants.reverse();
        let (elapsed, rounds) = (start.elapsed().as_secs_f64(), (round + 1) as f64);
        let next_ends = elapsed + elapsed / rounds;
        if elapsed > BUDGET || round > 0 && next_ends > BUDGET {
            break;
        }
    }
    let mut rates: Vec<TeamRate> = contestants.iter().map(|one| one.rate(&scratch)).collect();
    rates.sort_by_key(|rate| rate.shape.threads);
    Ok(rates)
}

/// What all candidates train on, and from.
struct Scratch<'a> {
    run: &'a TimedRun<'a>,
    config: CheckedConfig,
    train: Dataset,
    state: State,
    order: Vec<u32>,
    run_seconds: f64,
}

impl<'a> Scratch<'a> {
    /// Draws the weights by the initialisation that takes the least time.
    fn new(run: &'a TimedRun, candidates: usize) -> Result<Scratch<'a>> {
        let batch_size = run.batch_size();
        let samples = run.train.samples().min(SAMPLES.max(batch_size));
        let mut config = TrainConfig {
            init: Init::Uniform,
            init_range: None,
            ..run.config.clone().into_inner()
        };
        let origin = run.from.and_then(|state| state.origin.clone());
        if config.scale == Scale::Model && origin.is_none() {
            config.scale = Scale::StandardGlobal;
        }
        let config = config.check()?;
        Ok(Scratch {
            run,
            train: run.train.select(&(0..samples as u32).collect::<Vec<u32>>()),
            state: State {
                origin,
                target_scaling: run.from.and_then(|state| state.target_scaling.clone()),
                ..State::start(run.spec, &config)
            },
            config,
            order: order(samples, batch_size),
            run_seconds: BUDGET / (ROUNDS * candidates) as f64,
        })
    }
}

/// A candidate with its network.
struct Contestant {
    shape: TeamShape,
    workers: Workers,
    stepper: Stepper,
    /// The seconds of a step in the fastest run.
    step_seconds: f64,
}

impl Contestant {
    fn new(scratch: &Scratch, shape: TeamShape) -> Result<Contestant> {
        let (config, train, state) = (&scratch.config, &scratch.train, &scratch.state);
        let workers = shape.workers()?;
        // At a learning rate of 0 the weights stay as they are, and no number becomes infinite.
        let schedule = Schedule::constant(0.0);
        let spec = scratch.run.spec;
        let stepper = Stepper::for_run(config, spec, train, schedule, state, &workers)?;
        Ok(Contestant {
            shape,
            workers,
            stepper,
            step_seconds: f64::INFINITY,
        })
    }

    /// Trains for one run of at least two steps, and keeps the time of a step in its fastest part. The first step is not
    /// timed: it brings the weights to the cores of this team. Parts are short, because the system takes some
    /// milliseconds to give each worker a core of its own.
    fn train(&mut self, scratch: &Scratch) {
        let (mut part, mut seconds) = (None, f64::INFINITY);
        let start = Instant::now();
        let mut on_step = |step: usize, _| {
            let now = Instant::now();
            let (first, began) = *part.get_or_insert((step, now));
            let elapsed = (now - began).as_secs_f64();
            if step > first && (elapsed >= PART || seconds.is_infinite()) {
                seconds = seconds.min(elapsed / (step - first) as f64);
            }
            if elapsed >= PART {
                part = Some((step, now));
            }
            match step == 0 || (now - start).as_secs_f64() < scratch.run_seconds {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        };
        let (train, order) = (&scratch.train, &scratch.order);
        self.stepper.pass(&self.workers, train, order, &mut on_step);
        // A clock that stands still must not make a rate infinite.
        self.step_seconds = self.step_seconds.min(seconds.max(1e-9));
    }

    fn rate(&self, scratch: &Scratch) -> TeamRate {
        TeamRate {
            shape: self.shape,
            samples_per_second: scratch.run.batch_size() as f64 / self.step_seconds,
        }
    }
}

/// The samples of the longest run: whole batches of the first `samples` ones, shuffled, as often as needed.
fn order(samples: usize, batch_size: usize) -> Vec<u32> {
    let mut order = Order::new(samples, None);
    order.shuffle(0, 1);
    let steps = (LONGEST.0 / batch_size).clamp(2, LONGEST.1);
    let samples = order.samples().iter().copied().cycle();
    samples.take(steps * batch_size).collect()
}
