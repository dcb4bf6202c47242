//! Rows through all layers and back.

use std::ops::Range;

use super::{Activations, Network, TargetsMut};
use crate::compute::shared::{Rows, RowsMut};
use crate::nn::activation::{Activation, activate, activate_backward, activate_keeping};
use crate::nn::loss::Loss;

/// A part of the way through the layers, for whoever takes the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Products and activations.
    Layers,
    /// Batch normalisation.
    Normalization,
}

impl Network {
    /// From inputs to logits: `y = f(x · w + b)`, layer after layer, with no activation behind the last. Idle inputs,
    /// where there are any, are added to the first product. Hidden layers are normalised where the spec says so: in training
    /// these rows are a shard, whose own statistics are taken; frozen layers, and all in inference, take the running ones.
    ///
    /// Overwrites the outputs of all layers for these rows.
    ///
    /// # Safety
    /// Until the next barrier these rows are this worker's alone, and nobody updates.
    pub unsafe fn forward(&self, activations: &Activations, rows: Range<usize>) {
        // SAFETY: passed on.
        unsafe { self.forward_in_parts(activations, rows, &mut |_| ()) };
    }

    /// [`Network::forward`], with `done` told when a part of it is done.
    ///
    /// # Safety
    /// As [`Network::forward`].
    pub unsafe fn forward_in_parts(
        &self,
        activations: &Activations,
        rows: Range<usize>,
        done: &mut impl FnMut(Part),
    ) {
        for (index, layer) in self.layers.iter().enumerate() {
            // SAFETY: the caller's promise.
            unsafe {
                let x = activations.before(index).rows(rows.clone());
                let mut z = activations.outputs[index].rows_mut(rows.clone());
                layer.forward(x, z.reborrow());
                if let (0, Some(idle)) = (index, &activations.idle_inputs) {
                    self.add_idle(idle.rows(rows.clone()), z.reborrow());
                }
                if index + 1 == self.layers.len() {
                    activate(Activation::Identity, z, self.biases[index].values());
                    break;
                }
                self.activate_hidden(index, activations, rows.clone(), done);
                if let Some(dropped) = &activations.dropped {
                    dropped.forward(index, rows.clone(), &activations.outputs[index]);
                }
            }
        }
        done(Part::Layers);
    }

    /// From the products of a hidden layer to its outputs, in place.
    ///
    /// # Safety
    /// As [`Network::forward`].
    unsafe fn activate_hidden(
        &self,
        index: usize,
        activations: &Activations,
        rows: Range<usize>,
        done: &mut impl FnMut(Part),
    ) {
        let activation = self.spec.activation();
        // SAFETY: the caller's promise.
        unsafe {
            let mut z = activations.outputs[index].rows_mut(rows.clone());
            let mut saved = activations.saved.get(index);
            if let Some(norm) = self.norms.get(index) {
                done(Part::Layers);
                match (activations.shard_sums.get(index), saved) {
                    (Some(sums), Some(x_hat)) if !self.frozen[index] => {
                        let x_hat = x_hat.rows_mut(rows.clone());
                        norm.forward(rows.clone(), z.reborrow(), x_hat, sums);
                        saved = None;
                    }
                    _ => norm.forward_running(z.reborrow()),
                }
                done(Part::Normalization);
            }
            let bias = self.biases[index].values();
            match saved.filter(|_| activation.needs_input()) {
                Some(inputs) => activate_keeping(activation, z, inputs.rows_mut(rows), bias),
                None => activate(activation, z, bias),
            }
        }
    }

    /// From the gradient at the outputs of a hidden layer to that at its products, in place.
    ///
    /// # Safety
    /// As [`Network::forward`].
    unsafe fn activate_hidden_backward(
        &self,
        index: usize,
        activations: &Activations,
        rows: Range<usize>,
        done: &mut impl FnMut(Part),
    ) {
        let activation = self.spec.activation();
        let norm = self.norms.get(index);
        // SAFETY: the caller's promise; buffers are different ones.
        unsafe {
            let mut d_y = activations.d_outputs[index].rows_mut(rows.clone());
            let y = activations.outputs[index].rows(rows.clone());
            let saved = activations.saved.get(index);
            let saved = saved.map(|saved| saved.rows(rows.clone()));
            if norm.is_some() {
                done(Part::Layers);
            }
            match (norm, saved) {
                (Some(norm), Some(x_hat)) if !self.frozen[index] => {
                    let behind = (activation, self.biases[index].values());
                    let sums = &activations.shard_sums[index];
                    norm.backward(rows, behind, d_y, (y, x_hat), sums);
                }
                (norm, saved) => {
                    let of = saved.filter(|_| activation.needs_input()).unwrap_or(y);
                    activate_backward(activation, d_y.reborrow(), of);
                    if let Some(norm) = norm {
                        norm.backward_running(d_y);
                    }
                }
            }
            if norm.is_some() {
                done(Part::Normalization);
            }
        }
    }

    /// `z = z + x · w` over idle columns. Where training items are all zero, other items seldom are anything else.
    ///
    /// Shapes: `x [rows, idle]`, `z [rows, out]`. Accumulates into `z`.
    fn add_idle(&self, x: Rows, mut z: RowsMut) {
        for (x, z) in x.values.chunks_exact(x.stride).zip(z.iter_mut()) {
            let weights = self.idle_weight.chunks_exact(z.len());
            for (&x, weights) in x.iter().zip(weights).filter(|(x, _)| **x != 0.0) {
                z.iter_mut().zip(weights).for_each(|(z, w)| *z += x * w);
            }
        }
    }

    /// From the logits of [`Network::forward`] to the `loss` of each row, and the gradient of `scale · loss` at the logits
    /// in their place.
    ///
    /// Overwrites the logits of these rows, and `losses [rows]` with the loss of each in nats, times its weight.
    ///
    /// # Safety
    /// As [`Network::forward`].
    ///
    /// # Panics
    /// When a label is not below the number of classes, or `loss` is of another task.
    pub unsafe fn loss(
        &self,
        activations: &Activations,
        rows: Range<usize>,
        loss: &Loss,
        scale: f32,
        losses: &mut [f64],
    ) {
        // SAFETY: the caller's promise.
        let (mut logits, targets) =
            unsafe { (activations.logits(rows.clone()), activations.targets(rows)) };
        let rows = logits.iter_mut().zip(losses);
        match (loss, targets) {
            (Loss::CrossEntropy(loss), TargetsMut::Labels(labels)) => {
                for ((row, of_row), &label) in rows.zip(&*labels) {
                    *of_row = loss.backward(row, label as usize, scale);
                }
            }
            (loss, TargetsMut::Rows(mut targets)) => {
                for ((row, of_row), targets) in rows.zip(targets.iter_mut()) {
                    *of_row = loss.backward(row, targets, scale);
                }
            }
            (loss, _) => panic!("{loss:?} for {}", self.spec.task().name()),
        }
    }

    /// From the gradient at the logits back: for each layer from the last `dx = dz · wᵀ`, and `dz = dx ⊙ f'` for the
    /// layer before, and through its normalisation, down to the first layer that is trained.
    ///
    /// Overwrites the gradients at the outputs of the hidden layers for these rows.
    ///
    /// # Safety
    /// As [`Network::forward`].
    ///
    /// # Panics
    /// When `activations` are for inference only.
    pub unsafe fn backward(&self, activations: &Activations, rows: Range<usize>) {
        // SAFETY: passed on.
        unsafe { self.backward_in_parts(activations, rows, &mut |_| ()) };
    }

    /// [`Network::backward`], with `done` told when a part of it is done.
    ///
    /// # Safety
    /// As [`Network::backward`].
    ///
    /// # Panics
    /// As [`Network::backward`].
    pub unsafe fn backward_in_parts(
        &self,
        activations: &Activations,
        rows: Range<usize>,
        done: &mut impl FnMut(Part),
    ) {
        let above = self.first_trained() + 1;
        for (index, layer) in self.layers.iter().enumerate().skip(above).rev() {
            // SAFETY: the caller's promise; `d_z` and `d_y` are buffers of different layers.
            unsafe {
                let d_z = activations.d_z(index).rows(rows.clone());
                let mut d_y = activations.d_outputs[index - 1].rows_mut(rows.clone());
                layer.backward(d_z, d_y.reborrow());
                if let Some(dropped) = &activations.dropped {
                    dropped.backward(index - 1, rows.clone(), d_y.reborrow());
                }
                self.activate_hidden_backward(index - 1, activations, rows.clone(), done);
            }
        }
        done(Part::Layers);
    }
}
