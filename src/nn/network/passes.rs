//! The forward and the backward pass of rows through all layers.

use super::Network;
use super::activations::{Activations, TargetsRef};
use crate::compute::phases::{OwnRows, OwnTurn};
use crate::compute::shared::{AtomicF64, Rows, RowsMut};
use crate::nn::activation::{Activation, activate, activate_backward, activate_keeping};
use crate::nn::loss::{Loss, RowShares, Units};

/// A part of a pass, for callers that measure its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Products and activations.
    Layers,
    /// Batch normalisation.
    Normalization,
}

impl Network {
    /// From inputs to logits: `y = f(x · w + b)`, layer after layer, with no activation after the last. Idle inputs, if
    /// there are any, are added to the first product. If the spec has batch normalisation, hidden layers are
    /// normalised: in training `rows` is a shard and its own statistics are used; frozen layers, and all layers in
    /// inference, use the running ones.
    ///
    /// Overwrites the outputs of all layers for these rows.
    pub fn forward(&self, activations: &Activations, rows: &mut OwnRows) {
        for layer in 0..self.layers.len() {
            self.forward_layer(layer, activations, rows, &mut |_| ());
        }
    }

    /// The forward pass through one layer, for the units of these rows, whose inputs are done for all units. Calls
    /// `done` after each part.
    ///
    /// Overwrites the outputs of the layer for these rows and units.
    pub fn forward_layer(
        &self,
        index: usize,
        activations: &Activations,
        rows: &mut OwnRows,
        done: &mut impl FnMut(Part),
    ) {
        let outputs = &activations.outputs[index];
        let share = rows.share();
        let (x, z, phase) = activations.forward_product(index, rows);
        self.layers[index].forward(x, z, share, phase);
        activations.finish_product(index, rows);
        if let (0, Some(idle)) = (index, &activations.idle_inputs) {
            let ([idle], [z], _) = rows.views([idle], [outputs]);
            self.add_idle(idle, z);
        }
        if index + 1 == self.layers.len() {
            let ([], [z], phase) = rows.blocks([], [outputs]);
            let units = share.columns(outputs.width());
            activate(
                Activation::Identity,
                z,
                self.biases[index].values_of(units, phase),
            );
        } else {
            self.activate_hidden(index, activations, rows, done);
            if let Some(dropped) = &activations.dropped {
                dropped.forward(index, rows, outputs);
            }
        }
        done(Part::Layers);
    }

    /// The part of a forward pass through the last layer that is this worker's if the layer is divided by inputs: adds
    /// the products of its inputs to the sums, as the worker before it has left them, and the bias if they are the last.
    ///
    /// # Panics
    /// Panics if the last layer is not divided by inputs.
    pub fn add_outputs(&self, activations: &Activations, turn: &mut OwnTurn) {
        let last = self.layers.len() - 1;
        let (x, mut z, phase) = activations.sums_product(turn);
        self.layers[last].add_forward(x, z.reborrow(), phase);
        if x.first + x.width == self.spec.layers()[last].fan_in {
            let bias = self.biases[last].values_of(0..z.width(), phase);
            activate(Activation::Identity, z, bias);
        }
    }

    /// From the gradient at the logits back: for each layer from the last `dx = dz · wᵀ`, then `dz = dx ⊙ f'` for the
    /// layer before it and the gradient of its normalisation, down to the first layer that is trained.
    ///
    /// Overwrites the gradients at the outputs of the hidden layers for these rows.
    ///
    /// # Panics
    /// Panics if `activations` are for inference only.
    pub fn backward(&self, activations: &Activations, rows: &mut OwnRows) {
        for layer in (0..self.layers.len() - 1).rev() {
            self.backward_layer(layer, activations, rows, &mut |_| ());
        }
    }

    /// The backward pass to the products of one hidden layer, for the units of these rows: the gradient at the next
    /// layer's products is done for all units. Does nothing for layers below the first that is trained. Calls `done`
    /// after each part.
    ///
    /// Overwrites the gradient at the outputs of the layer for these rows and units.
    ///
    /// # Panics
    /// Panics if `activations` are for inference only, or the layer is not a hidden one.
    pub fn backward_layer(
        &self,
        index: usize,
        activations: &Activations,
        rows: &mut OwnRows,
        done: &mut impl FnMut(Part),
    ) {
        if index < self.first_trained() {
            return;
        }
        let d_outputs = &activations.d_outputs[index];
        let share = rows.share();
        let (dz, dx, phase) = activations.backward_product(index, rows);
        self.layers[index + 1].backward(dz, dx, share, phase);
        if let Some(dropped) = &activations.dropped {
            dropped.backward(index, rows, d_outputs);
        }
        self.activate_hidden_backward(index, activations, rows, done);
        done(Part::Layers);
    }

    /// From the products of a hidden layer to its outputs, in place.
    fn activate_hidden(
        &self,
        index: usize,
        activations: &Activations,
        rows: &mut OwnRows,
        done: &mut impl FnMut(Part),
    ) {
        let activation = self.spec.activation();
        let outputs = &activations.outputs[index];
        let mut saved = activations.saved.get(index);
        if let Some(norm) = self.norms.get(index) {
            done(Part::Layers);
            match (activations.shard_sums.get(index), saved) {
                (Some(sums), Some(x_hat)) if !self.frozen[index] => {
                    norm.forward(rows, outputs, x_hat, sums);
                    saved = None;
                }
                _ => {
                    let ([], [z], phase) = rows.views([], [outputs]);
                    norm.forward_running(z, phase);
                }
            }
            done(Part::Normalization);
        }
        let units = rows.share().columns(outputs.width());
        let bias = &self.biases[index];
        match saved.filter(|_| activation.needs_input()) {
            Some(inputs) => {
                let ([], [z, inputs], phase) = rows.blocks([], [outputs, inputs]);
                activate_keeping(activation, z, inputs, bias.values_of(units, phase));
            }
            None => {
                let ([], [z], phase) = rows.blocks([], [outputs]);
                activate(activation, z, bias.values_of(units, phase));
            }
        }
    }

    /// From the gradient at the outputs of a hidden layer to the gradient at its products, in place.
    fn activate_hidden_backward(
        &self,
        index: usize,
        activations: &Activations,
        rows: &mut OwnRows,
        done: &mut impl FnMut(Part),
    ) {
        let activation = self.spec.activation();
        let (dy, y) = (&activations.d_outputs[index], &activations.outputs[index]);
        let (norm, saved) = (self.norms.get(index), activations.saved.get(index));
        if norm.is_some() {
            done(Part::Layers);
        }
        match (norm, saved) {
            (Some(norm), Some(x_hat)) if !self.frozen[index] => {
                let after = (activation, &self.biases[index]);
                let sums = &activations.shard_sums[index];
                norm.backward(rows, after, dy, (y, x_hat), sums);
            }
            (norm, saved) => {
                let of = saved.filter(|_| activation.needs_input()).unwrap_or(y);
                let ([of], [dz], _) = rows.blocks([of], [dy]);
                activate_backward(activation, dz, of);
                if let Some(norm) = norm {
                    let ([], [dz], phase) = rows.views([], [dy]);
                    norm.backward_running(dz, phase);
                }
            }
        }
        if norm.is_some() {
            done(Part::Normalization);
        }
    }

    /// `z = z + x · w` over idle columns. Samples are seldom nonzero where all training samples are zero.
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

    /// From the logits of [`Network::forward`] to the `loss` of each row, and the gradient of its share of the loss of the
    /// batch at the logits in their place. Standardised targets have `units`: see [`Loss::backward`].
    ///
    /// Overwrites the logits of these rows, and `losses [rows]` with the loss of each in nats, times its weight.
    ///
    /// # Panics
    /// Panics if a label is not below the number of classes, or if `loss` is of another task.
    pub fn loss(
        &self,
        activations: &Activations,
        rows: &mut OwnRows,
        (loss, units): (&Loss, Option<&Units>),
        shares: RowShares,
        losses: &[AtomicF64],
    ) {
        let (mut logits, targets) = activations.logits_and_targets(rows);
        match (loss, targets) {
            (Loss::CrossEntropy(loss), TargetsRef::Labels(labels)) => {
                loss.backward_rows(logits, labels, shares, losses);
            }
            (loss, TargetsRef::Rows(targets)) => {
                let targets = targets.values.chunks_exact(targets.stride);
                let rows = logits.iter_mut().zip(losses);
                for (index, ((row, of_row), targets)) in rows.zip(targets).enumerate() {
                    let targets = &targets[..row.len()];
                    let weight = shares.weight(index);
                    let scale = weight * shares.scale();
                    let loss = loss.backward(row, targets, units, scale);
                    of_row.store(f64::from(weight) * loss);
                }
            }
            (loss, TargetsRef::Labels(_)) => {
                panic!("{loss:?} for {}", self.spec.task().name())
            }
        }
    }
}
