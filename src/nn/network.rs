//! Forward and backward through the layers, over buffers that a team of workers shares.
//!
//! Shapes for a batch of `rows`: inputs `[rows, active columns]`, the output of layer l `[rows, out_l]`, where the last one
//! holds the logits. A worker runs rows of its own through all layers and back; the update then takes the weights
//! apart in pieces and reads all rows. Nothing here allocates or knows where rows come from.

use std::cmp::Ordering;
use std::ops::Range;

use multiversion::multiversion;

use super::activation::{Activation, activate, activate_backward, activate_keeping};
use super::batch_norm::{BatchNorm, ShardSums};
use super::loss::Loss;
use super::noise::{Dropout, Dropped};
use super::parameter::Parameter;
use super::spec::{Layer, Spec};
use crate::compute::affine::{Affine, Engine, Keeps};
use crate::compute::shared::{Matrix, Rows, RowsMut, SharedBuffer};
use crate::data::{Columns, Task};
use crate::error::Result;
use crate::optim::{Rule, Step};

/// The parameters of a network with the optimiser's slots, in the layout of an engine.
#[derive(Debug)]
pub struct Network {
    spec: Spec,
    layers: Vec<Affine>,
    biases: Vec<Parameter>,
    /// One for each hidden layer, or none at all.
    norms: Vec<BatchNorm>,
    /// Whether training leaves a layer as it is, for each.
    frozen: Vec<bool>,
    columns: Columns,
    /// Rows of the first layer's weights that no training moves, `[idle, out]`.
    idle_weight: Vec<f32>,
}

/// A part of the way through the layers, for whoever takes the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Products and activations.
    Layers,
    /// Batch normalisation.
    Normalization,
}

/// What a batch of rows leaves behind on its way, for up to a fixed number of rows.
#[derive(Debug)]
pub struct Activations {
    inputs: Matrix,
    /// Inputs of idle columns, for inference: training has none but zeros.
    idle_inputs: Option<Matrix>,
    targets: Option<Targets>,
    outputs: Vec<Matrix>,
    /// What the layers behind see of hidden outputs in training with dropout.
    pub(super) dropped: Option<Dropped>,
    /// What the way back takes of each hidden layer beside its output: x̂ with batch normalisation, else the activation's
    /// inputs where its derivative takes these, else nothing.
    saved: Vec<Matrix>,
    /// With batch normalisation one for each hidden layer.
    shard_sums: Vec<ShardSums>,
    d_outputs: Vec<Matrix>,
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

    /// From now on hidden units are dropped, as the draws of [`super::Noise::draw`] say, or no longer are.
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
    fn before(&self, layer: usize) -> &Matrix {
        match (layer, &self.dropped) {
            (0, _) => &self.inputs,
            (_, Some(dropped)) => dropped.output(layer - 1),
            (_, None) => &self.outputs[layer - 1],
        }
    }

    /// The gradient at what layer `layer` gives, before its activation: in the place of the logits for the last.
    fn d_z(&self, layer: usize) -> &Matrix {
        self.d_outputs.get(layer).unwrap_or(&self.outputs[layer])
    }
}

impl Network {
    /// Takes over `parameters [parameters]`, laid out as `spec` says, for forward passes only.
    ///
    /// # Errors
    /// [`crate::Error::Config`] for an engine that is not here, or when memory is not granted.
    ///
    /// # Panics
    /// When `parameters` or `columns` are not of this `spec`.
    pub fn for_inference(
        spec: &Spec,
        parameters: &[f32],
        columns: &Columns,
        engine: Engine,
    ) -> Result<Network> {
        Network::new(spec, parameters, columns, engine, Keeps::default())
    }

    /// Takes over `parameters [parameters]`, laid out as `spec` says, to be moved by `rule`: with slots as they begin.
    /// Weights of idle `columns` are kept aside: training does not move them.
    ///
    /// # Errors
    /// [`crate::Error::Config`] for an engine that is not here, or when memory is not granted.
    ///
    /// # Panics
    /// When `parameters` or `columns` are not of this `spec`.
    pub fn for_training(
        spec: &Spec,
        parameters: &[f32],
        columns: &Columns,
        engine: Engine,
        rule: &Rule,
    ) -> Result<Network> {
        Network::new(spec, parameters, columns, engine, Keeps::of(rule))
    }

    fn new(
        spec: &Spec,
        parameters: &[f32],
        columns: &Columns,
        engine: Engine,
        keeps: Keeps,
    ) -> Result<Network> {
        assert_eq!(parameters.len(), spec.parameters(), "parameters of {spec}");
        assert_eq!(columns.features(), spec.inputs(), "features of {spec}");
        let (mut layers, mut biases, mut norms) = (Vec::new(), Vec::new(), Vec::new());
        for (index, layer) in spec.layers().iter().enumerate() {
            let (weight, bias) = layer.split(parameters);
            if index == 0 {
                let active = take_rows(weight, layer.fan_out, columns.active().iter().cloned());
                let sizes = (columns.width(), layer.fan_out);
                layers.push(Affine::new(engine, &active, sizes, false, keeps)?);
            } else {
                let sizes = (layer.fan_in, layer.fan_out);
                layers.push(Affine::new(engine, weight, sizes, true, keeps)?);
            }
            biases.push(Parameter::new(bias, keeps)?);
            norms.extend(BatchNorm::new(layer, parameters, keeps)?);
        }
        let first = &spec.layers()[0];
        let idle = columns.idle().iter().map(|&column| column..column + 1);
        Ok(Network {
            idle_weight: take_rows(first.split(parameters).0, first.fan_out, idle),
            columns: columns.clone(),
            frozen: vec![false; layers.len()],
            spec: spec.clone(),
            layers,
            biases,
            norms,
        })
    }

    /// Takes over the slots of an earlier run, `[parameters]` each and laid out as the parameters.
    ///
    /// # Panics
    /// When they are not of this network, or more than the rule has.
    pub fn set_slots(&mut self, slots: &[Vec<f32>]) {
        let (spec, columns) = (&self.spec, &self.columns);
        for (slot, flat) in slots.iter().enumerate() {
            assert_eq!(flat.len(), spec.parameters(), "slots of {spec}");
            let layers = self.layers.iter_mut().zip(&mut self.biases);
            for (index, (affine, own)) in layers.enumerate() {
                let layer = &spec.layers()[index];
                let (weight, bias) = layer.split(flat);
                own.set_slot(slot, bias);
                if let (Some(norm), Some(from)) = (self.norms.get_mut(index), layer.norm(flat)) {
                    norm.set_slot(slot, from);
                }
                if index == 0 {
                    let active = columns.active().iter().cloned();
                    affine.set_slot(slot, &take_rows(weight, layer.fan_out, active));
                } else {
                    affine.set_slot(slot, weight);
                }
            }
        }
    }

    /// Leaves layers as they are from now on: no update moves their weights, biases or velocities.
    ///
    /// Shapes: `frozen [layers]`.
    ///
    /// # Panics
    /// When there is not one for each layer.
    pub fn freeze(&mut self, frozen: &[bool]) {
        assert_eq!(frozen.len(), self.layers.len(), "layers of {}", self.spec);
        self.frozen.copy_from_slice(frozen);
    }

    /// The first layer that training moves: gradients need not come further down.
    fn first_trained(&self) -> usize {
        let first = self.frozen.iter().position(|&frozen| !frozen);
        first.unwrap_or(self.layers.len())
    }

    /// What the network is.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Floating point operations of the matrix products to train on one sample: those of
    /// [`Spec::training_flops`] without the columns that are left out and what frozen layers spare.
    pub fn training_flops(&self) -> f64 {
        self.forward_flops() + self.backward_flops() + self.update_flops()
    }

    /// Those of the gradient back to the first layer that is trained, as [`Spec::backward_flops`].
    pub fn backward_flops(&self) -> f64 {
        let layers = self.spec.layers().iter().skip(self.first_trained() + 1);
        layers.map(Layer::product_flops).sum()
    }

    /// Those of the weights' gradient: as many as forward, but for frozen layers.
    pub fn update_flops(&self) -> f64 {
        let layers = self.spec.layers().iter().zip(&self.frozen);
        let spared = layers.filter(|(_, frozen)| **frozen);
        let spared: f64 = spared.map(|(layer, _)| layer.product_flops()).sum();
        // Idle columns of a frozen first layer are left out once.
        let idle = match self.frozen[0] {
            true => 2.0 * self.idle_weight.len() as f64,
            false => 0.0,
        };
        self.forward_flops() - spared + idle
    }

    /// Those from inputs to logits, as [`Spec::forward_flops`] without the columns that are left out.
    pub fn forward_flops(&self) -> f64 {
        self.spec.forward_flops() - 2.0 * self.idle_weight.len() as f64
    }

    /// The parameters, laid out as the spec says: `[parameters]`.
    pub fn parameters(&mut self) -> Vec<f32> {
        let mut flat = self.collect(
            // SAFETY: `&mut self` says that no worker is at it.
            |affine, weight| unsafe { affine.copy_weight(weight) },
            // SAFETY: as above.
            |parameter| unsafe { parameter.values() },
        );
        self.fill_idle(&mut flat);
        flat
    }

    /// A slot of the optimiser, laid out as the parameters: `[parameters]`. That of idle columns is 0.
    ///
    /// # Panics
    /// When the rule has no such slot.
    pub fn slot(&mut self, slot: usize) -> Vec<f32> {
        self.collect(
            // SAFETY: `&mut self` says that no worker is at it.
            |affine, weight| unsafe { affine.copy_slot(slot, weight) },
            // SAFETY: as above.
            |parameter| unsafe { parameter.slot(slot) },
        )
    }

    /// Puts the weights of idle columns to their places in `flat [parameters]`.
    pub fn fill_idle(&self, flat: &mut [f32]) {
        let first = &self.spec.layers()[0];
        let idle = self.idle_weight.chunks_exact(first.fan_out);
        for (&column, idle) in self.columns.idle().iter().zip(idle) {
            flat[column * first.fan_out..][..first.fan_out].copy_from_slice(idle);
        }
    }

    /// Something of active columns' weights and of all other parameters; the rest is 0.
    fn collect<'a>(
        &'a self,
        copy_weight: impl Fn(&Affine, &mut [f32]),
        of_parameter: impl Fn(&'a Parameter) -> &'a [f32],
    ) -> Vec<f32> {
        let mut flat = vec![0.0; self.spec.parameters()];
        let parts = self.layers.iter().zip(&self.biases).enumerate();
        for (index, (affine, bias)) in parts {
            let layer = &self.spec.layers()[index];
            let (weight, out) = layer.split_mut(&mut flat);
            let active = if index == 0 {
                self.columns.width()
            } else {
                layer.fan_in
            };
            copy_weight(affine, &mut weight[..active * layer.fan_out]);
            out.copy_from_slice(of_parameter(bias));
            if let (Some(norm), Some(to)) = (self.norms.get(index), layer.norm_mut(&mut flat)) {
                let from = norm.parts();
                to.gamma.copy_from_slice(of_parameter(from.gamma));
                to.mean.copy_from_slice(of_parameter(from.mean));
                to.variance.copy_from_slice(of_parameter(from.variance));
            }
        }
        let first = &self.spec.layers()[0];
        spread_rows(first.split_mut(&mut flat).0, first.fan_out, &self.columns);
        flat
    }

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

    /// In how many pieces the parameters are updated: by the network's shape alone.
    pub fn pieces(&self) -> usize {
        self.layers.iter().map(|layer| layer.pieces() + 1).sum()
    }

    /// The gradient, `dw = xᵀ · dz` or `db = Σ_rows dz` over the first `rows` rows, and the optimiser's step against it,
    /// for one piece of the parameters. What batch normalisation keeps of a layer goes with its bias. Pieces of frozen layers
    /// stay as they are.
    ///
    /// # Safety
    /// Until the next barrier no other worker takes this piece, and none runs rows forward or backward.
    ///
    /// # Panics
    /// When there is no such piece.
    pub unsafe fn update(&self, piece: usize, activations: &Activations, rows: usize, step: &Step) {
        let (index, part) = self.place(piece);
        let layer = &self.layers[index];
        if self.frozen[index] {
            return;
        }
        // SAFETY: the caller's promise.
        unsafe {
            let d_z = activations.d_z(index).rows(0..rows);
            match part {
                Some(piece) => {
                    let x = activations.before(index).rows(0..rows);
                    layer.update(piece, x, d_z, &self.for_weights(index, step));
                }
                None => {
                    let add = |sums: &mut [f32]| self.add_d_bias(index, activations, rows, sums);
                    self.biases[index].update(step, add);
                    if let Some(norm) = self.norms.get(index) {
                        norm.update(step, rows, &activations.shard_sums[index]);
                    }
                }
            }
        }
    }

    /// `sums = sums + db` over the first `rows` rows.
    ///
    /// # Safety
    /// As [`Network::update`].
    unsafe fn add_d_bias(
        &self,
        index: usize,
        activations: &Activations,
        rows: usize,
        sums: &mut [f32],
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            match activations.shard_sums.get(index) {
                Some(of) => BatchNorm::add_d_beta(of, rows, sums),
                None => add_column_sums(activations.d_z(index).rows(0..rows), sums),
            }
        }
    }

    /// The gradient of one piece, kept for [`Network::apply`]; gives `Σ g²`, which is 0 for a frozen layer.
    ///
    /// # Safety
    /// As [`Network::update`].
    ///
    /// # Panics
    /// When there is no such piece, or the rule keeps no gradient.
    pub unsafe fn keep_gradient(
        &self,
        piece: usize,
        activations: &Activations,
        rows: usize,
    ) -> f64 {
        let (index, part) = self.place(piece);
        if self.frozen[index] {
            return 0.0;
        }
        // SAFETY: the caller's promise.
        unsafe {
            let d_z = activations.d_z(index).rows(0..rows);
            match part {
                Some(piece) => {
                    let x = activations.before(index).rows(0..rows);
                    self.layers[index].keep_gradient(piece, x, d_z)
                }
                None => {
                    let add = |sums: &mut [f32]| self.add_d_bias(index, activations, rows, sums);
                    let square = self.biases[index].keep_gradient(add);
                    let norm = self.norms.get(index);
                    let of_norm =
                        norm.map(|norm| norm.keep_gradient(rows, &activations.shard_sums[index]));
                    square + of_norm.unwrap_or(0.0)
                }
            }
        }
    }

    /// The optimiser's step against the gradient of one piece that was kept.
    ///
    /// # Safety
    /// As [`Network::update`].
    ///
    /// # Panics
    /// When there is no such piece, or the rule keeps no gradient.
    pub unsafe fn apply(&self, piece: usize, step: &Step) {
        let (index, part) = self.place(piece);
        if self.frozen[index] {
            return;
        }
        // SAFETY: the caller's promise.
        unsafe {
            match part {
                Some(piece) => self.layers[index].apply(piece, &self.for_weights(index, step)),
                None => {
                    self.biases[index].apply(step);
                    if let Some(norm) = self.norms.get(index) {
                        norm.apply(step);
                    }
                }
            }
        }
    }

    /// In how many pieces the hidden units are held to a norm: by the network's shape alone.
    pub fn unit_pieces(&self) -> usize {
        self.hidden().iter().map(Affine::unit_pieces).sum()
    }

    /// Scales the weights into each unit of a piece down to a Euclidean norm of at most `most`, and lets their average
    /// follow.
    ///
    /// # Safety
    /// As [`Network::update`], with pieces of units.
    ///
    /// # Panics
    /// When there is no such piece.
    pub unsafe fn limit_units(&self, piece: usize, most: f32, step: &Step) {
        let mut piece = piece;
        for (layer, &frozen) in self.hidden().iter().zip(&self.frozen) {
            if piece < layer.unit_pieces() {
                if frozen {
                    return;
                }
                // SAFETY: the caller's promise.
                return unsafe { layer.limit_units(piece, most, step) };
            }
            piece -= layer.unit_pieces();
        }
        unreachable!("units {piece} beyond the last of {}", self.spec);
    }

    /// The layers with hidden units.
    fn hidden(&self) -> &[Affine] {
        &self.layers[..self.layers.len() - 1]
    }

    /// The step of a layer's weights: where they are still to be held to a norm, the average follows after that.
    fn for_weights(&self, index: usize, step: &Step) -> Step {
        let hidden = index + 1 < self.layers.len();
        match step.rule().max_norm {
            Some(_) if hidden => step.without_average(),
            _ => *step,
        }
    }

    /// The layer of a piece, and which piece of its weights that is; none is its bias and all that goes with it.
    fn place(&self, piece: usize) -> (usize, Option<usize>) {
        let mut piece = piece;
        for (index, layer) in self.layers.iter().enumerate() {
            match piece.cmp(&layer.pieces()) {
                Ordering::Less => return (index, Some(piece)),
                Ordering::Equal => return (index, None),
                Ordering::Greater => piece -= layer.pieces() + 1,
            }
        }
        unreachable!("piece {piece} beyond the last of {}", self.spec);
    }
}

/// Some rows of a row-major matrix, one behind the other.
///
/// Shapes: `matrix [rows · width]`; gives `[rows taken · width]`.
fn take_rows(matrix: &[f32], width: usize, rows: impl Iterator<Item = Range<usize>>) -> Vec<f32> {
    rows.flat_map(|rows| &matrix[rows.start * width..rows.end * width])
        .copied()
        .collect()
}

/// Moves the first rows of `matrix`, those of active columns, to the places of these, and leaves the others 0.
///
/// Shapes: `matrix [features · width]`, in place.
fn spread_rows(matrix: &mut [f32], width: usize, columns: &Columns) {
    let mut from = columns.width() * width;
    // From the last to the first: a row's place is never before the row.
    for run in columns.active().iter().rev() {
        let (start, length) = (run.start * width, run.len() * width);
        from -= length;
        matrix.copy_within(from..from + length, start);
    }
    for &column in columns.idle() {
        matrix[column * width..(column + 1) * width].fill(0.0);
    }
}

/// `sums = sums + Σ_rows z`.
///
/// Shapes: `z [rows, out]`, `sums [out]`. Accumulates into `sums`.
fn add_column_sums(z: Rows, sums: &mut [f32]) {
    add_rows(z.values, z.stride, sums);
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn add_rows(values: &[f32], stride: usize, sums: &mut [f32]) {
    for row in values.chunks_exact(stride) {
        for (sum, z) in sums.iter_mut().zip(row) {
            *sum += z;
        }
    }
}
