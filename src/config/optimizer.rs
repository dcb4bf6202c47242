//! How a gradient moves the weights: the optimiser, its numbers, penalties, clipping and averaging.
//!
//! Defaults are those of PyTorch, except the momentum of 0.9 and the learning rate of 0.1 of `sgd`, which suit the
//! networks of this program.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::requirement::Requirement;
use super::setting::settings;
use super::value::{named_values, text_values};
use crate::message::{Key, message};
use crate::named::named;
use crate::optim::optimizer::{Adam, Lion, RmsProp, Sgd};
use crate::optim::{Optimizer, Rule};

named! {
    /// The name of an optimiser.
    ///
    /// ```
    /// use perceptor::OptimizerName;
    ///
    /// assert_eq!(OptimizerName::default(), OptimizerName::Sgd);
    /// assert_eq!(OptimizerName::Adamw.name(), "adamw");
    /// ```
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
    pub enum OptimizerName {
        /// Stochastic gradient descent with momentum.
        #[default]
        Sgd = "sgd",
        /// Stochastic gradient descent with Nesterov's momentum.
        Nesterov = "nesterov",
        /// Adam; weight decay is part of the gradient.
        Adam = "adam",
        /// Adam with decoupled weight decay.
        Adamw = "adamw",
        /// RMSprop.
        Rmsprop = "rmsprop",
        /// Lion, with decoupled weight decay.
        Lion = "lion",
    }
}

named_values!(OptimizerName);
text_values!(LearningRate: "X");

impl OptimizerName {
    /// The default learning rate.
    pub fn default_learning_rate(self) -> f32 {
        match self {
            OptimizerName::Sgd | OptimizerName::Nesterov => 0.1,
            OptimizerName::Adam | OptimizerName::Adamw => 1e-3,
            OptimizerName::Rmsprop => 1e-2,
            OptimizerName::Lion => 1e-4,
        }
    }

    /// The default numbers; `None` for those it does not have.
    fn defaults(self) -> Numbers {
        let none = Numbers::default();
        match self {
            OptimizerName::Sgd | OptimizerName::Nesterov => Numbers {
                momentum: Some(0.9),
                ..none
            },
            OptimizerName::Adam | OptimizerName::Adamw => Numbers {
                beta1: Some(0.9),
                beta2: Some(0.999),
                epsilon: Some(1e-8),
                ..none
            },
            OptimizerName::Rmsprop => Numbers {
                momentum: Some(0.0),
                alpha: Some(0.99),
                epsilon: Some(1e-8),
                ..none
            },
            OptimizerName::Lion => Numbers {
                beta1: Some(0.9),
                beta2: Some(0.99),
                ..none
            },
        }
    }

    fn default_weight_decay(self) -> f32 {
        match self {
            OptimizerName::Adamw => 0.01,
            _ => 0.0,
        }
    }
}

/// The numbers of an optimiser.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Numbers {
    momentum: Option<f32>,
    beta1: Option<f32>,
    beta2: Option<f32>,
    alpha: Option<f32>,
    epsilon: Option<f32>,
}

/// A learning rate, or the choice to find one by a range test before the run.
///
/// ```
/// use perceptor::LearningRate;
///
/// assert_eq!("0.1".parse(), Ok(LearningRate::Value(0.1)));
/// assert_eq!("auto".parse(), Ok(LearningRate::Auto));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LearningRate {
    /// Found by [`crate::train::range_test()`].
    Auto,
    /// This number.
    Value(f32),
}

impl FromStr for LearningRate {
    type Err = String;

    fn from_str(text: &str) -> Result<LearningRate, String> {
        if text == "auto" {
            return Ok(LearningRate::Auto);
        }
        let number = text.parse().map(LearningRate::Value);
        number.map_err(|_| "expected a number or auto".to_owned())
    }
}

impl fmt::Display for LearningRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LearningRate::Auto => f.write_str("auto"),
            LearningRate::Value(rate) => rate.fmt(f),
        }
    }
}

impl Serialize for LearningRate {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            LearningRate::Auto => to.serialize_str("auto"),
            LearningRate::Value(rate) => to.serialize_f32(*rate),
        }
    }
}

impl<'de> Deserialize<'de> for LearningRate {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<LearningRate, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = LearningRate;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a number or \"auto\"")
            }

            fn visit_f64<E>(self, rate: f64) -> Result<LearningRate, E> {
                Ok(LearningRate::Value(rate as f32))
            }

            fn visit_i64<E>(self, rate: i64) -> Result<LearningRate, E> {
                Ok(LearningRate::Value(rate as f32))
            }

            fn visit_u64<E>(self, rate: u64) -> Result<LearningRate, E> {
                Ok(LearningRate::Value(rate as f32))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<LearningRate, E> {
                match text {
                    "auto" => Ok(LearningRate::Auto),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
                }
            }
        }
        from.deserialize_any(Visitor)
    }
}

settings! {
    /// The settings of the optimiser. A number that is not set has the default of the optimiser.
    ///
    /// ```
    /// use perceptor::{LearningRate, OptimizerConfig, OptimizerName, TrainConfig};
    ///
    /// let config = TrainConfig {
    ///     optimizer: OptimizerConfig {
    ///         optimizer: OptimizerName::Adamw,
    ///         learning_rate: Some(LearningRate::Value(0.003)),
    ///         ..OptimizerConfig::default()
    ///     },
    ///     ..TrainConfig::default()
    /// };
    /// assert!(config.check().is_ok());
    /// ```
    pub struct OptimizerConfig, Optimizer {
        /// Optimiser.
        optimizer: OptimizerName = OptimizerName::default() => common;
        /// Learning rate, or `auto` to find one by a range test.
        ///
        /// It multiplies the mean gradient of a batch, and is the highest rate of the schedule.
        learning_rate | "lr": Option<LearningRate> = None =>
            default("0.1 for sgd and nesterov, 0.001 for adam and adamw, 0.01 for rmsprop, 0.0001 for lion"),
            part_of("optimizer"), common, searched;
        /// Momentum of sgd, nesterov and rmsprop, 0 to below 1.
        momentum: Option<f32> = None => default("0.9, for rmsprop 0"), part_of("optimizer");
        /// Decay rate of the first moment in adam, adamw and lion, 0 to below 1.
        beta1: Option<f32> = None => default("0.9"), part_of("optimizer");
        /// Decay rate of the second moment in adam and adamw, and of the momentum in lion, 0 to below 1.
        beta2: Option<f32> = None => default("0.999, for lion 0.99"), part_of("optimizer");
        /// Decay rate of the mean square in rmsprop, 0 to below 1.
        alpha: Option<f32> = None => default("0.99"), part_of("optimizer");
        /// Number added to the root in the denominator, in adam, adamw and rmsprop.
        epsilon: Option<f32> = None => default("1e-8"), part_of("optimizer");
        /// Weight decay, on weights only: part of the gradient, but decoupled in adamw and lion.
        ///
        /// Biases and the scales of batch normalisation do not decay.
        weight_decay: Option<f32> = None =>
            under(Heading::Regularization), default("0, for adamw 0.01"), part_of("optimizer"), searched;
        /// L1 penalty, on weights only.
        l1: f32 = 0.0 => under(Heading::Regularization);
        /// Largest Euclidean norm of the weights into a hidden unit.
        max_norm: Option<f32> = None => under(Heading::Regularization);
        /// Scale the gradient down to this Euclidean norm.
        clip_norm: Option<f32> = None;
        /// Limit the elements of the gradient to this magnitude.
        clip_value: Option<f32> = None;
        /// Decay rate of a moving average of the weights, such as 0.999; the average is evaluated and saved.
        ///
        /// At step t the rate is at most (1 + t) / (10 + t).
        average | "ema": Option<f32> = None;
    }
}

impl OptimizerConfig {
    /// The settings with the defaults of the optimiser filled in; a learning rate of `auto` stays.
    pub fn resolved(&self) -> OptimizerConfig {
        let name = self.optimizer;
        let defaults = name.defaults();
        OptimizerConfig {
            learning_rate: Some(
                self.learning_rate
                    .unwrap_or(LearningRate::Value(name.default_learning_rate())),
            ),
            momentum: self.momentum.or(defaults.momentum),
            beta1: self.beta1.or(defaults.beta1),
            beta2: self.beta2.or(defaults.beta2),
            alpha: self.alpha.or(defaults.alpha),
            epsilon: self.epsilon.or(defaults.epsilon),
            weight_decay: Some(self.weight_decay.unwrap_or(name.default_weight_decay())),
            ..self.clone()
        }
    }

    /// The learning rate; `None` if it is `auto`.
    pub fn rate(&self) -> Option<f32> {
        match self.resolved().learning_rate {
            Some(LearningRate::Value(rate)) => Some(rate),
            Some(LearningRate::Auto) | None => None,
        }
    }

    /// The rule that is applied to every gradient.
    pub fn rule(&self) -> Rule {
        let all = self.resolved();
        let number = |number: Option<f32>| number.unwrap_or(0.0);
        let (momentum, epsilon) = (number(all.momentum), number(all.epsilon));
        let (beta1, beta2) = (number(all.beta1), number(all.beta2));
        let optimizer = match self.optimizer {
            OptimizerName::Sgd | OptimizerName::Nesterov => Optimizer::Sgd(Sgd {
                momentum,
                nesterov: self.optimizer == OptimizerName::Nesterov,
            }),
            OptimizerName::Adam | OptimizerName::Adamw => Optimizer::Adam(Adam {
                beta1,
                beta2,
                epsilon,
                decoupled: self.optimizer == OptimizerName::Adamw,
            }),
            OptimizerName::Rmsprop => Optimizer::RmsProp(RmsProp {
                alpha: number(all.alpha),
                epsilon,
                momentum,
            }),
            OptimizerName::Lion => Optimizer::Lion(Lion { beta1, beta2 }),
        };
        Rule {
            optimizer,
            weight_decay: number(all.weight_decay),
            l1: self.l1,
            max_norm: self.max_norm,
            clip_norm: self.clip_norm,
            clip_value: self.clip_value,
            average: self.average,
        }
    }

    pub(super) fn requirements(&self) -> Vec<Requirement> {
        let mut requirements = Vec::new();
        match self.resolved().learning_rate {
            Some(LearningRate::Value(rate)) => {
                requirements.push(Requirement::above_zero(Key("learning_rate"), rate));
            }
            Some(LearningRate::Auto) | None => {}
        }
        let takes = self.optimizer.defaults();
        let numbers = [
            (
                Key("momentum"),
                self.momentum,
                takes.momentum,
                "sgd, nesterov or rmsprop",
            ),
            (Key("beta1"), self.beta1, takes.beta1, "adam, adamw or lion"),
            (Key("beta2"), self.beta2, takes.beta2, "adam, adamw or lion"),
            (Key("alpha"), self.alpha, takes.alpha, "rmsprop"),
            (
                Key("epsilon"),
                self.epsilon,
                takes.epsilon,
                "adam, adamw or rmsprop",
            ),
        ];
        for (key, given, takes, of) in numbers {
            let Some(given) = given else { continue };
            let name = self.optimizer.name();
            requirements.push(Requirement::new(
                takes.is_some(),
                key,
                message![given, " with ", Key("optimizer").set_to(name)],
                Key("optimizer").set_to(of),
            ));
            requirements.push(match key {
                Key("epsilon") => Requirement::above_zero(key, given),
                _ => Requirement::share(key, given),
            });
        }
        for (key, penalty) in [
            (Key("weight_decay"), self.weight_decay.unwrap_or(0.0)),
            (Key("l1"), self.l1),
        ] {
            let is_met = penalty.is_finite() && penalty >= 0.0;
            let expected = "a finite number, 0 or above";
            requirements.push(Requirement::new(is_met, key, penalty, expected));
        }
        for (key, limit) in [
            (Key("max_norm"), self.max_norm),
            (Key("clip_norm"), self.clip_norm),
            (Key("clip_value"), self.clip_value),
        ] {
            requirements.extend(limit.map(|limit| Requirement::above_zero(key, limit)));
        }
        let average = self.average;
        requirements.extend(average.map(|share| Requirement::share(Key("average"), share)));
        requirements
    }
}
