//! Times some steps of a run with each candidate, on a network of its own.

use std::ops::ControlFlow;
use std::time::Instant;

use super::TeamRate;
use super::timed_run::{LONG_STEP, TimedRun};
use crate::compute::parallel::Workers;
use crate::config::TrainConfig;
use crate::data::order::Order;
use crate::data::{Dataset, Scale};
use crate::error::Result;
use crate::nn::Init;
use crate::schedule::Schedule;
use crate::train::{State, Stepper, TeamShape};

/// About how long all runs take together, in seconds.
const BUDGET: f64 = 0.015;
/// The number of rounds, in each of which every candidate has a run, if there is time for them.
const ROUNDS: usize = 3;
/// The number of training samples that are used, unless a batch has more: the first ones, which the run reads next.
const SAMPLES: usize = 4096;
/// The longest run, in samples and in steps; it is at least two steps.
const LONGEST: (usize, usize) = (1 << 16, 1 << 10);

/// Trains a network like that of `run` for a few steps with each of `candidates` in turn, which takes about 20 ms,
/// and frees it. Returns the rate of each or, if a step is long even with the last candidate, of that one only.
///
/// The run itself is not touched: it draws its own numbers.
///
/// # Errors
/// Returns the errors of [`Stepper::for_run`], and an error if threads are refused.
pub fn measure(run: &TimedRun, candidates: &[TeamShape]) -> Result<Vec<TeamRate>> {
    let batch_size = run.batch_size();
    let samples = run.train.samples().min(SAMPLES.max(batch_size)) as u32;
    let train = run.train.select(&(0..samples).collect::<Vec<u32>>());
    let teams = candidates.iter().map(|shape| Workers::new(shape.threads));
    let teams = teams.collect::<Result<Vec<Workers>>>()?;
    let Some(last) = teams.last() else {
        return Ok(Vec::new());
    };
    let mut bench = Bench {
        stepper: stepper(run, &train, last)?,
        order: order(samples as usize, batch_size),
        train,
        run_seconds: BUDGET / (ROUNDS * teams.len()) as f64,
    };
    let longest = bench.step_seconds(last);
    if longest > LONG_STEP {
        return Ok(rates(
            &candidates[teams.len() - 1..],
            &[longest],
            batch_size,
        ));
    }
    let mut steps = vec![f64::INFINITY; teams.len()];
    let start = Instant::now();
    for round in 0..ROUNDS {
        // Forward and backward in alternation, so that a steady change favours no candidate.
        for place in 0..teams.len() {
            let place = match round % 2 {
                0 => teams.len() - 1 - place,
                _ => place,
            };
            steps[place] = steps[place].min(bench.step_seconds(&teams[place]));
        }
        let (elapsed, rounds) = (start.elapsed().as_secs_f64(), (round + 1) as f64);
        let next_ends = elapsed + elapsed / rounds;
        if elapsed > BUDGET || round > 0 && next_ends > BUDGET {
            break;
        }
    }
    Ok(rates(candidates, &steps, batch_size))
}

/// Makes a network like that of the run, which trains on `train`. Its weights are drawn by the initialisation that
/// takes the least time.
fn stepper(run: &TimedRun, train: &Dataset, workers: &Workers) -> Result<Stepper> {
    let mut config = TrainConfig {
        init: Init::Uniform,
        init_range: None,
        ..run.config.clone().into_inner()
    };
    let origin = run.from.and_then(|state| state.origin.clone());
    if config.scale == Scale::Model && origin.is_none() {
        config.scale = Scale::Standard;
    }
    let config = config.check()?;
    let state = State {
        origin,
        ..State::start(run.spec, &config)
    };
    // At a learning rate of 0 the weights stay as they are, and no number becomes infinite.
    let schedule = Schedule::constant(0.0);
    Stepper::for_run(&config, run.spec, train, schedule, &state, workers)
}

/// What all candidates share.
struct Bench {
    stepper: Stepper,
    train: Dataset,
    order: Vec<u32>,
    run_seconds: f64,
}

impl Bench {
    /// Returns the seconds of a step in one run of at least two steps. The first one is not timed: it brings the weights
    /// to the cores of this team.
    fn step_seconds(&mut self, workers: &Workers) -> f64 {
        let (mut start, mut seconds) = (None, f64::INFINITY);
        let mut on_step = |step: usize, _| {
            let Some(start): Option<Instant> = start else {
                start = Some(Instant::now());
                return ControlFlow::Continue(());
            };
            let elapsed = start.elapsed().as_secs_f64();
            seconds = elapsed / step as f64;
            match elapsed < self.run_seconds {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        };
        let (train, order) = (&self.train, &self.order);
        self.stepper.pass(workers, train, order, &mut on_step);
        // A clock that stands still must not make a rate infinite.
        seconds.max(1e-9)
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

fn rates(shapes: &[TeamShape], steps: &[f64], batch_size: usize) -> Vec<TeamRate> {
    let rate = |(&shape, seconds): (&TeamShape, &f64)| TeamRate {
        shape,
        samples_per_second: batch_size as f64 / seconds,
    };
    shapes.iter().zip(steps).map(rate).collect()
}
