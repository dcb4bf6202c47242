//! What a run needs before its first step: the network of its settings, the inputs it sees, and whether memory and the state
//! it goes on from are enough for it.

use super::state::State;
use crate::compute::parallel::Workers;
use crate::compute::shared::SharedBuffer;
use crate::config::TrainConfig;
use crate::data::scaling::check_finite;
use crate::data::{Dataset, Preprocessing, Scale, Splits};
use crate::error::{Error, Refusal, Result};
use crate::nn::Spec;
use crate::optim::Rule;

/// The network that `config` describes for `data`.
///
/// # Errors
/// [`Error::Config`] for a setting out of range, or one that does not go with `data` or that they have no sets for.
pub fn spec_for(config: &TrainConfig, data: &Splits) -> Result<Spec> {
    config.check()?;
    let (validation, test) = (data.validation.is_some(), data.test.is_some());
    config.validation.check_sets(validation, test)?;
    let train = &data.train;
    config.check_data(train)?;
    let (features, outputs) = (train.features(), train.outputs());
    let spec = Spec::new(features, &config.hidden, outputs, config.activation)?;
    let spec = spec.for_task(train.task());
    spec.with_batch_norm(config.batch_norm)
}

/// How items of `train` become inputs; under the scaling of the model that a run began from, where that is asked for.
///
/// # Errors
/// As [`Preprocessing::for_run`].
pub(super) fn preprocessing_for(
    config: &TrainConfig,
    train: &Dataset,
    from: Option<&State>,
    workers: &Workers,
) -> Result<Preprocessing> {
    let images = train.images();
    match (config.scale, from.and_then(|state| state.origin.as_ref())) {
        (Scale::Model, Some(origin)) => {
            check_finite(images)?;
            Ok(Preprocessing::under(
                origin.scaling,
                config,
                images,
                workers,
            ))
        }
        _ => Preprocessing::for_run(config, images, workers),
    }
}

/// Asks for what a run needs at its peak and gives it back: a network that does not fit is refused in words, before the
/// hours it would have taken.
pub(super) fn check_memory(spec: &Spec, config: &TrainConfig) -> Result<()> {
    SharedBuffer::<f32>::zeroed(spec.parameters().saturating_mul(copies(config))).map(drop)
}

/// How many times the parameters there are at the end: weights and transpose, the flat parameters, and two copies of them
/// on their way to the file, while they may be on their way to a checkpoint, twice as well; each slot of the optimiser
/// once, and twice on its way to a checkpoint; the gradient where its norm is limited; and where the best weights so far
/// are kept, these, on their way to a checkpoint, and in a network to measure.
fn copies(config: &TrainConfig) -> usize {
    let rule = config.optimizer.rule();
    let gradient = usize::from(rule.clip_norm.is_some());
    let best = match config.validation.early_stop {
        None => 0,
        Some(_) => 5,
    };
    7 + 3 * rule.slots().len() + gradient + best
}

/// Holds a state against the network and the steps of an epoch.
pub(super) fn check_state(state: &State, spec: &Spec, rule: &Rule, steps: usize) -> Result<()> {
    let (slots, expected) = (rule.slots(), spec.parameters());
    let fits = |flat: &Vec<f32>| flat.len() == expected;
    let kept = state.slots.iter().chain(&state.best);
    let whole = fits(&state.parameters) && kept.into_iter().all(fits);
    if whole && state.slots.len() == slots.len() && state.steps <= steps {
        return Ok(());
    }
    let (parameters, found) = (state.parameters.len(), state.slots.len());
    Err(Error::Run(Refusal::new(
        "state",
        format!("{parameters} parameters, {found} slots, {}", state.place()),
        format!(
            "those of {spec}, {} slots, and at most {steps} steps an epoch",
            slots.len()
        ),
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{EarlyStop, OptimizerConfig, OptimizerName, ValidationConfig};

    #[test]
    fn every_slot_counts_three_times() {
        assert_eq!(copies(&TrainConfig::default()), 10);
        let all = TrainConfig {
            optimizer: OptimizerConfig {
                optimizer: OptimizerName::Adamw,
                average: Some(0.9),
                clip_norm: Some(1.0),
                ..OptimizerConfig::default()
            },
            validation: ValidationConfig {
                early_stop: Some(EarlyStop {
                    patience: 1,
                    min_delta: 0.0,
                }),
                ..ValidationConfig::default()
            },
            ..TrainConfig::default()
        };
        assert_eq!(copies(&all), 7 + 3 * 3 + 1 + 5);
    }
}
