//! How a gradient moves the weights: the optimiser, its numbers, and what stands beside it.
//!
//! What is left out has the default of the optimiser, which is PyTorch's, but for the momentum of 0.9 with `sgd` and
//! its rate of 0.1, which suit the networks of this program.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::demand::Demand;
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

impl OptimizerName {
    /// The learning rate that suits it where none is given.
    pub fn default_learning_rate(self) -> f32 {
        match self {
            OptimizerName::Sgd | OptimizerName::Nesterov => 0.1,
            OptimizerName::Adam | OptimizerName::Adamw => 1e-3,
            OptimizerName::Rmsprop => 1e-2,
            OptimizerName::Lion => 1e-4,
        }
    }

    /// The numbers it takes, with their defaults; none for those it does not have.
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

/// A learning rate, or that it is to be found by a range test before the run.
///
/// ```
/// use perceptor::LearningRate;
///
/// assert_eq!("0.1".parse(), Ok(LearningRate::Value(0.1)));
/// assert_eq!("auto".parse(), Ok(LearningRate::Auto));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LearningRate {
    /// To be found: [`crate::train::range_test()`].
    Auto,
    /// This one.
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

/// The settings of the optimiser. What is none has the default of the optimiser.
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
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OptimizerConfig {
    /// The optimiser.
    pub optimizer: OptimizerName,
    /// The learning rate η (`--lr`), on the mean gradient of a batch; the highest one of the schedule.
    #[serde(alias = "lr", skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<LearningRate>,
    /// The momentum μ of sgd, nesterov and rmsprop, 0 to below 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub momentum: Option<f32>,
    /// β₁ of adam, adamw and lion, 0 to below 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beta1: Option<f32>,
    /// β₂ of adam, adamw and lion, 0 to below 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beta2: Option<f32>,
    /// The share α of the old mean square in the new of rmsprop, 0 to below 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alpha: Option<f32>,
    /// What keeps the quotients of adam, adamw and rmsprop finite, ε.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epsilon: Option<f32>,
    /// Weight decay λ of weights, not of biases nor of the scales γ of batch normalisation; decoupled with adamw and lion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<f32>,
    /// L1 penalty λ₁ of weights, not of biases.
    pub l1: f32,
    /// The largest Euclidean norm of the weights into a hidden unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_norm: Option<f32>,
    /// The largest Euclidean norm of the whole gradient.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f32>,
    /// The largest magnitude of an element of the gradient.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip_value: Option<f32>,
    /// The share δ of the old in the moving average of the weights (`--ema`), which is evaluated and saved in their place.
    #[serde(alias = "ema", skip_serializing_if = "Option::is_none")]
    pub average: Option<f32>,
}

impl OptimizerConfig {
    /// Takes another optimiser, with its own defaults: the numbers of the one before are none of this one. What stands
    /// beside any optimiser stays.
    pub fn switch_to(&mut self, optimizer: OptimizerName) {
        if optimizer != self.optimizer {
            *self = OptimizerConfig {
                optimizer,
                l1: self.l1,
                max_norm: self.max_norm,
                clip_norm: self.clip_norm,
                clip_value: self.clip_value,
                average: self.average,
                ..OptimizerConfig::default()
            };
        }
    }

    /// One with a value in every option that may be none, for the list of keys.
    pub(super) fn full() -> OptimizerConfig {
        OptimizerConfig {
            learning_rate: Some(LearningRate::Auto),
            momentum: Some(0.0),
            beta1: Some(0.0),
            beta2: Some(0.0),
            alpha: Some(0.0),
            epsilon: Some(1.0),
            weight_decay: Some(0.0),
            max_norm: Some(1.0),
            clip_norm: Some(1.0),
            clip_value: Some(1.0),
            average: Some(0.0),
            ..OptimizerConfig::default()
        }
    }

    /// The same with the optimiser's defaults where nothing was set; a learning rate that is to be found stays so.
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

    /// The learning rate; none where it is still to be found.
    pub fn rate(&self) -> Option<f32> {
        match self.resolved().learning_rate {
            Some(LearningRate::Value(rate)) => Some(rate),
            Some(LearningRate::Auto) | None => None,
        }
    }

    /// What is done with every gradient.
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

    pub(super) fn demands(&self) -> Vec<Demand> {
        let mut demands = vec![Demand::new(
            self.rate()
                .is_none_or(|rate| rate.is_finite() && rate > 0.0),
            Key("learning_rate"),
            self.learning_rate.unwrap_or(LearningRate::Auto).to_string(),
            "a finite number above 0",
        )];
        let takes = self.optimizer.defaults();
        let shares = [
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
        for (key, given, takes, of) in shares {
            let Some(given) = given else { continue };
            let found = message![
                given,
                " with ",
                Key("optimizer").set_to(self.optimizer.name())
            ];
            demands.push(Demand::new(
                takes.is_some(),
                key,
                found,
                message![Key("optimizer").set_to(of), " beside it"],
            ));
            demands.push(match key {
                Key("epsilon") => above_zero(key, given),
                _ => Demand::new((0.0..1.0).contains(&given), key, given, "0 to below 1"),
            });
        }
        for (key, penalty) in [
            (Key("weight_decay"), self.weight_decay.unwrap_or(0.0)),
            (Key("l1"), self.l1),
        ] {
            let met = penalty.is_finite() && penalty >= 0.0;
            demands.push(Demand::new(
                met,
                key,
                penalty,
                "a finite number, 0 or above",
            ));
        }
        let limits = [
            (Key("max_norm"), self.max_norm),
            (Key("clip_norm"), self.clip_norm),
            (Key("clip_value"), self.clip_value),
        ];
        for (key, limit) in limits {
            demands.extend(limit.map(|limit| above_zero(key, limit)));
        }
        let share = self.average;
        let share = share.map(|share| {
            Demand::new(
                (0.0..1.0).contains(&share),
                Key("average"),
                share,
                "0 to below 1",
            )
        });
        demands.extend(share);
        demands
    }
}

fn above_zero(key: Key, number: f32) -> Demand {
    let met = number.is_finite() && number > 0.0;
    Demand::new(met, key, number, "a finite number above 0")
}
