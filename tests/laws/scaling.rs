//! A pair of numbers for each feature: columns of very different ranges train as if they had one range.

use std::path::Path;

use perceptor::config::TaskConfig;
use perceptor::data::idx::{ElementType, Header};
use perceptor::data::mmap::Bytes;
use perceptor::data::{IdxFile, Rows};
use perceptor::nn::Task;
use perceptor::{Model, Predictor};

use super::*;

const ROWS: usize = 1000;

/// A deviate close to N(0, 1).
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    (0..12).map(|_| rng.random_range(0.0..1.0)).sum::<f64>() - 6.0
}

/// Three normal columns and one of a wide range, `[ROWS, 4]`, with targets that depend on all of them and on a little
/// noise.
fn columns(seed: u64, wide: impl Fn(f64) -> f64) -> (Vec<[f64; 4]>, Array2<f32>) {
    let mut rng = rng(seed);
    let mut rows = Vec::new();
    let targets = (0..ROWS).map(|_| {
        let [a, b, c] = [0; 3].map(|_| normal(&mut rng));
        // Whole steps from 0 to 30, as years are.
        let step = f64::from(rng.random_range(0..=30u8));
        rows.push([a, b, c, wide(step)]);
        (a - 0.5 * b + 0.25 * c + (step - 15.0) / 9.0 + 0.03 * normal(&mut rng)) as f32
    });
    let targets: Vec<f32> = targets.collect();
    let targets = Array2::from_shape_vec((ROWS, 1), targets).expect("a column");
    (rows, targets)
}

fn config(scale: Scale) -> TrainConfig {
    TrainConfig {
        hidden: vec![32],
        activation: Activation::Tanh,
        scale,
        epochs: 150,
        task: TaskConfig {
            task: Task::Regression,
            ..TaskConfig::default()
        },
        optimizer: perceptor::config::OptimizerConfig {
            learning_rate: Some(perceptor::config::LearningRate::Value(0.01)),
            ..Default::default()
        },
        ..TrainConfig::default()
    }
}

fn trained(scale: Scale, sets: impl Fn(u64) -> Dataset) -> (Model, f64) {
    let splits = Splits::new(sets(1), None, Some(sets(2))).expect("splits");
    let outcome = train(&config(scale), &splits, &workers(2), &mut |_| {}).expect("a finite loss");
    let r2 = outcome.test.and_then(|score| score.r2);
    (outcome.model, r2.expect("a test set of numbers"))
}

#[test]
fn a_column_of_years_is_learned_among_normal_ones() {
    let sets = |seed| {
        let (rows, targets) = columns(seed, |step| 1990.0 + step);
        let x = Array2::from_shape_fn((ROWS, 4), |(row, column)| rows[row][column] as f32);
        let targets = Targets::values(targets.view()).expect("finite values");
        Dataset::from_rows(x.view(), targets).expect("a data set")
    };
    let (_, r2) = trained(Scale::Standard, sets);
    assert!(r2 > 0.998, "{r2}");
    let (_, r2) = trained(Scale::StandardGlobal, sets);
    assert!(r2 < 0.5, "{r2}");
}

/// Seconds since 1970 that differ by quarters: in 32 bits they would all be one number.
#[test]
fn timestamps_are_learned_from_wide_elements() {
    let file = |element, width: usize, payload: Vec<u8>| {
        let path = Path::new("file");
        let header = Header::new(path, element, &[ROWS, width]).expect("a header");
        let bytes = [header.to_bytes(), payload].concat();
        IdxFile::from_bytes(path, Bytes::Owned(bytes)).expect("a good file")
    };
    let sets = |seed| {
        let (rows, targets) = columns(seed, |step| 1.7e9 + step / 4.0);
        let rows = rows.as_flattened().iter();
        let rows = file(
            ElementType::F64,
            4,
            rows.flat_map(|x| x.to_be_bytes()).collect(),
        );
        let targets = targets.iter().flat_map(|x| x.to_be_bytes()).collect();
        let targets = file(ElementType::F32, 1, targets);
        Dataset::for_task(Task::Regression, Rows::from(rows), &targets, None).expect("a data set")
    };
    let (model, r2) = trained(Scale::Standard, sets);
    assert!(r2 > 0.998, "{r2}");
    // A model that is read again predicts from wide elements as well.
    let model = Model::from_bytes(Path::new("m"), &model.to_bytes()).expect("a model");
    let workers = workers(1);
    let mut predictor = Predictor::new(&model, &workers).expect("memory");
    let again = predictor.evaluate(&sets(2)).expect("a score").score.r2;
    assert!((again.expect("an R²") - r2).abs() < 1e-6, "{again:?} {r2}");
}

#[test]
fn a_constant_column_is_left_out_of_training_and_prediction() {
    let sets = |seed: u64| {
        let (rows, targets) = columns(seed, |step| step);
        // Constant in training, and something else in the test set.
        let x = Array2::from_shape_fn((ROWS, 5), |(row, column)| match column {
            4 => [0.0, 7.5, -1e6][seed as usize],
            _ => rows[row][column] as f32,
        });
        let targets = Targets::values(targets.view()).expect("finite values");
        Dataset::from_rows(x.view(), targets).expect("a data set")
    };
    let (model, r2) = trained(Scale::Standard, sets);
    assert_eq!(model.scaling.left_out(), 1);
    assert!(r2 > 0.998, "{r2}");
}

#[test]
fn rows_that_are_inputs_already_are_not_scaled() {
    let sets = |seed| {
        let (rows, targets) = columns(seed, |step| (step - 15.0) / 9.0);
        let elements = rows.as_flattened().iter().map(|&x| x as f32).collect();
        let rows = Rows::of_inputs("table".to_owned(), elements, 4).expect("rows");
        let targets = Targets::values(targets.view()).expect("finite values");
        Dataset::new_pair(rows, targets).expect("a data set")
    };
    let (model, r2) = trained(Scale::Standard, sets);
    assert_eq!(model.scaling, Scaling::IDENTITY);
    assert!(r2 > 0.998, "{r2}");
}
