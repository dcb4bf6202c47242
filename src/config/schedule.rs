//! How the learning rate goes over a run.

use serde::{Deserialize, Serialize};

use super::Demand;
use crate::schedule::{Schedule, ScheduleName};

/// The settings of the schedule. What is none has the default of the schedule.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ScheduleConfig {
    /// How the learning rate goes.
    pub schedule: ScheduleName,
    /// Epochs in which it rises, fractions allowed.
    pub warmup: f32,
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
    /// One with a value in every option that may be none, for the list of keys.
    pub(super) fn full() -> ScheduleConfig {
        ScheduleConfig {
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

    /// The schedule of a run of `epochs` of `steps_an_epoch`, up to `learning_rate`.
    pub fn schedule(&self, learning_rate: f32, epochs: usize, steps_an_epoch: usize) -> Schedule {
        let all = self.resolved(epochs);
        Schedule {
            name: self.schedule,
            learning_rate,
            least: all.lr_min.unwrap_or(0.0),
            factor: all.lr_factor.unwrap_or(1.0),
            every: all.lr_every.map_or(1.0, f64::from),
            patience: all.lr_patience.unwrap_or(0),
            power: all.lr_power.unwrap_or(0.0),
            warmup: self.warmup.into(),
            epochs,
            steps_an_epoch: steps_an_epoch as u64,
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

    pub(super) fn demands(&self, epochs: usize) -> Vec<Demand> {
        let takes = self.takes();
        let name = self.schedule.name();
        let warmup = self.warmup;
        let mut demands = vec![Demand::new(
            (0.0..=epochs as f32).contains(&warmup),
            "--warmup",
            warmup,
            format!("0 to {epochs}, the epochs of the run"),
        )];
        let belongs = |takes: bool, flag, given: Option<String>, to: &str| {
            given.map(|given| {
                let found = format!("{given} with --schedule {name}");
                Demand::new(takes, flag, found, format!("--schedule {to} beside it"))
            })
        };
        let text = |number: Option<f32>| number.map(|number| number.to_string());
        let patience = self.lr_patience.map(|epochs| epochs.to_string());
        demands.extend(belongs(
            takes.factor,
            "--lr-factor",
            text(self.lr_factor),
            "step, exponential or plateau",
        ));
        demands.extend(belongs(
            takes.every,
            "--lr-every",
            text(self.lr_every),
            "step",
        ));
        demands.extend(belongs(
            takes.patience,
            "--lr-patience",
            patience,
            "plateau",
        ));
        demands.extend(belongs(
            takes.min,
            "--lr-min",
            text(self.lr_min),
            "cosine or plateau",
        ));
        demands.extend(belongs(
            takes.power,
            "--lr-power",
            text(self.lr_power),
            "inverse-scaling",
        ));
        let range = |flag, number: Option<f32>, met: fn(f32) -> bool, expected: &str| {
            number.map(|number| Demand::new(met(number), flag, number, expected))
        };
        demands.extend(range(
            "--lr-factor",
            self.lr_factor,
            |x| x > 0.0 && x < 1.0,
            "above 0 and below 1",
        ));
        demands.extend(range(
            "--lr-every",
            self.lr_every,
            |x| x.is_finite() && x > 0.0,
            "epochs, a finite number above 0",
        ));
        demands.extend(range(
            "--lr-min",
            self.lr_min,
            |x| x.is_finite() && x >= 0.0,
            "a finite number, 0 or above",
        ));
        demands.extend(range(
            "--lr-power",
            self.lr_power,
            |x| x.is_finite() && x > 0.0,
            "a finite number above 0",
        ));
        demands
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
