//! Row weights: the gradient of a batch is the weighted mean, equal weights change no bit, and threads and interruptions
//! change nothing.

use perceptor::config::{ClassWeight, LossName, RegularizationConfig};
use perceptor::nn::Task;
use perceptor::nn::loss::{CrossEntropy, Loss};
use perceptor::reference::Objective;

use super::resumption::assert_resumes_from_every_step;
use super::tasks::{LOSSES, config, objective, set_for, spec_for, splits, truth};
use super::threads::assert_same_model_on_any_threads;
use super::*;

/// Weights of 0 and others, some of them large.
fn weights(items: usize) -> Vec<f32> {
    (0..items)
        .map(|row| [0.0, 1.0, 0.25, 7.5][(row + 1) % 4])
        .collect()
}

fn weighted(data: Dataset) -> Dataset {
    let items = data.samples();
    data.with_weights(weights(items)).expect("weights")
}

/// Passes on the objective of a row.
type ObjectiveOf<'a> = dyn Fn(usize, &mut dyn FnMut(Objective)) + 'a;

/// The weighted mean of the gradients over a batch and the weighted sum of its losses, by the reference. Weights are those
/// of the rows in the data set, times that of the class.
fn slow(
    net: &Reference,
    data: &Dataset,
    of_row: impl Fn(usize) -> f64,
    objective_of: &ObjectiveOf,
) -> (Vec<f64>, f64) {
    let (mut mean, mut sum, mut total) = (vec![0.0; net.parameters.len()], 0.0, 0.0);
    for row in 0..data.samples() {
        let (x, weight) = (item(data, row), of_row(row));
        total += weight;
        objective_of(row, &mut |objective| {
            sum += weight * net.loss_of(&x, objective);
            for (mean, g) in mean.iter_mut().zip(net.gradient_of(&x, objective)) {
                *mean += weight * g;
            }
        });
    }
    mean.iter_mut().for_each(|g| *g /= total);
    (mean, sum)
}

fn assert_equal(case: &str, found: (Vec<f64>, f64), expected: &(Vec<f64>, f64)) {
    let off = distance(&found.0, &expected.0);
    assert!(off < 1e-5, "{case}: gradient off by {off}");
    let off = (found.1 - expected.1).abs() / expected.1;
    assert!(off < 1e-5, "{case}: loss off by {off}");
}

#[test]
fn the_fast_gradient_of_weighted_rows_equals_the_slow_one_for_every_loss() {
    for (rows, hidden, outputs) in [(2, &[][..], 1), (33, &[11], 16), (131, &[5, 19], 17)] {
        for loss in LOSSES {
            let spec = spec_for(&loss, 13, hidden, outputs, Activation::Tanh);
            let plain = set_for(&loss, rows, 13, outputs, 7);
            let data = weighted(set_for(&loss, rows, 13, outputs, 7));
            let of_rows = wide(data.weights().expect("weights"));
            let parameters = parameters(&spec, 8);
            let net = reference(&spec, &parameters);
            let objective_of = |row: usize, with: &mut dyn FnMut(Objective)| {
                with(objective(&loss, &truth(&data, row)));
            };
            let expected = slow(&net, &data, |row| of_rows[row], &objective_of);
            let batch: Vec<u32> = (0..rows as u32).rev().collect();
            for engine in engines() {
                let fast = |data: &Dataset| {
                    let mut stepper = stepper(&spec, &parameters, engine, rows);
                    stepper.set_loss(loss.clone());
                    let sum = stepper.step(&workers(2), data, &batch);
                    (wide(&stepper.slots()[0]), sum)
                };
                assert_equal(
                    &format!("{engine:?} {rows} {loss:?}"),
                    fast(&data),
                    &expected,
                );
                // Without the weights the check fails.
                assert!(distance(&fast(&plain).0, &expected.0) > 1e-3, "{loss:?}");
            }
        }
    }
}

#[test]
fn row_weights_multiply_class_weights() {
    for (rows, classes) in [(33, 5), (131, 4), (40, 20)] {
        let spec = Spec::new(13, &[11], classes, Activation::Tanh).expect("a spec");
        let data = weighted(dataset(rows, 13, classes, 7));
        let of_classes: Vec<f32> = (0..classes).map(|class| 0.5 + class as f32).collect();
        let of_rows = wide(data.weights().expect("weights"));
        let parameters = parameters(&spec, 8);
        let net = reference(&spec, &parameters);
        for smoothing in [0.0, 0.2] {
            let labels = data.labels();
            let weight = |row: usize| of_rows[row] * f64::from(of_classes[labels[row] as usize]);
            let objective_of = |row: usize, with: &mut dyn FnMut(Objective)| {
                let label = labels[row] as usize;
                with(Objective::CrossEntropy {
                    label,
                    smoothing: smoothing.into(),
                });
            };
            let expected = slow(&net, &data, weight, &objective_of);
            let batch: Vec<u32> = (0..rows as u32).collect();
            for engine in engines() {
                let mut stepper = stepper(&spec, &parameters, engine, rows);
                stepper.set_loss(Loss::CrossEntropy(CrossEntropy {
                    smoothing,
                    class_weights: Some(of_classes.clone()),
                }));
                let sum = stepper.step(&workers(2), &data, &batch);
                let found = (wide(&stepper.slots()[0]), sum);
                assert_equal(&format!("{engine:?} {rows} {smoothing}"), found, &expected);
            }
        }
    }
}

fn with_weights(mut splits: Splits, weights: Vec<f32>) -> Splits {
    splits.train = splits.train.with_weights(weights).expect("weights");
    splits
}

fn classes(items: usize) -> Splits {
    Splits {
        train: dataset(items, 41, 6, 11),
        validation: None,
        test: Some(dataset(300, 41, 6, 12)),
    }
}

fn configs(engine: Engine) -> [TrainConfig; 4] {
    let classes = TrainConfig {
        regularization: RegularizationConfig {
            class_weight: Some(ClassWeight::Balanced),
            ..RegularizationConfig::default()
        },
        ..config(LossName::CrossEntropy, Task::Classification, engine, &[37])
    };
    let tasks = [
        (LossName::CrossEntropy, Task::Classification),
        (LossName::Huber, Task::Regression),
        (LossName::BinaryCrossEntropy, Task::Multilabel),
    ];
    let [plain, numbers, labels] = tasks.map(|(loss, task)| config(loss, task, engine, &[37]));
    [plain, classes, numbers, labels]
}

fn splits_of(config: &TrainConfig, items: usize) -> Splits {
    match config.task.task {
        Task::Classification => classes(items),
        task => splits(task, items),
    }
}

#[test]
fn equal_weights_give_the_same_bits_as_none() {
    for config in engines().flat_map(configs) {
        let model = |splits: &Splits| {
            let outcome = train(&config, splits, &workers(2), &mut |_| {}).expect("a finite loss");
            (outcome.model.to_bytes(), outcome.last().train_loss)
        };
        let plain = splits_of(&config, 301);
        let equal = with_weights(splits_of(&config, 301), vec![0.3; 301]);
        assert!(model(&plain) == model(&equal), "{config:?}");
    }
}

#[test]
fn any_thread_count_gives_the_same_model_with_weights() {
    for config in engines().flat_map(configs) {
        let splits = with_weights(splits_of(&config, 301), weights(301));
        assert_same_model_on_any_threads(&config, &splits);
    }
}

#[test]
fn a_run_with_weights_resumes_from_any_step() {
    for config in configs(Engine::Native) {
        let splits = with_weights(splits_of(&config, 100), weights(100));
        assert_resumes_from_every_step(&config, &splits);
    }
}

#[test]
fn batches_without_any_weight_leave_the_loss_finite() {
    for config in engines().flat_map(configs) {
        let config = TrainConfig {
            batch_size: 10,
            ..config
        };
        let mut weights = vec![0.0; 301];
        weights[7] = 1.0;
        let splits = with_weights(splits_of(&config, 301), weights);
        let outcome = train(&config, &splits, &workers(2), &mut |_| {}).expect("a finite loss");
        assert!(outcome.last().train_loss.is_finite());
    }
}

#[test]
fn a_weight_of_2_counts_as_two_rows() {
    let spec = Spec::new(13, &[11], 4, Activation::Tanh).expect("a spec");
    let data = dataset(9, 13, 4, 7);
    let parameters = parameters(&spec, 8);
    let mut weights = vec![1.0; 9];
    weights[3] = 2.0;
    let gradient = |data: &Dataset, batch: &[u32]| {
        let mut stepper = stepper(&spec, &parameters, Engine::Native, 10);
        stepper.step(&workers(1), data, batch);
        wide(&stepper.slots()[0])
    };
    let twice = gradient(&data, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 3]);
    let data = data.with_weights(weights).expect("weights");
    let once = gradient(&data, &[0, 1, 2, 3, 4, 5, 6, 7, 8]);
    assert!(distance(&once, &twice) < 1e-6);
}

#[test]
fn a_training_set_whose_weights_are_all_held_out_is_refused() {
    let mut weights = vec![0.0; 20];
    weights[3] = 1.0;
    let mut splits = with_weights(classes(20), weights);
    splits.train = splits.train.select(&[0, 1, 2, 4, 5]);
    let config = config(
        LossName::CrossEntropy,
        Task::Classification,
        EngineChoice::Auto,
        &[],
    );
    let refused = train(&config, &splits, &workers(1), &mut |_| {}).expect_err("a refusal");
    let message = refused.to_string();
    assert!(
        message.ends_with("sample weights of 0 only, expected one above 0"),
        "{message}"
    );
}
