//! The laws of the design, tested against a slow reference in `f64`.
//!
//! Central differences prove the gradient of the reference; the reference proves that of the fast path, over shapes that
//! are awkward on purpose; and any number of threads trains the same model. Seeds are fixed.

mod batch_norm;
mod columns;
mod gradients;
mod optimizers;
mod pytorch;
mod regularization;
mod resumption;
mod scaling;
mod sparsity;
mod symmetry;
mod target_scaling;
mod tasks;
mod threads;
mod validation;
mod weights;

use std::num::NonZeroUsize;
use std::time::Duration;

use ndarray::{Array1, Array2};
use perceptor::TrainConfig;
use perceptor::compute::parallel::Workers;
use perceptor::compute::{Engine, EngineChoice};
use perceptor::config::CheckedConfig;
use perceptor::data::{Dataset, Preprocessing, Scale, Scaling, Splits, Targets};
use perceptor::nn::init::initial_parameters;
use perceptor::nn::{Activation, Init, Network, Spec};
use perceptor::optim::Rule;
use perceptor::random::{ChaCha8Rng, Purpose, stream};
use perceptor::reference::Reference;
use perceptor::schedule::Schedule;
use perceptor::scores::EpochMetrics;
use perceptor::train::{
    Ending, Evaluator, Next, Position, State, Stepper, Supervisor, Training, train,
};
use rand::RngExt;

fn rng(seed: u64) -> ChaCha8Rng {
    stream(seed, Purpose::Init, 99)
}

/// A data set for classification.
fn labelled(x: &Array2<f32>, labels: &Array1<u32>, classes: usize) -> Dataset {
    let targets = Targets::classes(labels.view(), classes).expect("labels of the classes");
    Dataset::from_rows(x.view(), targets).expect("a data set")
}

/// Float features between −1 and 1, and labels of all classes.
fn dataset(items: usize, features: usize, classes: usize, seed: u64) -> Dataset {
    let mut rng = rng(seed);
    let x = Array2::from_shape_simple_fn((items, features), || rng.random_range(-1.0f32..1.0));
    let labels = Array1::from_shape_simple_fn(items, || rng.random_range(0..classes) as u32);
    labelled(&x, &labels, classes)
}

fn item(data: &Dataset, item: usize) -> Vec<f64> {
    let mut row = vec![0.0; data.features()];
    data.rows().read(item, &mut row);
    row.into_iter().map(f64::from).collect()
}

fn reference(spec: &Spec, parameters: &[f32]) -> Reference {
    Reference {
        sizes: spec.sizes(),
        activation: spec.activation(),
        batch_norm: spec.batch_norm(),
        frozen: Vec::new(),
        parameters: parameters.iter().copied().map(f64::from).collect(),
        masks: Vec::new(),
    }
}

/// Parameters without a special case: random weights, and biases that are not zero.
fn parameters(spec: &Spec, seed: u64) -> Vec<f32> {
    let mut parameters = initial_parameters(spec, Init::Xavier, 0.1, seed);
    let mut rng = rng(seed + 1);
    for parameter in &mut parameters {
        *parameter += rng.random_range(-0.1f32..0.1);
    }
    parameters
}

const LEARNING_RATE: f32 = 0.2;
const MOMENTUM: f32 = 0.9;

fn stepper(spec: &Spec, parameters: &[f32], engine: Engine, batch_size: usize) -> Stepper {
    let as_it_is = Preprocessing::of_all_columns(Scaling::IDENTITY, spec.inputs());
    let (rule, schedule) = (Rule::sgd(MOMENTUM), Schedule::constant(LEARNING_RATE));
    Stepper::new(
        spec, parameters, as_it_is, engine, rule, schedule, batch_size,
    )
    .expect("an available engine")
}

fn wide(numbers: &[f32]) -> Vec<f64> {
    numbers.iter().copied().map(f64::from).collect()
}

fn workers(threads: usize) -> Workers {
    Workers::new(NonZeroUsize::new(threads).expect("not zero")).expect("workers")
}

/// Returns `config` as settings that are known to be valid.
fn checked(config: &TrainConfig) -> CheckedConfig {
    config.clone().check().expect("valid settings")
}

/// The engines that this build and this processor support.
fn engines() -> impl Iterator<Item = Engine> {
    let all = [Engine::Openblas, Engine::Native, Engine::Portable];
    all.into_iter().filter(|engine| engine.check().is_ok())
}

/// The largest difference, relative to the largest expected element.
fn distance(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0.0f64, |most, x| most.max(x.abs()));
    let differences = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
    // NaN is infinitely far off; `max` would ignore it.
    let numbers = differences.map(|d| if d.is_nan() { f64::INFINITY } else { d });
    numbers.fold(0.0, f64::max) / largest.max(1e-12)
}

/// Returns the mean gradient over a batch and the sum of its losses, by the reference.
fn slow_gradient(net: &Reference, data: &Dataset, batch: &[u32]) -> (Vec<f64>, f64) {
    let mut mean = vec![0.0; net.parameters.len()];
    let mut loss = 0.0;
    for &row in batch {
        let x = item(data, row as usize);
        let label = data.labels()[row as usize] as usize;
        loss += net.loss(&x, label);
        for (mean, g) in mean.iter_mut().zip(net.gradient(&x, label)) {
            *mean += g / batch.len() as f64;
        }
    }
    (mean, loss)
}

/// Takes a step with [`MOMENTUM`] and [`LEARNING_RATE`] on the parameters of the reference.
fn slow_step(net: &mut Reference, velocity: &mut [f64], gradient: &[f64]) {
    for ((w, v), g) in net.parameters.iter_mut().zip(velocity).zip(gradient) {
        *v = f64::from(MOMENTUM) * *v + g;
        *w -= f64::from(LEARNING_RATE) * *v;
    }
}

/// Returns a data set in which some features are zero in every row, and one in which they are not.
fn with_idle_columns(items: usize) -> (Dataset, Dataset) {
    let (features, classes) = (21, 3);
    let set = |idle: bool, seed| {
        let mut rng = rng(seed);
        let x = Array2::from_shape_fn((items, features), |(_, column)| match column {
            0 | 1 | 7 | 20 if idle => 0.0,
            _ => f32::from(rng.random_range(0..=255u8)),
        });
        let labels = Array1::from_shape_simple_fn(items, || rng.random_range(0..classes) as u32);
        labelled(&x, &labels, classes)
    };
    (set(true, 1), set(false, 2))
}

/// [`with_idle_columns`] as training set and test set.
fn splits_with_idle_columns(items: usize) -> Splits {
    let (train, test) = with_idle_columns(items);
    Splits {
        train,
        validation: None,
        test: Some(test),
    }
}
