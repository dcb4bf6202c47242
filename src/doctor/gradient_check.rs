//! Comparison of each engine's gradient with the reference in `f64`, and of its bits for several numbers of workers.
//!
//! The cases are small and awkward: batches that do not fill a block, widths that do not fill a register, every
//! activation, every loss, with and without row weights. They are drawn from a fixed seed, so that every run checks the same cases.

use std::fmt;
use std::num::NonZeroUsize;

use ndarray::{Array1, Array2};
use rand::RngExt;

use crate::compute::Engine;
use crate::compute::parallel::Workers;
use crate::config::{LearningRate, LossName, OptimizerConfig, TaskConfig, TrainConfig};
use crate::data::{Dataset, Scale, TargetScale, Targets};
use crate::error::Result;
use crate::nn::init::initial_parameters;
use crate::nn::loss::Loss;
use crate::nn::{Activation, Init, Spec, Task};
use crate::random::{Purpose, stream};
use crate::reference::{Objective, Reference};
use crate::schedule::Schedule;
use crate::train::{State, Stepper};

/// The tolerated error of a gradient relative to its largest element: about a hundred roundings of `f32`.
pub const TOLERANCE: f64 = 1e-5;

const SEED: u64 = 7;
/// Batch sizes: one row, fewer than a tile, and several blocks with a ragged last one.
const ROWS: [usize; 4] = [1, 9, 33, 131];
/// Inputs, hidden widths and classes.
const SHAPES: [(usize, &[usize], usize); 5] = [
    (9, &[], 3),
    (13, &[11], 10),
    (31, &[5, 19, 6], 11),
    (3, &[2], 12),
    (70, &[129], 10),
];
/// Losses of other tasks, each checked for these inputs, hidden widths and outputs.
const LOSSES: [(Task, LossName); 6] = [
    (Task::Regression, LossName::Mse),
    (Task::Regression, LossName::Huber),
    (Task::Regression, LossName::Mae),
    (Task::Regression, LossName::Quantile),
    (Task::Regression, LossName::Poisson),
    (Task::Multilabel, LossName::BinaryCrossEntropy),
];
const SHAPE_OF_LOSSES: (usize, &[usize], usize) = (13, &[19, 6], 17);
/// Batch sizes and hidden widths. The weights of the last network do not fit the cache of a core.
const STEPS: [(usize, &[usize]); 3] = [(33, &[20]), (128, &[64, 33]), (100, &[1500, 100])];
const LEARNING_RATE: f32 = 0.2;
const MOMENTUM: f32 = 0.9;

/// The largest error of an engine relative to the reference.
#[derive(Debug, Clone, PartialEq)]
pub struct Deviation {
    /// The largest difference, relative to the largest element of that gradient. NaN stays NaN.
    pub worst: f64,
    /// The case with that difference.
    pub case: String,
    /// The number of cases.
    pub cases: usize,
}

impl Deviation {
    /// Returns whether the engine is correct.
    pub fn is_small(&self) -> bool {
        self.worst <= TOLERANCE
    }

    fn take(&mut self, off: f64, case: &Case) {
        self.cases += 1;
        // Written so that NaN is worse than any number, and stays.
        if !(off <= self.worst || self.worst.is_nan()) {
            self.worst = off;
            self.case = case.to_string();
        }
    }
}

/// A network, a batch, and parameters without special values.
struct Case {
    spec: Spec,
    task: TaskConfig,
    data: Dataset,
    parameters: Vec<f32>,
    batch: Vec<u32>,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let activation = self.spec.activation().name();
        write!(f, "{} {activation}, {} rows", self.spec, self.batch.len())?;
        match self.task.loss() {
            LossName::CrossEntropy => Ok(()),
            loss => write!(f, ", {}", loss.name()),
        }
    }
}

impl Case {
    fn new(
        inputs: usize,
        hidden: &[usize],
        classes: usize,
        kind: (Activation, usize),
    ) -> Result<Case> {
        let (activation, rows) = kind;
        let spec = Spec::new(inputs, hidden, classes, activation)?;
        let mut rng = stream(SEED, Purpose::Init, 99);
        let mut parameters = initial_parameters(&spec, Init::Xavier, 0.1, SEED);
        for parameter in &mut parameters {
            *parameter += rng.random_range(-0.1f32..0.1);
        }
        let x = Array2::from_shape_simple_fn((rows, inputs), || rng.random_range(-1.0f32..1.0));
        let labels = Array1::from_shape_simple_fn(rows, || rng.random_range(0..classes) as u32);
        Ok(Case {
            data: Dataset::from_rows(x.view(), Targets::classes(labels.view(), classes)?)?,
            spec,
            task: TaskConfig::default(),
            parameters,
            batch: (0..rows as u32).rev().collect(),
        })
    }

    /// A case of another loss than the cross-entropy, with row weights that are not all equal.
    fn of_loss((task, loss): (Task, LossName), rows: usize) -> Result<Case> {
        let (inputs, hidden, outputs) = SHAPE_OF_LOSSES;
        let case = Case::new(inputs, hidden, outputs, (Activation::Tanh, rows))?;
        let task = TaskConfig {
            task,
            loss: Some(loss),
            huber_delta: (loss == LossName::Huber).then_some(0.7),
            quantile: (loss == LossName::Quantile).then_some(0.3),
            target_scale: (task == Task::Regression).then_some(TargetScale::None),
        };
        let mut rng = stream(SEED, Purpose::Init, 98);
        let mut x = Array2::zeros((rows, inputs));
        for (row, mut x) in x.rows_mut().into_iter().enumerate() {
            let x = x
                .as_slice_mut()
                .expect("rows of a new array are contiguous");
            case.data.rows().read(row, x);
        }
        let shape = (rows, outputs);
        let targets = match loss {
            LossName::BinaryCrossEntropy => {
                let flags = Array2::from_shape_simple_fn(shape, || rng.random_range(0..2u8));
                Targets::flags(flags.view())
            }
            LossName::Poisson => {
                let counts = Array2::from_shape_simple_fn(shape, || rng.random_range(0..5u8));
                Targets::values(counts.mapv(f32::from).view())
            }
            _ => {
                let values = Array2::from_shape_simple_fn(shape, || rng.random_range(-2.0f32..2.0));
                Targets::values(values.view())
            }
        };
        let weights = (0..rows).map(|_| rng.random_range(0.5f32..2.0)).collect();
        Ok(Case {
            data: Dataset::from_rows(x.view(), targets?)?.with_weights(weights)?,
            spec: case.spec.for_task(task.task).with_link(task.link()),
            task,
            ..case
        })
    }

    fn stepper(&self, engine: Engine, workers: &Workers) -> Result<Stepper> {
        let config = TrainConfig {
            scale: Scale::None,
            task: self.task.clone(),
            batch_size: self.batch.len(),
            optimizer: OptimizerConfig {
                learning_rate: Some(LearningRate::Value(LEARNING_RATE)),
                momentum: Some(MOMENTUM),
                ..OptimizerConfig::default()
            },
            engine: engine.into(),
            ..TrainConfig::default()
        };
        let config = config.check()?;
        let state = State {
            parameters: self.parameters.clone(),
            ..State::start(&self.spec, &config)
        };
        let schedule = Schedule::constant(LEARNING_RATE);
        Stepper::for_run(&config, &self.spec, &self.data, schedule, &state, workers)
    }

    fn reference(&self) -> Reference {
        Reference {
            sizes: self.spec.sizes(),
            activation: self.spec.activation(),
            batch_norm: self.spec.batch_norm(),
            frozen: Vec::new(),
            parameters: self.parameters.iter().copied().map(f64::from).collect(),
            masks: Vec::new(),
        }
    }

    /// Returns the inputs of a sample in the type of the reference.
    fn inputs(&self, row: u32) -> Vec<f64> {
        let mut x = vec![0.0; self.data.features()];
        self.data.rows().read(row as usize, &mut x);
        x.into_iter().map(f64::from).collect()
    }

    /// Returns the weighted mean gradient over the batch, computed by the reference.
    fn slow_gradient(&self) -> Vec<f64> {
        let net = self.reference();
        let weight = |row: u32| {
            let weights = self.data.weights();
            weights.map_or(1.0, |weights| f64::from(weights[row as usize]))
        };
        let total: f64 = self.batch.iter().map(|&row| weight(row)).sum();
        let mut mean = vec![0.0; net.parameters.len()];
        for &row in &self.batch {
            let gradient = self.gradient_of_row(&net, row);
            for (mean, g) in mean.iter_mut().zip(gradient) {
                *mean += weight(row) * g / total;
            }
        }
        mean
    }

    /// Returns the gradient of the loss of one sample, computed by the reference.
    fn gradient_of_row(&self, net: &Reference, row: u32) -> Vec<f64> {
        let x = self.inputs(row);
        if let Targets::Classes { labels, .. } = self.data.targets() {
            return net.gradient(&x, labels[row as usize] as usize);
        }
        let mut truth = vec![0.0; self.data.outputs()];
        self.data.targets().read_row(row as usize, &mut truth);
        let truth: Vec<f64> = truth.into_iter().map(f64::from).collect();
        let objective = match self.task.plain_loss() {
            Loss::CrossEntropy(_) => unreachable!("a row of targets for one class per sample"),
            Loss::BinaryCrossEntropy => Objective::BinaryCrossEntropy(&truth),
            Loss::SquaredError => Objective::SquaredError(&truth),
            Loss::Huber { delta } => Objective::Huber(&truth, delta.into()),
            Loss::AbsoluteError => Objective::AbsoluteError(&truth),
            Loss::Quantile { share } => Objective::Quantile(&truth, share.into()),
            Loss::Poisson => Objective::Poisson(&truth),
        };
        net.gradient_of(&x, objective)
    }

    /// Returns the mean gradient over the batch, computed by an engine. The velocity starts at zero, so after one step it is
    /// the gradient.
    fn fast_gradient(&self, engine: Engine, workers: &Workers) -> Result<Vec<f32>> {
        let mut stepper = self.stepper(engine, workers)?;
        stepper.step(workers, &self.data, &self.batch);
        Ok(stepper.slots().swap_remove(0))
    }

    /// Returns the bits of the parameters after a few steps.
    fn bits(&self, engine: Engine, workers: &Workers) -> Result<Vec<u32>> {
        let mut stepper = self.stepper(engine, workers)?;
        let ragged = &self.batch[self.batch.len() / 3..];
        for batch in [&self.batch, ragged, &self.batch] {
            stepper.step(workers, &self.data, batch);
        }
        Ok(stepper.parameters().into_iter().map(f32::to_bits).collect())
    }
}

fn cases() -> impl Iterator<Item = Result<Case>> {
    let shapes = SHAPES
        .into_iter()
        .flat_map(|shape| ROWS.map(|rows| (shape, rows)));
    let all = shapes.flat_map(|it| Activation::ALL.map(|activation| (it, activation)));
    let activations = all.map(|(((inputs, hidden, classes), rows), activation)| {
        Case::new(inputs, hidden, classes, (activation, rows))
    });
    let losses = LOSSES
        .into_iter()
        .flat_map(|loss| ROWS.map(|rows| (loss, rows)));
    activations.chain(losses.map(|(loss, rows)| Case::of_loss(loss, rows)))
}

/// Returns the largest difference relative to the largest element, or NaN if any difference is NaN.
fn distance(found: &[f32], expected: &[f64]) -> f64 {
    let worse = |most: f64, x: f64| if x <= most { most } else { x };
    let largest = expected.iter().fold(0.0, |most, x| worse(most, x.abs()));
    let differences = found
        .iter()
        .zip(expected)
        .map(|(&a, b)| (f64::from(a) - b).abs());
    let mut worst = 0.0;
    for difference in differences {
        if difference.is_nan() {
            return f64::NAN;
        }
        worst = worse(worst, difference);
    }
    worst / largest.max(1e-12)
}

/// Compares the gradient of each of `engines` with the reference. The deviations are in the order of the engines.
///
/// # Errors
/// Returns the error of a stepper if an engine is unavailable or memory is not granted.
pub fn gradients(engines: &[Engine], workers: &Workers) -> Result<Vec<Deviation>> {
    let none = Deviation {
        worst: 0.0,
        case: String::new(),
        cases: 0,
    };
    let mut deviations = vec![none; engines.len()];
    for case in cases() {
        let case = case?;
        let expected = case.slow_gradient();
        for (&engine, deviation) in engines.iter().zip(&mut deviations) {
            let found = case.fast_gradient(engine, workers)?;
            deviation.take(distance(&found, &expected), &case);
        }
    }
    Ok(deviations)
}

/// Returns the first number of `threads` whose bits after a few steps differ from those of one worker, with the case.
///
/// # Errors
/// Returns the errors of [`gradients`], and an error if the system does not start the workers.
pub fn other_bits(engine: Engine, threads: &[NonZeroUsize]) -> Result<Option<(usize, String)>> {
    let one = Workers::new(NonZeroUsize::MIN)?;
    let teams: Result<Vec<Workers>> = threads
        .iter()
        .map(|&threads| Workers::new(threads))
        .collect();
    let teams = teams?;
    for (rows, hidden) in STEPS {
        let case = Case::new(41, hidden, 6, (Activation::Relu, rows))?;
        let expected = case.bits(engine, &one)?;
        for team in &teams {
            if case.bits(engine, team)? != expected {
                return Ok(Some((team.threads(), case.to_string())));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flipped_sign_a_zero_and_a_nan_are_found() {
        let workers = Workers::new(NonZeroUsize::MIN).expect("a worker");
        for case in cases() {
            let case = case.expect("a case");
            let expected = case.slow_gradient();
            let right = case
                .fast_gradient(Engine::Portable, &workers)
                .expect("a step");
            assert!(distance(&right, &expected) <= TOLERANCE, "{case}");
            let largest =
                (0..right.len()).max_by(|&a, &b| right[a].abs().total_cmp(&right[b].abs()));
            let at = largest.expect("a parameter");
            for (wrong, what) in [(-right[at], "sign"), (f32::NAN, "NaN"), (0.0, "zero")] {
                let mut found = right.clone();
                found[at] = wrong;
                let mut deviation = Deviation {
                    worst: 0.0,
                    case: String::new(),
                    cases: 0,
                };
                deviation.take(distance(&found, &expected), &case);
                deviation.take(0.0, &case);
                assert!(!deviation.is_small(), "{case}: {what} not found");
            }
        }
    }

    #[test]
    fn no_unit_is_at_the_kink_of_a_relu() {
        // There one rounding of f32 would flip a derivative, and a correct engine would seem wrong.
        for case in cases() {
            let case = case.expect("a case");
            if matches!(
                case.spec.activation(),
                Activation::Relu | Activation::LeakyRelu
            ) {
                for &row in &case.batch {
                    let outputs = case.reference().affine_outputs(&case.inputs(row));
                    let hidden = &outputs[..outputs.len() - 1];
                    let least = hidden
                        .iter()
                        .flatten()
                        .fold(1.0f64, |least, z| least.min(z.abs()));
                    assert!(least > 1e-6, "{case}: {least}");
                }
            }
        }
    }
}
