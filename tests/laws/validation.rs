//! Validation, early stopping and frozen layers under the laws: the same bits on any number of threads and from any step that
//! a run resumes from.

use perceptor::config::TaskConfig;
use perceptor::config::{
    Accuracy, EarlyStop, MaxTime, OptimizerConfig, OptimizerName, ValidationConfig,
};
use perceptor::data::Holdout;
use perceptor::nn::Task;
use perceptor::train::{Cause, Outcome};

use super::resumption::Everything;
use super::*;

/// Settings for random labels: the accuracy rises for a while and then fluctuates.
fn config(engine: impl Into<EngineChoice>) -> TrainConfig {
    TrainConfig {
        hidden: vec![37, 20],
        engine: engine.into(),
        batch_size: 33,
        epochs: 40,
        activation: Activation::Relu,
        validation: ValidationConfig {
            validation_split: Some(Holdout::Fraction(0.25)),
            early_stop: Some(EarlyStop {
                patience: 2,
                min_delta: 0.0,
            }),
            ..ValidationConfig::default()
        },
        ..TrainConfig::default()
    }
}

fn splits(config: &TrainConfig) -> Splits {
    let (train_set, test_set) = with_idle_columns(160);
    let splits = Splits {
        train: train_set,
        validation: None,
        test: Some(test_set),
    };
    splits
        .hold_out(config.validation.validation_split, config.seed)
        .expect("enough samples")
}

fn finished(ending: perceptor::Result<Ending>) -> Outcome {
    match ending.expect("a finite loss") {
        Ending::Finished(outcome) => outcome,
        Ending::Stopped(place) => panic!("stopped at {place}"),
    }
}

fn run(
    config: &TrainConfig,
    threads: usize,
    from: Option<State>,
    supervisor: &mut dyn Supervisor,
) -> Outcome {
    let training = Training {
        schema: None,
        config: &checked(config),
        data: &splits(config),
        workers: &workers(threads),
        profiled: false,
        from,
    };
    finished(training.run(supervisor, &mut |_| {}))
}

#[test]
fn any_thread_count_stops_early_at_the_same_epoch_with_the_same_model() {
    for engine in engines() {
        let config = config(engine);
        let one = run(&config, 1, None, &mut Everything::default());
        assert_eq!(one.cause, Cause::EarlyStop, "{engine:?}");
        assert_eq!(one.epochs.len(), one.kept + 3, "{engine:?}");
        for threads in [2, 3, 7] {
            let other = run(&config, threads, None, &mut Everything::default());
            assert!(
                other.model.to_bytes() == one.model.to_bytes(),
                "{engine:?}: {threads} threads differ from 1"
            );
        }
    }
}

#[test]
fn a_run_that_stops_early_ends_with_the_same_model_from_any_step_it_resumes_from() {
    for engine in engines() {
        for (shuffle_window, average, batch_norm) in [
            (None, None, false),
            (Some(40), None, false),
            (None, Some(0.9), false),
            (None, None, true),
            (None, Some(0.9), true),
        ] {
            let optimizer = OptimizerConfig {
                average,
                ..OptimizerConfig::default()
            };
            let config = TrainConfig {
                shuffle_window,
                optimizer,
                batch_norm,
                ..config(engine)
            };
            let mut everything = Everything::default();
            let uninterrupted = run(&config, 2, None, &mut everything);
            let threads = [1, 3, 2].into_iter().cycle();
            // The last state is that of the end, where no step is left.
            for (state, threads) in everything.0.into_iter().zip(threads) {
                let place = state.position();
                let resumed = run(&config, threads, Some(state), &mut Everything::default());
                assert!(
                    resumed.model.to_bytes() == uninterrupted.model.to_bytes(),
                    "{engine:?} from {place}, {threads} threads"
                );
                assert_eq!(resumed.kept, uninterrupted.kept);
            }
        }
    }
}

/// The kept weights are those of an ordinary run of as many epochs, and the test set is evaluated with them.
#[test]
fn the_best_epoch_equals_the_end_of_a_run_of_as_many_epochs() {
    let stopping = config(EngineChoice::Auto);
    let stopped = run(&stopping, 2, None, &mut Everything::default());
    let mut config = stopping.clone();
    config.epochs = stopped.kept + 1;
    config.validation.early_stop = None;
    let short = run(&config, 2, None, &mut Everything::default());
    assert_eq!(short.cause, Cause::Epochs);
    assert_eq!(short.model.parameters, stopped.model.parameters);
    assert_eq!(short.test, stopped.test);
    // The test set is evaluated only once.
    for epoch in stopped.epochs {
        let accuracy = epoch.scores.validation.and_then(|score| score.accuracy);
        assert!(accuracy.is_some() && epoch.scores.test.is_none());
    }
}

#[test]
fn a_run_without_a_validation_set_reports_the_test_set_and_keeps_the_last_epoch() {
    let mut config = config(EngineChoice::Auto);
    config.epochs = 3;
    config.validation = ValidationConfig::default();
    let outcome = run(&config, 2, None, &mut Everything::default());
    let last = outcome.last();
    assert_eq!(outcome.kept, 2);
    assert_eq!(last.scores.validation, None);
    let test = outcome.test.expect("a test set");
    assert_eq!(last.scores.test, Some(test));
}

#[test]
fn scaling_and_columns_are_fitted_on_the_rows_that_are_not_held_out() {
    let config = config(EngineChoice::Auto);
    let data = splits(&config);
    let (train, validation) = (&data.train, data.validation.as_ref().expect("a set"));
    assert_eq!((train.samples(), validation.samples()), (120, 40));
    let workers = workers(2);
    let fit = |set: &Dataset| {
        let rows = (0..set.samples()).map(|row| item(set, row));
        let x: Vec<f32> = rows.flatten().map(|x| x as f32).collect();
        let x = Array2::from_shape_vec((set.samples(), set.features()), x).expect("rows");
        let copy = perceptor::data::Rows::from_array(x.view()).expect("rows");
        let scales = [Scale::Standard, Scale::StandardGlobal];
        scales.map(|scale| Preprocessing::fit(scale, &copy, &workers).expect("inputs"))
    };
    let scales = [Scale::Standard, Scale::StandardGlobal];
    let fitted =
        scales.map(|scale| Preprocessing::fit(scale, train.rows(), &workers).expect("inputs"));
    assert_eq!(fitted, fit(train));
    for (fitted, other) in fitted.iter().zip(fit(validation)) {
        assert_ne!(*fitted, other);
    }
}

#[test]
fn frozen_layers_keep_their_parameters_and_the_others_do_not() {
    // Everything that changes weights in addition to the gradient, and everything that limits it.
    let optimizer = OptimizerConfig {
        optimizer: OptimizerName::Adamw,
        weight_decay: Some(0.1),
        l1: 0.01,
        max_norm: Some(0.5),
        clip_norm: Some(0.1),
        average: Some(0.9),
        ..OptimizerConfig::default()
    };
    let cases = [
        (Scale::Unit, false, OptimizerConfig::default()),
        (Scale::Standard, false, OptimizerConfig::default()),
        (Scale::StandardGlobal, false, OptimizerConfig::default()),
        (Scale::Unit, false, optimizer.clone()),
        (Scale::Unit, true, OptimizerConfig::default()),
        (Scale::Unit, true, optimizer),
    ];
    for (engine, (scale, batch_norm, optimizer)) in
        engines().flat_map(|e| cases.iter().cloned().map(move |case| (e, case)))
    {
        for freeze in [&["layers.0"][..], &["layers.1"], &["layers.0", "layers.2"]] {
            let mut config = config(engine);
            config.scale = scale;
            config.batch_norm = batch_norm;
            config.optimizer = optimizer.clone();
            config.epochs = 2;
            config.validation.early_stop = None;
            config.freeze = freeze.iter().map(|&name| name.to_owned()).collect();
            let mut everything = Everything::default();
            let outcome = run(&config, 2, None, &mut everything);
            let spec = &outcome.model.spec;
            let start = State::start(spec, &checked(&config)).parameters;
            for (index, layer) in spec.layers().iter().enumerate() {
                let frozen = config.freeze.contains(&format!("layers.{index}"));
                let same = layer.split(&start) == layer.split(&outcome.model.parameters);
                assert_eq!(same, frozen, "{engine:?}, {freeze:?}: layer {index}");
            }
            // The same holds from any step, on any number of threads.
            for (state, threads) in everything.0.into_iter().zip([1, 3].into_iter().cycle()) {
                let resumed = run(&config, threads, Some(state), &mut Everything::default());
                assert!(resumed.model.to_bytes() == outcome.model.to_bytes());
            }
        }
    }
}

/// A layer above a frozen one takes the same step as if nothing was frozen.
#[test]
fn layers_that_are_not_frozen_learn_as_usual() {
    let data = dataset(100, 23, 5, 3);
    let spec = Spec::new(23, &[17, 9], 5, Activation::Tanh).expect("a spec");
    let start = parameters(&spec, 4);
    for engine in engines() {
        let batch: Vec<u32> = (0..100).collect();
        let step = |frozen: [bool; 3]| {
            let mut stepper = stepper(&spec, &start, engine, 100);
            stepper.freeze(&frozen);
            stepper.step(&workers(2), &data, &batch);
            stepper.parameters()
        };
        let free = step([false; 3]);
        for frozen in [
            [true, false, false],
            [true, true, false],
            [false, true, false],
        ] {
            let found = step(frozen);
            for (layer, frozen) in spec.layers().iter().zip(frozen) {
                let expected = if frozen { &start } else { &free };
                assert_eq!(layer.split(&found), layer.split(expected), "{engine:?}");
            }
        }
    }
}

#[test]
fn a_model_trained_from_another_starts_with_its_weights_and_scaling() {
    let mut config = config(EngineChoice::Auto);
    config.epochs = 2;
    config.scale = Scale::Standard;
    let first = run(&config, 2, None, &mut Everything::default()).model;
    config.scale = Scale::Model;
    config.freeze = vec!["layers.0".to_owned(), "layers.1".to_owned()];
    let start =
        State::warm_start(&first.spec, &checked(&config), &first).expect("the same network");
    let mut everything = Everything::default();
    let second = run(&config, 2, Some(start), &mut everything).model;
    assert_eq!(second.scaling, first.scaling);
    let layers = first.spec.layers();
    for layer in &layers[..2] {
        assert_eq!(
            layer.split(&first.parameters),
            layer.split(&second.parameters)
        );
    }
    assert_ne!(
        layers[2].split(&first.parameters),
        layers[2].split(&second.parameters)
    );
    assert!(
        second
            .provenance
            .as_ref()
            .is_some_and(|known| known.init_from.is_some())
    );
    for state in everything.0 {
        let resumed = run(&config, 3, Some(state), &mut Everything::default()).model;
        assert!(resumed.to_bytes() == second.to_bytes());
    }
    let narrower = Spec::new(21, &[37, 19], 3, Activation::Relu).expect("a spec");
    let refused = State::warm_start(&narrower, &checked(&config), &first).expect_err("a refusal");
    assert_eq!(
        refused.to_string(),
        "init_from: a model 21-37-20-3, relu, expected 21-37-19-3, relu, the network of this run"
    );
}

/// Time may run out after any step; the model is evaluated then, and a run with more time resumes from there.
#[test]
fn a_run_that_ran_out_of_time_resumes_with_more_time() {
    let mut config = config(EngineChoice::Auto);
    config.validation.early_stop = None;
    config.epochs = 4;
    let uninterrupted = run(&config, 2, None, &mut Everything::default());
    config.validation.max_time = Some(MaxTime(Duration::from_nanos(1)));
    let (mut state, mut parts) = (None, 0);
    loop {
        let mut everything = Everything::default();
        let outcome = run(&config, 2, state, &mut everything);
        // One step each time, or an epoch's last step and its evaluation.
        if outcome.cause == Cause::Epochs {
            assert!(outcome.model.parameters == uninterrupted.model.parameters);
            break;
        }
        assert_eq!(outcome.cause, Cause::MaxTime);
        parts += usize::from(outcome.last().part.is_some());
        let last = everything.0.pop().expect("the state at the end");
        let time = last.spent + Duration::from_nanos(1);
        config.validation.max_time = Some(MaxTime(time));
        state = Some(last);
    }
    assert!(parts > 0, "no run ended within an epoch");
}

#[test]
fn a_run_ends_when_its_target_is_reached() {
    let mut config = config(EngineChoice::Auto);
    let uninterrupted = run(&config, 2, None, &mut Everything::default());
    let reached = uninterrupted
        .best()
        .and_then(|best| best.scores.validation?.accuracy);
    config.validation.early_stop = None;
    config.validation.target_accuracy = reached.map(Accuracy);
    let outcome = run(&config, 2, None, &mut Everything::default());
    assert_eq!(outcome.cause, Cause::TargetAccuracy);
    let validation = outcome.last().scores.validation;
    assert_eq!(validation.and_then(|score| score.accuracy), reached);
    assert!(outcome.epochs.len() <= uninterrupted.kept + 1);
}

#[test]
fn settings_that_need_a_validation_set_are_refused_without_one() {
    let mut config = config(EngineChoice::Auto);
    let data = Splits {
        train: dataset(20, 5, 3, 1),
        validation: None,
        test: None,
    };
    let refusal = |config: &TrainConfig| {
        let refused = train(config, &data, &workers(1), &mut |_| {});
        refused.expect_err("a refusal").to_string()
    };
    assert!(refusal(&config).contains("`Splits::hold_out`"));
    config.validation.validation_split = None;
    assert!(refusal(&config).starts_with("early_stop: given without a validation set"));
    config.validation.early_stop = None;
    config.validation.target_accuracy = Some(Accuracy(0.9));
    assert!(refusal(&config).starts_with("target_accuracy: given without a validation or test"));
}

/// A regression on three features, the last of which has the value `last` in every row.
fn regression(items: usize, last: f32) -> Dataset {
    let value = |row: usize| row as f32 / items as f32;
    let x = Array2::from_shape_fn((items, 3), |(row, column)| [value(row), 1.0, last][column]);
    let values = Array2::from_shape_fn((items, 1), |(row, _)| value(row));
    let targets = Targets::values(values.view()).expect("finite values");
    Dataset::from_rows(x.view(), targets).expect("a data set")
}

#[test]
fn a_test_loss_that_is_not_finite_is_an_error_even_with_a_validation_set() {
    let config = TrainConfig {
        task: TaskConfig {
            task: Task::Regression,
            ..TaskConfig::default()
        },
        scale: Scale::None,
        hidden: Vec::new(),
        batch_size: 10,
        epochs: 2,
        ..TrainConfig::default()
    };
    let trained = |last: f32| {
        let splits = Splits {
            train: regression(40, 0.0),
            validation: Some(regression(20, 0.0)),
            test: Some(regression(20, last)),
        };
        train(&config, &splits, &workers(2), &mut |_| {})
    };
    assert!(trained(1.0).is_ok());
    let error = trained(1e30).expect_err("an infinite loss");
    let perceptor::Error::Diverged {
        what, epoch, step, ..
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!((what, epoch, step), ("test loss", 2, 4));
}
