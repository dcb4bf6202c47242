//! One training step in five calls: gather, forward, the rows' own layers with the loss, backward, update.
//!
//! All workers take the same steps as one team. [`Partition`] says how they divide the layers. Layers that are divided
//! by units are computed one after the other, with a barrier after each. In all other layers, one worker takes a block of
//! rows to the loss and back; if no layer is divided by units, that is the whole row phase. If there is only one other
//! layer, and it is narrow, workers divide it by inputs instead, and add to its sums in turn. In the update phase
//! each piece of the parameters is updated by one worker from all rows. Limits on the norm of the gradient and on the
//! norms of units take one more barrier each. No sum is shared between workers, so no bit depends on which worker does
//! what. After the first step nothing is allocated, except for the packing buffers that matrixmultiply makes in each of
//! its products.

use std::ops::Range;

use super::blocks::Blocks;
use super::profile::{Clock, Phase};
use super::samples::{Batch, NextSamples, ahead, gather_targets, row_shares, total_weight};
use crate::compute::Engine;
use crate::compute::nonzeros::MAX_GROUP;
use crate::compute::parallel::{Member, OwnedPieces, Pieces};
use crate::compute::phases::{OwnPiece, OwnRows, OwnTurn, OwnUnits};
use crate::compute::shared::AtomicF64;
use crate::data::{Dataset, Preprocessing, TargetScaling};
use crate::nn::loss::{Loss, Units};
use crate::nn::network::{Gradients, InputsMut, Part};
use crate::nn::{Activations, Network, Noise, Partition};
use crate::optim::{Rule, Step};

/// Rows that are gathered at a time: they stay in the nearest cache until it is known which of their inputs are zero.
const GATHERED: usize = MAX_GROUP;

/// What the workers of a team share in the steps of a pass.
pub(super) struct Team<'a> {
    pub network: &'a Network,
    pub preprocessing: &'a Preprocessing,
    pub activations: &'a Activations,
    pub loss: &'a Loss,
    /// How targets are standardised, and their units, if they are.
    pub targets: Option<(&'a TargetScaling, &'a Units)>,
    pub noise: &'a Noise,
    /// The loss of each row of a batch; a copy for each share of the units if the last layer is divided by inputs.
    pub losses: &'a [AtomicF64],
    /// Where the next copy of the losses starts.
    pub losses_of_copy: usize,
    /// The terms of the squared norm of the gradient, if it is limited.
    pub squares: &'a [AtomicF64],
    pub rule: &'a Rule,
    pub partition: &'a Partition,
    pub engine: Engine,
    pub data: &'a Dataset,
    pub taken: Taken,
}

/// How many parts of each phase are taken by workers.
pub(super) struct Taken {
    blocks: OwnedPieces,
    pieces: OwnedPieces,
    applied: OwnedPieces,
    units: Pieces,
}

impl Taken {
    /// Nothing is taken by a team of so many members.
    pub(super) fn none(members: usize) -> Taken {
        Taken {
            blocks: OwnedPieces::new(members),
            pieces: OwnedPieces::new(members),
            applied: OwnedPieces::new(members),
            units: Pieces::default(),
        }
    }
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
        self.gather(member, batch, clock);
        self.forward(member, batch, clock);
        match self.partition.last_by_inputs() {
            true => self.forward_and_backward_by_inputs(member, batch, clock),
            false => self.forward_and_backward_by_rows(member, batch, clock),
        }
        self.backward(member, batch, clock);
        self.update(member, batch, step, clock);
        // Row by row: which worker had a row must not matter.
        self.losses_of(member)[..batch.samples.len()]
            .iter()
            .map(AtomicF64::load)
            .sum()
    }

    /// The losses that a member reads.
    fn losses_of(&self, member: Member) -> &[AtomicF64] {
        match self.partition.last_by_inputs() {
            true => {
                &self.losses[self.partition.share(member.index()).index * self.losses_of_copy..]
            }
            false => self.losses,
        }
    }

    /// The units of a member in the layers that are divided by units, for some of its rows.
    fn units(&self, member: Member, rows: Range<usize>) -> OwnRows {
        // SAFETY: (1) members differ in their rows or in their share of the units. Between two barriers each writes its
        // copies of inputs, bits and draws, which only its share reads before the next barrier, and its units of the
        // matrices of one layer, which none of them reads as a whole. (2) Tokens of the last update ended before the
        // barrier that ended it. Those of this update are created only after the barrier that ends the row phase. If
        // there is none, because shares are updated apart, they follow the last turn at the sums: from there on a member
        // uses only its copies and groups, and transposed weights of its own share. (3) Inputs, bits and draws are used
        // only as copies of as many rows as the activations have, and so are targets and the outputs of the last layer
        // if it is divided by inputs; groups are made for the shares of the partition.
        unsafe { OwnRows::of_units(rows, self.partition.share(member.index())) }
    }

    /// The inputs of the layers that are divided by units: each member has a copy of those that it needs.
    fn gather<const CLOCKED: bool>(
        &self,
        member: Member,
        batch: Batch,
        clock: &mut Clock<CLOCKED>,
    ) {
        if self.partition.divided() > 0 {
            // The update fetches the next samples.
            let rows = self.partition.rows(member.index(), batch.samples.len());
            for start in rows.clone().step_by(GATHERED) {
                let some = start..rows.end.min(start + GATHERED);
                let mut own = self.units(member, some);
                self.gather_inputs(&mut own, batch, &[], clock);
            }
        }
    }

    /// The forward pass through the layers that are divided by units.
    fn forward<const CLOCKED: bool>(
        &self,
        member: Member,
        batch: Batch,
        clock: &mut Clock<CLOCKED>,
    ) {
        for layer in 0..self.partition.divided() {
            {
                // The token ends before the barrier.
                let mut own = self.units(
                    member,
                    self.partition.rows(member.index(), batch.samples.len()),
                );
                let mut end = |part| clock.end(phase(part, Phase::Forward));
                self.network
                    .forward_layer(layer, self.activations, &mut own, &mut end);
            }
            if !self.partition.keeps_outputs(layer) {
                self.meet(member, clock);
            }
        }
    }

    /// The last layer by inputs: one member of those that have the same rows after the other adds the products of its
    /// units to the sums. Then each computes the loss of all these rows, and its units' gradients at the last layer that
    /// is divided by units.
    fn forward_and_backward_by_inputs<const CLOCKED: bool>(
        &self,
        member: Member,
        batch: Batch,
        clock: &mut Clock<CLOCKED>,
    ) {
        let (network, activations) = (self.network, self.activations);
        let rows = self.partition.rows(member.index(), batch.samples.len());
        for turn in 0..self.partition.unit_groups() {
            if turn == self.partition.share(member.index()).index {
                let mut own = self.units(member, rows.clone());
                // SAFETY: (1) members whose tokens have the same rows have other shares, and so other turns, which
                // barriers keep apart. The sums are taken after the last turn, and before the barrier that ends the
                // step.
                let mut turn = unsafe { OwnTurn::new(&mut own) };
                network.add_outputs(activations, &mut turn);
                clock.end(Phase::Forward);
            }
            self.meet(member, clock);
        }
        {
            // The token ends before the barrier.
            let mut own = self.units(member, rows.clone());
            activations.take_sums(&mut own);
            gather_targets(
                self.data,
                &batch.samples[rows.clone()],
                self.targets.map(|(scaling, _)| scaling),
                activations.targets(&mut own),
            );
            let total = total_weight(self.loss, self.data, batch.samples);
            let losses = &self.losses_of(member)[rows];
            self.take_loss(&mut own, batch, total, losses);
            clock.end(Phase::Loss);
            let mut end = |part| clock.end(phase(part, Phase::Backward));
            let layer = self.partition.divided() - 1;
            network.backward_layer(layer, activations, &mut own, &mut end);
        }
        if member.leads() && self.rule.max_norm.is_some() {
            self.taken.units.reset();
        }
        if !self.partition.updates_apart() {
            self.meet(member, clock);
        }
    }

    /// All other layers, the loss, and the way back to the gradient at the last layer that is divided by units, block
    /// of rows by block of rows. Ends with a barrier.
    fn forward_and_backward_by_rows<const CLOCKED: bool>(
        &self,
        member: Member,
        batch: Batch,
        clock: &mut Clock<CLOCKED>,
    ) {
        let total = total_weight(self.loss, self.data, batch.samples);
        let blocks = self.blocks(batch.samples.len());
        let blocks_of = |member| self.partition.part(member, blocks.count());
        self.taken
            .blocks
            .for_each(member.index(), blocks_of, |block| {
                let range = blocks.rows(block);
                // While this block is computed, the rows of the next one are fetched.
                let ahead = ahead(batch, range.len(), &range);
                // SAFETY: (1) `for_each` passes each block to one member, and blocks are disjoint. (2) Tokens of the
                // update are created only after the barrier that ends the row phase, and those of the last update ended
                // before the barrier that ended it.
                let mut rows = unsafe { OwnRows::new(range) };
                self.block(&mut rows, batch, ahead, total, clock);
            });
        if member.leads() {
            self.taken.pieces.reset();
            self.taken.applied.reset();
            self.taken.units.reset();
        }
        self.meet(member, clock);
    }

    fn blocks(&self, rows: usize) -> Blocks {
        let group = match self.partition.divided() {
            0 => self.activations.group(),
            _ => 1,
        };
        let threads = self.partition.threads();
        Blocks::new(self.network.spec(), self.engine, (rows, group), threads)
    }

    /// A block of rows, through the layers that are not divided by units and back.
    fn block<const CLOCKED: bool>(
        &self,
        rows: &mut OwnRows,
        batch: Batch,
        ahead: &[u32],
        total: f64,
        clock: &mut Clock<CLOCKED>,
    ) {
        let (network, activations) = (self.network, self.activations);
        let (divided, layers) = (self.partition.divided(), network.spec().layers().len());
        if divided == 0 {
            self.gather_inputs(rows, batch, ahead, clock);
        }
        gather_targets(
            self.data,
            &batch.samples[rows.range()],
            self.targets.map(|(scaling, _)| scaling),
            activations.targets(rows),
        );
        let mut end = |part| clock.end(phase(part, Phase::Forward));
        for layer in divided..layers {
            network.forward_layer(layer, activations, rows, &mut end);
        }
        let losses = &self.losses[rows.range()];
        self.take_loss(rows, batch, total, losses);
        clock.end(Phase::Loss);
        let mut end = |part| clock.end(phase(part, Phase::Backward));
        for layer in (divided.saturating_sub(1)..layers - 1).rev() {
            network.backward_layer(layer, activations, rows, &mut end);
        }
    }

    /// The loss of some rows of a batch whose weights add up to `total`, and the gradient at their logits.
    fn take_loss(&self, rows: &mut OwnRows, batch: Batch, total: f64, losses: &[AtomicF64]) {
        let loss = (self.loss, self.targets.map(|(_, units)| units));
        let shares = row_shares(self.data, &batch.samples[rows.range()], total);
        self.network
            .loss(self.activations, rows, loss, shares, losses);
    }

    /// Reads the inputs of some rows, adds their noise, and makes the draws of dropout.
    fn gather_inputs<const CLOCKED: bool>(
        &self,
        rows: &mut OwnRows,
        batch: Batch,
        ahead: &[u32],
        clock: &mut Clock<CLOCKED>,
    ) {
        let activations = self.activations;
        let samples = &batch.samples[rows.range()];
        match activations.inputs(rows) {
            InputsMut::Floats(mut inputs) => {
                let inputs = inputs.iter_mut();
                self.data.gather(samples, ahead, self.preprocessing, inputs);
            }
            InputsMut::Bytes(mut inputs) => {
                self.data.gather_bytes(samples, ahead, inputs.iter_mut());
            }
        }
        if !self.noise.is_none() {
            clock.end(Phase::Gather);
            self.noise.draw(activations, batch.number, rows);
            clock.end(Phase::Noise);
        }
        activations.finish_inputs(rows);
        clock.end(Phase::Gather);
    }

    /// The backward pass through the layers that are divided by units, with a barrier after each.
    fn backward<const CLOCKED: bool>(
        &self,
        member: Member,
        batch: Batch,
        clock: &mut Clock<CLOCKED>,
    ) {
        for layer in (0..self.partition.divided().saturating_sub(1)).rev() {
            {
                // The token ends before the barrier.
                let mut own = self.units(
                    member,
                    self.partition.rows(member.index(), batch.samples.len()),
                );
                let mut end = |part| clock.end(phase(part, Phase::Backward));
                self.network
                    .backward_layer(layer, self.activations, &mut own, &mut end);
            }
            self.meet(member, clock);
        }
    }

    /// Waits for all members.
    fn meet<const CLOCKED: bool>(&self, member: Member, clock: &mut Clock<CLOCKED>) {
        member.wait();
        clock.end(Phase::Waiting);
    }

    /// The update phase.
    fn update<const CLOCKED: bool>(
        &self,
        member: Member,
        batch: Batch,
        step: Step,
        clock: &mut Clock<CLOCKED>,
    ) {
        let network = self.network;
        let step = match self.rule.clip_norm {
            None => {
                let gradients = self.gradients(member, batch.samples.len());
                let mut next = self.next_samples(member, batch);
                self.for_pieces(&self.taken.pieces, member, |piece| {
                    next.fetch_some(self.data);
                    network.update(piece, gradients, &step);
                });
                clock.end(Phase::Update);
                step
            }
            Some(_) => self.clipped_update(member, batch, step, clock),
        };
        if member.leads() {
            self.taken.blocks.reset();
        }
        if let Some(most) = self.rule.max_norm {
            self.meet(member, clock);
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
        batch: Batch,
        step: Step,
        clock: &mut Clock<CLOCKED>,
    ) -> Step {
        let network = self.network;
        let gradients = self.gradients(member, batch.samples.len());
        let mut next = self.next_samples(member, batch);
        self.for_pieces(&self.taken.pieces, member, |piece| {
            next.fetch_some(self.data);
            network.keep_gradient(piece, gradients, self.squares);
        });
        clock.end(Phase::Update);
        self.meet(member, clock);
        // Term by term, so that the sum does not depend on which worker computed which.
        let squares = self.squares.iter().map(AtomicF64::load);
        let step = step.clipped(squares.sum::<f64>().sqrt());
        self.for_pieces(&self.taken.applied, member, |piece| {
            network.apply(piece, &step)
        });
        clock.end(Phase::Clipping);
        step
    }

    /// The samples of the next step that a member gathers before it meets others.
    fn next_samples<'b>(&self, member: Member, batch: Batch<'b>) -> NextSamples<'b> {
        let samples = match self.partition.divided() {
            0 => &[],
            _ => {
                let rows = self.partition.rows(member.index(), batch.samples.len());
                ahead(batch, batch.samples.len(), &rows)
            }
        };
        let pieces = self
            .network
            .pieces_of(member.index(), self.partition.threads());
        NextSamples {
            at_a_time: samples.len().div_ceil(pieces.len().max(1)),
            samples,
        }
    }

    fn gradients(&self, member: Member, rows: usize) -> Gradients<'_> {
        Gradients {
            activations: self.activations,
            rows,
            share: self.partition.share(member.index()),
        }
    }

    /// Calls `work` for each piece of the parameters that `member` takes from `taken`.
    fn for_pieces(&self, taken: &OwnedPieces, member: Member, mut work: impl FnMut(&OwnPiece)) {
        let threads = self.partition.threads();
        if self.partition.last_by_inputs() {
            // What the update of a piece reads belongs to one member.
            for piece in self.network.pieces_of(member.index(), threads) {
                // SAFETY: (1) the pieces of members are disjoint. (2) The tokens of rows ended before the barrier that
                // ended the row phase. If there was none, because shares are updated apart, other members have tokens of
                // other shares, which they use as `units` says; this one reads its own copies and groups. The next tokens
                // of rows follow the barrier that ends the step.
                work(&unsafe { OwnPiece::new(piece) });
            }
            return;
        }
        let pieces_of = |member| self.network.pieces_of(member, threads);
        taken.for_each(member.index(), pieces_of, |piece| {
            // SAFETY: (1) `for_each` passes each piece to one member until the barrier after which the next queue is
            // used, and units follow after a barrier. (2) The tokens of rows ended before the barrier that ended the
            // row phase; the next ones follow the barrier that ends the step.
            work(&unsafe { OwnPiece::new(piece) });
        });
    }
}

/// The phase of a part of the way through the `layers`, forward or back.
fn phase(part: Part, layers: Phase) -> Phase {
    match part {
        Part::Layers => layers,
        Part::Normalization => Phase::Normalization,
    }
}
