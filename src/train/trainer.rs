//! Epochs: shuffle, step through the batches, measure, tell.
//!
//! The trainer prints nothing and knows no files. It hands [`Event`]s to a closure, its [`State`] to a [`Supervisor`],
//! and gives an [`Outcome`]. A pass that is broken off to save goes on with the rest of its order, and a run that starts
//! from a state goes on from it, with the bits they would have had.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::eval::Evaluator;
use super::outcome::{Ending, EpochMetrics, Event, Outcome};
use super::profile::{Phase, Profile};
use super::state::{Place, State};
use super::step::Stepper;
use super::supervisor::{Supervisor, Then, Unsupervised};
use crate::compute::parallel::Workers;
use crate::compute::shared::SharedBuffer;
use crate::config::TrainConfig;
use crate::data::loader::Order;
use crate::data::{Preprocessing, Splits};
use crate::error::{Error, Refusal, Result};
use crate::model::{Model, Provenance};
use crate::nn::symmetry::identical_units;
use crate::nn::{Network, Spec};
use crate::optim::{AVERAGE, Rule};

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
    /// The state of an earlier run with these settings and data to go on from; none to start at the beginning.
    pub from: Option<State>,
}

impl Training<'_> {
    /// Trains until all epochs are done or `supervisor` stops it. The outcome is the same, bit for bit, wherever the run
    /// was stopped and resumed.
    ///
    /// # Errors
    /// [`Error::Config`] for a setting out of range, [`Error::Data`] for inputs that cannot be scaled,
    /// [`Error::Diverged`] when a loss is no longer finite, [`Error::Run`] for a state that is not of this run, and
    /// those of `supervisor`.
    pub fn run(self, supervisor: &mut dyn Supervisor, on_event: &mut OnEvent) -> Result<Ending> {
        let spec = spec_for(self.config, self.data)?;
        check_memory(&spec)?;
        let images = self.data.train.images();
        let preprocessing = Preprocessing::for_run(self.config, images, self.workers)?;
        let scaling = preprocessing.scaling;
        // Records say who computed, not that the choice was left open.
        let engine = self.config.engine.resolve()?;
        let config = TrainConfig {
            engine,
            ..self.config.resolved()
        };
        let rule = config.optimizer.rule();
        let state = match self.from {
            Some(state) => state,
            None => beginning(&spec, &config, &rule),
        };
        let items = self.data.train.items();
        let batch_size = config.batch_size.min(items);
        let steps_an_epoch = items.div_ceil(batch_size);
        let schedule = config.schedule(steps_an_epoch)?;
        check_state(&state, &spec, &rule, steps_an_epoch)?;
        let evaluator = Evaluator::new(&spec, preprocessing.clone(), self.workers)?;
        let parameters = &state.parameters;
        let mut stepper = Stepper::new(
            &spec,
            parameters,
            preprocessing,
            engine,
            rule,
            schedule,
            batch_size,
        )?;
        let steps = state.epochs.len() * steps_an_epoch + state.steps;
        stepper.resume(steps as u64, &state.slots);
        let mut run = Run {
            config: &config,
            data: self.data,
            workers: self.workers,
            stepper,
            evaluator,
            order: Order::new(items, config.window_for(items)),
            batch_size,
            profile: self.profiled.then(Profile::default),
            epochs: state.epochs,
            steps: state.steps,
            loss_sum: state.loss_sum,
            elapsed: state.elapsed,
        };
        while run.epochs.len() < config.epochs {
            if run.epoch(supervisor, on_event)? == Then::Stop && run.epochs.len() < config.epochs {
                return Ok(Ending::Stopped(run.place()));
            }
        }
        let parameters = run.stepper.average();
        let parameters = parameters.unwrap_or_else(|| run.stepper.parameters());
        let describe = engine.describe(self.workers.blas());
        Ok(Ending::Finished(Outcome {
            identical_layers: identical_units(&spec, &parameters),
            engine,
            profile: run.profile,
            model: Model {
                spec,
                scaling,
                parameters,
                provenance: Some(Provenance::new(&config, self.data, &describe, &run.epochs)),
            },
            epochs: run.epochs,
        }))
    }
}

/// Where a run starts that goes on from no other.
fn beginning(spec: &Spec, config: &TrainConfig, rule: &Rule) -> State {
    let parameters = config.start().parameters(spec, config.seed);
    let begin = |name| match name {
        AVERAGE => parameters.clone(),
        _ => vec![0.0; spec.parameters()],
    };
    State {
        epochs: Vec::new(),
        steps: 0,
        loss_sum: 0.0,
        elapsed: Duration::ZERO,
        slots: rule.slots().into_iter().map(begin).collect(),
        parameters,
    }
}

/// Asks for what a run needs at its peak and gives it back: a network that does not fit is refused in words, before the
/// hours it would have taken. At the end there are weights, velocity and transpose, the flat parameters, and two copies of
/// them on their way to the file, while parameters and velocity may be on their way to a checkpoint, twice as well.
fn check_memory(spec: &Spec) -> Result<()> {
    const COPIES: usize = 10;
    SharedBuffer::<f32>::zeroed(spec.parameters().saturating_mul(COPIES)).map(drop)
}

/// Holds a state against the network and the steps of an epoch.
fn check_state(state: &State, spec: &Spec, rule: &Rule, steps: usize) -> Result<()> {
    let (slots, expected) = (rule.slots(), spec.parameters());
    let fits = |flat: &Vec<f32>| flat.len() == expected;
    let whole = fits(&state.parameters) && state.slots.iter().all(fits);
    if whole && state.slots.len() == slots.len() && state.steps <= steps {
        return Ok(());
    }
    let (parameters, found) = (state.parameters.len(), state.slots.len());
    Err(Error::Run(Refusal::new(
        "state",
        format!("{parameters} parameters, {found} slots, {}", state.place()),
        format!(
            "those of {spec}, {} slots, and at most {steps} steps an epoch",
            slots.len()
        ),
    )))
}

/// The network that `config` describes for `data`.
///
/// # Errors
/// [`Error::Config`] for a setting out of range.
pub fn spec_for(config: &TrainConfig, data: &Splits) -> Result<Spec> {
    config.check()?;
    let (features, classes) = (data.train.features(), data.train.classes());
    Spec::new(features, &config.hidden, classes, config.activation)?
        .with_batch_norm(config.batch_norm)
}

/// What an epoch needs, and what it leaves to the next.
struct Run<'a> {
    config: &'a TrainConfig,
    data: &'a Splits,
    workers: &'a Workers,
    stepper: Stepper,
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
}

impl Run<'_> {
    /// The epoch under way, or the rest of it. What it says is that of the epoch's end, or that of the step at which it
    /// was stopped.
    fn epoch(&mut self, supervisor: &mut dyn Supervisor, on_event: &mut OnEvent) -> Result<Then> {
        self.order.shuffle(self.config.seed, self.epochs.len() + 1);
        let losses = self.epochs.iter().map(|epoch| epoch.watched_loss());
        self.stepper.look_back(losses);
        loop {
            let then = self.pass(supervisor, on_event)?;
            if then == Then::GoOn {
                break;
            }
            supervisor.save(self.state()?)?;
            if then == Then::Stop {
                return Ok(then);
            }
        }
        let metrics = self.measure()?;
        self.epochs.push(metrics);
        (self.steps, self.loss_sum, self.elapsed) = (0, 0.0, Duration::ZERO);
        let then = supervisor.after_epoch(&self.epochs)?;
        on_event(Event::Epoch(&self.epochs[self.epochs.len() - 1]));
        if then != Then::GoOn {
            supervisor.save(self.state()?)?;
        }
        Ok(then)
    }

    /// Evaluates the network and says what the epoch came to.
    fn measure(&mut self) -> Result<EpochMetrics> {
        let (start, test) = (Instant::now(), self.data.test.as_ref());
        let averaged = self.averaged()?;
        let network = averaged.as_ref().unwrap_or(self.stepper.network());
        let test = test.map(|test| self.evaluator.evaluate(self.workers, network, test));
        let test = test.transpose()?;
        if let (Some(profile), Some(data)) = (&mut self.profile, &self.data.test) {
            let time = start.elapsed() * self.workers.threads() as u32;
            profile.add(Phase::Evaluation, time);
            let flops = self.stepper.network().forward_flops();
            profile.add_flops(Phase::Evaluation, flops * data.items() as f64);
        }
        let test_loss = test.as_ref().map(|test| test.loss);
        if let Some(loss) = test_loss.filter(|loss| !loss.is_finite()) {
            return Err(self.diverged(self.steps, "test loss", loss));
        }
        let epoch = self.epochs.len() + 1;
        if epoch == self.config.epochs {
            self.finite_parameters()?;
        }
        let train_seconds = self.elapsed.as_secs_f64();
        let items = self.data.train.items() as f64;
        let samples_per_second = items / train_seconds;
        Ok(EpochMetrics {
            epoch,
            train_loss: self.loss_sum / items,
            test_loss,
            test_accuracy: test.map(|test| test.accuracy),
            learning_rate: self.stepper.last_learning_rate(),
            train_seconds,
            samples_per_second,
            gflops: samples_per_second * self.stepper.network().training_flops() / 1e9,
        })
    }

    /// Steps through what is left of the epoch, or until `supervisor` wants something else than to go on.
    fn pass(&mut self, supervisor: &mut dyn Supervisor, on_event: &mut OnEvent) -> Result<Then> {
        let (start, before) = (Instant::now(), self.elapsed);
        let (items, batch_size) = (self.data.train.items(), self.batch_size);
        let (epochs, first) = (self.epochs.len(), self.steps);
        let tell_every = items.div_ceil(TELLS_AN_EPOCH);
        let done = items.min(first * batch_size);
        let order = &self.order.items()[done..];
        let mut samples = done;
        let (mut told, mut steps, mut loss_sum) = (samples, first, self.loss_sum);
        let (mut broken, mut then) = (None, Then::GoOn);
        let mut on_step = |step: usize, loss: f64, place: &mut dyn FnMut(usize)| {
            steps = first + step + 1;
            if !loss.is_finite() {
                broken = Some(loss);
                return ControlFlow::Break(());
            }
            loss_sum += loss;
            samples = items.min(samples + batch_size);
            place(samples);
            if samples >= told + tell_every {
                told = samples;
                on_event(Event::Progress {
                    epoch: epochs + 1,
                    samples,
                    of: items,
                    loss: loss_sum / samples as f64,
                    elapsed: before + start.elapsed(),
                });
            }
            then = supervisor.after_step(Place { epochs, steps });
            match then {
                Then::GoOn => ControlFlow::Continue(()),
                Then::Save | Then::Stop => ControlFlow::Break(()),
            }
        };
        let (workers, train) = (self.workers, &self.data.train);
        let (stepper, profile) = (&mut self.stepper, &mut self.profile);
        self.order.reading_ahead(train.images(), |place| {
            if !order.is_empty() {
                place(done);
            }
            let mut on_step = |step: usize, loss: f64| on_step(step, loss, place);
            match profile {
                None => stepper.pass(workers, train, order, &mut on_step),
                Some(profile) => {
                    let times = stepper.profiled_pass(workers, train, order, &mut on_step);
                    profile.add_all(&times);
                }
            }
        });
        (self.steps, self.loss_sum) = (steps, loss_sum);
        self.elapsed = before + start.elapsed();
        match broken {
            Some(loss) => Err(self.diverged(steps, "training loss", loss)),
            None => Ok(then),
        }
    }

    /// A network with the average of the parameters, where one is kept: it is what is measured and saved.
    fn averaged(&mut self) -> Result<Option<Network>> {
        let Some(average) = self.stepper.average() else {
            return Ok(None);
        };
        let (spec, engine) = (self.stepper.network().spec(), self.stepper.engine());
        let columns = &self.stepper.preprocessing().columns;
        Network::for_inference(spec, &average, columns, engine).map(Some)
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
            0 => (done, self.data.train.items().div_ceil(self.batch_size)),
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
