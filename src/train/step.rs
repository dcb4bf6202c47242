//! One training step, the whole way: gather, noise where there is any, forward, loss, backward, update.
//!
//! A [`Stepper`] owns what a step changes (the network) and what it works in (activations). All workers run the same
//! steps as one team, two barriers a step: rows first, each block through all layers and back by one worker; then
//! weights, each piece by one worker from all rows. A limit on the gradient's norm, and one on the units', take a
//! barrier more each. No sum is shared, so no bit depends on who does what. After the first step nothing is allocated,
//! but for the packing buffers that matrixmultiply makes in each of its products.

use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::blocks::Blocks;
use super::prepare::{loss_for, preprocessing_for};
use super::profile::{Clock, Phase, Profile};
use super::state::State;
use crate::compute::Engine;
use crate::compute::parallel::{Member, Pieces, Workers};
use crate::compute::phases::{OwnPiece, OwnRows, OwnUnits};
use crate::compute::shared::AtomicF64;
use crate::config::TrainConfig;
use crate::data::{Dataset, Preprocessing};
use crate::error::Result;
use crate::nn::loss::Loss;
use crate::nn::network::Part;
use crate::nn::{Activations, Network, Noise, Spec, TargetsMut};
use crate::optim::{Rule, Step};
use crate::schedule::Schedule;

/// The state of a training run between two steps.
#[derive(Debug)]
pub struct Stepper {
    network: Network,
    preprocessing: Preprocessing,
    activations: Activations,
    loss: Loss,
    noise: Noise,
    losses: Vec<AtomicF64>,
    batch_size: usize,
    engine: Engine,
    rule: Rule,
    schedule: Schedule,
    /// [`Schedule::plateau_factor`] of the epochs that are done.
    plateau: f32,
    /// Steps done since the run began.
    steps: u64,
    /// `Σ g²` of each piece of the parameters, where the gradient is held to a norm.
    squares: Vec<AtomicF64>,
}

/// What the workers of a pass share beside the stepper.
struct Pass<'a> {
    data: &'a Dataset,
    threads: usize,
    blocks_taken: Pieces,
    pieces_taken: Pieces,
    applied: Pieces,
    units_taken: Pieces,
    stopped: AtomicBool,
}

/// What is told the number of each step, counted from 0, and the sum of its samples' losses before the update, in nats.
/// It may break the pass off.
pub type OnStep<'a> = dyn FnMut(usize, f64) -> ControlFlow<()> + Send + 'a;

impl Stepper {
    /// Makes the stepper of a run on `train` with everything that `config` sets: engine, preprocessing, optimiser, loss,
    /// dropout and noise, frozen layers. Learning rates are those of `schedule`. The run continues after the steps of
    /// `state`, which is that of [`State::start`] for a new run.
    ///
    /// # Errors
    /// Returns [`crate::Error::Config`] for an engine that is not available or a frozen layer that does not exist,
    /// [`crate::Error::Data`] for rows that cannot be scaled, and [`crate::Error::Memory`] if the system refuses memory.
    ///
    /// # Panics
    /// Panics if `train` or `state` does not belong to the network `spec`.
    pub fn for_run(
        config: &TrainConfig,
        spec: &Spec,
        train: &Dataset,
        schedule: Schedule,
        state: &State,
        workers: &Workers,
    ) -> Result<Stepper> {
        let batch_size = config.batch_size.min(train.samples());
        let mut stepper = Stepper::new(
            spec,
            &state.parameters,
            preprocessing_for(config, train, Some(state), workers)?,
            config.engine.resolve()?,
            config.optimizer.rule(),
            schedule,
            batch_size,
        )?;
        let steps_an_epoch = train.samples().div_ceil(batch_size);
        let steps = state.epochs.len() * steps_an_epoch + state.steps;
        stepper.resume(steps as u64, &state.slots);
        stepper.freeze(&spec.layers_named(&config.freeze)?);
        stepper.set_loss(loss_for(config, train));
        stepper.set_noise(config.noise())?;
        Ok(stepper)
    }

    /// Starts from `parameters [parameters]`, to be moved by `rule` at the learning rates of `schedule`, for batches of
    /// up to `batch_size` rows.
    ///
    /// # Errors
    /// [`crate::Error::Config`] for an engine that is not here, and [`crate::Error::Memory`] when memory is not
    /// granted.
    ///
    /// # Panics
    /// When `parameters` or `preprocessing` are not of this `spec`.
    pub fn new(
        spec: &Spec,
        parameters: &[f32],
        preprocessing: Preprocessing,
        engine: Engine,
        rule: Rule,
        schedule: Schedule,
        batch_size: usize,
    ) -> Result<Stepper> {
        let columns = &preprocessing.columns;
        let network = Network::for_training(spec, parameters, columns, engine, &rule)?;
        let squares = rule.clip_norm.map_or(0, |_| network.pieces());
        Ok(Stepper {
            network,
            squares: zeros(squares),
            activations: Activations::for_training(spec, columns, batch_size)?,
            preprocessing,
            loss: Loss::of(spec.task()),
            noise: Noise::default(),
            losses: zeros(batch_size),
            batch_size,
            engine,
            rule,
            schedule,
            plateau: 1.0,
            steps: 0,
        })
    }

    /// Goes on after `steps` steps of a run that left these `slots`, `[parameters]` each.
    ///
    /// # Panics
    /// When they are not of this network and rule.
    pub fn resume(&mut self, steps: u64, slots: &[Vec<f32>]) {
        self.steps = steps;
        self.network.set_slots(slots);
    }

    /// Tells the schedule what the epochs so far came to: their `losses` in turn.
    pub fn look_back(&mut self, losses: impl Iterator<Item = f64>) {
        self.plateau = self.schedule.plateau_factor(losses);
    }

    /// The learning rate of the last step that was done.
    pub fn last_learning_rate(&self) -> f32 {
        self.schedule.at(self.steps.saturating_sub(1), self.plateau)
    }

    /// Minimises `loss` from now on, and no longer the usual one of the task.
    ///
    /// # Panics
    /// When it is of another task.
    pub fn set_loss(&mut self, loss: Loss) {
        assert_eq!(
            loss.task(),
            self.network.spec().task(),
            "the loss of a task"
        );
        self.loss = loss;
    }

    /// Trains under `noise` from now on.
    ///
    /// # Errors
    /// [`crate::Error::Memory`] when memory is not granted.
    pub fn set_noise(&mut self, noise: Noise) -> Result<()> {
        let spec = self.network.spec();
        self.activations
            .set_dropout(spec, noise.dropout, self.batch_size)?;
        self.noise = noise;
        Ok(())
    }

    /// Leaves layers as they are from now on: see [`Network::freeze`].
    ///
    /// # Panics
    /// When there is not one for each layer.
    pub fn freeze(&mut self, frozen: &[bool]) {
        self.network.freeze(frozen);
    }

    /// Trains on the items `order` of `data`, a batch after the other, telling `on_step` after each. The last batch is
    /// shorter where the batch size does not divide the items. `on_step` must not use `workers`: they are at work.
    ///
    /// # Panics
    /// When an item is out of range, or `data` is not of this network.
    pub fn pass(&mut self, workers: &Workers, data: &Dataset, order: &[u32], on_step: &mut OnStep) {
        self.clocked_pass::<false>(workers, data, order, on_step);
    }

    /// [`Stepper::pass`] with a clock in each worker's hand; gives the time and the work of each phase, summed
    /// over workers.
    ///
    /// # Panics
    /// As [`Stepper::pass`].
    pub fn profiled_pass(
        &mut self,
        workers: &Workers,
        data: &Dataset,
        order: &[u32],
        on_step: &mut OnStep,
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
        on_step: &mut OnStep,
    ) -> Profile {
        let pass = Pass {
            data,
            threads: workers.threads(),
            blocks_taken: Pieces::default(),
            pieces_taken: Pieces::default(),
            applied: Pieces::default(),
            units_taken: Pieces::default(),
            stopped: AtomicBool::new(false),
        };
        let steps = AtomicU64::new(self.steps);
        let (on_step, profile) = (Mutex::new(on_step), Mutex::new(Profile::default()));
        let stepper = &*self;
        workers.team(|member| {
            let mut clock = Clock::<CLOCKED>::start();
            let mut on_step = member.leads().then(|| lock(&on_step));
            let mut batches = order.chunks(stepper.batch_size).enumerate().peekable();
            while let Some((number, batch)) = batches.next() {
                let next = batches.peek().map_or(&[][..], |(_, next)| next);
                let step = stepper.steps + number as u64;
                let loss = stepper.rows_together(&pass, member, step, batch, next, &mut clock);
                stepper.update_together(&pass, member, step, batch.len(), &mut clock);
                if let Some(on_step) = &mut on_step {
                    steps.fetch_add(1, Ordering::Relaxed);
                    if on_step(number, loss).is_break() {
                        pass.stopped.store(true, Ordering::Relaxed);
                    }
                }
                member.wait();
                clock.end(Phase::Waiting);
                if pass.stopped.load(Ordering::Relaxed) {
                    break;
                }
            }
            lock(&profile).add_all(&clock.into_profile());
        });
        self.steps = steps.into_inner();
        profile.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// One step on the items `batch` of `data`; gives the sum of their losses before it, in nats and
    /// by weight.
    ///
    /// # Panics
    /// When there are more items than the batch size, and as [`Stepper::pass`].
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

    /// One member's part in the rows of a step, up to the barrier behind them. Gives the summed loss to every member.
    fn rows_together<const CLOCKED: bool>(
        &self,
        pass: &Pass,
        member: Member,
        step: u64,
        batch: &[u32],
        next: &[u32],
        clock: &mut Clock<CLOCKED>,
    ) -> f64 {
        let rows = batch.len();
        let mean = (1.0 / total_weight(&self.loss, pass.data, batch)) as f32;
        let blocks = Blocks::new(self.network.spec(), self.engine, rows, pass.threads);
        pass.blocks_taken.for_each(blocks.count(), |block| {
            let rows = blocks.rows(block);
            // While this block is computed, the rows come that this or another worker takes next.
            let distance = blocks.rows(0).len() * pass.threads;
            let ahead = ahead(batch, next, distance, &rows);
            let items = &batch[rows.clone()];
            let losses = &self.losses[rows.clone()];
            // SAFETY: (1) `for_each` passes each block to one member, and blocks are disjoint. (2) Tokens of the update
            // are created only after the barrier below, and those of the last update ended before the barrier that
            // ended it.
            let mut rows = unsafe { OwnRows::new(rows) };
            let mut inputs = self.activations.inputs(&mut rows);
            pass.data
                .gather(items, ahead, &self.preprocessing, inputs.iter_mut());
            gather_targets(pass.data, items, self.activations.targets(&mut rows));
            clock.end(Phase::Gather);
            if !self.noise.is_none() {
                self.noise.draw(&self.activations, step, &mut rows);
                clock.end(Phase::Noise);
            }
            let mut end = |part| clock.end(phase(part, Phase::Forward));
            self.network
                .forward_in_parts(&self.activations, &mut rows, &mut end);
            self.network
                .loss(&self.activations, &mut rows, &self.loss, mean, losses);
            clock.end(Phase::Loss);
            let mut end = |part| clock.end(phase(part, Phase::Backward));
            self.network
                .backward_in_parts(&self.activations, &mut rows, &mut end);
        });
        if member.leads() {
            pass.pieces_taken.reset();
            pass.applied.reset();
            pass.units_taken.reset();
        }
        member.wait();
        clock.end(Phase::Waiting);
        // Row by row: blocks may depend on the number of threads, and the sum must not.
        self.losses[..rows].iter().map(AtomicF64::load).sum()
    }

    /// One member's part in the update of step `number`, counted from 0, up to the barrier that ends it.
    fn update_together<const CLOCKED: bool>(
        &self,
        pass: &Pass,
        member: Member,
        number: u64,
        rows: usize,
        clock: &mut Clock<CLOCKED>,
    ) {
        let network = &self.network;
        let learning_rate = self.schedule.at(number, self.plateau);
        let mut step = self.rule.at(number + 1, learning_rate);
        if self.rule.clip_norm.is_some() {
            step = self.clip_together(pass, member, step, rows, clock);
        } else {
            pass.pieces_taken.for_each(network.pieces(), |piece| {
                // SAFETY: (1) `for_each` passes each piece to one member, and units follow after a barrier. (2) The
                // tokens of rows ended before the barrier that ended the row phase; the next ones follow the barrier
                // that ends the step.
                let piece = unsafe { OwnPiece::new(piece) };
                network.update(&piece, &self.activations, rows, &step);
            });
            clock.end(Phase::Update);
        }
        if member.leads() {
            pass.blocks_taken.reset();
        }
        if let Some(most) = self.rule.max_norm {
            member.wait();
            clock.end(Phase::Waiting);
            pass.units_taken.for_each(network.unit_pieces(), |piece| {
                // SAFETY: (1) `for_each` passes each piece to one member, and the tokens of pieces ended before the
                // barrier above. (2) No rows are taken between the barrier of the row phase and the one that ends the
                // step.
                let units = unsafe { OwnUnits::new(piece) };
                network.limit_units(&units, most, &step);
            });
            clock.end(Phase::MaxNorm);
        }
    }

    /// The update in two passes, the second of which knows the norm of the whole gradient. Gives the step so clipped.
    fn clip_together<const CLOCKED: bool>(
        &self,
        pass: &Pass,
        member: Member,
        step: Step,
        rows: usize,
        clock: &mut Clock<CLOCKED>,
    ) -> Step {
        let network = &self.network;
        pass.pieces_taken.for_each(network.pieces(), |piece| {
            // SAFETY: (1) `for_each` passes each piece to one member, and the second pass follows after a barrier. (2)
            // No rows are taken between the barrier of the row phase and the one that ends the step.
            let own = unsafe { OwnPiece::new(piece) };
            self.squares[piece].store(network.keep_gradient(&own, &self.activations, rows));
        });
        clock.end(Phase::Update);
        member.wait();
        clock.end(Phase::Waiting);
        // Piece by piece, so that the sum does not depend on who computed which.
        let squares = self.squares.iter().map(AtomicF64::load);
        let step = step.clipped(squares.sum::<f64>().sqrt());
        pass.applied.for_each(network.pieces(), |piece| {
            // SAFETY: (1) `for_each` passes each piece to one member, and the tokens of the first pass ended before the
            // barrier above. (2) No rows are taken between the barrier of the row phase and the one that ends the step.
            let piece = unsafe { OwnPiece::new(piece) };
            network.apply(&piece, &step);
        });
        clock.end(Phase::Clipping);
        step
    }

    /// The network; its parameters are those after the last step.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Returns the loss that is minimised.
    pub fn loss(&self) -> &Loss {
        &self.loss
    }

    /// Returns the number of samples in a batch; the last one of an epoch may have fewer.
    pub fn batch_size(&self) -> usize {
        self.batch_size
    }

    /// How items become inputs.
    pub fn preprocessing(&self) -> &Preprocessing {
        &self.preprocessing
    }

    /// The engine at work.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// The parameters as they are now, `[parameters]`.
    pub fn parameters(&mut self) -> Vec<f32> {
        self.network.parameters()
    }

    /// The optimiser's slots as they are now, in the order of [`Rule::slots`], `[parameters]` each. The velocity of
    /// gradient descent after a first step is the gradient of its mean loss.
    pub fn slots(&mut self) -> Vec<Vec<f32>> {
        let count = self.rule.slots().len();
        (0..count).map(|slot| self.network.slot(slot)).collect()
    }

    /// The moving average of the parameters as it is now, `[parameters]`; none where none is kept.
    pub fn average(&mut self) -> Option<Vec<f32>> {
        self.rule.average?;
        let mut average = self.network.slot(self.rule.slots().len() - 1);
        self.network.fill_idle(&mut average);
        Some(average)
    }
}

/// The phase of a part of the way through the `layers`, forward or back.
fn phase(part: Part, layers: Phase) -> Phase {
    match part {
        Part::Layers => layers,
        Part::Normalization => Phase::Normalization,
    }
}

/// Copies what is to be learned of `items`.
///
/// # Panics
/// When `data` are for another task, or an item is out of range.
fn gather_targets(data: &Dataset, items: &[u32], targets: TargetsMut) {
    match targets {
        TargetsMut::Labels(out) => {
            let labels = data.labels();
            for (out, &item) in out.iter_mut().zip(items) {
                *out = labels[item as usize];
            }
        }
        TargetsMut::Rows(mut rows) => {
            for (row, &item) in rows.iter_mut().zip(items) {
                data.targets().read_row(item as usize, row);
            }
        }
    }
}

fn zeros(count: usize) -> Vec<AtomicF64> {
    std::iter::repeat_with(AtomicF64::default)
        .take(count)
        .collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The items `distance` further than `rows` in `batch` and then in `next`; fewer where these end.
fn ahead<'b>(batch: &'b [u32], next: &'b [u32], distance: usize, rows: &Range<usize>) -> &'b [u32] {
    let within = |list: &'b [u32], start: usize| {
        let end = list.len().min(start + rows.len());
        list.get(start..end).unwrap_or_default()
    };
    match (rows.start + distance).checked_sub(batch.len()) {
        None => within(batch, rows.start + distance),
        Some(start) => within(next, start),
    }
}

/// What the summed losses of `items` are divided by: their number, by the weights of their classes.
pub(super) fn total_weight(loss: &Loss, data: &Dataset, items: &[u32]) -> f64 {
    match loss {
        Loss::CrossEntropy(loss) => {
            let labels = data.labels();
            loss.total_weight(items.iter().map(|&item| labels[item as usize]))
        }
        _ => items.len() as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_ahead_into_the_next_batch() {
        let (batch, next) = ([0, 1, 2, 3, 4, 5], [6, 7, 8]);
        assert_eq!(ahead(&batch, &next, 2, &(0..2)), [2, 3]);
        assert_eq!(ahead(&batch, &next, 4, &(0..4)), [4, 5]);
        assert_eq!(ahead(&batch, &next, 4, &(2..4)), [6, 7]);
        assert_eq!(ahead(&batch, &next, 6, &(2..6)), [8]);
        assert!(ahead(&batch, &[], 6, &(2..6)).is_empty());
    }
}
