//! A run between two steps: what a checkpoint holds, and what a resumed run starts from.
//!
//! Every random stream of a run is derived from the seed, a purpose and an epoch ([`crate::random`]), and the order of
//! an epoch is drawn when it begins. So no generator has a state to save: the seed, which is a setting, and the
//! position suffice.

use std::fmt;
use std::time::Duration;

use xxhash_rust::xxh3::xxh3_128;

use super::stopping::{Cause, cause};
use crate::config::CheckedConfig;
use crate::data::content_hash::hexadecimal;
use crate::data::{TargetScale, TargetScaling};
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, Message, message};
use crate::model::{Model, Origin};
use crate::nn::{Link, Spec, Task};
use crate::optim::AVERAGE;
use crate::scores::EpochMetrics;
use crate::tensors::little_endian;

/// How far a run is. Positions are ordered as a run reaches them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Epochs that are done and measured.
    pub epochs: usize,
    /// Steps done in the epoch after these.
    pub steps: usize,
}

/// Writes `step 120 of epoch 4`, or `the end of epoch 3`.
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.epochs, self.steps) {
            (0, 0) => f.write_str("the start"),
            (epochs, 0) => write!(f, "the end of epoch {epochs}"),
            (epochs, steps) => write!(f, "step {steps} of epoch {}", epochs + 1),
        }
    }
}

/// Everything that the remaining steps depend on, in addition to settings and data.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// The epochs that are done, in order.
    pub epochs: Vec<EpochMetrics>,
    /// Steps done in the epoch after these.
    pub steps: usize,
    /// The summed losses of the samples of these steps, in nats.
    pub loss_sum: f64,
    /// The time these steps took.
    pub elapsed: Duration,
    /// The parameters, `[parameters]`.
    pub parameters: Vec<f32>,
    /// The slots of the optimiser, in the order of [`crate::optim::Rule::slots`], each laid out like the parameters.
    /// Before the first step they are as [`State::start`] makes them.
    pub slots: Vec<Vec<f32>>,
    /// The parameters after the best epoch so far, if they are kept: see [`crate::config::EarlyStop`].
    pub best: Option<Vec<f32>>,
    /// The time the run has taken so far, including evaluation.
    pub spent: Duration,
    /// The model that the run began from; `None` if its weights were drawn.
    pub origin: Option<Origin>,
    /// How targets are standardised; `None` if they are used unchanged. It is fitted when a run with drawn weights starts.
    pub target_scaling: Option<TargetScaling>,
}

impl State {
    /// The start of a run with drawn weights.
    pub fn start(spec: &Spec, config: &CheckedConfig) -> State {
        let parameters = config.start().parameters(spec, config.seed);
        State::of_parameters(config, parameters, None)
    }

    /// The start of a run of the network `spec` from the weights of `model`.
    ///
    /// # Errors
    /// Returns [`Error::Config`] if `model` is another network, or if its targets are standardised and `config` says that
    /// they are not, or the other way round.
    pub fn warm_start(spec: &Spec, config: &CheckedConfig, model: &Model) -> Result<State> {
        if *spec != model.spec {
            let words = |spec: &Spec| {
                let mut words = format!("{spec}, {}", spec.activation().name());
                if spec.batch_norm() {
                    words += ", batch norm";
                }
                if spec.link() == Link::Log {
                    words += ", log link";
                }
                match spec.task() {
                    Task::Classification => words,
                    task => format!("{words}, {}", task.name()),
                }
            };
            let ends = |spec: &Spec| (spec.inputs(), spec.outputs());
            let hint = match ends(spec) == ends(&model.spec) {
                true => message![
                    "leave ",
                    Key("hidden"),
                    ", ",
                    Key("activation"),
                    ", ",
                    Key("batch_norm"),
                    " and ",
                    Key("task"),
                    " out to train the model's own network",
                ],
                false => Message::from(
                    "a model can only be trained further on data with as many features and classes",
                ),
            };
            return Err(Error::Config(
                Refusal::new(
                    Key("init_from"),
                    format!("a model {}", words(&model.spec)),
                    format!("{}, the network of this run", words(spec)),
                )
                .hint(hint),
            ));
        }
        check_target_scale(config, model)?;
        let hash = xxh3_128(&little_endian(&model.parameters));
        let origin = Origin {
            scaling: model.scaling.clone(),
            parameters: hexadecimal(hash),
        };
        Ok(State {
            target_scaling: model.target_scaling.clone(),
            ..State::of_parameters(config, model.parameters.clone(), Some(origin))
        })
    }

    fn of_parameters(
        config: &CheckedConfig,
        parameters: Vec<f32>,
        origin: Option<Origin>,
    ) -> State {
        let begin = |name| match name {
            AVERAGE => parameters.clone(),
            _ => vec![0.0; parameters.len()],
        };
        let slots = config.optimizer.rule().slots();
        State {
            epochs: Vec::new(),
            steps: 0,
            loss_sum: 0.0,
            elapsed: Duration::ZERO,
            slots: slots.into_iter().map(begin).collect(),
            parameters,
            best: None,
            spent: Duration::ZERO,
            origin,
            target_scaling: None,
        }
    }

    /// Whether no step has been taken.
    pub(crate) fn is_start(&self) -> bool {
        self.epochs.is_empty() && self.steps == 0
    }

    /// Why a run of `config` is over here; `None` if it continues.
    pub fn over(&self, config: &CheckedConfig) -> Option<Cause> {
        let limit = config.validation.max_time;
        let late = !self.is_start() && limit.is_some_and(|limit| self.spent >= limit.0);
        cause(config, &self.epochs).or(late.then_some(Cause::MaxTime))
    }

    /// How far the run is.
    pub fn position(&self) -> Position {
        Position {
            epochs: self.epochs.len(),
            steps: self.steps,
        }
    }
}

/// Checks that `config` standardises targets as `model` has learned them, unless it leaves that open.
fn check_target_scale(config: &CheckedConfig, model: &Model) -> Result<()> {
    let own = match model.target_scaling {
        Some(_) => TargetScale::Standard,
        None => TargetScale::None,
    };
    match config.task.target_scale {
        Some(given) if given != own => {
            let expected = format!("{}, as in the model", own.name());
            let refusal = Refusal::new(Key("target_scale"), given.name(), expected);
            Err(Error::Config(refusal.hint(message![
                "leave ",
                Key("target_scale"),
                " out to train on targets as the model has learned them",
            ])))
        }
        _ => Ok(()),
    }
}
