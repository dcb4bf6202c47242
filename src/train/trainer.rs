//! Epochs: shuffle, step through the batches, measure, tell.
//!
//! The trainer prints nothing. It hands [`Event`]s to a closure and gives an [`Outcome`].

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::eval::Evaluator;
use super::profile::{Phase, Profile};
use super::step::Stepper;
use crate::compute::Engine;
use crate::compute::parallel::Workers;
use crate::compute::shared::SharedBuffer;
use crate::config::TrainConfig;
use crate::data::loader::Order;
use crate::data::{Scaling, Splits};
use crate::error::{Error, Result};
use crate::model::{Model, Provenance};
use crate::nn::Spec;
use crate::nn::init::initial_parameters;
use crate::nn::symmetry::identical_units;
use crate::optim::Sgd;

/// Progress is told this often within an epoch.
const TELLS_AN_EPOCH: usize = 100;

/// What an epoch came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EpochMetrics {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// Mean cross-entropy over the epoch's samples, each taken before its own step, in nats.
    pub train_loss: f64,
    /// Mean cross-entropy on the test set after the epoch, in nats; none without a test set.
    pub test_loss: Option<f64>,
    /// Share of the test set predicted right after the epoch, 0 to 1; none without a test set.
    pub test_accuracy: Option<f64>,
    /// The learning rate in force.
    pub learning_rate: f32,
    /// Time in training, evaluation not counted, in seconds.
    pub train_seconds: f64,
    /// Samples trained on in a second of that.
    pub samples_per_second: f64,
    /// 10⁹ floating point operations of the matrix products in a second of that.
    pub gflops: f64,
}

/// What happens during a run.
#[derive(Debug)]
pub enum Event<'a> {
    /// Some batches of an epoch are done.
    Progress {
        /// The epoch, counted from 1.
        epoch: usize,
        /// Samples of this epoch done.
        samples: usize,
        /// Samples in an epoch.
        of: usize,
        /// Mean loss over the epoch so far, in nats.
        loss: f64,
        /// Time in training since the epoch began.
        elapsed: Duration,
    },
    /// An epoch is done and measured.
    Epoch(&'a EpochMetrics),
}

/// What a run ends with.
#[derive(Debug)]
pub struct Outcome {
    /// The network after the last epoch.
    pub model: Model,
    /// Every epoch in turn; at least one.
    pub epochs: Vec<EpochMetrics>,
    /// The engine that did the work; never [`Engine::Auto`].
    pub engine: Engine,
    /// Where the time went, all workers together; none where it was not asked for.
    pub profile: Option<Profile>,
    /// Hidden layers, counted from 1, whose units are copies of one another: see
    /// [`crate::nn::symmetry`].
    pub identical_layers: Vec<usize>,
}

impl Outcome {
    /// Time in training over all epochs, evaluation not counted, in seconds.
    pub fn train_seconds(&self) -> f64 {
        self.epochs.iter().map(|epoch| epoch.train_seconds).sum()
    }

    /// Samples trained on in a second of [`Outcome::train_seconds`].
    pub fn samples_per_second(&self) -> f64 {
        let samples: f64 = self
            .epochs
            .iter()
            .map(|epoch| epoch.samples_per_second * epoch.train_seconds)
            .sum();
        samples / self.train_seconds()
    }

    /// 10⁹ floating point operations of the matrix products in a second of training.
    pub fn gflops(&self) -> f64 {
        self.samples_per_second() * self.model.spec.training_flops() / 1e9
    }

    /// The last epoch.
    pub fn last(&self) -> &EpochMetrics {
        &self.epochs[self.epochs.len() - 1]
    }

    /// The epoch with the best test accuracy, the first of equals; none without a test set.
    pub fn best(&self) -> Option<&EpochMetrics> {
        let measured = self
            .epochs
            .iter()
            .filter(|epoch| epoch.test_accuracy.is_some());
        measured.reduce(|best, epoch| {
            if epoch.test_accuracy > best.test_accuracy {
                epoch
            } else {
                best
            }
        })
    }
}

/// Trains a network on `data` with `workers`, telling `on_event` as it goes.
///
/// The outcome depends on `config`, `data` and the engine alone: any number of workers gives the same bits. `on_event`
/// must not use `workers`: they are at work.
///
/// # Errors
/// [`Error::Config`] for a setting out of range, [`Error::Data`] for inputs that cannot be scaled, and
/// [`Error::Diverged`] when a loss is no longer finite.
pub fn train(
    config: &TrainConfig,
    data: &Splits,
    workers: &Workers,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<Outcome> {
    train_profiled(config, data, workers, false, on_event)
}

/// [`train`], with the time of each phase in the outcome where `profiled` is true. Costs a per cent or so.
///
/// # Errors
/// As [`train`].
pub fn train_profiled(
    config: &TrainConfig,
    data: &Splits,
    workers: &Workers,
    profiled: bool,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<Outcome> {
    let spec = spec_for(config, data)?;
    check_memory(&spec)?;
    let scaling = Scaling::fit(config.scale, data.train.images())?;
    let parameters = initial_parameters(&spec, config.init, config.bias_init, config.seed);
    let sgd = Sgd {
        learning_rate: config.learning_rate,
        momentum: config.momentum,
    };
    let batch_size = config.batch_size.min(data.train.items());
    let mut run = Run {
        config,
        data,
        workers,
        scaling,
        stepper: Stepper::new(&spec, &parameters, config.engine, sgd, batch_size)?,
        evaluator: Evaluator::new(&spec, scaling, workers)?,
        order: Order::new(data.train.items()),
        batch_size,
        profile: profiled.then(Profile::default),
    };
    let epochs = (1..=config.epochs).map(|epoch| run.epoch(epoch, on_event));
    let epochs = epochs.collect::<Result<Vec<EpochMetrics>>>()?;
    let parameters = run.stepper.parameters();
    let engine = run.stepper.engine();
    Ok(Outcome {
        identical_layers: identical_units(&spec, &parameters),
        engine,
        profile: run.profile,
        model: Model {
            spec,
            scaling,
            parameters,
            provenance: Some(Provenance::new(
                config,
                data,
                &engine.describe(workers.blas()),
                &epochs,
            )),
        },
        epochs,
    })
}

/// Asks for what a run needs at its peak and gives it back: a network that does not fit is refused in words, before the
/// hours it would have taken. At the end there are weights, velocity and transpose, the flat parameters, and two copies of
/// them on their way to the file.
fn check_memory(spec: &Spec) -> Result<()> {
    const COPIES: usize = 6;
    SharedBuffer::<f32>::zeroed(spec.parameters().saturating_mul(COPIES)).map(drop)
}

/// The network that `config` describes for `data`.
///
/// # Errors
/// [`Error::Config`] for a setting out of range.
pub fn spec_for(config: &TrainConfig, data: &Splits) -> Result<Spec> {
    config.check()?;
    let (features, classes) = (data.train.features(), data.train.classes());
    Spec::new(features, &config.hidden, classes, config.activation)
}

/// What an epoch needs, and what it leaves to the next.
struct Run<'a> {
    config: &'a TrainConfig,
    data: &'a Splits,
    workers: &'a Workers,
    scaling: Scaling,
    stepper: Stepper,
    evaluator: Evaluator,
    order: Order,
    batch_size: usize,
    profile: Option<Profile>,
}

impl Run<'_> {
    fn epoch(
        &mut self,
        epoch: usize,
        on_event: &mut (dyn FnMut(Event) + Send),
    ) -> Result<EpochMetrics> {
        let (train_loss, elapsed) = self.pass(epoch, on_event)?;
        let (start, test) = (Instant::now(), self.data.test.as_ref());
        let network = self.stepper.network();
        let test = test.map(|test| self.evaluator.evaluate(self.workers, network, test));
        let test = test.transpose()?;
        if let Some(profile) = &mut self.profile {
            profile.add(
                Phase::Evaluation,
                start.elapsed() * self.workers.threads() as u32,
            );
        }
        let test_loss = test.as_ref().map(|test| test.loss);
        let steps = self.data.train.items().div_ceil(self.batch_size);
        if let Some(loss) = test_loss.filter(|loss| !loss.is_finite()) {
            return Err(self.diverged(epoch, steps, "test loss", loss));
        }
        // What the last steps did to the weights no loss may have shown: an infinite one can give finite losses.
        if epoch == self.config.epochs {
            let parameters = self.stepper.parameters();
            if let Some(&weight) = parameters.iter().find(|w| !w.is_finite()) {
                return Err(self.diverged(epoch, steps, "a weight", weight.into()));
            }
        }
        let train_seconds = elapsed.as_secs_f64();
        let samples_per_second = self.data.train.items() as f64 / train_seconds;
        let metrics = EpochMetrics {
            epoch,
            train_loss,
            test_loss,
            test_accuracy: test.map(|test| test.accuracy),
            learning_rate: self.config.learning_rate,
            train_seconds,
            samples_per_second,
            gflops: samples_per_second * self.stepper.network().spec().training_flops() / 1e9,
        };
        on_event(Event::Epoch(&metrics));
        Ok(metrics)
    }

    /// One pass over the training set; gives its mean loss and the time it took.
    fn pass(
        &mut self,
        epoch: usize,
        on_event: &mut (dyn FnMut(Event) + Send),
    ) -> Result<(f64, Duration)> {
        let start = Instant::now();
        let items = self.data.train.items();
        let tell_every = items.div_ceil(TELLS_AN_EPOCH);
        let (mut samples, mut told, mut loss_sum) = (0, 0, 0.0);
        let mut broken = None;
        self.order.shuffle(self.config.seed, epoch);
        let mut on_step = |step: usize, loss: f64| {
            if !loss.is_finite() {
                broken = Some((step + 1, loss));
                return ControlFlow::Break(());
            }
            loss_sum += loss;
            samples = items.min(samples + self.batch_size);
            if samples >= told + tell_every {
                told = samples;
                on_event(Event::Progress {
                    epoch,
                    samples,
                    of: items,
                    loss: loss_sum / samples as f64,
                    elapsed: start.elapsed(),
                });
            }
            ControlFlow::Continue(())
        };
        let (workers, train, scaling) = (self.workers, &self.data.train, self.scaling);
        let (stepper, order) = (&mut self.stepper, self.order.items());
        match &mut self.profile {
            None => stepper.pass(workers, train, scaling, order, &mut on_step),
            Some(profile) => {
                let times = stepper.profiled_pass(workers, train, scaling, order, &mut on_step);
                profile.add_all(&times);
            }
        }
        match broken {
            Some((step, loss)) => Err(self.diverged(epoch, step, "training loss", loss)),
            None => Ok((loss_sum / items as f64, start.elapsed())),
        }
    }

    fn diverged(&self, epoch: usize, step: usize, what: &'static str, value: f64) -> Error {
        Error::Diverged {
            epoch,
            step,
            what,
            value,
            learning_rate: self.config.learning_rate,
        }
    }
}
