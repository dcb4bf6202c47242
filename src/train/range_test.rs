//! A range test: finds a learning rate for a network before it is trained.
//!
//! A separate network is trained for some steps while the learning rate rises evenly on a logarithmic scale (L. Smith,
//! *Cyclical Learning Rates for Training Neural Networks*, 2017). The loss first falls, then levels off, then rises.
//! The learning rate at its lowest point is about the largest with which training is stable, and a tenth of it trains
//! well.

use std::ops::ControlFlow;

use serde::Serialize;

use super::prepare::spec_for;
use super::samples::total_weight;
use super::state::State;
use super::stepper::Stepper;
use crate::compute::parallel::Workers;
use crate::config::CheckedConfig;
use crate::data::Splits;
use crate::data::order::Order;
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};
use crate::schedule::{Schedule, ScheduleName};

/// Steps from the lowest learning rate to the highest.
const STEPS: usize = 250;
/// The lowest and the highest learning rate, as multiples of the optimiser's default.
const LOWEST: f32 = 1e-4;
const HIGHEST: f32 = 1e2;
/// The weight of the previous value in the running mean of the losses.
const SMOOTHING: f64 = 0.9;
/// A loss this many times the lowest one ends the test, once there is a lowest one.
const EXPLODED: f64 = 3.0;
/// The chosen learning rate as a share of the one at the lowest loss.
const SAFETY: f32 = 0.1;
/// The number of first losses that cannot be the lowest, because the running mean has too few values.
const FIRST: usize = 10;

/// What a range test found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RangeTest {
    /// The chosen learning rate, to two digits.
    pub chosen: f32,
    /// The learning rate at which the running mean of the losses was lowest.
    pub at_lowest: f32,
    /// The learning rate of each step.
    pub learning_rates: Vec<f32>,
    /// The running mean of the losses after each step, in nats.
    pub losses: Vec<f64>,
}

/// Finds a learning rate for `config` on the training set of `data`, starting from the weights of the state `from` or
/// from those that a run would draw. The test set and the schedule of `config` are not used. The result depends on the
/// same things as that of a run.
///
/// # Errors
/// Returns the errors of [`super::trainer::Training::run`], and [`Error::Config`] if no learning rate lowers the loss.
pub fn range_test(
    config: &CheckedConfig,
    data: &Splits,
    workers: &Workers,
    from: Option<&State>,
) -> Result<RangeTest> {
    let spec = spec_for(config, data)?;
    let train = &data.train;
    let default = config.optimizer.optimizer.default_learning_rate();
    let schedule = Schedule {
        name: ScheduleName::Exponential,
        factor: (HIGHEST / LOWEST).powf(1.0 / (STEPS - 1) as f32),
        // One step per epoch, so that the factor applies at each step.
        steps_per_epoch: 1,
        ..Schedule::constant(default * LOWEST)
    };
    let drawn;
    let state = match from {
        Some(state) => state,
        None => {
            drawn = State::start(&spec, config);
            &drawn
        }
    };
    let mut stepper = Stepper::for_run(config, &spec, train, schedule, state, workers)?;
    let (loss, batch_size) = (stepper.loss().clone(), stepper.batch_size());
    let mut order = Order::new(train.samples(), config.window_for(train.samples()));
    let mut curve = Curve::default();
    for pass in 0.. {
        order.shuffle(config.seed, pass);
        let steps = (STEPS - curve.losses.len()).min(train.samples().div_ceil(batch_size));
        let items = &order.samples()[..train.samples().min(steps * batch_size)];
        let mut batches = items.chunks(batch_size);
        stepper.pass(workers, train, items, &mut |_, sum| {
            let weight = total_weight(&loss, train, batches.next().unwrap_or_default());
            let rate = schedule.at(curve.losses.len() as u64, 1.0);
            curve.add(rate, sum / weight)
        });
        if curve.ended || curve.losses.len() >= STEPS {
            break;
        }
    }
    curve.choose()
}

/// The losses so far.
#[derive(Debug, Default)]
struct Curve {
    learning_rates: Vec<f32>,
    losses: Vec<f64>,
    mean: f64,
    ended: bool,
}

impl Curve {
    fn add(&mut self, rate: f32, loss: f64) -> ControlFlow<()> {
        self.mean = SMOOTHING * self.mean + (1.0 - SMOOTHING) * loss;
        let age = self.losses.len() as i32 + 1;
        let loss = self.mean / (1.0 - SMOOTHING.powi(age));
        let far_above = |(_, lowest)| loss > EXPLODED * lowest;
        self.ended = !loss.is_finite() || self.lowest().is_some_and(far_above);
        if self.ended {
            return ControlFlow::Break(());
        }
        self.learning_rates.push(rate);
        self.losses.push(loss);
        ControlFlow::Continue(())
    }

    /// The step with the lowest loss, and that loss; `None` while there are only the first losses.
    fn lowest(&self) -> Option<(usize, f64)> {
        let losses = self.losses.iter().copied().enumerate().skip(FIRST);
        losses.min_by(|a, b| a.1.total_cmp(&b.1))
    }

    fn choose(self) -> Result<RangeTest> {
        // If the first loss that counts is the lowest, the loss has only risen.
        let Some((lowest, _)) = self.lowest().filter(|&(at, _)| at > FIRST) else {
            let loss = self.losses.first().copied().unwrap_or(f64::NAN);
            return Err(Error::Config(
                Refusal::new(
                    Key("learning_rate").set_to("auto"),
                    format!("no learning rate lowered the loss of {loss:.4}"),
                    "one that does",
                )
                .hint(message![
                    "look at the data and at ",
                    Key("scale"),
                    " and ",
                    Key("init"),
                    ", or give a number"
                ]),
            ));
        };
        let at_lowest = self.learning_rates[lowest];
        Ok(RangeTest {
            chosen: two_digits(SAFETY * at_lowest),
            at_lowest,
            learning_rates: self.learning_rates,
            losses: self.losses,
        })
    }
}

/// `number` to two significant digits.
fn two_digits(number: f32) -> f32 {
    format!("{number:.1e}").parse().unwrap_or(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(losses: impl Iterator<Item = f64>) -> Curve {
        let mut curve = Curve::default();
        for (step, loss) in losses.enumerate() {
            let rate = 1e-3 * 1.1f32.powi(step as i32);
            if curve.add(rate, loss).is_break() {
                break;
            }
        }
        curve
    }

    fn valley() -> impl Iterator<Item = f64> {
        (0..100).map(|step| 1.0 + (f64::from(step) - 60.0).powi(2) / 3600.0)
    }

    #[test]
    fn a_lucky_first_batch_changes_nothing() {
        let lucky = std::iter::once(0.1).chain(valley().skip(1));
        let (lucky, plain) = (curve(lucky).choose(), curve(valley()).choose());
        assert_eq!(
            lucky.expect("a valley").chosen,
            plain.expect("a valley").chosen
        );
    }

    #[test]
    fn chooses_a_tenth_of_the_rate_with_the_lowest_loss() {
        let found = curve(valley()).choose().expect("a valley");
        // The running mean lags by a few steps.
        let at = found
            .learning_rates
            .iter()
            .position(|&rate| rate == found.at_lowest);
        assert!((60..75).contains(&at.expect("one of them")), "{at:?}");
        assert!((found.chosen / found.at_lowest - 0.1).abs() < 0.005);
    }

    #[test]
    fn ends_when_the_loss_explodes() {
        let cliff = (0..100).map(|step| {
            if step < 50 {
                1.0 - 0.01 * f64::from(step)
            } else {
                1e30
            }
        });
        let curve = curve(cliff);
        assert!(curve.ended && curve.losses.len() == 50);
        assert!(curve.choose().is_ok());
        let nothing = super::tests::curve((0..100).map(|step| 1.0 + f64::from(step)));
        assert!(nothing.choose().is_err());
    }

    #[test]
    fn rounds_to_two_digits() {
        assert_eq!(two_digits(0.123_456), 0.12);
        assert_eq!(two_digits(9.96e-4), 1e-3);
    }
}
