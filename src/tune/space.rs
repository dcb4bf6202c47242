//! What a search draws from: a range for each setting that is searched.
//!
//! A trial's draws come from a stream of its own and in a fixed order, so that neither the number of trials nor a setting
//! that is fixed changes what another trial or setting gets. Figures are rounded to what one would type.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::config::{LearningRate, OptimizerConfig, OptimizerName, TrainConfig};
use crate::error::{Error, Refusal, Result};
use crate::message::Key;
use crate::nn::Task;
use crate::random::{ChaCha8Rng, Purpose, stream};

/// Both ends of what a setting is drawn from, which belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Range {
    /// The lowest value.
    pub low: f64,
    /// The highest value.
    pub high: f64,
}

/// `0.003..0.5`, or `0.1` where both ends are one.
impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.low == self.high {
            true => write!(f, "{}", self.low),
            false => write!(f, "{}..{}", self.low, self.high),
        }
    }
}

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Range, String> {
        let (low, high) = text.split_once("..").unwrap_or((text, text));
        let number = |text: &str| text.trim().parse().ok();
        let range = number(low).zip(number(high));
        let range = range.map(|(low, high)| Range { low, high });
        range.ok_or_else(|| "expected a range, as 0.01..0.3, or one number to fix it".to_owned())
    }
}

impl TryFrom<String> for Range {
    type Error = String;

    fn try_from(text: String) -> std::result::Result<Range, String> {
        text.parse()
    }
}

impl From<Range> for String {
    fn from(range: Range) -> String {
        range.to_string()
    }
}

impl Range {
    /// From `low` to `high`.
    pub const fn new(low: f64, high: f64) -> Range {
        Range { low, high }
    }

    /// The value at `share` of the way, 0 to 1, on a logarithmic scale.
    fn logarithmic(self, share: f64) -> f64 {
        self.low * (self.high / self.low).powf(share)
    }

    /// The same on an even scale.
    fn even(self, share: f64) -> f64 {
        self.low + (self.high - self.low) * share
    }

    fn clamp(self, value: f64) -> f64 {
        value.clamp(self.low, self.high)
    }
}

/// What each setting is drawn from; none where it is as the settings of the search have it.
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
    /// Samples a step: a power of two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<Range>,
    /// The share of hidden units that is dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropout: Option<Range>,
    /// Weight decay, on a logarithmic scale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<Range>,
    /// The share of the truth that is spread over all classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_smoothing: Option<Range>,
    /// Whether half of the trials have batch normalisation, where their network and batches allow it.
    pub batch_norm: bool,
}

/// A range that begins at 0 is 0 in half of the trials. On a logarithmic scale the others then lie within so many of its
/// end.
const SPAN_ABOVE_ZERO: f64 = 1000.0;

impl Space {
    /// The ranges that suit `optimizer` and `task`, for everything that is searched.
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

    /// Every range, with its key and what it must lie within.
    fn limits(&self) -> [(Key, Option<Range>, RangeInclusive<f64>, &'static str); 7] {
        let (tiny, large) = (f64::from(f32::MIN_POSITIVE), f64::from(u32::MAX));
        let shares = "0 to 0.99, the lower end first";
        [
            (
                Key("learning_rate"),
                self.lr,
                tiny..=1e6,
                "above 0 and at most 1e6, the lower end first",
            ),
            (
                Key("width"),
                self.width,
                1.0..=large,
                "1 to 4294967295, the lower end first",
            ),
            (
                Key("depth"),
                self.depth,
                0.0..=64.0,
                "0 to 64, the lower end first",
            ),
            (
                Key("batch_size"),
                self.batch_size,
                1.0..=large,
                "1 to 4294967295, the lower end first",
            ),
            (Key("dropout"), self.dropout, 0.0..=0.99, shares),
            (
                Key("weight_decay"),
                self.weight_decay,
                0.0..=1e6,
                "0 to 1e6, the lower end first",
            ),
            (
                Key("label_smoothing"),
                self.label_smoothing,
                0.0..=0.99,
                shares,
            ),
        ]
    }

    /// The ranges that are searched, by their keys.
    pub fn searched(&self) -> impl Iterator<Item = (Key, Range)> {
        let limits = self.limits().into_iter();
        limits.filter_map(|(key, range, ..)| Some((key, range?)))
    }

    /// Holds every range against what it can be.
    ///
    /// # Errors
    /// [`Error::Config`] naming the key of the first that is out of its limits.
    pub fn check(&self) -> Result<()> {
        for (key, range, limits, expected) in self.limits() {
            let Some(range) = range else { continue };
            let within = limits.contains(&range.low) && limits.contains(&range.high);
            if !within || range.low > range.high {
                let refusal = Refusal::new(key, range.to_string(), expected);
                return Err(Error::Config(refusal));
            }
        }
        Ok(())
    }

    /// The settings of trial number `trial`, from 1: those of `base` with what is searched drawn under its seed.
    pub fn draw(&self, base: &TrainConfig, trial: usize) -> TrainConfig {
        let mut draws = Draws(stream(base.seed, Purpose::Trial, trial as u32));
        // Every draw is made, whether or not it is used.
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
            // Each number of layers has an equal share of the way.
            let steps = depths.high.floor() - depths.low.ceil() + 1.0;
            let depth = depths.low.ceil() + (depth * steps).floor().min(steps - 1.0);
            config.hidden = vec![width as usize; depth as usize];
        }
        if let Some(range) = self.batch_size {
            let power = range.logarithmic(batch_size).log2().round().exp2();
            config.batch_size = range.clamp(power) as usize;
        }
        if let Some(range) = self.dropout {
            config.regularization.dropout = dropout.even(range, 100.0) as f32;
        }
        if let Some(range) = self.weight_decay {
            config.optimizer.weight_decay = Some(weight_decay.logarithmic(range) as f32);
        }
        if let Some(range) = self.label_smoothing {
            config.regularization.label_smoothing = label_smoothing.even(range, 100.0) as f32;
        }
        if self.batch_norm {
            config.batch_norm = batch_norm && !config.hidden.is_empty() && config.batch_size > 1;
        }
        config
    }
}

/// A trial's stream.
struct Draws(ChaCha8Rng);

impl Draws {
    /// 0 to below 1.
    fn share(&mut self) -> f64 {
        self.0.random()
    }

    fn seldom(&mut self) -> Seldom {
        Seldom {
            used: self.0.random(),
            share: self.0.random(),
        }
    }
}

/// A draw of something that half of the trials go without, where its range begins at 0.
struct Seldom {
    used: bool,
    share: f64,
}

impl Seldom {
    /// On an even scale, in `parts` of 1.
    fn even(self, range: Range, parts: f64) -> f64 {
        match range.low == 0.0 && !self.used {
            true => 0.0,
            false => range.clamp((range.even(self.share) * parts).round() / parts),
        }
    }

    fn logarithmic(self, range: Range) -> f64 {
        let above = match range.low {
            0.0 if !self.used || range.high == 0.0 => return 0.0,
            0.0 => Range::new(range.high / SPAN_ABOVE_ZERO, range.high),
            _ => range,
        };
        above.clamp(three_digits(above.logarithmic(self.share)))
    }
}

/// `value` rounded to three digits.
fn three_digits(value: f64) -> f64 {
    format!("{value:.2e}").parse().unwrap_or(value)
}

fn multiple_of_8(value: f64) -> f64 {
    (value / 8.0).round() * 8.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> TrainConfig {
        TrainConfig::default()
    }

    #[test]
    fn a_trial_is_drawn_by_the_seed_and_its_number_alone() {
        let space = Space::around(OptimizerName::Sgd, Task::Classification);
        let (first, base) = (space.draw(&base(), 0), base());
        assert_eq!(first, space.draw(&base, 0));
        assert_ne!(first, space.draw(&base, 1));
        let other = TrainConfig {
            seed: 2,
            ..base.clone()
        };
        assert_ne!(first.optimizer, space.draw(&other, 0).optimizer);
        // What is fixed changes nothing else.
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
    fn every_draw_lies_in_its_range_and_all_of_the_range_is_drawn_from() {
        for optimizer in OptimizerName::ALL {
            let space = Space::around(optimizer, Task::Classification);
            space.check().expect("good ranges");
            let trials: Vec<TrainConfig> =
                (0..400).map(|trial| space.draw(&base(), trial)).collect();
            for config in &trials {
                config.check().expect("good settings");
            }
            let holds = |range: Option<Range>, value: &dyn Fn(&TrainConfig) -> f64| {
                let range = range.expect("a range");
                let values: Vec<f64> = trials.iter().map(value).collect();
                let least = values.iter().copied().fold(f64::INFINITY, f64::min);
                let most = values.iter().copied().fold(0.0, f64::max);
                let slack = 1.0 + 1e-6;
                assert!(least * slack >= range.low && most <= range.high * slack);
                // Near both ends, as many draws come.
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
    fn ranges_come_back_as_they_were_and_others_are_refused() {
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
