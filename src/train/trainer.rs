//! Epochs: shuffle, step through the batches, measure, tell.
//!
//! The trainer prints nothing and knows no files. It hands [`Event`]s to a closure, its [`State`] to a [`Supervisor`],
//! and gives an [`Outcome`]. A pass that is broken off to save goes on with the rest of its order, and a run that starts
//! from a state goes on from it, with the bits they would have had.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::eval::Evaluator;
use super::outcome::{Ending, Event, Outcome, provenance};
use super::prepare::{check_memory, check_state, spec_for};
use super::profile::Profile;
use super::state::{Place, State};
use super::step::{Stepper, total_weight};
use super::stopping::{self, Cause, TimeLimit};
use super::supervisor::{Supervisor, Then, Unsupervised};
use crate::compute::parallel::Workers;
use crate::config::TrainConfig;
use crate::data::order::Order;
use crate::data::{Dataset, Splits};
use crate::error::{Error, Result};
use crate::model::Model;
use crate::model::Origin;
use crate::nn::Network;
use crate::nn::loss::Loss;
use crate::nn::symmetry::identical_units;
use crate::scores::{EpochMetrics, Score, SetScores};

/// Progress is told this often within an epoch.
const TELLS_AN_EPOCH: usize = 100;

/// What is told the events of a run.
pub type OnEvent<'a> = dyn FnMut(Event) + Send + 'a;

/// Trains a network on `data` with `workers`, telling `on_event` as it goes.
///
/// The outcome depends on `config`, `data` and the engine alone: any number of workers gives the same bits. `on_event`
/// must not use `workers`: they are at work.
///
/// # Errors
/// As [`Training::run`].
pub fn train(
    config: &TrainConfig,
    data: &Splits,
    workers: &Workers,
    on_event: &mut OnEvent,
) -> Result<Outcome> {
    let training = Training {
        config,
        data,
        workers,
        profiled: false,
        from: None,
    };
    match training.run(&mut Unsupervised, on_event)? {
        Ending::Finished(outcome) => Ok(outcome),
        Ending::Stopped(place) => unreachable!("nobody stopped the run at {place}"),
    }
}

/// A run that is about to start.
#[derive(Debug)]
pub struct Training<'a> {
    /// The settings.
    pub config: &'a TrainConfig,
    /// What to learn from, and what to measure on.
    pub data: &'a Splits,
    /// Who computes.
    pub workers: &'a Workers,
    /// Whether the outcome has the time of each phase. Costs a per cent or so.
    pub profiled: bool,
    /// The state of an earlier run with these settings and data to go on from, or that of [`State::warm_start`]; none to
    /// start at the beginning.
    pub from: Option<State>,
}

impl Training<'_> {
    /// Trains until it is over or `supervisor` stops it. The outcome is the same, bit for bit, wherever the run was stopped
    /// and resumed, unless its time was limited.
    ///
    /// # Errors
    /// [`Error::Config`] for a setting out of range or one that these data have no sets for, [`Error::Data`] for inputs
    /// that cannot be scaled, [`Error::Diverged`] when a loss is no longer finite, [`Error::Run`] for a state that is not
    /// of this run, and those of `supervisor`.
    pub fn run(self, supervisor: &mut dyn Supervisor, on_event: &mut OnEvent) -> Result<Ending> {
        let began = Instant::now();
        let spec = spec_for(self.config, self.data)?;
        spec.layers_named(&self.config.freeze)?;
        check_memory(&spec, self.config)?;
        // Records say who computed, not that the choice was left open.
        let engine = self.config.engine.resolve()?;
        let config = TrainConfig {
            engine: engine.into(),
            ..self.config.resolved()
        };
        let train = &self.data.train;
        let state = match self.from {
            Some(state) => state,
            None => State::start(&spec, &config),
        };
        let rule = config.optimizer.rule();
        let items = train.samples();
        let batch_size = config.batch_size.min(items);
        let steps_an_epoch = items.div_ceil(batch_size);
        let schedule = config.schedule(steps_an_epoch)?;
        check_state(&state, &spec, &rule, steps_an_epoch)?;
        let over = state.over(&config);
        let stepper = Stepper::for_run(&config, &spec, train, schedule, &state, self.workers)?;
        let preprocessing = stepper.preprocessing().clone();
        let mut evaluator = Evaluator::new(&spec, preprocessing, self.workers)?;
        evaluator.set_loss(config.task.plain_loss());
        let loss = stepper.loss().clone();
        let run = Run {
            config: &config,
            data: self.data,
            workers: self.workers,
            stepper,
            loss,
            told: Told::default(),
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
        run.go_through(over, supervisor, on_event)
    }
}

/// What an epoch needs, and what it leaves to the next.
struct Run<'a> {
    config: &'a TrainConfig,
    data: &'a Splits,
    workers: &'a Workers,
    stepper: Stepper,
    loss: Loss,
    evaluator: Evaluator,
    order: Order,
    batch_size: usize,
    profile: Option<Profile>,
    /// The epochs that are done.
    epochs: Vec<EpochMetrics>,
    /// Steps done in the epoch after these, and what they came to.
    steps: usize,
    loss_sum: f64,
    elapsed: Duration,
    told: Told,
    /// The parameters after the best epoch so far, where they are kept.
    best: Option<Vec<f32>>,
    origin: Option<Origin>,
    time: TimeLimit,
}

/// How far an epoch was when its progress was told the last time.
#[derive(Debug, Clone, Copy, Default)]
struct Told {
    samples: usize,
    /// What these samples count for in the loss.
    weight: f64,
}

/// Where a run holds on its way through an epoch.
enum Pause {
    /// The epoch is done.
    EpochEnd,
    /// The run is over, maybe within the epoch.
    Over(Cause),
    /// It was told to stop, and has handed its state over.
    Stop,
}

impl Run<'_> {
    /// Epoch after epoch, until the run is over, as it may be from the start, or told to stop.
    fn go_through(
        mut self,
        mut over: Option<Cause>,
        supervisor: &mut dyn Supervisor,
        on_event: &mut OnEvent,
    ) -> Result<Ending> {
        loop {
            if let Some(cause) = over {
                return self.finish(cause, on_event).map(Ending::Finished);
            }
            match self.epoch(supervisor, on_event)? {
                Pause::EpochEnd => {}
                Pause::Over(cause) => over = Some(cause),
                Pause::Stop => return Ok(Ending::Stopped(self.place())),
            }
        }
    }

    /// The epoch under way, or the rest of it.
    fn epoch(&mut self, supervisor: &mut dyn Supervisor, on_event: &mut OnEvent) -> Result<Pause> {
        self.order.shuffle(self.config.seed, self.epochs.len() + 1);
        let losses = self.epochs.iter().map(|epoch| epoch.watched_loss());
        self.stepper.look_back(losses);
        loop {
            let then = self.pass(supervisor, on_event)?;
            // At the end of an epoch there is no hurry: it is measured first.
            let whole = self.samples_done() == self.data.train.samples();
            let over = self.time.cause().filter(|_| !whole);
            if then == Then::GoOn && over.is_none() {
                break;
            }
            supervisor.save(self.state()?)?;
            match (then, over) {
                (Then::Stop, _) => return Ok(Pause::Stop),
                (_, Some(cause)) => return Ok(Pause::Over(cause)),
                (_, None) => {}
            }
        }
        let metrics = self.measure(None)?;
        self.epochs.push(metrics);
        (self.steps, self.loss_sum, self.elapsed) = (0, 0.0, Duration::ZERO);
        self.told = Told::default();
        self.keep_best()?;
        let over = stopping::cause(self.config, &self.epochs).or(self.time.cause());
        let then = supervisor.after_epoch(&self.epochs, over.is_some())?;
        on_event(Event::Epoch(&self.epochs[self.epochs.len() - 1]));
        if then != Then::GoOn {
            supervisor.save(self.state()?)?;
        }
        Ok(match (over, then) {
            (Some(cause), _) => Pause::Over(cause),
            (None, Then::Stop) => Pause::Stop,
            (None, _) => Pause::EpochEnd,
        })
    }

    /// Evaluates the network and says what the epoch came to, or the `part` of it that is done.
    fn measure(&mut self, part: Option<f64>) -> Result<EpochMetrics> {
        let mut scores = SetScores::default();
        match (&self.data.validation, &self.data.test) {
            (Some(set), _) => scores.validation = Some(self.score("validation loss", set)?),
            (None, Some(set)) => scores.test = Some(self.score("test loss", set)?),
            (None, None) => {}
        }
        let epoch = self.epochs.len() + 1;
        if epoch == self.config.epochs {
            self.finite_parameters()?;
        }
        let train_seconds = self.elapsed.as_secs_f64();
        let samples = self.samples_done();
        let items = &self.order.samples()[..samples];
        let weight = total_weight(&self.loss, &self.data.train, items);
        let samples_per_second = samples as f64 / train_seconds;
        Ok(EpochMetrics {
            epoch,
            train_loss: self.loss_sum / weight,
            scores,
            learning_rate: self.stepper.last_learning_rate(),
            train_seconds,
            samples_per_second,
            gflops: samples_per_second * self.stepper.network().training_flops() / 1e9,
            part,
        })
    }

    /// What the network comes to on `set`: a finite loss, called `what`.
    fn score(&mut self, what: &'static str, set: &Dataset) -> Result<Score> {
        let averaged = self.averaged()?;
        let network = averaged.as_ref().unwrap_or(self.stepper.network());
        let profile = self.profile.as_mut();
        let score = self.evaluator.score(self.workers, network, set, profile)?;
        self.finite(what, score)
    }

    /// Holds a loss, called `what`, to be a number.
    fn finite(&self, what: &'static str, score: Score) -> Result<Score> {
        match score.loss.is_finite() {
            true => Ok(score),
            false => Err(self.diverged(self.steps, what, score.loss)),
        }
    }

    /// A network with the average of the parameters, where one is kept: it is what is measured and saved.
    fn averaged(&mut self) -> Result<Option<Network>> {
        let average = self.stepper.average();
        average.map(|average| self.network_of(&average)).transpose()
    }

    fn network_of(&self, parameters: &[f32]) -> Result<Network> {
        let (spec, engine) = (self.stepper.network().spec(), self.stepper.engine());
        let columns = &self.stepper.preprocessing().columns;
        Network::for_inference(spec, parameters, columns, engine)
    }

    /// The parameters that a model would have now: the average, where one is kept.
    fn parameters_to_keep(&mut self) -> Result<Vec<f32>> {
        let parameters = self.finite_parameters()?;
        Ok(self.stepper.average().unwrap_or(parameters))
    }

    /// Keeps the parameters, where the best are asked for and the last epoch is the best.
    fn keep_best(&mut self) -> Result<()> {
        let last = self.epochs.len() - 1;
        let asked_for = self.config.validation.early_stop.is_some();
        if asked_for && stopping::best(&self.epochs) == Some(last) {
            self.best = Some(self.parameters_to_keep()?);
        }
        Ok(())
    }

    /// Says what the run came to. Where it ended within an epoch, that counts as far as it went.
    fn finish(mut self, cause: Cause, on_event: &mut OnEvent) -> Result<Outcome> {
        if self.steps > 0 {
            // A run that is over when it is resumed has not shuffled its last epoch.
            self.order.shuffle(self.config.seed, self.epochs.len() + 1);
            let part = self.samples_done() as f64 / self.data.train.samples() as f64;
            let metrics = self.measure(Some(part))?;
            self.epochs.push(metrics);
            self.keep_best()?;
            on_event(Event::Epoch(&self.epochs[self.epochs.len() - 1]));
        }
        let (kept, parameters) = match (self.best.take(), stopping::best(&self.epochs)) {
            (Some(best), Some(kept)) => (kept, best),
            _ => (self.epochs.len() - 1, self.parameters_to_keep()?),
        };
        let test = self.test(kept, &parameters)?;
        let spec = self.stepper.network().spec().clone();
        let engine = self.stepper.engine();
        let describe = engine.describe(self.workers.blas());
        let measured = (&self.epochs[kept], test);
        let provenance = provenance(self.config, self.data, &describe, measured, self.origin);
        Ok(Outcome {
            identical_layers: identical_units(&spec, &parameters),
            engine,
            profile: self.profile,
            model: Model {
                spec,
                scaling: self.stepper.preprocessing().scaling,
                parameters,
                class_names: self.data.train.class_names().cloned(),
                provenance: Some(provenance),
            },
            epochs: self.epochs,
            kept,
            picked: self.config.validation.early_stop.is_some(),
            cause,
            test,
        })
    }

    /// What the `parameters` of the epoch `kept` come to on the test set, where there is one: measured here, or with the
    /// epoch where there was no validation set to measure instead.
    fn test(&mut self, kept: usize, parameters: &[f32]) -> Result<Option<Score>> {
        let measured = self.epochs[kept].scores.test;
        if measured.is_some() {
            return Ok(measured);
        }
        let Some(set) = &self.data.test else {
            return Ok(None);
        };
        let network = self.network_of(parameters)?;
        let profile = self.profile.as_mut();
        let score = self.evaluator.score(self.workers, &network, set, profile)?;
        self.finite("test loss", score).map(Some)
    }

    /// Steps through what is left of the epoch, or until `supervisor` wants something else than to go on or the time is
    /// over.
    fn pass(&mut self, supervisor: &mut dyn Supervisor, on_event: &mut OnEvent) -> Result<Then> {
        let (start, before) = (Instant::now(), self.elapsed);
        let (items, batch_size) = (self.data.train.samples(), self.batch_size);
        let (epochs, first) = (self.epochs.len(), self.steps);
        let tell_every = items.div_ceil(TELLS_AN_EPOCH);
        let done = items.min(first * batch_size);
        let (all, order) = (self.order.samples(), &self.order.samples()[done..]);
        let (workers, train, loss) = (self.workers, &self.data.train, &self.loss);
        let mut samples = done;
        let (mut told, mut steps, mut loss_sum) = (self.told, first, self.loss_sum);
        let (mut broken, mut then, time) = (None, Then::GoOn, self.time);
        let mut on_step = |step: usize, sum: f64, place: &mut dyn FnMut(usize)| {
            steps = first + step + 1;
            if !sum.is_finite() {
                broken = Some(sum);
                return ControlFlow::Break(());
            }
            loss_sum += sum;
            samples = items.min(samples + batch_size);
            place(samples);
            if samples >= told.samples + tell_every {
                told.weight += total_weight(loss, train, &all[told.samples..samples]);
                told.samples = samples;
                on_event(Event::Progress {
                    epoch: epochs + 1,
                    samples,
                    of: items,
                    loss: loss_sum / told.weight,
                    elapsed: before + start.elapsed(),
                });
            }
            then = supervisor.after_step(Place { epochs, steps });
            match then {
                Then::GoOn if time.cause().is_none() => ControlFlow::Continue(()),
                Then::GoOn | Then::Save | Then::Stop => ControlFlow::Break(()),
            }
        };
        let (stepper, profile) = (&mut self.stepper, &mut self.profile);
        self.order.reading_ahead(train.rows(), |place| {
            if !order.is_empty() {
                place(done);
            }
            let mut on_step = |step: usize, sum: f64| on_step(step, sum, place);
            match profile {
                None => stepper.pass(workers, train, order, &mut on_step),
                Some(profile) => {
                    let times = stepper.profiled_pass(workers, train, order, &mut on_step);
                    profile.add_all(&times);
                }
            }
        });
        (self.steps, self.loss_sum, self.told) = (steps, loss_sum, told);
        self.elapsed = before + start.elapsed();
        match broken {
            Some(loss) => Err(self.diverged(steps, "training loss", loss)),
            None => Ok(then),
        }
    }

    /// Samples of the epoch under way that are done.
    fn samples_done(&self) -> usize {
        self.data.train.samples().min(self.steps * self.batch_size)
    }

    fn place(&self) -> Place {
        Place {
            epochs: self.epochs.len(),
            steps: self.steps,
        }
    }

    /// A copy of all that the steps still to come depend on.
    fn state(&mut self) -> Result<State> {
        Ok(State {
            epochs: self.epochs.clone(),
            steps: self.steps,
            loss_sum: self.loss_sum,
            elapsed: self.elapsed,
            // A run that has diverged is not worth keeping: it would take the place of one that has not.
            parameters: self.finite_parameters()?,
            slots: self.stepper.slots(),
            best: self.best.clone(),
            spent: self.time.spent(),
            origin: self.origin.clone(),
        })
    }

    /// The parameters, if they are numbers. What the last steps did to them no loss may have shown: an infinite one can
    /// give finite losses.
    fn finite_parameters(&mut self) -> Result<Vec<f32>> {
        let parameters = self.stepper.parameters();
        match parameters.iter().find(|w| !w.is_finite()) {
            None => Ok(parameters),
            Some(&weight) => Err(self.diverged(self.steps, "a weight", weight.into())),
        }
    }

    /// `step` steps into the epoch under way; none are the whole of the one before.
    fn diverged(&self, step: usize, what: &'static str, value: f64) -> Error {
        let done = self.epochs.len();
        let (epoch, step) = match step {
            0 => (done, self.data.train.samples().div_ceil(self.batch_size)),
            step => (done + 1, step),
        };
        Error::Diverged {
            epoch,
            step,
            what,
            value,
            learning_rate: self.stepper.last_learning_rate(),
        }
    }
}
