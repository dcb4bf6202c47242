//! Results that PyTorch computed for fixed inputs: optimisers, limits, schedules, losses, activations, batch normalisation.

use std::array::from_fn;

use perceptor::config::{OptimizerConfig, OptimizerName};
use perceptor::nn::loss::{CrossEntropy, Loss};
use serde_json::Value;

use super::batch_norm::normalized;
use super::optimizers::at_rate;
use super::*;

fn figures() -> Value {
    // Written by pytorch_figures.py, with the versions recorded there.
    serde_json::from_str(include_str!("pytorch_figures.json")).expect("JSON")
}

fn numbers(value: &Value) -> Vec<f64> {
    let numbers = value.as_array().expect("a list").iter();
    numbers
        .map(|number| number.as_f64().expect("a number"))
        .collect()
}

fn narrow(value: &Value) -> Vec<f32> {
    numbers(value).iter().map(|&x| x as f32).collect()
}

fn rows(value: &Value) -> Vec<Vec<f32>> {
    value.as_array().expect("rows").iter().map(narrow).collect()
}

#[test]
fn every_optimiser_steps_like_pytorch() {
    use OptimizerName::{Adam, Adamw, Lion, Nesterov, Rmsprop, Sgd};
    let default = OptimizerConfig::default;
    let named = |optimizer| OptimizerConfig {
        optimizer,
        ..default()
    };
    let cases = [
        ("sgd", default()),
        (
            "sgd without momentum",
            OptimizerConfig {
                momentum: Some(0.0),
                ..default()
            },
        ),
        (
            "sgd with weight decay",
            OptimizerConfig {
                weight_decay: Some(0.05),
                ..default()
            },
        ),
        ("nesterov", named(Nesterov)),
        ("adam", named(Adam)),
        (
            "adam with weight decay",
            OptimizerConfig {
                weight_decay: Some(0.05),
                ..at_rate(Adam, 0.01)
            },
        ),
        ("adamw", named(Adamw)),
        (
            "adamw with other betas",
            OptimizerConfig {
                beta1: Some(0.8),
                beta2: Some(0.95),
                epsilon: Some(1e-3),
                weight_decay: Some(0.1),
                ..at_rate(Adamw, 0.01)
            },
        ),
        ("rmsprop", named(Rmsprop)),
        (
            "rmsprop with momentum",
            OptimizerConfig {
                alpha: Some(0.9),
                momentum: Some(0.5),
                weight_decay: Some(0.05),
                ..named(Rmsprop)
            },
        ),
        ("lion", named(Lion)),
        (
            "lion with weight decay",
            OptimizerConfig {
                weight_decay: Some(0.1),
                ..at_rate(Lion, 0.01)
            },
        ),
        (
            "sgd with L1",
            OptimizerConfig {
                l1: 0.02,
                ..default()
            },
        ),
        (
            "sgd clipped by norm",
            OptimizerConfig {
                clip_norm: Some(2.0),
                ..default()
            },
        ),
        (
            "sgd clipped by value",
            OptimizerConfig {
                clip_value: Some(0.25),
                ..default()
            },
        ),
    ];
    assert_eq!(named(Sgd), default());
    let figures = figures();
    for (name, config) in cases {
        let mut weights = narrow(&figures["weights"]);
        let rule = config.rule();
        let mut slots = [(); 3].map(|()| vec![0.0; weights.len()]);
        let rate = config.rate().expect("a number");
        let gradients = figures["gradients"].as_array().expect("a list");
        let expected = figures["after"][name].as_array().expect(name);
        assert_eq!(gradients.len(), expected.len());
        for (step, (gradient, expected)) in gradients.iter().zip(expected).enumerate() {
            let mut gradient = narrow(gradient);
            let norm = numbers(&figures["gradients"][step])
                .iter()
                .map(|g| g * g)
                .sum::<f64>()
                .sqrt();
            let step = rule.at(step as u64 + 1, rate).clipped(norm);
            let mut slots = slots.each_mut().map(Vec::as_mut_slice);
            step.apply(&mut weights, &mut slots, &mut gradient);
            let off = distance(&wide(&weights), &numbers(expected));
            assert!(off < 2e-6, "{name}, {step:?}: off by {off}");
        }
    }
}

#[test]
fn every_schedule_equals_pytorch() {
    let figures = figures();
    let plain = Schedule {
        epochs: 12,
        ..Schedule::constant(0.4)
    };
    use perceptor::schedule::ScheduleName::{Cosine, Exponential, OneCycle, Step};
    let cases = [
        (
            Step,
            Schedule {
                factor: 0.1,
                every: 3.0,
                ..plain
            },
        ),
        (
            Exponential,
            Schedule {
                factor: 0.95,
                ..plain
            },
        ),
        (
            Cosine,
            Schedule {
                min_learning_rate: 0.01,
                ..plain
            },
        ),
        (
            OneCycle,
            Schedule {
                epochs: 20,
                ..plain
            },
        ),
    ];
    for (name, schedule) in cases {
        let schedule = Schedule { name, ..schedule };
        let expected = numbers(&figures["rates"][name.name()]);
        let found: Vec<f64> = (0..expected.len() as u64)
            .map(|step| schedule.at(step, 1.0).into())
            .collect();
        assert!(distance(&found, &expected) < 1e-6, "{name:?}: {found:?}");
    }
}

#[test]
fn plateau_equals_pytorch() {
    let figures = figures();
    let losses = numbers(&figures["losses"]);
    let schedule = Schedule {
        name: perceptor::schedule::ScheduleName::Plateau,
        factor: 0.1,
        patience: 2,
        ..Schedule::constant(0.4)
    };
    let found: Vec<f64> = (0..losses.len())
        .map(|epoch| {
            let factor = schedule.plateau_factor(losses[..epoch].iter().copied());
            schedule.at(epoch as u64, factor).into()
        })
        .collect();
    let expected = numbers(&figures["rates"]["plateau"]);
    assert!(distance(&found, &expected) < 1e-6, "{found:?}");
}

/// Returns the loss of the recorded outputs, summed over their rows, and its gradient with respect to them.
fn loss_and_gradient(
    figures: &Value,
    backward: impl Fn(usize, &mut [f32]) -> f64,
) -> (f64, Vec<f64>) {
    let mut outputs = rows(&figures["outputs"]);
    let losses = outputs.iter_mut().enumerate();
    let loss = losses.map(|(row, outputs)| backward(row, outputs)).sum();
    (loss, wide(&outputs.concat()))
}

fn assert_equals_pytorch(figures: &Value, name: &str, loss: f64, gradient: &[f64]) {
    let of_torch = &figures["of losses"][name];
    let expected = of_torch["loss"].as_f64().expect("a loss");
    assert!((loss - expected).abs() < 1e-6 * expected, "{name}: {loss}");
    let expected = rows(&of_torch["gradient"]).concat();
    let off = distance(gradient, &wide(&expected));
    assert!(off < 1e-6, "{name}: gradient off by {off}");
}

#[test]
fn every_loss_of_values_and_flags_equals_pytorch() {
    let figures = figures();
    for (name, loss, targets) in [
        ("mse", Loss::SquaredError, "numbers"),
        ("huber", Loss::Huber { delta: 1.0 }, "numbers"),
        ("huber with delta", Loss::Huber { delta: 0.3 }, "numbers"),
        ("binary-cross-entropy", Loss::BinaryCrossEntropy, "flags"),
    ] {
        let targets = rows(&figures[targets]);
        let share = 1.0 / targets.len() as f32;
        let (sum, gradient) = loss_and_gradient(&figures, |row, outputs| {
            loss.backward(outputs, &targets[row], None, share)
        });
        assert_equals_pytorch(&figures, name, sum * f64::from(share), &gradient);
    }
}

#[test]
fn cross_entropy_equals_pytorch() {
    let figures = figures();
    let labels: Vec<usize> = narrow(&figures["classes"])
        .iter()
        .map(|&l| l as usize)
        .collect();
    let class_weights = Some(narrow(&figures["class weights"]));
    for (name, smoothing, class_weights) in [
        ("cross-entropy", 0.0, None),
        ("cross-entropy with label smoothing", 0.1, None),
        ("cross-entropy with class weights", 0.0, class_weights),
    ] {
        let loss = CrossEntropy {
            smoothing,
            class_weights,
        };
        let total = loss.total_weight(labels.iter().map(|&label| label as u32));
        let (sum, gradient) = loss_and_gradient(&figures, |row, outputs| {
            loss.backward(outputs, labels[row], (1.0 / total) as f32)
        });
        assert_equals_pytorch(&figures, name, sum / total, &gradient);
    }
}

/// The recorded samples with their labels.
fn samples(figures: &Value) -> Dataset {
    let values = rows(&figures["items"]);
    let x = Array2::from_shape_vec((values.len(), values[0].len()), values.concat());
    let labels = Array1::from_vec(narrow(&figures["labels"])).mapv(|label| label as u32);
    let classes = 1 + labels.iter().max().copied().unwrap_or(1) as usize;
    labelled(&x.expect("rows of one width"), &labels, classes)
}

#[test]
fn every_network_steps_like_pytorch() {
    let figures = figures();
    let data = samples(&figures);
    let [inputs, first, second, classes]: [usize; 4] = {
        let sizes = narrow(&figures["sizes"]);
        from_fn(|at| sizes[at] as usize)
    };
    let batch: Vec<u32> = (0..data.samples() as u32).collect();
    for (key, batch_norm) in [
        ("networks", false),
        ("networks with batch normalisation", true),
    ] {
        for activation in Activation::ALL {
            let of_torch = &figures[key][activation.name()];
            let spec = match batch_norm {
                true => normalized(inputs, &[first, second], classes, activation),
                false => Spec::new(inputs, &[first, second], classes, activation).expect("a spec"),
            };
            for engine in engines() {
                let case = format!("{spec} of {key}, {activation:?}, {engine:?}");
                let before = narrow(&of_torch["before"]);
                let mut stepper = stepper(&spec, &before, engine, batch.len());
                let loss = stepper.step(&workers(2), &data, &batch) / batch.len() as f64;
                let expected = of_torch["loss"].as_f64().expect("a loss");
                assert!((loss - expected).abs() < 1e-6 * expected, "{case}: {loss}");
                let after = numbers(&of_torch["after"]);
                let off = distance(&wide(&stepper.parameters()), &after);
                assert!(off < 1e-6, "{case}: parameters off by {off}");
                let net = reference(&spec, &stepper.parameters());
                let logits = (0..data.samples()).flat_map(|row| {
                    let mut outputs = net.affine_outputs(&item(&data, row));
                    outputs.pop().expect("logits")
                });
                let logits: Vec<f64> = logits.collect();
                let off = distance(&logits, &wide(&rows(&of_torch["logits"]).concat()));
                assert!(off < 2e-6, "{case}: logits off by {off}");
            }
        }
    }
}
