//! What probably made a run diverge: numbers to predict or inputs that are large and not scaled, else the learning rate.

use crate::config::TrainConfig;
use crate::data::{Dataset, Scale, TargetScale};
use crate::error::Suspect;

/// Inputs of this size are too large for usual learning rates.
const LARGE_INPUTS: f64 = 100.0;
/// How many samples are read to find the size of inputs.
const SAMPLES: usize = 1000;

/// Returns what probably made a run of `config` on `train` diverge.
pub fn suspect(config: &TrainConfig, train: &Dataset) -> Suspect {
    if config.task.target_scale() == TargetScale::None
        && let Some(size) = train.targets().large_size()
    {
        return Suspect::Targets(size);
    }
    let size = match config.scale {
        Scale::None => size_of_inputs(train),
        _ => 0.0,
    };
    match size > LARGE_INPUTS {
        true => Suspect::Inputs(size),
        false => Suspect::LearningRate,
    }
}

/// The root mean square of the elements of some samples.
fn size_of_inputs(train: &Dataset) -> f64 {
    let mut row = vec![0.0; train.features()];
    let (mut sum, mut count) = (0.0, 0);
    for sample in (0..train.samples()).step_by(train.samples().div_ceil(SAMPLES)) {
        train.rows().read(sample, &mut row);
        sum += row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>();
        count += row.len();
    }
    (sum / count as f64).sqrt()
}
