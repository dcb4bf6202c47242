//! Regression and multi-label classification: the gradient of each loss and its evaluation equal those of the slow path,
//! and threads and interruptions change nothing.

use std::path::Path;

use ndarray::ArrayView2;
use perceptor::config::{LossName, TaskConfig};
use perceptor::nn::Task;
use perceptor::nn::loss::Loss;
use perceptor::reference::Objective;
use perceptor::train::Predictions;

use super::resumption::assert_resumes_from_every_step;
use super::threads::assert_same_model_on_any_threads;
use super::*;

/// The losses of regression and multi-label classification. Some errors exceed the Huber delta and others do not.
pub const LOSSES: [Loss; 6] = [
    Loss::SquaredError,
    Loss::Huber { delta: 0.7 },
    Loss::AbsoluteError,
    Loss::Quantile { share: 0.3 },
    Loss::Poisson,
    Loss::BinaryCrossEntropy,
];

/// Float features between −1 and 1; targets that depend on them, or random flags.
pub fn set(task: Task, items: usize, features: usize, outputs: usize, seed: u64) -> Dataset {
    let mut rng = rng(seed);
    let rows: Vec<f32> = (0..items * features)
        .map(|_| rng.random_range(-1.0f32..1.0))
        .collect();
    let x = ArrayView2::from_shape((items, features), &rows).expect("as many numbers");
    let targets = match task {
        Task::Regression => {
            let mut number = |at: usize| {
                let x = &rows[at / outputs * features..][..features];
                2.0 * x[at % outputs % features] + rng.random_range(-0.2f32..0.2)
            };
            let numbers: Vec<f32> = (0..items * outputs).map(&mut number).collect();
            let numbers = Array2::from_shape_vec((items, outputs), numbers);
            Targets::values(numbers.expect("as many numbers").view())
        }
        _ => {
            let shape = (items, outputs);
            Targets::flags(Array2::from_shape_simple_fn(shape, || rng.random_range(0..2u8)).view())
        }
    };
    Dataset::from_rows(x, targets.expect("targets")).expect("a data set")
}

/// A set for a loss: counts and zeros for that of counts.
pub fn set_for(loss: &Loss, items: usize, features: usize, outputs: usize, seed: u64) -> Dataset {
    let set = set(loss.task(), items, features, outputs, seed);
    let Targets::Values { values, .. } = set.targets() else {
        return set;
    };
    let count = |&value: &f32| match loss {
        Loss::Poisson => (4.0 * value).round().max(0.0),
        _ => value,
    };
    let values = Array2::from_shape_vec((items, outputs), values.iter().map(count).collect());
    let targets = Targets::values(values.expect("as many numbers").view()).expect("values");
    let rows = Array2::from_shape_vec((items, features), all_rows(&set)).expect("as many numbers");
    Dataset::from_rows(rows.view(), targets).expect("a data set")
}

/// The elements of all rows.
pub fn all_rows(data: &Dataset) -> Vec<f32> {
    let mut rows = vec![0.0; data.samples() * data.features()];
    for (row, x) in rows.chunks_exact_mut(data.features()).enumerate() {
        data.rows().read(row, x);
    }
    rows
}

/// The network of a loss.
pub fn spec_for(
    loss: &Loss,
    inputs: usize,
    hidden: &[usize],
    outputs: usize,
    of: Activation,
) -> Spec {
    spec(loss.task(), inputs, hidden, outputs, of).with_link(loss.link())
}

pub fn truth(data: &Dataset, item: usize) -> Vec<f64> {
    let mut row = vec![0.0; data.outputs()];
    data.targets().read_row(item, &mut row);
    wide(&row)
}

pub fn objective<'a>(loss: &Loss, truth: &'a [f64]) -> Objective<'a> {
    match *loss {
        Loss::SquaredError => Objective::SquaredError(truth),
        Loss::Huber { delta } => Objective::Huber(truth, delta.into()),
        Loss::AbsoluteError => Objective::AbsoluteError(truth),
        Loss::Quantile { share } => Objective::Quantile(truth, share.into()),
        Loss::Poisson => Objective::Poisson(truth),
        Loss::BinaryCrossEntropy => Objective::BinaryCrossEntropy(truth),
        Loss::CrossEntropy(_) => unreachable!("classification is tested in `gradients`"),
    }
}

pub fn spec(task: Task, inputs: usize, hidden: &[usize], outputs: usize, of: Activation) -> Spec {
    Spec::new(inputs, hidden, outputs, of)
        .expect("a spec")
        .for_task(task)
}

#[test]
fn central_differences_prove_the_reference_for_every_loss() {
    for loss in LOSSES {
        for activation in Activation::ALL {
            let spec = spec_for(&loss, 8, &[9, 5], 4, activation);
            let data = set_for(&loss, 1, 8, 4, 5);
            let net = reference(&spec, &parameters(&spec, 6));
            let (x, truth) = (item(&data, 0), truth(&data, 0));
            let objective = objective(&loss, &truth);
            let mut gradient = net.gradient_of(&x, objective);
            let differences = net.differences_of(&x, objective, 1e-5);
            let off = distance(&gradient, &differences);
            assert!(off < 1e-8, "{loss:?} {activation:?}: {off}");
            // One wrong element fails the check.
            let largest = gradient.iter().fold(0.0f64, |most, g| most.max(g.abs()));
            let at = gradient.iter().position(|g| g.abs() == largest);
            gradient[at.expect("a largest element")] *= -1.0;
            assert!(distance(&gradient, &differences) > 1e-3);
        }
    }
}

#[test]
fn the_fast_gradient_of_every_loss_equals_the_slow_one_over_awkward_shapes() {
    let shapes: [(usize, &[usize], usize); 5] = [
        (9, &[], 1),
        (13, &[11], 16),
        (31, &[5, 19, 6], 3),
        (3, &[2], 17),
        // Several panels and pieces per layer, with ragged ends.
        (70, &[129, 67], 50),
    ];
    for (rows, (inputs, hidden, outputs)) in [1, 7, 8, 33, 131]
        .into_iter()
        .flat_map(|rows| shapes.map(|shape| (rows, shape)))
    {
        for loss in LOSSES {
            let spec = spec_for(&loss, inputs, hidden, outputs, Activation::Tanh);
            let data = set_for(&loss, rows, inputs, outputs, 7);
            let parameters = parameters(&spec, 8);
            let net = reference(&spec, &parameters);
            let (mut expected, mut expected_loss) = (vec![0.0; parameters.len()], 0.0);
            for row in 0..rows {
                let (x, truth) = (item(&data, row), truth(&data, row));
                let objective = objective(&loss, &truth);
                expected_loss += net.loss_of(&x, objective);
                for (mean, g) in expected.iter_mut().zip(net.gradient_of(&x, objective)) {
                    *mean += g / rows as f64;
                }
            }
            let batch: Vec<u32> = (0..rows as u32).rev().collect();
            for engine in engines() {
                let mut stepper = stepper(&spec, &parameters, engine, rows);
                stepper.set_loss(loss.clone());
                let found_loss = stepper.step(&workers(2), &data, &batch);
                let off = distance(&wide(&stepper.slots()[0]), &expected);
                let case = format!("{engine:?}, {rows} rows, {spec}, {loss:?}");
                assert!(off < 1e-5, "{case}: gradient off by {off}");
                let off = (found_loss - expected_loss).abs() / expected_loss;
                assert!(off < 1e-5, "{case}: loss off by {off}");
            }
        }
    }
}

#[test]
fn evaluation_of_every_task_equals_the_slow_path() {
    // More than one block of samples, the last one ragged.
    let (items, outputs) = (600, 5);
    for loss in LOSSES {
        let spec = spec_for(&loss, 13, &[11], outputs, Activation::Sigmoid);
        let data = set_for(&loss, items, 13, outputs, 3);
        let parameters = parameters(&spec, 4);
        let net = reference(&spec, &parameters);
        let (mut total, mut predicted) = (0.0, Vec::new());
        for row in 0..items {
            let (x, truth) = (item(&data, row), truth(&data, row));
            total += net.loss_of(&x, objective(&loss, &truth));
            predicted.extend(net.affine_outputs(&x).pop().expect("outputs"));
        }
        if loss == Loss::Poisson {
            predicted.iter_mut().for_each(|z| *z = z.exp());
        }
        if loss.task() == Task::Multilabel {
            predicted
                .iter_mut()
                .for_each(|z| *z = 1.0 / (1.0 + (-*z).exp()));
        }
        for engine in engines() {
            let as_it_is = Preprocessing::of_all_columns(Scaling::IDENTITY, 13);
            let network = Network::for_inference(&spec, &parameters, &as_it_is.columns, engine);
            let network = network.expect("a network");
            let mut evaluator = Evaluator::new(&spec, as_it_is, &workers(2)).expect("memory");
            evaluator.set_loss(loss.clone());
            let evaluated = evaluator.evaluate(&workers(2), &network, &data);
            let evaluated = evaluated.expect("memory");
            let score = evaluated.score;
            assert!(
                (score.loss - total / items as f64).abs() < 1e-5,
                "{engine:?} {loss:?}"
            );
            let Predictions::Rows(rows) = evaluated.predictions else {
                panic!("{loss:?}: predicted classes");
            };
            assert!(
                distance(&wide(&rows), &predicted) < 1e-5,
                "{engine:?} {loss:?}"
            );
            let again = evaluator.predict(&workers(1), &network, data.rows(), 0..items);
            assert_eq!(again.expect("memory"), rows);
            match data.targets() {
                Targets::Values { values, .. } => {
                    let (mae, r2) = errors(&wide(values), &predicted, outputs);
                    assert!((score.mae.expect("a mean") - mae).abs() < 1e-6);
                    assert!((score.r2.expect("a share") - r2).abs() < 1e-5);
                    assert_eq!((score.accuracy, score.f1), (None, None));
                }
                Targets::Flags { flags, .. } => {
                    let found = (score.accuracy, score.f1);
                    let (accuracy, f1) = hits(flags, &predicted, outputs);
                    assert_eq!(found, (Some(accuracy), Some(f1)), "{engine:?}");
                    assert_eq!((score.mae, score.r2), (None, None));
                }
                Targets::Classes { .. } => unreachable!("classification is tested in `gradients`"),
            }
        }
    }
}

/// Returns the mean absolute error and the mean of R² over the outputs.
fn errors(truth: &[f64], predicted: &[f64], outputs: usize) -> (f64, f64) {
    let column = |of: &[f64], at: usize| -> Vec<f64> {
        of.iter().skip(at).step_by(outputs).copied().collect()
    };
    let sum = |values: &[f64], of: &dyn Fn(f64) -> f64| values.iter().map(|&x| of(x)).sum::<f64>();
    let (mut mae, mut r2) = (0.0, 0.0);
    for at in 0..outputs {
        let (truth, predicted) = (column(truth, at), column(predicted, at));
        let errors: Vec<f64> = truth.iter().zip(&predicted).map(|(t, y)| t - y).collect();
        let mean = sum(&truth, &|t| t) / truth.len() as f64;
        mae += sum(&errors, &f64::abs) / truth.len() as f64;
        r2 += 1.0 - sum(&errors, &|e| e * e) / sum(&truth, &|t| (t - mean).powi(2));
    }
    (mae / outputs as f64, r2 / outputs as f64)
}

/// Returns the share of samples with every label correct, and F1 over all labels.
fn hits(flags: &[u8], predicted: &[f64], outputs: usize) -> (f64, f64) {
    let predicted: Vec<u8> = predicted.iter().map(|&p| u8::from(p >= 0.5)).collect();
    let items = flags.chunks(outputs).zip(predicted.chunks(outputs));
    let correct = items
        .filter(|(truth, predicted)| truth == predicted)
        .count();
    let both = flags
        .iter()
        .zip(&predicted)
        .filter(|pair| pair == &(&1, &1))
        .count();
    let either: usize = flags
        .iter()
        .chain(&predicted)
        .map(|&flag| usize::from(flag))
        .sum();
    let items = flags.len() / outputs;
    (
        correct as f64 / items as f64,
        2.0 * both as f64 / either as f64,
    )
}

pub fn config(
    loss: LossName,
    task: Task,
    engine: impl Into<EngineChoice>,
    hidden: &[usize],
) -> TrainConfig {
    TrainConfig {
        task: TaskConfig {
            task,
            loss: Some(loss),
            ..TaskConfig::default()
        },
        hidden: hidden.to_vec(),
        engine: engine.into(),
        batch_size: 33,
        epochs: 3,
        ..TrainConfig::default()
    }
}

fn configs() -> impl Iterator<Item = TrainConfig> {
    let tasks = [
        (LossName::Mse, Task::Regression),
        (LossName::Huber, Task::Regression),
        (LossName::Mae, Task::Regression),
        (LossName::Quantile, Task::Regression),
        (LossName::Poisson, Task::Regression),
        (LossName::BinaryCrossEntropy, Task::Multilabel),
    ];
    engines()
        .flat_map(move |engine| tasks.map(|(loss, task)| config(loss, task, engine, &[37, 20])))
}

pub fn splits(task: Task, items: usize) -> Splits {
    splits_for(&Loss::of(task), items)
}

fn splits_for(loss: &Loss, items: usize) -> Splits {
    Splits {
        train: set_for(loss, items, 41, 6, 11),
        validation: None,
        test: Some(set_for(loss, 300, 41, 6, 12)),
    }
}

#[test]
fn any_thread_count_gives_the_same_model_for_every_task() {
    for config in configs() {
        let splits = splits_for(&config.task.plain_loss(), 301);
        assert_same_model_on_any_threads(&config, &splits);
    }
}

#[test]
fn a_run_of_every_task_resumes_from_any_step() {
    for config in configs() {
        assert_resumes_from_every_step(&config, &splits_for(&config.task.plain_loss(), 100));
    }
}

#[test]
fn a_regression_explains_the_variance_except_the_noise() {
    for engine in engines() {
        let mut config = config(LossName::Mse, Task::Regression, engine, &[]);
        config.epochs = 60;
        let outcome = train(
            &config,
            &splits(Task::Regression, 2000),
            &workers(2),
            &mut |_| {},
        );
        let outcome = outcome.expect("a finite loss");
        // The noise accounts for a variance of 0.4² / 12 out of 4 / 3.
        let r2 = outcome
            .last()
            .score()
            .expect("a test set")
            .r2
            .expect("a regression");
        assert!(r2 > 0.985, "{engine:?}: {r2}");
        assert_eq!(outcome.model.spec.task(), Task::Regression);
        let back = perceptor::Model::from_bytes(Path::new("m"), &outcome.model.to_bytes());
        assert_eq!(back.expect("a model"), outcome.model);
    }
}

#[test]
fn data_of_another_task_are_refused() {
    let config = config(LossName::Mse, Task::Regression, EngineChoice::Auto, &[]);
    let refused = train(
        &config,
        &splits(Task::Multilabel, 50),
        &workers(1),
        &mut |_| {},
    );
    let message = refused.expect_err("a refusal").to_string();
    assert_eq!(
        message,
        "task: regression, expected multilabel, as the labels were read"
    );
}
