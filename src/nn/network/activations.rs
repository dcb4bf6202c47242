//! The buffers of a batch: inputs, targets, the outputs of each layer, their gradients, and what else the backward pass
//! needs.
//!
//! Shapes for a batch of `rows`: inputs `[rows, active columns]`, the output of layer l `[rows, out_l]`, where the last
//! one is the logits.

use std::ops::Range;

use super::inputs::{Inputs, InputsMut, MIN_GROUP, in_groups};
use crate::compute::affine::Input;
use crate::compute::nonzeros::MAX_GROUP;
use crate::compute::phases::{OwnPiece, OwnRows, OwnTurn, RowPhase, Share};
use crate::compute::shared::{BlockMut, Matrix, Rows, RowsMut, SharedBuffer};
use crate::error::Result;
use crate::nn::batch_norm::ShardSums;
use crate::nn::dropout::{Dropout, Dropped};
use crate::nn::spec::Spec;
use crate::nn::{Columns, Partition, Task};

/// The buffers of a batch, for up to a fixed number of rows.
#[derive(Debug)]
pub struct Activations {
    inputs: Inputs,
    /// Inputs of idle columns, for inference only: in training they are all zero.
    pub(super) idle_inputs: Option<Matrix>,
    targets: Option<Targets>,
    /// If a layer's outputs are used only by the workers that compute them, they are in groups. If the last layer is
    /// divided by inputs, its outputs are copies, one for each share of these, and so are the targets.
    pub(super) outputs: Vec<Matrix>,
    /// The sums that become the last layer's outputs if it is divided by inputs, `[rows, outputs]`.
    sums: Option<Matrix>,
    /// The hidden outputs that the next layers see, in training with dropout.
    pub(in crate::nn) dropped: Option<Dropped>,
    /// What the backward pass needs of each hidden layer in addition to its output: x̂ with batch normalisation,
    /// otherwise the activation's inputs if its derivative is a function of these, otherwise nothing.
    pub(super) saved: Vec<Matrix>,
    /// One for each hidden layer with batch normalisation, otherwise empty.
    pub(super) shard_sums: Vec<ShardSums>,
    pub(super) d_outputs: Vec<Matrix>,
}

/// The batch that an update is made of.
#[derive(Debug, Clone, Copy)]
pub struct Gradients<'a> {
    /// Activations, and the gradients at them.
    pub activations: &'a Activations,
    /// The number of rows.
    pub rows: usize,
    /// The share of the units of this worker, whose copy of the inputs it reads.
    pub share: Share,
}

/// Rows whose nonzero inputs are found together: as many as possible, unless a worker would be left without rows.
fn group_for(rows: usize, partition: &Partition) -> usize {
    let workers = match partition.divided() {
        0 => partition.threads(),
        _ => 1,
    };
    let each = rows.div_ceil(workers);
    let leaves_none_idle = |group: &usize| rows.div_ceil(each.next_multiple_of(*group)) >= workers;
    let groups = [MAX_GROUP, MAX_GROUP / 2];
    groups
        .into_iter()
        .find(leaves_none_idle)
        .unwrap_or(MIN_GROUP)
}

/// The targets of a batch.
#[derive(Debug)]
enum Targets {
    Labels(SharedBuffer<u32>),
    Rows(Matrix),
}

/// The targets of some rows, to write.
#[derive(Debug)]
pub enum TargetsMut<'a> {
    /// One class per row, `[rows]`.
    Labels(&'a mut [u32]),
    /// Numbers, or 0 and 1 for each label, `[rows, outputs]`.
    Rows(RowsMut<'a>),
}

/// The targets of some rows, to read.
#[derive(Debug)]
pub(super) enum TargetsRef<'a> {
    Labels(&'a [u32]),
    Rows(Rows<'a>),
}

impl Targets {
    fn zeroed(spec: &Spec, rows: usize) -> Result<Targets> {
        Ok(match spec.task() {
            Task::Classification => Targets::Labels(SharedBuffer::zeroed(rows)?),
            Task::Regression | Task::Multilabel => {
                Targets::Rows(Matrix::zeroed(rows, spec.outputs())?)
            }
        })
    }
}

impl Activations {
    /// Buffers for `rows` rows of training: forward and backward.
    ///
    /// # Errors
    /// Returns [`crate::Error::Memory`] if the system does not grant the memory.
    pub fn for_training(
        spec: &Spec,
        columns: &Columns,
        rows: usize,
        partition: &Partition,
    ) -> Result<Activations> {
        let hidden = &spec.layers()[..spec.layers().len() - 1];
        let matrices = |keeps: fn(&Partition, usize) -> bool| {
            let layers = hidden.iter().enumerate();
            layers.map(move |(index, layer)| match keeps(partition, index) {
                true => in_groups((rows, layer.fan_out), partition.unit_groups()),
                false => Matrix::zeroed(rows, layer.fan_out),
            })
        };
        let outputs = matrices(Partition::keeps_outputs).collect::<Result<Vec<_>>>()?;
        let copies = (partition.unit_groups(), rows);
        let inputs =
            Inputs::for_training(columns, copies, group_for(rows, partition), outputs.first())?;
        let rows_of_last = match partition.last_by_inputs() {
            true => partition.unit_groups() * inputs.rows_of_copy(),
            false => rows,
        };
        let sums = || Matrix::zeroed(rows, spec.outputs());
        let saves = spec.batch_norm() || spec.activation().needs_input();
        let normalized = hidden.iter().filter(|layer| layer.is_normalized());
        let shard_sums = normalized.map(|layer| ShardSums::zeroed(rows, layer.fan_out));
        Ok(Activations {
            d_outputs: matrices(Partition::keeps_gradients).collect::<Result<_>>()?,
            saved: matrices(Partition::keeps_outputs)
                .take(if saves { hidden.len() } else { 0 })
                .collect::<Result<_>>()?,
            shard_sums: shard_sums.collect::<Result<_>>()?,
            targets: Some(Targets::zeroed(spec, rows_of_last)?),
            sums: partition.last_by_inputs().then(sums).transpose()?,
            ..Activations::new(spec, inputs, outputs, rows_of_last)?
        })
    }

    /// Buffers for `rows` rows of inference: forward only.
    ///
    /// # Errors
    /// Returns [`crate::Error::Memory`] if the system does not grant the memory.
    pub fn for_inference(spec: &Spec, columns: &Columns, rows: usize) -> Result<Activations> {
        let idle = columns.idle().len();
        let hidden = spec.layers()[1..].iter();
        let outputs = hidden.map(|layer| Matrix::zeroed(rows, layer.fan_in));
        let outputs = outputs.collect::<Result<_>>()?;
        let inputs = Inputs::for_inference(columns, rows)?;
        Ok(Activations {
            idle_inputs: (idle > 0).then(|| Matrix::zeroed(rows, idle)).transpose()?,
            ..Activations::new(spec, inputs, outputs, rows)?
        })
    }

    /// Inputs, the outputs of hidden layers, and those of the last layer with so many rows.
    fn new(
        spec: &Spec,
        inputs: Inputs,
        mut outputs: Vec<Matrix>,
        rows: usize,
    ) -> Result<Activations> {
        outputs.push(Matrix::zeroed(rows, spec.outputs())?);
        Ok(Activations {
            inputs,
            idle_inputs: None,
            targets: None,
            outputs,
            sums: None,
            dropped: None,
            saved: Vec::new(),
            shard_sums: Vec::new(),
            d_outputs: Vec::new(),
        })
    }

    /// Sets or removes dropout of hidden units, whose draws [`crate::nn::Noise::draw`] makes.
    ///
    /// # Errors
    /// Returns [`crate::Error::Memory`] if the system does not grant the memory.
    pub fn set_dropout(
        &mut self,
        spec: &Spec,
        dropout: Option<Dropout>,
        partition: &Partition,
    ) -> Result<()> {
        let rows_of_copy = self.inputs.rows_of_copy();
        let dropped =
            dropout.map(|dropout| Dropped::zeroed(dropout, spec, rows_of_copy, partition));
        self.dropped = dropped.transpose()?;
        Ok(())
    }

    /// The inputs of these rows in this worker's copy, to write. The first layer takes them after
    /// [`Activations::finish_inputs`].
    pub fn inputs<'a>(&'a self, rows: &'a mut OwnRows) -> InputsMut<'a> {
        self.inputs.rows_mut(rows)
    }

    /// [`Activations::inputs`] as floats `[rows, active columns]`.
    ///
    /// # Panics
    /// Panics if the first layer takes bytes.
    pub fn float_inputs<'a>(&'a self, rows: &'a mut OwnRows) -> RowsMut<'a> {
        match self.inputs(rows) {
            InputsMut::Floats(inputs) => inputs,
            InputsMut::Bytes(_) => panic!("floats as inputs of a layer that takes bytes"),
        }
    }

    /// Finds out which inputs of these rows are zero, if the first layer skips zeros. The rows start at a multiple of
    /// [`Activations::group`].
    pub fn finish_inputs(&self, rows: &mut OwnRows) {
        self.inputs.finish(rows);
    }

    /// Rows whose inputs are finished together; 1 if it does not matter.
    pub fn group(&self) -> usize {
        self.inputs.group()
    }

    /// The targets of these rows, to write.
    ///
    /// # Panics
    /// Panics if the buffers are for inference only.
    pub fn targets<'a>(&'a self, rows: &'a mut OwnRows) -> TargetsMut<'a> {
        match self.training_targets() {
            Targets::Labels(labels) => {
                // SAFETY: (1) `OwnRows` gives the rows, or their copy, to this worker, and the result borrows it mutably.
                TargetsMut::Labels(unsafe { labels.write(self.rows_of_last(rows)) })
            }
            Targets::Rows(targets) => TargetsMut::Rows(match self.sums {
                None => rows.view_mut(targets),
                Some(_) => rows.own_copy_mut(targets, self.inputs.rows_of_copy()),
            }),
        }
    }

    /// Where these rows are in the outputs of the last layer and in the targets.
    fn rows_of_last(&self, rows: &OwnRows) -> Range<usize> {
        match self.sums {
            None => rows.range(),
            Some(_) => rows.rows_of_copy(self.inputs.rows_of_copy()),
        }
    }

    fn training_targets(&self) -> &Targets {
        self.targets.as_ref().expect("activations for training")
    }

    /// The inputs of idle columns of these rows `[rows, idle columns]`, to write; `None` in training, and if all
    /// columns are active.
    pub fn idle_inputs<'a>(&'a self, rows: &'a mut OwnRows) -> Option<RowsMut<'a>> {
        let inputs = self.idle_inputs.as_ref()?;
        Some(rows.view_mut(inputs))
    }

    /// The outputs of the hidden layer `layer` for these rows `[rows, width]`.
    ///
    /// # Panics
    /// Panics if there is no such layer.
    pub fn hidden_outputs<'a>(&'a self, layer: usize, rows: &'a mut OwnRows) -> RowsMut<'a> {
        rows.view_mut(&self.outputs[..self.outputs.len() - 1][layer])
    }

    /// The logits of these rows `[rows, outputs]`.
    pub fn logits<'a>(&'a self, rows: &'a mut OwnRows) -> RowsMut<'a> {
        rows.view_mut(&self.outputs[self.outputs.len() - 1])
    }

    /// The logits of these rows, to write, with their targets.
    pub(super) fn logits_and_targets<'a>(
        &'a self,
        rows: &'a mut OwnRows,
    ) -> (RowsMut<'a>, TargetsRef<'a>) {
        let logits = &self.outputs[self.outputs.len() - 1];
        let rows_of_copy = self.sums.as_ref().map(|_| self.inputs.rows_of_copy());
        match self.training_targets() {
            Targets::Labels(labels) => {
                let range = self.rows_of_last(rows);
                let logits = match rows_of_copy {
                    None => rows.view_mut(logits),
                    Some(rows_of_copy) => rows.own_copy_mut(logits, rows_of_copy),
                };
                // SAFETY: (1) only `targets` writes labels, and only of rows whose `OwnRows` it borrows mutably, as the
                // result of this function does.
                (logits, TargetsRef::Labels(unsafe { labels.read(range) }))
            }
            Targets::Rows(targets) => {
                let (targets, logits) = match rows_of_copy {
                    None => {
                        let ([targets], [logits], _) = rows.views([targets], [logits]);
                        (targets, logits)
                    }
                    Some(rows_of_copy) => rows.own_copies((targets, logits), rows_of_copy),
                };
                (logits, TargetsRef::Rows(targets))
            }
        }
    }

    /// The sums of the last layer, and what this worker adds to them: the outputs of its units before that layer.
    ///
    /// # Panics
    /// Panics if the last layer is not divided by inputs.
    pub(super) fn sums_product<'a>(
        &'a self,
        turn: &'a mut OwnTurn,
    ) -> (Rows<'a>, BlockMut<'a>, RowPhase<'a>) {
        turn.product(self.before(self.outputs.len() - 1), self.sums())
    }

    /// Copies the sums of these rows to this worker's outputs of the last layer.
    ///
    /// # Panics
    /// Panics if the last layer is not divided by inputs.
    pub fn take_sums(&self, rows: &mut OwnRows) {
        let logits = &self.outputs[self.outputs.len() - 1];
        let (sums, logits) = rows.sums_and_copy(self.sums(), logits, self.inputs.rows_of_copy());
        logits.values.copy_from_slice(sums.values);
    }

    fn sums(&self) -> &Matrix {
        self.sums.as_ref().expect("a last layer divided by inputs")
    }

    /// The inputs of layer `layer` for a forward pass, and its outputs, to write.
    pub(super) fn forward_product<'a>(
        &'a self,
        layer: usize,
        rows: &'a mut OwnRows,
    ) -> (Input<'a>, BlockMut<'a>, RowPhase<'a>) {
        let outputs = &self.outputs[layer];
        if layer == 0 {
            return self.inputs.forward_product(rows, outputs);
        }
        let (x, z, phase) = rows.product((self.before(layer), None), outputs);
        (x.into(), z, phase)
    }

    /// Completes the product of layer `layer`, which the layer has computed for these rows and units.
    pub(super) fn finish_product(&self, layer: usize, rows: &mut OwnRows) {
        if layer == 0 {
            self.inputs.finish_product(rows, &self.outputs[0]);
        }
    }

    /// The matrix that layer `layer` takes, which is not the first.
    fn before(&self, layer: usize) -> &Matrix {
        match &self.dropped {
            Some(dropped) => dropped.output(layer - 1),
            None => &self.outputs[layer - 1],
        }
    }

    /// The gradient at the product of layer `layer`. That of the last layer takes the place of the logits.
    fn dz(&self, layer: usize) -> &Matrix {
        self.d_outputs.get(layer).unwrap_or(&self.outputs[layer])
    }

    /// The rows of a copy of the gradient at the product of layer `layer`, if each share of the units has one.
    fn copies_of_dz(&self, layer: usize) -> Option<usize> {
        let is_last = layer + 1 == self.outputs.len();
        (is_last && self.sums.is_some()).then(|| self.inputs.rows_of_copy())
    }

    /// The gradient at the product of layer `layer + 1`, and the gradient at the outputs of layer `layer`, to write.
    pub(super) fn backward_product<'a>(
        &'a self,
        layer: usize,
        rows: &'a mut OwnRows,
    ) -> (Rows<'a>, BlockMut<'a>, RowPhase<'a>) {
        let dz = (self.dz(layer + 1), self.copies_of_dz(layer + 1));
        rows.product(dz, &self.d_outputs[layer])
    }

    /// The gradient at the product of layer `layer`, for an update.
    pub(super) fn dz_of<'a>(
        &'a self,
        layer: usize,
        piece: &'a OwnPiece,
        of: Gradients,
    ) -> Rows<'a> {
        let copy = self
            .copies_of_dz(layer)
            .map_or(0, |rows| of.share.index * rows);
        piece.rows_of_share(self.dz(layer), of.share, copy..copy + of.rows)
    }

    /// The inputs of layer `layer` and the gradient at its product, for an update.
    pub(super) fn products<'a>(
        &'a self,
        layer: usize,
        piece: &'a OwnPiece,
        of: Gradients,
    ) -> (Input<'a>, Rows<'a>) {
        let x = match layer {
            0 => self.inputs.of_copy(piece, of.share.index, of.rows),
            _ => {
                let x = piece.rows_of_share(self.before(layer), of.share, 0..of.rows);
                x.into()
            }
        };
        (x, self.dz_of(layer, piece, of))
    }
}
