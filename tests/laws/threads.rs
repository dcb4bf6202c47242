//! Any number of threads trains the same model, byte for byte.

use perceptor::config::{RegularizationConfig, ScheduleConfig};
use perceptor::schedule::ScheduleName;

use super::optimizers::every_rule;
use super::*;

/// Asserts that training on 1, 2, 3 and 7 threads ends with the same model.
pub fn assert_same_model_on_any_threads(config: &TrainConfig, splits: &Splits) {
    assert_same_model_on(&[2, 3, 7], config, splits);
}

/// Asserts that training on one thread and on each of these numbers of threads ends with the same model.
fn assert_same_model_on(counts: &[usize], config: &TrainConfig, splits: &Splits) {
    let model = |threads| {
        let outcome = train(config, splits, &workers(threads), &mut |_| {});
        outcome.expect("a finite loss").model.to_bytes()
    };
    let one = model(1);
    for &threads in counts {
        assert!(
            one == model(threads),
            "{config:?}: {threads} threads differ from 1"
        );
    }
}

#[test]
fn any_thread_count_gives_the_same_model() {
    let cases: [(usize, usize, &[usize]); 7] = [
        (1, 40, &[9]),
        (7, 100, &[]),
        (33, 301, &[20]),
        (128, 301, &[64, 33]),
        (200, 1000, &[128]),
        (5000, 1000, &[50, 20]),
        // Weights that exceed a core's cache, so that rows are split by the number of threads.
        (100, 300, &[1500, 300]),
    ];
    let options = [
        (Scale::StandardGlobal, None),
        (Scale::Unit, Some(70)),
        (Scale::Standard, None),
    ];
    for ((batch_size, items, hidden), (scale, shuffle_window)) in cases
        .into_iter()
        .flat_map(|case| options.map(|option| (case, option)))
    {
        for engine in engines() {
            let config = TrainConfig {
                hidden: hidden.to_vec(),
                engine: engine.into(),
                batch_size,
                epochs: 2,
                activation: Activation::Relu,
                scale,
                shuffle_window,
                ..TrainConfig::default()
            };
            let splits = Splits {
                train: dataset(items, 41, 6, 11),
                validation: None,
                test: Some(dataset(300, 41, 6, 12)),
            };
            assert_same_model_on_any_threads(&config, &splits);
        }
    }
}

#[test]
fn any_thread_count_gives_the_same_model_without_idle_columns() {
    for engine in engines() {
        let config = TrainConfig {
            hidden: vec![33, 20],
            engine: engine.into(),
            batch_size: 20,
            epochs: 3,
            ..TrainConfig::default()
        };
        assert_same_model_on_any_threads(&config, &splits_with_idle_columns(307));
    }
}

#[test]
fn any_thread_count_gives_the_same_model_under_every_rule() {
    for (engine, optimizer) in
        engines().flat_map(|engine| every_rule().into_iter().map(move |rule| (engine, rule)))
    {
        let config = TrainConfig {
            hidden: vec![70, 20],
            engine: engine.into(),
            batch_size: 33,
            epochs: 2,
            optimizer,
            schedule: ScheduleConfig {
                schedule: ScheduleName::OneCycle,
                ..ScheduleConfig::default()
            },
            ..TrainConfig::default()
        };
        assert_same_model_on_any_threads(&config, &splits_with_idle_columns(107));
    }
}

/// Sets with `features` features, of which about one in `nth` is not zero.
fn sparse_splits(samples: usize, features: usize, nth: u32) -> Splits {
    let set = |samples: usize, seed: u64| {
        let mut rng = rng(seed);
        let x =
            Array2::from_shape_simple_fn((samples, features), || match rng.random_range(0..nth) {
                0 => rng.random_range(-1.0f32..1.0),
                _ => 0.0,
            });
        let labels = Array1::from_shape_simple_fn(samples, || rng.random_range(0..6) as u32);
        labelled(&x, &labels, 6)
    };
    Splits {
        train: set(samples, 1),
        validation: None,
        test: Some(set(100, 2)),
    }
}

/// Numbers of threads that divide layers by units, and by units and rows.
const DIVIDED: [usize; 4] = [2, 4, 6, 7];

/// Settings with layers that are wide enough to be divided by units among up to seven workers, or by units and rows.
fn divided(engine: Engine) -> TrainConfig {
    TrainConfig {
        hidden: vec![230, 225],
        engine: engine.into(),
        batch_size: 70,
        epochs: 2,
        activation: Activation::Relu,
        ..TrainConfig::default()
    }
}

#[test]
fn any_thread_count_gives_the_same_model_of_divided_layers() {
    for activation in [Activation::Sigmoid, Activation::Gelu] {
        for engine in engines() {
            for (hidden, batch_size) in [
                (vec![230, 225], 70),
                (vec![70, 300, 40], 130),
                (vec![64], 33),
            ] {
                let config = TrainConfig {
                    activation,
                    hidden,
                    batch_size,
                    ..divided(engine)
                };
                // Dense and sparse inputs.
                for nth in [1, 6] {
                    assert_same_model_on(&DIVIDED, &config, &sparse_splits(170, 300, nth));
                }
            }
        }
    }
}

#[test]
fn any_thread_count_gives_the_same_model_of_divided_layers_with_a_frozen_one() {
    for frozen in ["layers.0", "layers.1", "layers.2"] {
        for engine in engines() {
            let config = TrainConfig {
                freeze: vec![frozen.to_owned()],
                ..divided(engine)
            };
            assert_same_model_on(&DIVIDED, &config, &sparse_splits(150, 300, 6));
        }
    }
}

#[test]
fn any_thread_count_gives_the_same_model_of_divided_layers_under_every_rule() {
    if Engine::Native.check().is_err() {
        return;
    }
    for optimizer in every_rule() {
        for (scale, dropout) in [(Scale::Unit, 0.3), (Scale::StandardGlobal, 0.0)] {
            let config = TrainConfig {
                optimizer: optimizer.clone(),
                scale,
                regularization: RegularizationConfig {
                    dropout,
                    input_dropout: dropout,
                    ..RegularizationConfig::default()
                },
                ..divided(Engine::Native)
            };
            assert_same_model_on(&DIVIDED, &config, &sparse_splits(150, 300, 6));
        }
    }
}
