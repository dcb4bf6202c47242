//! A run that goes on from any step ends in the same model.

use perceptor::config::ScheduleConfig;
use perceptor::schedule::ScheduleName;
use perceptor::train::{Event, Unsupervised};

use super::optimizers::every_rule;
use super::*;

/// Keeps the state after every step and every epoch.
#[derive(Default)]
pub struct Everything(pub Vec<State>);

impl Supervisor for Everything {
    fn after_step(&mut self, _: Place) -> Then {
        Then::Save
    }

    fn after_epoch(&mut self, _: &[EpochMetrics], _: bool) -> perceptor::Result<Then> {
        Ok(Then::Save)
    }

    fn save(&mut self, state: State) -> perceptor::Result<()> {
        self.0.push(state);
        Ok(())
    }
}

/// Runs `config` once undisturbed and once from every step and epoch on, with other numbers of threads.
pub fn goes_on_from_anywhere(config: &TrainConfig, splits: &Splits) {
    let run = |threads, from, supervisor: &mut dyn Supervisor| {
        let training = Training {
            config,
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
    let whole = train(config, splits, &workers(2), &mut |_| {});
    let whole = whole.expect("a finite loss").model.to_bytes();
    let mut everything = Everything::default();
    assert_eq!(
        run(2, None, &mut everything),
        whole,
        "{config:?}: saving changes the model"
    );
    let steps = splits.train.items().div_ceil(config.batch_size);
    assert_eq!(everything.0.len(), config.epochs * (steps + 1));
    for (state, threads) in everything.0.into_iter().zip([1, 3, 2].into_iter().cycle()) {
        let place = state.place();
        let resumed = run(threads, Some(state), &mut Everything::default());
        assert!(
            resumed == whole,
            "{config:?} from {place}, {threads} threads"
        );
    }
}

#[test]
fn a_run_that_goes_on_from_any_step_ends_in_the_same_model() {
    let cases = [(None, false), (Some(40), false), (None, true)];
    for (engine, (shuffle_window, idle_columns)) in
        engines().flat_map(|engine| cases.map(|case| (engine, case)))
    {
        let config = TrainConfig {
            hidden: vec![37, 20],
            engine,
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
        goes_on_from_anywhere(&config, &splits);
    }
}

#[test]
fn a_run_goes_on_under_every_rule_and_schedule() {
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
        goes_on_from_anywhere(&config, &splits);
    }
}

#[test]
fn a_run_that_saves_at_every_step_tells_as_much_of_its_progress() {
    let splits = splits_with_idle_columns(300);
    let config = TrainConfig {
        hidden: vec![20],
        batch_size: 1,
        epochs: 2,
        ..TrainConfig::default()
    };
    let told_under = |supervisor: &mut dyn Supervisor| {
        let training = Training {
            config: &config,
            data: &splits,
            workers: &workers(2),
            profiled: false,
            from: None,
        };
        let mut told = Vec::new();
        let ending = training.run(supervisor, &mut |event| {
            if let Event::Progress { epoch, samples, .. } = event {
                told.push((epoch, samples));
            }
        });
        ending.expect("a finite loss");
        told
    };
    let undisturbed = told_under(&mut Unsupervised);
    // A hundredth of an epoch is three steps.
    assert_eq!(undisturbed.len(), 200);
    assert_eq!(told_under(&mut Everything::default()), undisturbed);
}
