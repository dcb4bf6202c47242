//! Standardised targets: the network learns them, and losses and predictions are in the targets' own units.

use std::path::Path;

use perceptor::config::LossName;
use perceptor::data::TargetScaling;
use perceptor::data::scaling::GlobalScaling;
use perceptor::nn::Task;
use perceptor::reference::Objective;
use perceptor::train::Predictions;

use super::tasks::{all_rows, config, set, spec, splits, truth};
use super::*;

/// A scaling with another offset and factor for each output.
fn scaling(outputs: usize) -> TargetScaling {
    let numbers = |first: f64, step: f64| (0..outputs).map(|o| first + step * o as f64).collect();
    TargetScaling {
        offset: numbers(-3.0, 0.7),
        factor: numbers(0.01, 0.3),
    }
}

#[test]
fn the_gradient_is_that_of_standardised_targets_and_the_loss_that_of_the_targets() {
    for (rows, hidden, outputs) in [(1, &[][..], 1), (33, &[11], 16), (131, &[5, 19], 17)] {
        let spec = spec(Task::Regression, 13, hidden, outputs, Activation::Tanh);
        let data = set(Task::Regression, rows, 13, outputs, 7);
        let (parameters, scaling) = (parameters(&spec, 8), scaling(outputs));
        let net = reference(&spec, &parameters);
        let (mut expected, mut expected_loss) = (vec![0.0; parameters.len()], 0.0);
        for row in 0..rows {
            let (x, truth) = (item(&data, row), truth(&data, row));
            let pairs = || scaling.offset.iter().zip(&scaling.factor);
            let scaled: Vec<f64> = truth
                .iter()
                .zip(pairs())
                .map(|(t, (o, f))| (t - o) * f)
                .collect();
            let z = net.affine_outputs(&x).pop().expect("outputs");
            let values = z.iter().zip(pairs()).map(|(z, (o, f))| z / f + o);
            let squares = values.zip(&truth).map(|(y, t)| (y - t).powi(2));
            expected_loss += squares.sum::<f64>() / outputs as f64;
            let gradient = net.gradient_of(&x, Objective::SquaredError(&scaled));
            for (mean, g) in expected.iter_mut().zip(gradient) {
                *mean += g / rows as f64;
            }
        }
        let batch: Vec<u32> = (0..rows as u32).collect();
        for engine in engines() {
            let mut stepper = stepper(&spec, &parameters, engine, rows);
            stepper.set_target_scaling(Some(scaling.clone()));
            let found_loss = stepper.step(&workers(2), &data, &batch);
            let off = distance(&wide(&stepper.slots()[0]), &expected);
            assert!(off < 1e-5, "{engine:?}, {rows} rows: gradient off by {off}");
            let off = (found_loss - expected_loss).abs() / expected_loss;
            assert!(off < 1e-5, "{engine:?}, {rows} rows: loss off by {off}");
        }
    }
}

#[test]
fn targets_in_another_unit_give_the_same_network() {
    let in_units = |unit: f32| {
        let set = |seed| {
            let set = set(Task::Regression, 301, 41, 3, seed);
            let mut values = vec![0.0; 301 * 3];
            for (row, values) in values.chunks_exact_mut(3).enumerate() {
                set.targets().read_row(row, values);
                values.iter_mut().for_each(|t| *t *= unit);
            }
            let values = Array2::from_shape_vec((301, 3), values).expect("as many numbers");
            let x = Array2::from_shape_vec((301, 41), all_rows(&set)).expect("as many numbers");
            let targets = Targets::values(values.view()).expect("values");
            Dataset::from_rows(x.view(), targets).expect("a data set")
        };
        Splits {
            train: set(11),
            validation: None,
            test: Some(set(12)),
        }
    };
    for loss in [
        LossName::Mse,
        LossName::Huber,
        LossName::Mae,
        LossName::Quantile,
    ] {
        let outcome = |unit: f32| {
            let mut config = config(loss, Task::Regression, Engine::Native, &[37]);
            config.task.huber_delta = (loss == LossName::Huber).then_some(unit);
            let outcome = train(&config, &in_units(unit), &workers(2), &mut |_| {});
            outcome.expect("a finite loss")
        };
        let (one, large) = (outcome(1.0), outcome(1024.0));
        assert_eq!(one.model.parameters, large.model.parameters);
        let (found, expected) = (large.last(), one.last());
        let unit = match loss {
            LossName::Mae | LossName::Quantile => 1024.0,
            _ => 1024.0 * 1024.0,
        };
        assert_eq!(found.train_loss, expected.train_loss * unit);
        let scores = [found, expected].map(|epoch| epoch.score().expect("a test set"));
        assert_eq!(scores[0].loss, scores[1].loss * unit);
        assert_eq!(scores[0].mae, scores[1].mae.map(|mae| mae * 1024.0));
        assert_eq!(scores[0].r2, scores[1].r2);
    }
}

#[test]
fn a_model_with_standardised_targets_predicts_in_their_units_and_so_does_its_export() {
    let mut splits = splits(Task::Regression, 301);
    splits.validation = None;
    let mut config = config(LossName::Mse, Task::Regression, Engine::Native, &[20]);
    config.epochs = 5;
    let outcome = train(&config, &splits, &workers(2), &mut |_| {}).expect("a finite loss");
    let model = outcome.model;
    let scaling = model.target_scaling.clone().expect("standardised targets");
    assert_eq!(
        scaling,
        TargetScaling::standard(splits.train.targets(), None)
    );
    let back = perceptor::Model::from_bytes(Path::new("m"), &model.to_bytes());
    assert_eq!(back.expect("a model"), model);
    let test = splits.test.expect("a test set");
    let workers = workers(2);
    let predicted = |model: &perceptor::Model| {
        let mut predictor = perceptor::Predictor::new(model, &workers).expect("a predictor");
        let evaluation = predictor.evaluate(&test).expect("a fitting set");
        let Predictions::Rows(rows) = evaluation.predictions else {
            panic!("a regression predicted classes");
        };
        (evaluation.score, wide(&rows))
    };
    let (score, values) = predicted(&model);
    assert_eq!(Some(score), outcome.test);
    let net = reference(&model.spec, &model.parameters);
    let preprocessing = model.preprocessing();
    let expected = (0..test.samples()).flat_map(|row| {
        let scaling_of_inputs = preprocessing.scaling.as_global().expect("one pair");
        let GlobalScaling { offset, factor } = scaling_of_inputs;
        let x = item(&test, row).into_iter();
        let x: Vec<f64> = x
            .map(|x| (x - f64::from(offset)) * f64::from(factor))
            .collect();
        let z = net.affine_outputs(&x).pop().expect("outputs");
        let pairs = scaling.offset.iter().zip(&scaling.factor);
        z.into_iter()
            .zip(pairs)
            .map(|(z, (o, f))| z / f + o)
            .collect::<Vec<f64>>()
    });
    assert!(distance(&values, &expected.collect::<Vec<f64>>()) < 1e-5);
    let folded = model.folded().into_owned();
    assert_eq!(folded.target_scaling, None);
    assert!(distance(&predicted(&folded).1, &values) < 1e-6);
}
