//! Any number of threads trains the same model, byte for byte.

use perceptor::config::ScheduleConfig;
use perceptor::schedule::ScheduleName;

use super::optimizers::every_rule;
use super::*;

/// Asserts that training on 1, 2, 3 and 7 threads ends with the same model.
pub fn assert_same_model_on_any_threads(config: &TrainConfig, splits: &Splits) {
    let model = |threads| {
        let outcome = train(config, splits, &workers(threads), &mut |_| {});
        outcome.expect("a finite loss").model.to_bytes()
    };
    let one = model(1);
    for threads in [2, 3, 7] {
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
    let options = [(Scale::Standard, None), (Scale::Unit, Some(70))];
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
