//! How the learning rate goes over a run.

use serde::{Deserialize, Serialize};

use super::demand::Demand;
use crate::message::{Key, message};
use crate::schedule::{Schedule, ScheduleName};

/// The settings of the schedule. What is none has the default of the schedule.
///
/// ```
/// use perceptor::{ScheduleConfig, TrainConfig};
///
/// // The learning rate rises to its full value over the first two epochs.
/// let config = TrainConfig {
///     schedule: ScheduleConfig {
///         warmup: Some(2.0),
///         ..ScheduleConfig::default()
///     },
///     ..TrainConfig::default()
/// };
/// assert!(config.check().is_ok());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ScheduleConfig {
    /// How the learning rate goes.
    pub schedule: ScheduleName,
    /// Epochs in which it rises, fractions allowed; none for what the schedule has: 0.3 of all epochs of one-cycle, and no
    /// rise of the others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warmup: Option<f32>,
    /// What step, exponential and plateau multiply it by, above 0 and below 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lr_factor: Option<f32>,
    /// Epochs from one multiplication to the next of step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lr_every: Option<f32>,
    /// Epochs without a lower loss that plateau bears.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lr_patience: Option<usize>,
    /// The lowest learning rate of cosine and plateau.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lr_min: Option<f32>,
    /// The power of inverse scaling.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lr_power: Option<f32>,
}

impl ScheduleConfig {
    /// Takes another schedule, with its own defaults: the numbers of the one before are none of this one. The warm-up
    /// stays, which goes before any.
    pub fn switch_to(&mut self, schedule: ScheduleName) {
        if schedule != self.schedule {
            *self = ScheduleConfig {
                schedule,
                warmup: self.warmup,
                ..ScheduleConfig::default()
            };
        }
    }

    /// One with a value in every option that may be none, for the list of keys.
    pub(super) fn full() -> ScheduleConfig {
        ScheduleConfig {
            warmup: Some(0.0),
            lr_factor: Some(0.5),
            lr_every: Some(1.0),
            lr_patience: Some(1),
            lr_min: Some(0.0),
            lr_power: Some(1.0),
            ..ScheduleConfig::default()
        }
    }

    /// The same with the schedule's defaults where nothing was set, for a run of `epochs`.
    pub fn resolved(&self, epochs: usize) -> ScheduleConfig {
        let takes = self.takes();
        let default =
            |takes: bool, given: Option<f32>, default: f32| given.or(takes.then_some(default));
        let factor = match self.schedule {
            ScheduleName::Exponential => 0.95,
            _ => 0.1,
        };
        ScheduleConfig {
            lr_factor: default(takes.factor, self.lr_factor, factor),
            lr_every: default(takes.every, self.lr_every, epochs.div_ceil(3).max(1) as f32),
            lr_patience: self.lr_patience.or(takes.patience.then_some(10)),
            lr_min: default(takes.min, self.lr_min, 0.0),
            lr_power: default(takes.power, self.lr_power, 0.5),
            ..self.clone()
        }
    }

    /// The schedule of a run of `epochs` of `steps_per_epoch`, up to `learning_rate`.
    pub fn schedule(&self, learning_rate: f32, epochs: usize, steps_per_epoch: usize) -> Schedule {
        let all = self.resolved(epochs);
        Schedule {
            name: self.schedule,
            learning_rate,
            min_learning_rate: all.lr_min.unwrap_or(0.0),
            factor: all.lr_factor.unwrap_or(1.0),
            every: all.lr_every.map_or(1.0, f64::from),
            patience: all.lr_patience.unwrap_or(0),
            power: all.lr_power.unwrap_or(0.0),
            warmup: self.warmup.map(f64::from),
            epochs,
            steps_per_epoch: steps_per_epoch as u64,
        }
    }

    fn takes(&self) -> Takes {
        let is = |names: &[ScheduleName]| names.contains(&self.schedule);
        use ScheduleName::{Cosine, Exponential, InverseScaling, Plateau, Step};
        Takes {
            factor: is(&[Step, Exponential, Plateau]),
            every: is(&[Step]),
            patience: is(&[Plateau]),
            min: is(&[Cosine, Plateau]),
            power: is(&[InverseScaling]),
        }
    }

    /// For a run of `epochs`, up to `learning_rate` where that is known.
    pub(super) fn demands(&self, epochs: usize, learning_rate: Option<f32>) -> Vec<Demand> {
        let takes = self.takes();
        let name = self.schedule.name();
        let positive = |number: f32| number.is_finite() && number > 0.0;
        let warmup = self.warmup.map(|warmup| {
            let met = (0.0..=epochs as f32).contains(&warmup);
            let expected = format!("0 to {epochs}, the epochs of the run");
            Demand::new(met, Key("warmup"), warmup, expected)
        });
        let patience = self.lr_patience.map(|epochs| epochs as f32);
        let (top, least) = match learning_rate {
            Some(rate) => (rate, format!("0 to the learning rate, {rate}")),
            None => (f32::MAX, "a finite number, 0 or above".to_owned()),
        };
        let options = [
            (
                Key("lr_factor"),
                self.lr_factor,
                takes.factor,
                "step, exponential or plateau",
            ),
            (Key("lr_every"), self.lr_every, takes.every, "step"),
            (Key("lr_patience"), patience, takes.patience, "plateau"),
            (Key("lr_min"), self.lr_min, takes.min, "cosine or plateau"),
            (
                Key("lr_power"),
                self.lr_power,
                takes.power,
                "inverse-scaling",
            ),
        ];
        let belong = options.into_iter().filter_map(|(key, given, takes, to)| {
            let found = message![given?, " with ", Key("schedule").set_to(name)];
            let expected = message![Key("schedule").set_to(to), " beside it"];
            Some(Demand::new(takes, key, found, expected))
        });
        let range = |key, given: Option<f32>, met: &dyn Fn(f32) -> bool, expected: &str| {
            given.map(|given| Demand::new(met(given), key, given, expected))
        };
        let factor = |x| x > 0.0 && x < 1.0;
        let below_top = |x| (0.0..=top).contains(&x);
        let ranges = [
            range(
                Key("lr_factor"),
                self.lr_factor,
                &factor,
                "above 0 and below 1",
            ),
            range(
                Key("lr_every"),
                self.lr_every,
                &positive,
                "epochs, a finite number above 0",
            ),
            range(Key("lr_min"), self.lr_min, &below_top, &least),
            range(
                Key("lr_power"),
                self.lr_power,
                &positive,
                "a finite number above 0",
            ),
        ];
        warmup
            .into_iter()
            .chain(belong)
            .chain(ranges.into_iter().flatten())
            .collect()
    }
}

/// Which options a schedule has.
struct Takes {
    factor: bool,
    every: bool,
    patience: bool,
    min: bool,
    power: bool,
}
