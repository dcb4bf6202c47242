//! Trains a network: prepares a run and starts it.
//!
//! Nothing here prints or knows files. A run reports [`Event`](super::Event)s to an [`EventHandler`], hands its
//! [`State`] to a [`Supervisor`], and returns an [`Outcome`].

use std::time::Instant;

use super::epochs::Run;
use super::eval::Evaluator;
use super::event::EventHandler;
use super::outcome::{Ending, Outcome};
use super::prepare::{check_memory, check_state, spec_for};
use super::profile::Profile;
use super::state::State;
use super::stepper::Stepper;
use super::stopping::TimeLimit;
use super::supervisor::{Supervisor, Unsupervised};
use super::suspect::suspect;
use crate::compute::parallel::Workers;
use crate::config::{CheckedConfig, TrainConfig};
use crate::data::order::Order;
use crate::data::{Splits, TargetScale};
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::table::Schema;

/// Trains a network on `data` with `workers`, and reports to `on_event` meanwhile.
///
/// The outcome depends only on `config`, `data` and the engine: any number of workers gives the same bits. `on_event`
/// must not use `workers`, which are busy.
///
/// # Errors
/// Returns the errors of [`Training::run`].
///
/// ```
/// use perceptor::{TrainConfig, Workers, train};
/// # use perceptor::ndarray::{arr1, arr2};
/// # use perceptor::{Dataset, Splits, Targets};
/// # let x = arr2(&[[0.0, 1.0], [1.0, 0.0], [0.2, 0.9], [0.9, 0.1]]);
/// # let y = Targets::classes(arr1(&[0u8, 1, 0, 1]).view(), 2)?;
/// # let data = Splits::new(Dataset::from_rows(x.view(), y)?, None, None)?;
/// # let workers = Workers::new(Workers::available())?;
/// let outcome = train(&TrainConfig::default(), &data, &workers, &mut |_| {})?;
/// assert_eq!(outcome.model.spec.inputs(), 2);
/// # Ok::<(), perceptor::Error>(())
/// ```
pub fn train(
    config: &TrainConfig,
    data: &Splits,
    workers: &Workers,
    on_event: &mut EventHandler,
) -> Result<Outcome> {
    let training = Training {
        config: &config.clone().check()?,
        data,
        schema: None,
        workers,
        profiled: false,
        from: None,
    };
    match training.run(&mut Unsupervised, on_event)? {
        Ending::Finished(outcome) => Ok(outcome),
        Ending::Stopped(position) => unreachable!("nobody stopped the run at {position}"),
    }
}

/// A run that is about to start.
#[derive(Debug)]
pub struct Training<'a> {
    /// The settings.
    pub config: &'a CheckedConfig,
    /// The training set, and the sets to evaluate on.
    pub data: &'a Splits,
    /// How the table was read that the data are from, for the model; `None` for other data.
    pub schema: Option<&'a Schema>,
    /// The threads that compute.
    pub workers: &'a Workers,
    /// Whether the outcome has the time of each phase. It costs about one per cent of the speed.
    pub profiled: bool,
    /// The state to start from: of an earlier run with the same settings and data, or of [`State::warm_start`]; `None`
    /// to start from drawn weights.
    pub from: Option<State>,
}

impl Training<'_> {
    /// Trains until the run ends or `supervisor` stops it. The outcome is bit-identical wherever the run was stopped
    /// and resumed, unless its time was limited.
    ///
    /// # Errors
    /// Returns [`Error::Config`] if a setting needs a set that the data does not have,
    /// [`Error::Data`] if the inputs cannot be scaled, [`Error::Diverged`] if a loss or weight becomes NaN or
    /// infinite, [`Error::Run`] if the state does not belong to this run, and the errors of `supervisor`.
    pub fn run(
        self,
        supervisor: &mut dyn Supervisor,
        on_event: &mut EventHandler,
    ) -> Result<Ending> {
        let began = Instant::now();
        let spec = spec_for(self.config, self.data)?;
        spec.layers_named(&self.config.freeze)?;
        check_memory(&spec, self.config)?;
        // Records name the engine that computed, not that the choice was left open.
        let engine = self.config.engine.resolve()?;
        let config = self.config.resolved().with_engine(engine);
        let train = &self.data.train;
        let state = match self.from {
            Some(state) => state,
            None => State::start(&spec, &config),
        };
        let rule = config.optimizer.rule();
        let items = train.samples();
        let batch_size = config.batch_for(items);
        let steps_per_epoch = items.div_ceil(batch_size);
        let schedule = config.schedule(steps_per_epoch)?;
        check_state(&state, &spec, &rule, steps_per_epoch)?;
        let over = state.over(&config);
        let stepper = Stepper::for_run(&config, &spec, train, schedule, &state, self.workers)?;
        let target_scaling = stepper.target_scaling().cloned();
        let config = config.with_target_scale(match target_scaling {
            Some(_) => TargetScale::Standard,
            None => TargetScale::None,
        });
        let preprocessing = stepper.preprocessing().clone();
        let mut evaluator = Evaluator::new(&spec, preprocessing, self.workers)?;
        evaluator.set_loss(config.task.plain_loss());
        evaluator.set_target_scaling(target_scaling);
        let loss = stepper.loss().clone();
        let data = self.data;
        let run = Run {
            config: &config,
            data,
            schema: self.schema,
            workers: self.workers,
            stepper,
            loss,
            reported: Default::default(),
            evaluator,
            order: Order::new(items, config.window_for(items)),
            batch_size,
            profile: self.profiled.then(Profile::default),
            epochs: state.epochs,
            steps: state.steps,
            loss_sum: state.loss_sum,
            elapsed: state.elapsed,
            best: state.best,
            origin: state.origin,
            time: TimeLimit::new(config.validation.max_time, began, state.spent),
        };
        let ended = run.run(over, supervisor, on_event);
        ended.map_err(|error| error.suspecting(|| suspect(&config, &data.train)))
    }
}
