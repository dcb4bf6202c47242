//! A run that resumes from any step ends with the same model.

use perceptor::config::ScheduleConfig;
use perceptor::schedule::ScheduleName;
use perceptor::train::{Event, Unsupervised};

use super::optimizers::every_rule;
use super::*;

/// A supervisor that keeps the state after every step and every epoch.
#[derive(Default)]
pub struct Everything(pub Vec<State>);

impl Supervisor for Everything {
    fn after_step(&mut self, _: Position) -> Next {
        Next::Save
    }

    fn after_epoch(&mut self, _: &[EpochMetrics], _: bool) -> perceptor::Result<Next> {
        Ok(Next::Save)
    }

    fn save(&mut self, state: State) -> perceptor::Result<()> {
        self.0.push(state);
        Ok(())
    }
}

/// Asserts that `config` trains the same model without interruption and resumed from every step and epoch, on other numbers
/// of threads.
pub fn assert_resumes_from_every_step(config: &TrainConfig, splits: &Splits) {
    let run = |threads, from, supervisor: &mut dyn Supervisor| {
        let training = Training {
            schema: None,
            config: &checked(config),
            data: splits,
            workers: &workers(threads),
            profiled: false,
            from,
        };
        match training
            .run(supervisor, &mut |_| {})
            .expect("a finite loss")
        {
            Ending::Finished(outcome) => outcome.model.to_bytes(),
            Ending::Stopped(place) => panic!("stopped at {place}"),
        }
    };
    let uninterrupted = train(config, splits, &workers(2), &mut |_| {});
    let uninterrupted = uninterrupted.expect("a finite loss").model.to_bytes();
    let mut everything = Everything::default();
    assert_eq!(
        run(2, None, &mut everything),
        uninterrupted,
        "{config:?}: saving changes the model"
    );
    let steps = splits.train.samples().div_ceil(config.batch_size);
    assert_eq!(everything.0.len(), config.epochs * (steps + 1));
    for (state, threads) in everything.0.into_iter().zip([1, 3, 2].into_iter().cycle()) {
        let place = state.position();
        let resumed = run(threads, Some(state), &mut Everything::default());
        assert!(
            resumed == uninterrupted,
            "{config:?} from {place}, {threads} threads"
        );
    }
}

#[test]
fn a_run_that_resumes_from_any_step_ends_with_the_same_model() {
    let cases = [(None, false), (Some(40), false), (None, true)];
    for (engine, (shuffle_window, idle_columns)) in
        engines().flat_map(|engine| cases.map(|case| (engine, case)))
    {
        let config = TrainConfig {
            hidden: vec![37, 20],
            engine: engine.into(),
            batch_size: 33,
            epochs: 3,
            activation: Activation::Relu,
            shuffle_window,
            ..TrainConfig::default()
        };
        let (train_set, test_set) = match idle_columns {
            true => with_idle_columns(100),
            false => (dataset(100, 41, 6, 11), dataset(30, 41, 6, 12)),
        };
        let splits = Splits {
            train: train_set,
            validation: None,
            test: Some(test_set),
        };
        assert_resumes_from_every_step(&config, &splits);
    }
}

#[test]
fn a_run_resumes_under_every_rule_and_schedule() {
    let schedules = ScheduleName::ALL.into_iter().cycle();
    for (optimizer, schedule) in every_rule().into_iter().zip(schedules) {
        let config = TrainConfig {
            hidden: vec![20],
            batch_size: 33,
            epochs: 3,
            optimizer,
            schedule: ScheduleConfig {
                schedule,
                warmup: Some(0.7),
                ..ScheduleConfig::default()
            },
            ..TrainConfig::default()
        };
        let splits = splits_with_idle_columns(100);
        assert_resumes_from_every_step(&config, &splits);
    }
}

#[test]
fn a_run_that_saves_at_every_step_reports_the_same_progress() {
    let splits = splits_with_idle_columns(300);
    let config = TrainConfig {
        hidden: vec![20],
        batch_size: 1,
        epochs: 2,
        ..TrainConfig::default()
    };
    let progress_under = |supervisor: &mut dyn Supervisor| {
        let training = Training {
            schema: None,
            config: &checked(&config),
            data: &splits,
            workers: &workers(2),
            profiled: false,
            from: None,
        };
        let mut reports = Vec::new();
        let ending = training.run(supervisor, &mut |event| {
            if let Event::Progress { epoch, samples, .. } = event {
                reports.push((epoch, samples));
            }
        });
        ending.expect("a finite loss");
        reports
    };
    let uninterrupted = progress_under(&mut Unsupervised);
    // A hundredth of an epoch is three steps.
    assert_eq!(uninterrupted.len(), 200);
    assert_eq!(progress_under(&mut Everything::default()), uninterrupted);
}
