//! The learning rate over a run.

use super::requirement::Requirement;
use super::setting::settings;
use crate::message::{Key, message};
use crate::schedule::{Schedule, ScheduleName};

settings! {
    /// The settings of the learning rate's schedule. A number that is not set has the default of the schedule.
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
    pub struct ScheduleConfig, Schedule {
        /// Schedule of the learning rate.
        schedule: ScheduleName = ScheduleName::default() => common;
        /// Epochs over which the learning rate first rises from zero, such as 0.5; with one-cycle, until its peak.
        warmup: Option<f32> = None => placeholder("EPOCHS"), default("0, for one-cycle 0.3 of all");
        /// Factor of step, exponential (per epoch) and plateau, above 0 and below 1.
        lr_factor: Option<f32> = None => default("0.1, for exponential 0.95"), part_of("schedule");
        /// Epochs from one multiplication to the next, of step.
        lr_every: Option<f32> = None =>
            placeholder("EPOCHS"), default("a third of all"), part_of("schedule");
        /// Epochs without a lower loss before plateau multiplies.
        lr_patience: Option<usize> = None => placeholder("EPOCHS"), default("10"), part_of("schedule");
        /// Lowest learning rate of cosine and plateau.
        lr_min: Option<f32> = None => default("0"), part_of("schedule");
        /// Power p of inverse-scaling, rate / (1 + epochs)^p.
        lr_power: Option<f32> = None => placeholder("P"), default("0.5"), part_of("schedule");
    }
}

impl ScheduleConfig {
    /// The settings with the defaults of the schedule filled in, for a run of `epochs`.
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

    /// The schedule of a run of `epochs` of `steps_per_epoch` each, up to `learning_rate`.
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

    /// The requirements for a run of `epochs`, up to `learning_rate` if that is known.
    pub(super) fn requirements(
        &self,
        epochs: usize,
        learning_rate: Option<f32>,
    ) -> Vec<Requirement> {
        let takes = self.takes();
        let patience = self.lr_patience.map(|epochs| epochs as f32);
        let numbers = [
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
        let belong = numbers.into_iter().filter_map(|(key, given, takes, of)| {
            let name = self.schedule.name();
            let found = message![given?, " with ", Key("schedule").set_to(name)];
            let expected = Key("schedule").set_to(of);
            Some(Requirement::new(takes, key, found, expected))
        });
        self.warmup_requirement(epochs)
            .into_iter()
            .chain(belong)
            .chain(self.ranges(learning_rate))
            .collect()
    }

    fn warmup_requirement(&self, epochs: usize) -> Option<Requirement> {
        self.warmup.map(|warmup| {
            let is_met = (0.0..=epochs as f32).contains(&warmup);
            let expected = format!("0 to {epochs}, the epochs of the run");
            Requirement::new(is_met, Key("warmup"), warmup, expected)
        })
    }

    /// The ranges of the schedule's numbers.
    fn ranges(&self, learning_rate: Option<f32>) -> impl Iterator<Item = Requirement> {
        let (top, least) = match learning_rate {
            Some(rate) => (rate, format!("0 to the learning rate, {rate}")),
            None => (f32::MAX, "a finite number, 0 or above".to_owned()),
        };
        let is_positive = |number: f32| number.is_finite() && number > 0.0;
        let factor = self.lr_factor.map(|factor| {
            let is_met = factor > 0.0 && factor < 1.0;
            Requirement::new(is_met, Key("lr_factor"), factor, "above 0 and below 1")
        });
        let every = self.lr_every.map(|every| {
            let expected = "epochs, a finite number above 0";
            Requirement::new(is_positive(every), Key("lr_every"), every, expected)
        });
        let lowest = self.lr_min.map(|lowest| {
            let is_met = (0.0..=top).contains(&lowest);
            Requirement::new(is_met, Key("lr_min"), lowest, least)
        });
        let power = self.lr_power;
        let power = power.map(|power| Requirement::above_zero(Key("lr_power"), power));
        [factor, every, lowest, power].into_iter().flatten()
    }
}

/// The numbers that a schedule has.
struct Takes {
    factor: bool,
    every: bool,
    patience: bool,
    min: bool,
    power: bool,
}
