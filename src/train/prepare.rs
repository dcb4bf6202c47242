//! What a run needs before its first step: its network, loss and inputs, enough memory, and a state that fits.

use super::state::State;
use crate::compute::Engine;
use crate::compute::affine::LONG_BATCH;
use crate::compute::parallel::Workers;
use crate::compute::shared::SharedBuffer;
use crate::config::{CheckedConfig, ClassWeight};
use crate::data::fit_columns::fit_columns;
use crate::data::fit_scaling::{check_finite, fit_scaling};
use crate::data::fit_sparsity::fit_density;
use crate::data::{Dataset, Preprocessing, Scale, Scaling, Splits, TargetScale, TargetScaling};
use crate::error::{Error, Refusal, Result};
use crate::message::Key;
use crate::model::Origin;
use crate::nn::loss::{CrossEntropy, Loss};
use crate::nn::{Columns, Link, Sparsity, Spec, Task};
use crate::optim::Rule;

/// The network that `config` describes for `data`.
///
/// # Errors
/// Returns [`Error::Config`] if a setting is out of range, does not fit `data`, or needs a set that `data` does not
/// have.
pub fn spec_for(config: &CheckedConfig, data: &Splits) -> Result<Spec> {
    let (validation, test) = (data.validation.is_some(), data.test.is_some());
    config.validation.check_sets(validation, test)?;
    let train = &data.train;
    data.check()?;
    check_data(config, train)?;
    let link = config.task.link();
    if link == Link::Log {
        let sets = [Some(train), data.validation.as_ref(), data.test.as_ref()];
        let mut sets = sets.into_iter().flatten();
        sets.try_for_each(|set| set.targets().check_counts(set.rows().name()))?;
    }
    let (features, outputs) = (train.features(), train.outputs());
    let spec = Spec::new(features, &config.hidden, outputs, config.activation)?;
    let spec = spec.for_task(train.task()).with_link(link);
    spec.with_batch_norm(config.batch_norm)
}

/// Checks the settings against the training set.
///
/// # Errors
/// Returns [`Error::Config`] if the task differs, or the number of class weights is not that of the classes, and
/// [`Error::Data`] if no sample has a weight.
fn check_data(config: &CheckedConfig, train: &Dataset) -> Result<()> {
    let (found, expected) = (config.task.task, train.task());
    if found != expected {
        let expected = format!("{}, as the labels were read", expected.name());
        let refusal = Refusal::new(Key("task"), found.name(), expected);
        return Err(Error::Config(refusal));
    }
    if train
        .weights()
        .is_some_and(|weights| weights.iter().all(|&weight| weight == 0.0))
    {
        let place = train.rows().name();
        let refusal = Refusal::new(place, "sample weights of 0 only", "one above 0");
        return Err(Error::Data(refusal));
    }
    match &config.regularization.class_weight {
        Some(weights) => weights.check_classes(train.outputs()),
        None => Ok(()),
    }
}

/// The loss that training on `train` minimises.
///
/// # Panics
/// Panics if the tasks of `train` and `config` differ, or if there are class weights but not one for each class.
pub(crate) fn loss_for(config: &CheckedConfig, train: &Dataset) -> Loss {
    let plain = config.task.plain_loss();
    if plain.task() != Task::Classification {
        return plain;
    }
    let (labels, classes) = (train.labels(), train.outputs());
    let weights = |by: &ClassWeight| by.weights(labels.iter().copied(), classes);
    let class_weights = config.regularization.class_weight.as_ref().map(weights);
    Loss::CrossEntropy(CrossEntropy {
        smoothing: config.regularization.label_smoothing,
        class_weights,
    })
}

/// How the targets of `train` are standardised in a run that continues from `from`: as in the steps before or in the model
/// that the run began from, else fitted to `train`; `None` if they are used unchanged.
pub(crate) fn target_scaling_for(
    config: &CheckedConfig,
    train: &Dataset,
    from: &State,
) -> Option<TargetScaling> {
    if !from.is_start() || from.origin.is_some() {
        return from.target_scaling.clone();
    }
    let (targets, weights) = (train.targets(), train.weights());
    match (config.task.target_scale(), config.task.link()) {
        (TargetScale::Standard, Link::Identity) => Some(TargetScaling::standard(targets, weights)),
        (TargetScale::Standard, Link::Log) => Some(TargetScaling::of_means(targets, weights)),
        (TargetScale::None, _) => None,
    }
}

/// How samples of `train` become the inputs of a network that `engine` computes. With [`Scale::Model`] the scaling is
/// that of the model that the run began from. Rows that are inputs already stay as they are.
///
/// # Errors
/// Returns the errors of [`fit_scaling`].
pub(crate) fn preprocessing_for(
    config: &CheckedConfig,
    train: &Dataset,
    from: Option<&State>,
    engine: Engine,
    workers: &Workers,
) -> Result<Preprocessing> {
    let rows = train.rows();
    let origin = from.and_then(|state| state.origin.as_ref());
    let scaling = match (config.scale, origin) {
        _ if rows.are_inputs() => {
            check_finite(rows)?;
            Scaling::IDENTITY
        }
        (Scale::Model, Some(origin)) => {
            check_finite(rows)?;
            origin.scaling.clone()
        }
        _ => fit_scaling(config.scale, rows, workers)?,
    };
    let density = density_if_skipped(config, train, origin);
    if let (Engine::Native, Some(density), Some(pair)) = (engine, density, scaling.as_global()) {
        // Idle features cost hardly anything if zeros are skipped, and rows without gaps are read faster.
        let noise = config.noise();
        let only_scaled = noise.inputs == 0.0 && noise.input_dropout.is_none();
        let sparsity = Sparsity {
            density,
            offset: pair.offset * pair.factor,
            bytes: only_scaled.then(|| rows.byte_values(pair)).flatten(),
        };
        let columns = Columns::all(train.features());
        return Ok(Preprocessing {
            scaling,
            columns: columns.with_sparsity(Some(sparsity)),
        });
    }
    // A file that is read in windows does not fit into memory, so it is not read just to find idle features.
    let windowed = config.window_for(train.samples()).is_some();
    let keeps_all = windowed || config.moves_idle_weights() || rows.are_inputs();
    let columns = match keeps_all {
        true => Columns::all(train.features()),
        false => fit_columns(rows, &scaling, workers),
    };
    Ok(Preprocessing { scaling, columns })
}

/// The estimated share of inputs that are not zero, if a first layer of the native engine skips the zeros of `train`;
/// `None` if it computes all products. Noise leaves no zeros; and if zeros are moved to another number, which the layer
/// subtracts, no inputs may be dropped, as these would be moved too. If each feature is moved to a number of its own, and
/// with batch normalisation, nothing is skipped. `origin` is the model that the run starts from.
pub fn density_if_skipped(
    config: &CheckedConfig,
    train: &Dataset,
    origin: Option<&Origin>,
) -> Option<f64> {
    let noise = config.noise();
    let moves_zeros = match config.scale {
        _ if train.rows().are_inputs() => false,
        Scale::Unit | Scale::None => false,
        Scale::StandardGlobal => true,
        Scale::Standard | Scale::Log => return None,
        Scale::Model if origin.is_some_and(|origin| origin.scaling.as_global().is_none()) => {
            return None;
        }
        Scale::Model => true,
    };
    let keeps_zeros = noise.inputs == 0.0 && !(moves_zeros && noise.input_dropout.is_some());
    // Shards start anywhere, and nonzero inputs are found for groups of rows.
    let keeps_zeros = keeps_zeros && !config.batch_norm;
    keeps_zeros.then(|| fit_density(train.rows())).flatten()
}

/// Allocates as much memory as a run needs at its peak, and frees it: a network that does not fit is refused at once
/// rather than after hours of training.
pub(super) fn check_memory(spec: &Spec, config: &CheckedConfig) -> Result<()> {
    SharedBuffer::<f32>::zeroed(spec.parameters().saturating_mul(copies(config))).map(drop)
}

/// The number of parameter-sized buffers at the end of a run:
///
/// | what | buffers |
/// |---|---|
/// | weights, their transpose, the flat parameters, and two copies on their way to a file | 5 |
/// | the same on their way to a checkpoint | 2 |
/// | each slot of the optimiser, and twice on its way to a checkpoint | 3 |
/// | the gradient, if its norm is limited or batches are long | 1 |
/// | the best parameters, if they are kept: themselves, on their way to a checkpoint, and in a network to evaluate | 5
/// |
fn copies(config: &CheckedConfig) -> usize {
    let rule = config.optimizer.rule();
    let gradient = usize::from(rule.clip_norm.is_some() || config.batch_size > LONG_BATCH);
    let best = match config.validation.early_stop {
        None => 0,
        Some(_) => 5,
    };
    7 + 3 * rule.slots().len() + gradient + best
}

/// Checks a state against the network and the steps of an epoch.
pub(super) fn check_state(state: &State, spec: &Spec, rule: &Rule, steps: usize) -> Result<()> {
    let (slots, expected) = (rule.slots(), spec.parameters());
    let fits = |flat: &Vec<f32>| flat.len() == expected;
    let kept = state.slots.iter().chain(&state.best);
    let all_fit = fits(&state.parameters) && kept.into_iter().all(fits);
    if all_fit && state.slots.len() == slots.len() && state.steps <= steps {
        return Ok(());
    }
    let (parameters, found) = (state.parameters.len(), state.slots.len());
    Err(Error::Run(Refusal::new(
        "state",
        format!(
            "{parameters} parameters, {found} slots, {}",
            state.position()
        ),
        format!(
            "those of {spec}, {} slots, and at most {steps} steps per epoch",
            slots.len()
        ),
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{EarlyStop, OptimizerConfig, OptimizerName, TrainConfig, ValidationConfig};

    #[test]
    fn every_slot_counts_three_times() {
        let copies = |config: TrainConfig| copies(&config.check().expect("valid settings"));
        assert_eq!(copies(TrainConfig::default()), 10);
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
        assert_eq!(copies(all), 7 + 3 * 3 + 1 + 5);
    }
}
