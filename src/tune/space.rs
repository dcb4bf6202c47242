//! The ranges that a search draws settings from.
//!
//! Each trial has its own random stream and draws in a fixed order, so that neither the number of trials nor a fixed setting
//! changes what another trial or setting draws. Values are rounded to few digits.

use serde::{Deserialize, Serialize};

use super::draws::{Draws, multiple_of_8, three_digits};
use super::range::Range;
use crate::config::{LearningRate, OptimizerConfig, OptimizerName, TrainConfig};
use crate::error::{Error, Refusal, Result};
use crate::message::Key;
use crate::nn::Task;
use crate::random::{Purpose, stream};

/// The range of each searched setting; `None` for the value in the settings of the search.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Space {
    /// The learning rate, on a logarithmic scale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lr: Option<Range>,
    /// The width of every hidden layer, on a logarithmic scale, a multiple of 8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<Range>,
    /// The number of hidden layers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depth: Option<Range>,
    /// Samples per step, a power of two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<Range>,
    /// The share of hidden units to drop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropout: Option<Range>,
    /// Weight decay, on a logarithmic scale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<Range>,
    /// The share of the target to spread over all classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_smoothing: Option<Range>,
    /// Whether half of the trials have batch normalisation, if their network and batches allow it.
    pub batch_norm: bool,
}

/// A setting that is drawn from a range.
#[derive(Debug)]
pub struct Searched {
    /// The key of the setting, or of a part of it: `width` and `depth` make `hidden`.
    pub key: &'static str,
    /// How values are drawn, for the help.
    pub scale: &'static str,
    /// The default range, for the help.
    pub default: &'static str,
    /// The range of a space.
    pub get: fn(&Space) -> Option<Range>,
    /// Sets the range of a space.
    pub set: fn(&mut Space, Option<Range>),
    limits: (f64, f64),
    expected: &'static str,
}

/// Every setting that is drawn from a range.
pub static SEARCHED: [Searched; 7] = [
    Searched {
        key: "learning_rate",
        scale: "on a logarithmic scale",
        default: "0.03 to 5 times that of the optimiser, for sgd 0.003..0.5",
        get: |space| space.lr,
        set: |space, range| space.lr = range,
        limits: (f32::MIN_POSITIVE as f64, 1e6),
        expected: "above 0 and at most 1e6, the lower end first",
    },
    Searched {
        key: "width",
        scale: "on a logarithmic scale, a multiple of 8",
        default: "64..1024",
        get: |space| space.width,
        set: |space, range| space.width = range,
        limits: (1.0, u32::MAX as f64),
        expected: "1 to 4294967295, the lower end first",
    },
    Searched {
        key: "depth",
        scale: "all numbers alike",
        default: "1..3",
        get: |space| space.depth,
        set: |space, range| space.depth = range,
        limits: (0.0, 64.0),
        expected: "0 to 64, the lower end first",
    },
    Searched {
        key: "batch_size",
        scale: "a power of two",
        default: "32..512",
        get: |space| space.batch_size,
        set: |space, range| space.batch_size = range,
        limits: (1.0, u32::MAX as f64),
        expected: "1 to 4294967295, the lower end first",
    },
    Searched {
        key: "dropout",
        scale: "on a linear scale",
        default: "0..0.5",
        get: |space| space.dropout,
        set: |space, range| space.dropout = range,
        limits: (0.0, 0.99),
        expected: "0 to 0.99, the lower end first",
    },
    Searched {
        key: "weight_decay",
        scale: "on a logarithmic scale",
        default: "0..0.001, for adamw and lion 0..0.1",
        get: |space| space.weight_decay,
        set: |space, range| space.weight_decay = range,
        limits: (0.0, 1e6),
        expected: "0 to 1e6, the lower end first",
    },
    Searched {
        key: "label_smoothing",
        scale: "on a linear scale",
        default: "0..0.2",
        get: |space| space.label_smoothing,
        set: |space, range| space.label_smoothing = range,
        limits: (0.0, 0.99),
        expected: "0 to 0.99, the lower end first",
    },
];

impl Space {
    /// Returns the ranges of all searched settings that suit `optimizer` and `task`.
    pub fn around(optimizer: OptimizerName, task: Task) -> Space {
        let classes = task == Task::Classification;
        let rate = f64::from(optimizer.default_learning_rate());
        let config = OptimizerConfig {
            optimizer,
            ..OptimizerConfig::default()
        };
        let decoupled = config.rule().optimizer.decouples_decay();
        Space {
            lr: Some(Range::new(
                three_digits(0.03 * rate),
                three_digits(5.0 * rate),
            )),
            width: Some(Range::new(64.0, 1024.0)),
            depth: Some(Range::new(1.0, 3.0)),
            batch_size: Some(Range::new(32.0, 512.0)),
            dropout: Some(Range::new(0.0, 0.5)),
            weight_decay: Some(Range::new(0.0, if decoupled { 0.1 } else { 0.001 })),
            label_smoothing: classes.then_some(Range::new(0.0, 0.2)),
            batch_norm: true,
        }
    }

    /// The ranges that are searched, with their keys.
    pub fn searched(&self) -> impl Iterator<Item = (Key, Range)> {
        let ranges = SEARCHED.iter();
        ranges.filter_map(|searched| Some((Key(searched.key), (searched.get)(self)?)))
    }

    /// Checks that every range lies within its limits.
    ///
    /// # Errors
    /// Returns [`Error::Config`] with the key of the first range that does not.
    pub fn check(&self) -> Result<()> {
        for searched in &SEARCHED {
            let Some(range) = (searched.get)(self) else {
                continue;
            };
            let (least, most) = searched.limits;
            let limits = least..=most;
            let is_within = limits.contains(&range.low) && limits.contains(&range.high);
            if !is_within || range.low > range.high {
                let refusal = Refusal::new(Key(searched.key), range.to_string(), searched.expected);
                return Err(Error::Config(refusal));
            }
        }
        Ok(())
    }

    /// Returns the settings of a trial, counted from 1: those of `base` with the searched ones drawn under its seed.
    pub fn draw(&self, base: &TrainConfig, trial: usize) -> TrainConfig {
        let mut draws = Draws(stream(base.seed, Purpose::Trial, trial as u32));
        // Every draw is made, even if it is not used.
        let [lr, width, depth, batch_size] = [(); 4].map(|()| draws.share());
        let [dropout, weight_decay, label_smoothing] = [(); 3].map(|()| draws.seldom());
        let batch_norm = draws.share() < 0.5;
        let mut config = base.clone();
        if let Some(range) = self.lr {
            let rate = range.clamp(three_digits(range.logarithmic(lr)));
            config.optimizer.learning_rate = Some(LearningRate::Value(rate as f32));
        }
        if let (Some(widths), Some(depths)) = (self.width, self.depth) {
            let width = widths.clamp(multiple_of_8(widths.logarithmic(width)));
            // Every number of layers is equally likely.
            let steps = depths.high.floor() - depths.low.ceil() + 1.0;
            let depth = depths.low.ceil() + (depth * steps).floor().min(steps - 1.0);
            config.hidden = vec![width as usize; depth as usize];
        }
        if let Some(range) = self.batch_size {
            let power = range.logarithmic(batch_size).log2().round().exp2();
            config.batch_size = range.clamp(power) as usize;
        }
        if let Some(range) = self.dropout {
            config.regularization.dropout = dropout.linear(range, 100.0) as f32;
        }
        if let Some(range) = self.weight_decay {
            config.optimizer.weight_decay = Some(weight_decay.logarithmic(range) as f32);
        }
        if let Some(range) = self.label_smoothing {
            config.regularization.label_smoothing = label_smoothing.linear(range, 100.0) as f32;
        }
        if self.batch_norm {
            config.batch_norm = batch_norm && !config.hidden.is_empty() && config.batch_size > 1;
        }
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> TrainConfig {
        TrainConfig::default()
    }

    #[test]
    fn a_trial_depends_only_on_the_seed_and_its_number() {
        let space = Space::around(OptimizerName::Sgd, Task::Classification);
        let (first, base) = (space.draw(&base(), 0), base());
        assert_eq!(first, space.draw(&base, 0));
        assert_ne!(first, space.draw(&base, 1));
        let other = TrainConfig {
            seed: 2,
            ..base.clone()
        };
        assert_ne!(first.optimizer, space.draw(&other, 0).optimizer);
        // A fixed setting changes no other.
        let fixed = Space {
            width: None,
            depth: None,
            dropout: None,
            ..space.clone()
        };
        for trial in 0..50 {
            let (free, fixed) = (space.draw(&base, trial), fixed.draw(&base, trial));
            assert_eq!(fixed.hidden, base.hidden);
            assert_eq!(fixed.regularization.dropout, base.regularization.dropout);
            assert_eq!(free.optimizer, fixed.optimizer);
            assert_eq!(free.batch_size, fixed.batch_size);
            assert_eq!(
                free.regularization.label_smoothing,
                fixed.regularization.label_smoothing
            );
        }
    }

    #[test]
    fn draws_cover_their_range_and_stay_in_it() {
        for optimizer in OptimizerName::ALL {
            let space = Space::around(optimizer, Task::Classification);
            space.check().expect("good ranges");
            let trials: Vec<TrainConfig> =
                (0..400).map(|trial| space.draw(&base(), trial)).collect();
            for config in &trials {
                config.clone().check().expect("valid settings");
            }
            let holds = |range: Option<Range>, value: &dyn Fn(&TrainConfig) -> f64| {
                let range = range.expect("a range");
                let values: Vec<f64> = trials.iter().map(value).collect();
                let least = values.iter().copied().fold(f64::INFINITY, f64::min);
                let most = values.iter().copied().fold(0.0, f64::max);
                let slack = 1.0 + 1e-6;
                assert!(least * slack >= range.low && most <= range.high * slack);
                // 400 draws come near both ends.
                assert!(
                    least <= 1.1 * range.low && most >= 0.9 * range.high,
                    "{least} to {most}"
                );
                let zeros = values.iter().filter(|value| **value == 0.0).count();
                assert_eq!(zeros > 0, range.low == 0.0);
                assert!(zeros == 0 || (140..260).contains(&zeros), "{zeros} of 400");
            };
            holds(space.lr, &|c| c.optimizer.rate().expect("a rate").into());
            holds(space.width, &|c| c.hidden[0] as f64);
            holds(space.depth, &|c| c.hidden.len() as f64);
            holds(space.batch_size, &|c| c.batch_size as f64);
            holds(space.dropout, &|c| c.regularization.dropout.into());
            holds(space.weight_decay, &|c| {
                c.optimizer.weight_decay.expect("some").into()
            });
            holds(space.label_smoothing, &|c| {
                c.regularization.label_smoothing.into()
            });
            let normalised = trials.iter().filter(|c| c.batch_norm).count();
            assert!((140..260).contains(&normalised), "{normalised} of 400");
            assert!(trials.iter().all(|c| c.batch_size.is_power_of_two()));
            assert!(trials.iter().all(|c| c.hidden[0] % 8 == 0));
        }
    }

    #[test]
    fn a_range_of_one_number_is_that_number() {
        let one = |number| Some(Range::new(number, number));
        let space = Space {
            lr: one(0.0123456),
            width: one(30.0),
            depth: one(2.0),
            batch_size: one(100.0),
            dropout: one(0.123),
            weight_decay: one(0.0),
            label_smoothing: one(0.0),
            batch_norm: false,
        };
        for trial in 0..20 {
            let config = space.draw(&base(), trial);
            assert_eq!(config.optimizer.rate(), Some(0.0123456));
            assert_eq!(config.hidden, [30, 30]);
            assert_eq!(config.batch_size, 100);
            assert_eq!(config.regularization.dropout, 0.123);
            assert_eq!(config.optimizer.weight_decay, Some(0.0));
            assert_eq!(config.regularization.label_smoothing, 0.0);
        }
    }

    #[test]
    fn ranges_are_read_and_written_and_other_texts_are_refused() {
        for text in ["0.003..0.5", "1..3", "64", "0..0.001"] {
            let range: Range = text.parse().expect("a range");
            assert_eq!(range.to_string(), text);
        }
        for wrong in ["", "..", "1..", "..2", "a..b", "1,2"] {
            assert!(wrong.parse::<Range>().is_err(), "{wrong}");
        }
        for range in ["0..1", "1..0.1", "nan..1"] {
            let space = Space {
                lr: range.parse().ok(),
                ..Space::default()
            };
            let refused = space.check().expect_err("a refusal").to_string();
            assert!(refused.starts_with("learning_rate: "), "{refused}");
        }
    }
}
