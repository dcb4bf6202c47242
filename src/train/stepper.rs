//! A network in training: what a step changes, and what it works in.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::prepare::{loss_for, preprocessing_for, target_scaling_for};
use super::profile::{Clock, Phase, Profile};
use super::samples::Batch;
use super::state::State;
use super::step::{Taken, Team};
use crate::compute::Engine;
use crate::compute::parallel::{Division, Workers};
use crate::compute::shared::{AtomicF64, ROWS_APART};
use crate::config::CheckedConfig;
use crate::data::{Dataset, Preprocessing, TargetScaling};
use crate::error::Result;
use crate::nn::loss::{Loss, Units};
use crate::nn::{Activations, Network, Noise, Partition, Spec};
use crate::optim::Rule;
use crate::schedule::Schedule;

/// A network in training, with the buffers that a step works in.
#[derive(Debug)]
pub struct Stepper {
    network: Network,
    preprocessing: Preprocessing,
    activations: Activations,
    loss: Loss,
    /// How targets are standardised, and their units, if they are.
    targets: Option<(TargetScaling, Units)>,
    noise: Noise,
    losses: Vec<AtomicF64>,
    batch_size: usize,
    engine: Engine,
    partition: Partition,
    rule: Rule,
    schedule: Schedule,
    /// The [`Schedule::plateau_factor`] after the epochs that are done.
    plateau: f32,
    /// The number of steps since the run began.
    steps: u64,
    /// The terms of the squared norm of the gradient, if it is limited.
    squares: Vec<AtomicF64>,
}

/// Receives the number of each step of a pass, counted from 0, and the sum of its samples' losses before the update,
/// in nats or in the units of the targets. It may end the pass, and must not use the workers of the pass, which are busy.
pub type StepHandler<'a> = dyn FnMut(usize, f64) -> ControlFlow<()> + Send + 'a;

impl Stepper {
    /// Makes the stepper of a run on `train` with everything that `config` sets: engine, preprocessing, optimiser,
    /// loss, dropout and noise, frozen layers. Learning rates are those of `schedule`. The run continues after the
    /// steps of `state`, which is that of [`State::start`] for a new run.
    ///
    /// # Errors
    /// Returns [`crate::Error::Config`] for an engine that is not available or a frozen layer that does not exist,
    /// [`crate::Error::Data`] for rows that cannot be scaled, and [`crate::Error::Memory`] if the system refuses
    /// memory.
    ///
    /// # Panics
    /// Panics if `train` or `state` does not belong to the network `spec`.
    pub fn for_run(
        config: &CheckedConfig,
        spec: &Spec,
        train: &Dataset,
        schedule: Schedule,
        state: &State,
        workers: &Workers,
    ) -> Result<Stepper> {
        let batch_size = config.batch_for(train.samples());
        let threads = workers.threads();
        let engine = config.engine.resolve()?;
        let groups = match (engine, workers.division()) {
            (Engine::Native, Division::Units) => {
                Partition::suggested_groups(spec, batch_size, threads)
            }
            (Engine::Openblas | Engine::Portable, _) | (_, Division::Rows) => 1,
        };
        let mut stepper = Stepper::divided(
            spec,
            &state.parameters,
            preprocessing_for(config, train, Some(state), engine, workers)?,
            engine,
            config.optimizer.rule(),
            schedule,
            batch_size,
            Partition::new(spec, batch_size, threads, groups),
        )?;
        let steps_per_epoch = train.samples().div_ceil(batch_size);
        let steps = state.epochs.len() * steps_per_epoch + state.steps;
        // The slots of a new network are those of a run that begins.
        if steps > 0 {
            stepper.resume(steps as u64, &state.slots);
        }
        stepper.freeze(&spec.layers_named(&config.freeze)?);
        stepper.set_loss(loss_for(config, train));
        stepper.set_target_scaling(target_scaling_for(config, train, state));
        stepper.set_noise(config.noise())?;
        Ok(stepper)
    }

    /// Starts from `parameters [parameters]`, to be moved by `rule` at the learning rates of `schedule`, for batches
    /// of up to `batch_size` rows. Any number of workers divides them by rows.
    ///
    /// # Errors
    /// Returns [`crate::Error::Memory`] if memory is refused.
    ///
    /// # Panics
    /// Panics if `parameters` or `preprocessing` do not belong to this `spec`.
    pub fn new(
        spec: &Spec,
        parameters: &[f32],
        preprocessing: Preprocessing,
        engine: Engine,
        rule: Rule,
        schedule: Schedule,
        batch_size: usize,
    ) -> Result<Stepper> {
        let partition = Partition::by_rows(1);
        Stepper::divided(
            spec,
            parameters,
            preprocessing,
            engine,
            rule,
            schedule,
            batch_size,
            partition,
        )
    }

    /// [`Stepper::new`] for workers that divide the work by `partition`, which must be by rows except for the native
    /// engine.
    ///
    /// # Errors
    /// Returns [`crate::Error::Memory`] if memory is refused.
    ///
    /// # Panics
    /// Panics if `parameters` or `preprocessing` do not belong to this `spec`.
    #[expect(
        clippy::too_many_arguments,
        reason = "those of `new`, and the partition"
    )]
    pub fn divided(
        spec: &Spec,
        parameters: &[f32],
        preprocessing: Preprocessing,
        engine: Engine,
        rule: Rule,
        schedule: Schedule,
        batch_size: usize,
        partition: Partition,
    ) -> Result<Stepper> {
        let columns = &preprocessing.columns;
        let division = (&partition, batch_size);
        let network = Network::for_training(spec, parameters, columns, engine, &rule, division)?;
        let squares = rule.clip_norm.map_or(0, |_| network.squares());
        Ok(Stepper {
            network,
            squares: zeros(squares),
            activations: Activations::for_training(spec, columns, batch_size, &partition)?,
            preprocessing,
            loss: Loss::with_link(spec.task(), spec.link()),
            targets: None,
            noise: Noise::default(),
            losses: zeros(losses_of_copy(batch_size) * partition.unit_groups()),
            batch_size,
            engine,
            partition,
            rule,
            schedule,
            plateau: 1.0,
            steps: 0,
        })
    }

    /// Continues after `steps` steps of a run, with its `slots`, `[parameters]` each.
    ///
    /// # Panics
    /// Panics if they do not belong to this network and rule.
    pub fn resume(&mut self, steps: u64, slots: &[Vec<f32>]) {
        self.steps = steps;
        self.network.set_slots(slots);
    }

    /// Informs the schedule of the losses of the epochs so far, in order.
    pub fn look_back(&mut self, losses: impl Iterator<Item = f64>) {
        self.plateau = self.schedule.plateau_factor(losses);
    }

    /// The learning rate of the last step.
    pub fn last_learning_rate(&self) -> f32 {
        self.schedule.at(self.steps.saturating_sub(1), self.plateau)
    }

    /// Minimises `loss` from now on.
    ///
    /// # Panics
    /// Panics if it is for another task or link.
    pub fn set_loss(&mut self, loss: Loss) {
        let spec = self.network.spec();
        let (found, expected) = ((loss.task(), loss.link()), (spec.task(), spec.link()));
        assert_eq!(found, expected, "the loss of a task");
        self.loss = loss;
        self.set_target_scaling(self.target_scaling().cloned());
    }

    /// Standardises targets by `scaling` from now on, or uses them unchanged. Losses stay in the targets' own units.
    ///
    /// # Panics
    /// Panics if it does not fit the outputs of the network.
    pub fn set_target_scaling(&mut self, scaling: Option<TargetScaling>) {
        self.targets = scaling.map(|scaling| {
            let outputs = self.network.spec().outputs();
            assert!(scaling.fits(outputs), "{scaling:?} for {outputs} outputs");
            let units = self.loss.units(&scaling.deviations());
            (scaling, units)
        });
    }

    /// Trains with `noise` from now on.
    ///
    /// # Errors
    /// Returns [`crate::Error::Memory`] if memory is refused.
    pub fn set_noise(&mut self, noise: Noise) -> Result<()> {
        let spec = self.network.spec();
        self.activations
            .set_dropout(spec, noise.dropout, &self.partition)?;
        self.noise = noise;
        Ok(())
    }

    /// Leaves the frozen layers unchanged from now on: see [`Network::freeze`].
    ///
    /// # Panics
    /// Panics if there is not one for each layer.
    pub fn freeze(&mut self, frozen: &[bool]) {
        self.network.freeze(frozen);
        // Frozen layers have no part in the norm of the gradient.
        self.squares.iter().for_each(|square| square.store(0.0));
    }

    /// Trains on the samples `order` of `data`, batch by batch, and calls `on_step` after each. The last batch is
    /// shorter if the batch size does not divide the number of samples.
    ///
    /// # Panics
    /// Panics if a sample is out of range, if `data` does not fit this network, or if layers are divided by units among
    /// another number of workers.
    pub fn pass(
        &mut self,
        workers: &Workers,
        data: &Dataset,
        order: &[u32],
        on_step: &mut StepHandler,
    ) {
        self.clocked_pass::<false>(workers, data, order, on_step);
    }

    /// Trains as [`Stepper::pass`] does, with a clock for each worker. Returns the time and the work of each phase,
    /// summed over the workers.
    ///
    /// # Panics
    /// Panics in the cases of [`Stepper::pass`].
    pub fn profiled_pass(
        &mut self,
        workers: &Workers,
        data: &Dataset,
        order: &[u32],
        on_step: &mut StepHandler,
    ) -> Profile {
        let mut steps = 0;
        let mut counted = |step: usize, loss: f64| {
            steps = step + 1;
            on_step(step, loss)
        };
        let mut profile = self.clocked_pass::<true>(workers, data, order, &mut counted);
        let samples = order.len().min(steps * self.batch_size) as f64;
        let network = &self.network;
        profile.add_flops(Phase::Forward, samples * network.forward_flops());
        profile.add_flops(Phase::Backward, samples * network.backward_flops());
        profile.add_flops(Phase::Update, samples * network.update_flops());
        profile
    }

    fn clocked_pass<const CLOCKED: bool>(
        &mut self,
        workers: &Workers,
        data: &Dataset,
        order: &[u32],
        on_step: &mut StepHandler,
    ) -> Profile {
        let threads = workers.threads();
        let partition = match self.partition.divided() {
            0 => Partition::by_rows(threads),
            _ => self.partition.clone(),
        };
        assert_eq!(threads, partition.threads(), "workers of the partition");
        let team = Team {
            network: &self.network,
            preprocessing: &self.preprocessing,
            activations: &self.activations,
            loss: &self.loss,
            targets: self
                .targets
                .as_ref()
                .map(|(scaling, units)| (scaling, units)),
            noise: &self.noise,
            losses: &self.losses,
            losses_of_copy: losses_of_copy(self.batch_size),
            squares: &self.squares,
            rule: &self.rule,
            engine: self.engine,
            partition: &partition,
            data,
            taken: Taken::none(threads),
        };
        let stopped = AtomicBool::new(false);
        let steps = AtomicU64::new(self.steps);
        let (on_step, profile) = (Mutex::new(on_step), Mutex::new(Profile::default()));
        let stepper = &*self;
        workers.team(|member| {
            let mut clock = Clock::<CLOCKED>::start();
            let mut on_step = member.leads().then(|| lock(&on_step));
            let mut done = 0;
            let mut batches = order.chunks(stepper.batch_size).enumerate().peekable();
            while let Some((number, batch)) = batches.next() {
                let batch = Batch {
                    number: stepper.steps + number as u64,
                    samples: batch,
                    next: batches.peek().map_or(&[][..], |(_, next)| next),
                };
                let rate = stepper.schedule.at(batch.number, stepper.plateau);
                let step = stepper.rule.at(batch.number + 1, rate);
                let loss = team.step(member, batch, step, &mut clock);
                if let Some(on_step) = &mut on_step {
                    done += 1;
                    if on_step(number, loss).is_break() {
                        stopped.store(true, Ordering::Relaxed);
                    }
                }
                member.wait();
                clock.end(Phase::Waiting);
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
            }
            steps.fetch_add(done, Ordering::Relaxed);
            lock(&profile).add_all(&clock.into_profile());
        });
        self.steps = steps.into_inner();
        profile.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Trains one step on the samples `batch` of `data`. Returns the sum of their losses before the update, in nats,
    /// with class weights and row weights.
    ///
    /// # Panics
    /// Panics if there are more samples than the batch size, and in the cases of [`Stepper::pass`].
    pub fn step(&mut self, workers: &Workers, data: &Dataset, batch: &[u32]) -> f64 {
        assert!(
            batch.len() <= self.batch_size,
            "a batch of {} for {}",
            batch.len(),
            self.batch_size
        );
        let mut sum = 0.0;
        self.pass(workers, data, batch, &mut |_, loss| {
            sum = loss;
            ControlFlow::Continue(())
        });
        sum
    }

    /// The network; its parameters are those after the last step.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The loss that is minimised.
    pub fn loss(&self) -> &Loss {
        &self.loss
    }

    /// The number of samples in a batch; the last one of an epoch may have fewer.
    pub fn batch_size(&self) -> usize {
        self.batch_size
    }

    /// How samples become inputs.
    pub fn preprocessing(&self) -> &Preprocessing {
        &self.preprocessing
    }

    /// How targets are standardised; `None` if they are used unchanged.
    pub fn target_scaling(&self) -> Option<&TargetScaling> {
        self.targets.as_ref().map(|(scaling, _)| scaling)
    }

    /// The engine that computes.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// The current parameters, `[parameters]`.
    pub fn parameters(&mut self) -> Vec<f32> {
        self.network.parameters()
    }

    /// The current slots of the optimiser, in the order of [`Rule::slots`], `[parameters]` each. After the first step
    /// of gradient descent the velocity is the gradient of the mean loss.
    pub fn slots(&mut self) -> Vec<Vec<f32>> {
        let count = self.rule.slots().len();
        (0..count).map(|slot| self.network.slot(slot)).collect()
    }

    /// The current moving average of the parameters, `[parameters]`; `None` if none is kept.
    pub fn average(&mut self) -> Option<Vec<f32>> {
        self.rule.average?;
        let mut average = self.network.slot(self.rule.slots().len() - 1);
        self.network.fill_idle(&mut average);
        Some(average)
    }
}

/// Where the next copy of the losses of a batch starts: not in the cache lines that a processor fetches ahead.
fn losses_of_copy(batch_size: usize) -> usize {
    batch_size + ROWS_APART
}

fn zeros(count: usize) -> Vec<AtomicF64> {
    std::iter::repeat_with(AtomicF64::default)
        .take(count)
        .collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
