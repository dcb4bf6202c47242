//! A run, epoch after epoch: shuffle, step through the batches, evaluate, report, save.
//!
//! A pass that is interrupted to save continues with the rest of its order, and a run that starts from a state
//! continues from it, both with the bits of an uninterrupted run.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::divergence::{FiniteCheck, LossWatch};
use super::eval::Evaluator;
use super::event::{Event, EventHandler};
use super::outcome::{Ending, Outcome, provenance};
use super::profile::Profile;
use super::samples::total_weight;
use super::state::{Position, State};
use super::stepper::Stepper;
use super::stopping::{self, Cause, TimeLimit};
use super::supervisor::{Next, Supervisor};
use crate::compute::parallel::Workers;
use crate::config::CheckedConfig;
use crate::data::order::Order;
use crate::data::{Dataset, Splits};
use crate::error::Result;
use crate::model::{Model, Origin};
use crate::nn::Network;
use crate::nn::loss::Loss;
use crate::nn::symmetry::identical_units;
use crate::pulse;
use crate::scores::{EpochMetrics, Score, SetScores};
use crate::table::Schema;

/// How often progress is reported within an epoch.
const REPORTS_PER_EPOCH: usize = 100;

/// A run under way: what an epoch needs, and what it leaves to the next.
pub(super) struct Run<'a> {
    pub config: &'a CheckedConfig,
    pub data: &'a Splits,
    pub schema: Option<&'a Schema>,
    pub workers: &'a Workers,
    pub stepper: Stepper,
    pub loss: Loss,
    pub evaluator: Evaluator,
    pub order: Order,
    pub batch_size: usize,
    pub profile: Option<Profile>,
    /// The epochs that are done.
    pub epochs: Vec<EpochMetrics>,
    /// Steps done in the epoch after these.
    pub steps: usize,
    /// The summed losses of these steps.
    pub loss_sum: f64,
    /// The time they took.
    pub elapsed: Duration,
    pub reported: Reported,
    /// The parameters after the best epoch so far, if they are kept.
    pub best: Option<Vec<f32>>,
    pub origin: Option<Origin>,
    pub time: TimeLimit,
}

/// How far an epoch was when its progress was last reported.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Reported {
    samples: usize,
    /// The weight of these samples in the loss.
    weight: f64,
}

/// Why a run pauses.
enum Pause {
    /// The epoch is done.
    EpochEnd,
    /// The run is over, maybe within the epoch.
    Over(Cause),
    /// The supervisor stopped it and has its state.
    Stop,
}

impl Run<'_> {
    /// Trains epoch after epoch until the run is over, as it may be from the start, or is stopped.
    pub(super) fn run(
        mut self,
        mut over: Option<Cause>,
        supervisor: &mut dyn Supervisor,
        on_event: &mut EventHandler,
    ) -> Result<Ending> {
        loop {
            if let Some(cause) = over {
                return self.finish(cause, on_event).map(Ending::Finished);
            }
            match self.epoch(supervisor, on_event)? {
                Pause::EpochEnd => {}
                Pause::Over(cause) => over = Some(cause),
                Pause::Stop => return Ok(Ending::Stopped(self.position())),
            }
        }
    }

    /// Trains through the rest of the epoch under way and evaluates it.
    fn epoch(
        &mut self,
        supervisor: &mut dyn Supervisor,
        on_event: &mut EventHandler,
    ) -> Result<Pause> {
        self.order.shuffle(self.config.seed, self.epochs.len() + 1);
        let losses = self.epochs.iter().map(|epoch| epoch.watched_loss());
        self.stepper.look_back(losses);
        loop {
            let next = self.pass(supervisor, on_event)?;
            // At the end of an epoch there is no hurry: it is evaluated first.
            let is_complete = self.samples_done() == self.data.train.samples();
            let over = self.time.cause().filter(|_| !is_complete);
            if next == Next::Continue && over.is_none() {
                break;
            }
            supervisor.save(self.state()?)?;
            match (next, over) {
                (Next::Stop, _) => return Ok(Pause::Stop),
                (_, Some(cause)) => return Ok(Pause::Over(cause)),
                (_, None) => {}
            }
        }
        self.end_epoch(None)?;
        let over = stopping::cause(self.config, &self.epochs).or(self.time.cause());
        let next = supervisor.after_epoch(&self.epochs, over.is_some())?;
        on_event(Event::Epoch(&self.epochs[self.epochs.len() - 1]));
        if next != Next::Continue {
            supervisor.save(self.state()?)?;
        }
        Ok(match (over, next) {
            (Some(cause), _) => Pause::Over(cause),
            (None, Next::Stop) => Pause::Stop,
            (None, _) => Pause::EpochEnd,
        })
    }

    /// Steps through the rest of the epoch, until `supervisor` wants something other than to continue or time is up.
    fn pass(
        &mut self,
        supervisor: &mut dyn Supervisor,
        on_event: &mut EventHandler,
    ) -> Result<Next> {
        let (start, before) = (Instant::now(), self.elapsed);
        let (items, batch_size) = (self.data.train.samples(), self.batch_size);
        let (epochs, first) = (self.epochs.len(), self.steps);
        let report_every = items.div_ceil(REPORTS_PER_EPOCH);
        let done = self.samples_done();
        let (all, order) = (self.order.samples(), &self.order.samples()[done..]);
        let (workers, train, loss) = (self.workers, &self.data.train, &self.loss);
        let (mut samples, mut reported) = (done, self.reported);
        let (mut steps, mut loss_sum) = (first, self.loss_sum);
        let (mut watch, mut next, time) = (LossWatch::default(), Next::Continue, self.time);
        let mut on_step = |step: usize, sum: f64, advance: &mut dyn FnMut(usize)| {
            steps = first + step + 1;
            pulse::beat();
            watch.step(step, sum)?;
            loss_sum += sum;
            samples = items.min(samples + batch_size);
            advance(samples);
            if samples >= reported.samples + report_every {
                reported.weight += total_weight(loss, train, &all[reported.samples..samples]);
                reported.samples = samples;
                on_event(Event::Progress {
                    epoch: epochs + 1,
                    samples,
                    of: items,
                    loss: loss_sum / reported.weight,
                    elapsed: before + start.elapsed(),
                });
            }
            next = supervisor.after_step(Position { epochs, steps });
            match next {
                Next::Continue if time.cause().is_none() => ControlFlow::Continue(()),
                Next::Continue | Next::Save | Next::Stop => ControlFlow::Break(()),
            }
        };
        let (stepper, profile) = (&mut self.stepper, &mut self.profile);
        self.order.reading_ahead(train.rows(), |advance| {
            if !order.is_empty() {
                advance(done);
            }
            let mut on_step = |step: usize, sum: f64| on_step(step, sum, advance);
            match profile {
                None => stepper.pass(workers, train, order, &mut on_step),
                Some(profile) => {
                    let times = stepper.profiled_pass(workers, train, order, &mut on_step);
                    profile.add_all(&times);
                }
            }
        });
        (self.steps, self.loss_sum, self.reported) = (steps, loss_sum, reported);
        self.elapsed = before + start.elapsed();
        watch.check(epochs + 1, first, self.stepper.last_learning_rate())?;
        Ok(next)
    }

    /// Evaluates the epoch, or the `part` of it that is done, and begins the next.
    fn end_epoch(&mut self, part: Option<f64>) -> Result<()> {
        let metrics = self.evaluate(part)?;
        self.epochs.push(metrics);
        (self.steps, self.loss_sum, self.elapsed) = (0, 0.0, Duration::ZERO);
        self.reported = Reported::default();
        // Keeps the parameters of the best epoch, if they are asked for.
        let last = self.epochs.len() - 1;
        let is_kept = self.config.validation.early_stop.is_some();
        if is_kept && stopping::best(&self.epochs) == Some(last) {
            self.best = Some(self.parameters_to_keep()?);
        }
        Ok(())
    }

    /// Evaluates the network after the epoch, or after the `part` of it that is done.
    fn evaluate(&mut self, part: Option<f64>) -> Result<EpochMetrics> {
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

    /// The score of the network on `set`, with a finite loss, which errors call `what`.
    fn score(&mut self, what: &'static str, set: &Dataset) -> Result<Score> {
        // If an average of the parameters is kept, that is what is evaluated and saved.
        let average = self.stepper.average();
        let averaged = average
            .map(|average| self.network_of(&average))
            .transpose()?;
        let network = averaged.as_ref().unwrap_or(self.stepper.network());
        let profile = self.profile.as_mut();
        let score = self.evaluator.score(self.workers, network, set, profile)?;
        self.finite_check().score(what, score)
    }

    fn network_of(&self, parameters: &[f32]) -> Result<Network> {
        let (spec, engine) = (self.stepper.network().spec(), self.stepper.engine());
        let columns = &self.stepper.preprocessing().columns;
        Network::for_inference(spec, parameters, columns, engine)
    }

    /// Ends the run. If it ended within an epoch, the part that is done counts as an epoch.
    fn finish(mut self, cause: Cause, on_event: &mut EventHandler) -> Result<Outcome> {
        if self.steps > 0 {
            // A run that is over when it is resumed has not shuffled its last epoch.
            self.order.shuffle(self.config.seed, self.epochs.len() + 1);
            let part = self.samples_done() as f64 / self.data.train.samples() as f64;
            self.end_epoch(Some(part))?;
            on_event(Event::Epoch(&self.epochs[self.epochs.len() - 1]));
        }
        let (kept, parameters) = match (self.best.take(), stopping::best(&self.epochs)) {
            (Some(best), Some(kept)) => (kept, best),
            _ => (self.epochs.len() - 1, self.parameters_to_keep()?),
        };
        let test = self.test(kept, &parameters)?;
        let spec = self.stepper.network().spec().clone();
        let engine = self.stepper.engine();
        let describe = engine.describe();
        let measured = (&self.epochs[kept], test);
        let provenance = provenance(self.config, self.data, &describe, measured, self.origin);
        Ok(Outcome {
            identical_layers: identical_units(&spec, &parameters),
            engine,
            profile: self.profile,
            model: Model {
                spec,
                scaling: self.stepper.preprocessing().scaling.clone(),
                target_scaling: self.stepper.target_scaling().cloned(),
                parameters,
                class_names: self.data.train.class_names().cloned(),
                schema: self.schema.cloned(),
                provenance: Some(provenance),
            },
            epochs: self.epochs,
            kept,
            picked: self.config.validation.early_stop.is_some(),
            cause,
            test,
        })
    }

    /// The score on the test set of the `parameters` of the epoch `kept`: that of the epoch if it was evaluated on the
    /// test set, else measured now.
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
        self.finite_check().score("test loss", score).map(Some)
    }

    /// The parameters that a model would have now: their average, if one is kept.
    fn parameters_to_keep(&mut self) -> Result<Vec<f32>> {
        let parameters = self.finite_parameters()?;
        Ok(self.stepper.average().unwrap_or(parameters))
    }

    /// Returns the parameters, or an error if any is NaN or infinite: the losses alone may not reveal it.
    fn finite_parameters(&mut self) -> Result<Vec<f32>> {
        let parameters = self.stepper.parameters();
        self.finite_check().parameters(parameters)
    }

    /// A check of values after the last step, which may belong to the epoch before.
    fn finite_check(&self) -> FiniteCheck {
        let done = self.epochs.len();
        let (epoch, step) = match self.steps {
            0 => (done, self.data.train.samples().div_ceil(self.batch_size)),
            step => (done + 1, step),
        };
        FiniteCheck {
            epoch,
            step,
            learning_rate: self.stepper.last_learning_rate(),
        }
    }

    /// Samples of the epoch under way that are done.
    fn samples_done(&self) -> usize {
        self.data.train.samples().min(self.steps * self.batch_size)
    }

    fn position(&self) -> Position {
        Position {
            epochs: self.epochs.len(),
            steps: self.steps,
        }
    }

    /// A copy of everything that the remaining steps depend on.
    fn state(&mut self) -> Result<State> {
        Ok(State {
            epochs: self.epochs.clone(),
            steps: self.steps,
            loss_sum: self.loss_sum,
            elapsed: self.elapsed,
            // A run that has diverged is not worth saving: its checkpoint would replace a good one.
            parameters: self.finite_parameters()?,
            slots: self.stepper.slots(),
            best: self.best.clone(),
            spent: self.time.spent(),
            origin: self.origin.clone(),
            target_scaling: self.stepper.target_scaling().cloned(),
        })
    }
}
