//! What a batch of rows leaves behind on its way through the layers: inputs, targets, the outputs of each layer and the
//! gradients at them, and what else the way back takes.
//!
//! Shapes for a batch of `rows`: inputs `[rows, active columns]`, the output of layer l `[rows, out_l]`, where the last one
//! holds the logits.

use std::ops::Range;

use crate::compute::shared::{Matrix, RowsMut, SharedBuffer};
use crate::error::Result;
use crate::nn::batch_norm::ShardSums;
use crate::nn::dropout::{Dropout, Dropped};
use crate::nn::spec::Spec;
use crate::nn::{Columns, Task};

/// What a batch of rows leaves behind on its way, for up to a fixed number of rows.
#[derive(Debug)]
pub struct Activations {
    inputs: Matrix,
    /// Inputs of idle columns, for inference: training has none but zeros.
    pub(super) idle_inputs: Option<Matrix>,
    targets: Option<Targets>,
    pub(super) outputs: Vec<Matrix>,
    /// What the layers behind see of hidden outputs in training with dropout.
    pub(in crate::nn) dropped: Option<Dropped>,
    /// What the way back takes of each hidden layer beside its output: x̂ with batch normalisation, else the activation's
    /// inputs where its derivative takes these, else nothing.
    pub(super) saved: Vec<Matrix>,
    /// With batch normalisation one for each hidden layer.
    pub(super) shard_sums: Vec<ShardSums>,
    pub(super) d_outputs: Vec<Matrix>,
}

/// What is to be learned of the rows of a batch.
#[derive(Debug)]
enum Targets {
    Labels(SharedBuffer<u32>),
    Rows(Matrix),
}

/// Room for what is to be learned of some rows.
#[derive(Debug)]
pub enum TargetsMut<'a> {
    /// A class each, `[rows]`.
    Labels(&'a mut [u32]),
    /// Numbers, or 0 and 1 for each label, `[rows, outputs]`.
    Rows(RowsMut<'a>),
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
    /// [`crate::Error::Config`] when memory is not granted.
    pub fn for_training(spec: &Spec, columns: &Columns, rows: usize) -> Result<Activations> {
        let hidden = &spec.layers()[..spec.layers().len() - 1];
        let matrices = || {
            hidden
                .iter()
                .map(|layer| Matrix::zeroed(rows, layer.fan_out))
        };
        let saves = spec.batch_norm() || spec.activation().needs_input();
        let normalized = hidden.iter().filter(|layer| layer.is_normalized());
        let shard_sums = normalized.map(|layer| ShardSums::zeroed(rows, layer.fan_out));
        Ok(Activations {
            d_outputs: matrices().collect::<Result<_>>()?,
            saved: matrices()
                .take(if saves { hidden.len() } else { 0 })
                .collect::<Result<_>>()?,
            shard_sums: shard_sums.collect::<Result<_>>()?,
            targets: Some(Targets::zeroed(spec, rows)?),
            idle_inputs: None,
            ..Activations::for_inference(spec, columns, rows)?
        })
    }

    /// Buffers for `rows` rows of inference: forward only.
    ///
    /// # Errors
    /// [`crate::Error::Config`] when memory is not granted.
    pub fn for_inference(spec: &Spec, columns: &Columns, rows: usize) -> Result<Activations> {
        let layers = spec.layers().iter();
        let outputs = layers.map(|layer| Matrix::zeroed(rows, layer.fan_out));
        let idle = columns.idle().len();
        Ok(Activations {
            inputs: Matrix::zeroed(rows, columns.width())?,
            idle_inputs: (idle > 0).then(|| Matrix::zeroed(rows, idle)).transpose()?,
            targets: None,
            outputs: outputs.collect::<Result<_>>()?,
            dropped: None,
            saved: Vec::new(),
            shard_sums: Vec::new(),
            d_outputs: Vec::new(),
        })
    }

    /// From now on hidden units are dropped, as the draws of [`crate::nn::Noise::draw`] say, or no longer are.
    ///
    /// # Errors
    /// [`crate::Error::Config`] when memory is not granted.
    pub fn set_dropout(
        &mut self,
        spec: &Spec,
        dropout: Option<Dropout>,
        rows: usize,
    ) -> Result<()> {
        let dropped = dropout.map(|dropout| Dropped::zeroed(dropout, spec, rows));
        self.dropped = dropped.transpose()?;
        Ok(())
    }

    /// Inputs `[rows, active columns]` to fill.
    ///
    /// # Safety
    /// Until the next barrier these rows are this worker's alone.
    pub unsafe fn inputs(&self, rows: Range<usize>) -> RowsMut<'_> {
        // SAFETY: the caller's promise.
        unsafe { self.inputs.rows_mut(rows) }
    }

    /// What is to be learned of these rows, to fill.
    ///
    /// # Safety
    /// Until the next barrier these rows are this worker's alone.
    ///
    /// # Panics
    /// When these are for inference only.
    pub unsafe fn targets(&self, rows: Range<usize>) -> TargetsMut<'_> {
        // SAFETY: the caller's promise.
        unsafe {
            match self.targets.as_ref().expect("activations for training") {
                Targets::Labels(labels) => TargetsMut::Labels(labels.write(rows)),
                Targets::Rows(targets) => TargetsMut::Rows(targets.rows_mut(rows)),
            }
        }
    }

    /// Inputs of idle columns `[rows, idle columns]` to fill; none in training, and where all columns are active.
    ///
    /// # Safety
    /// Until the next barrier these rows are this worker's alone.
    pub unsafe fn idle_inputs(&self, rows: Range<usize>) -> Option<RowsMut<'_>> {
        let inputs = self.idle_inputs.as_ref()?;
        // SAFETY: the caller's promise.
        Some(unsafe { inputs.rows_mut(rows) })
    }

    /// Logits `[rows, classes]`.
    ///
    /// # Safety
    /// Until the next barrier these rows are this worker's alone.
    pub unsafe fn logits(&self, rows: Range<usize>) -> RowsMut<'_> {
        // SAFETY: the caller's promise.
        unsafe { self.outputs[self.outputs.len() - 1].rows_mut(rows) }
    }

    /// What layer `layer` takes.
    pub(super) fn before(&self, layer: usize) -> &Matrix {
        match (layer, &self.dropped) {
            (0, _) => &self.inputs,
            (_, Some(dropped)) => dropped.output(layer - 1),
            (_, None) => &self.outputs[layer - 1],
        }
    }

    /// The gradient at what layer `layer` gives, before its activation: in the place of the logits for the last.
    pub(super) fn d_z(&self, layer: usize) -> &Matrix {
        self.d_outputs.get(layer).unwrap_or(&self.outputs[layer])
    }
}
