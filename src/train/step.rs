//! One training step: gather, noise if any, forward, loss, backward, update.
//!
//! All workers take the same steps as one team, with two barriers a step. In the row phase each block of rows goes
//! through all layers and back on one worker; in the update phase each piece of the parameters is updated by one
//! worker from all rows. Limits on the norm of the gradient and on the norms of units take one more barrier each. No
//! sum is shared between workers, so no bit depends on which worker does what. After the first step nothing is
//! allocated, except for the packing buffers that matrixmultiply makes in each of its products.

use std::ops::Range;

use super::blocks::Blocks;
use super::profile::{Clock, Phase};
use crate::compute::Engine;
use crate::compute::parallel::{Member, Pieces};
use crate::compute::phases::{OwnPiece, OwnRows, OwnUnits};
use crate::compute::shared::AtomicF64;
use crate::data::{Dataset, Preprocessing};
use crate::nn::loss::Loss;
use crate::nn::network::Part;
use crate::nn::{Activations, Network, Noise, TargetsMut};
use crate::optim::{Rule, Step};

/// What the workers of a team share in the steps of a pass.
pub(super) struct Team<'a> {
    pub network: &'a Network,
    pub preprocessing: &'a Preprocessing,
    pub activations: &'a Activations,
    pub loss: &'a Loss,
    pub noise: &'a Noise,
    /// The loss of each row of a batch.
    pub losses: &'a [AtomicF64],
    /// `Σ g²` of each piece of the parameters, if the norm of the gradient is limited.
    pub squares: &'a [AtomicF64],
    pub rule: &'a Rule,
    pub engine: Engine,
    pub data: &'a Dataset,
    pub threads: usize,
    pub taken: Taken,
}

/// How many parts of each phase are taken by workers.
#[derive(Default)]
pub(super) struct Taken {
    blocks: Pieces,
    pieces: Pieces,
    applied: Pieces,
    units: Pieces,
}

/// The samples of a step.
#[derive(Clone, Copy)]
pub(super) struct Batch<'a> {
    /// The step since the run began, counted from 0.
    pub number: u64,
    /// The samples of the step.
    pub samples: &'a [u32],
    /// The samples of the step after it, to fetch ahead.
    pub next: &'a [u32],
}

impl Team<'_> {
    /// One member's part in a step, up to the barrier that ends it, for which the caller waits. Returns the summed
    /// loss of the samples before the update, the same to every member.
    pub(super) fn step<const CLOCKED: bool>(
        &self,
        member: Member,
        batch: Batch,
        step: Step,
        clock: &mut Clock<CLOCKED>,
    ) -> f64 {
        let loss = self.forward_and_backward(member, batch, clock);
        self.update(member, batch.samples.len(), step, clock);
        loss
    }

    /// The row phase and the barrier that ends it. Returns the summed loss.
    fn forward_and_backward<const CLOCKED: bool>(
        &self,
        member: Member,
        batch: Batch,
        clock: &mut Clock<CLOCKED>,
    ) -> f64 {
        let rows = batch.samples.len();
        let mean = (1.0 / total_weight(self.loss, self.data, batch.samples)) as f32;
        let blocks = Blocks::new(self.network.spec(), self.engine, rows, self.threads);
        self.taken.blocks.for_each(blocks.count(), |block| {
            // While this block is computed, the rows are fetched that this or another worker takes next.
            let distance = blocks.rows(0).len() * self.threads;
            let ahead = ahead(batch, distance, &blocks.rows(block));
            // SAFETY: (1) `for_each` passes each block to one member, and blocks are disjoint. (2) Tokens of the
            // update are created only after the barrier below, and those of the last update ended before the barrier
            // that ended it.
            let mut rows = unsafe { OwnRows::new(blocks.rows(block)) };
            self.block(&mut rows, batch, ahead, mean, clock);
        });
        if member.leads() {
            self.taken.pieces.reset();
            self.taken.applied.reset();
            self.taken.units.reset();
        }
        member.wait();
        clock.end(Phase::Waiting);
        // Row by row: blocks may depend on the number of threads, and the sum must not.
        self.losses[..rows].iter().map(AtomicF64::load).sum()
    }

    /// A block of rows, all the way through the layers and back.
    fn block<const CLOCKED: bool>(
        &self,
        rows: &mut OwnRows,
        batch: Batch,
        ahead: &[u32],
        mean: f32,
        clock: &mut Clock<CLOCKED>,
    ) {
        let (network, activations) = (self.network, self.activations);
        let samples = &batch.samples[rows.range()];
        let losses = &self.losses[rows.range()];
        let mut inputs = activations.inputs(rows);
        self.data
            .gather(samples, ahead, self.preprocessing, inputs.iter_mut());
        gather_targets(self.data, samples, activations.targets(rows));
        clock.end(Phase::Gather);
        if !self.noise.is_none() {
            self.noise.draw(activations, batch.number, rows);
            clock.end(Phase::Noise);
        }
        let mut end = |part| clock.end(phase(part, Phase::Forward));
        network.forward_in_parts(activations, rows, &mut end);
        network.loss(activations, rows, self.loss, mean, losses);
        clock.end(Phase::Loss);
        let mut end = |part| clock.end(phase(part, Phase::Backward));
        network.backward_in_parts(activations, rows, &mut end);
    }

    /// The update phase.
    fn update<const CLOCKED: bool>(
        &self,
        member: Member,
        rows: usize,
        step: Step,
        clock: &mut Clock<CLOCKED>,
    ) {
        let network = self.network;
        let step = match self.rule.clip_norm {
            None => {
                self.taken.pieces.for_each(network.pieces(), |piece| {
                    // SAFETY: (1) `for_each` passes each piece to one member, and units follow after a barrier. (2)
                    // The tokens of rows ended before the barrier that ended the row phase; the next ones follow the
                    // barrier that ends the step.
                    let piece = unsafe { OwnPiece::new(piece) };
                    network.update(&piece, self.activations, rows, &step);
                });
                clock.end(Phase::Update);
                step
            }
            Some(_) => self.clipped_update(member, rows, step, clock),
        };
        if member.leads() {
            self.taken.blocks.reset();
        }
        if let Some(most) = self.rule.max_norm {
            member.wait();
            clock.end(Phase::Waiting);
            self.taken.units.for_each(network.unit_pieces(), |piece| {
                // SAFETY: (1) `for_each` passes each piece to one member, and the tokens of pieces ended before the
                // barrier above. (2) No rows are taken between the barrier of the row phase and the one that ends the
                // step.
                let units = unsafe { OwnUnits::new(piece) };
                network.limit_units(&units, most, &step);
            });
            clock.end(Phase::MaxNorm);
        }
    }

    /// The update in two passes, the second of which knows the norm of the whole gradient. Returns the clipped step.
    fn clipped_update<const CLOCKED: bool>(
        &self,
        member: Member,
        rows: usize,
        step: Step,
        clock: &mut Clock<CLOCKED>,
    ) -> Step {
        let network = self.network;
        self.taken.pieces.for_each(network.pieces(), |piece| {
            // SAFETY: (1) `for_each` passes each piece to one member, and the second pass follows after a barrier. (2)
            // No rows are taken between the barrier of the row phase and the one that ends the step.
            let own = unsafe { OwnPiece::new(piece) };
            self.squares[piece].store(network.keep_gradient(&own, self.activations, rows));
        });
        clock.end(Phase::Update);
        member.wait();
        clock.end(Phase::Waiting);
        // Piece by piece, so that the sum does not depend on which worker computed which.
        let squares = self.squares.iter().map(AtomicF64::load);
        let step = step.clipped(squares.sum::<f64>().sqrt());
        self.taken.applied.for_each(network.pieces(), |piece| {
            // SAFETY: (1) `for_each` passes each piece to one member, and the tokens of the first pass ended before
            // the barrier above. (2) No rows are taken between the barrier of the row phase and the one that ends the
            // step.
            let piece = unsafe { OwnPiece::new(piece) };
            network.apply(&piece, &step);
        });
        clock.end(Phase::Clipping);
        step
    }
}

/// The phase of a part of the way through the `layers`, forward or back.
fn phase(part: Part, layers: Phase) -> Phase {
    match part {
        Part::Layers => layers,
        Part::Normalization => Phase::Normalization,
    }
}

/// Copies the targets of `samples`.
///
/// # Panics
/// Panics if `data` is for another task, or a sample is out of range.
fn gather_targets(data: &Dataset, samples: &[u32], targets: TargetsMut) {
    match targets {
        TargetsMut::Labels(out) => {
            let labels = data.labels();
            for (out, &sample) in out.iter_mut().zip(samples) {
                *out = labels[sample as usize];
            }
        }
        TargetsMut::Rows(mut rows) => {
            for (row, &sample) in rows.iter_mut().zip(samples) {
                data.targets().read_row(sample as usize, row);
            }
        }
    }
}

/// The samples `distance` further than `rows` in a batch and then in the next one; fewer at their end.
fn ahead<'b>(batch: Batch<'b>, distance: usize, rows: &Range<usize>) -> &'b [u32] {
    let within = |list: &'b [u32], start: usize| {
        let end = list.len().min(start + rows.len());
        list.get(start..end).unwrap_or_default()
    };
    match (rows.start + distance).checked_sub(batch.samples.len()) {
        None => within(batch.samples, rows.start + distance),
        Some(start) => within(batch.next, start),
    }
}

/// What the summed losses of `samples` are divided by for their mean: their number, or the sum of their class weights.
pub(super) fn total_weight(loss: &Loss, data: &Dataset, samples: &[u32]) -> f64 {
    match loss {
        Loss::CrossEntropy(loss) => {
            let labels = data.labels();
            loss.total_weight(samples.iter().map(|&sample| labels[sample as usize]))
        }
        _ => samples.len() as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_ahead_into_the_next_batch() {
        let batch = Batch {
            number: 0,
            samples: &[0, 1, 2, 3, 4, 5],
            next: &[6, 7, 8],
        };
        assert_eq!(ahead(batch, 2, &(0..2)), [2, 3]);
        assert_eq!(ahead(batch, 4, &(0..4)), [4, 5]);
        assert_eq!(ahead(batch, 4, &(2..4)), [6, 7]);
        assert_eq!(ahead(batch, 6, &(2..6)), [8]);
        let last = Batch { next: &[], ..batch };
        assert!(ahead(last, 6, &(2..6)).is_empty());
    }
}
