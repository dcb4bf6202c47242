//! Forward and backward through the layers, over buffers that a team of workers shares.
//!
//! This module has the parameters, in and out of an engine's layout; `activations` has the buffers of a batch. A worker
//! runs rows of its own through all layers and back (`passes`); the update then divides the weights into pieces and
//! reads all rows (`update`). Neither allocates memory or knows the source of the rows.

mod activations;
mod inputs;
mod passes;
mod pieces;
mod update;

use std::borrow::Cow;
use std::ops::Range;

pub use self::activations::{Activations, Gradients, TargetsMut};
pub use self::inputs::InputsMut;
pub(in crate::nn) use self::inputs::in_groups;
pub use self::passes::Part;

use self::pieces::PieceTable;
use super::batch_norm::BatchNorm;
use super::parameter::Parameter;
use super::spec::{Layer, Spec};
use super::{Columns, Partition};
use crate::compute::Engine;
use crate::compute::affine::{Affine, AffineOptions, Keeps};
use crate::error::Result;
use crate::optim::Rule;

/// The parameters of a network with the optimiser's slots, in the layout of an engine.
#[derive(Debug)]
pub struct Network {
    spec: Spec,
    layers: Vec<Affine>,
    biases: Vec<Parameter>,
    /// One for each hidden layer, or empty.
    norms: Vec<BatchNorm>,
    /// For each layer, whether training leaves it as it is.
    frozen: Vec<bool>,
    pieces: PieceTable,
    columns: Columns,
    /// Rows of the first layer's weights that training does not move, `[idle, out]`.
    idle_weight: Vec<f32>,
}

impl Network {
    /// A network with the given `parameters [parameters]`, laid out as `spec` says, for forward passes only.
    ///
    /// # Errors
    /// Returns [`crate::Error::Config`] if the engine is not available, and [`crate::Error::Memory`] if the system
    /// does not grant the memory.
    ///
    /// # Panics
    /// Panics if `parameters` or `columns` do not match `spec`.
    pub fn for_inference(
        spec: &Spec,
        parameters: &[f32],
        columns: &Columns,
        engine: Engine,
    ) -> Result<Network> {
        let partition = Partition::by_rows(1);
        Network::new(
            spec,
            parameters,
            columns,
            engine,
            Keeps::default(),
            (&partition, 0),
        )
    }

    /// A network with the given `parameters [parameters]`, laid out as `spec` says, which `rule` moves, and slots in
    /// their initial state. Workers divide it by `partition`, and a batch has at most `rows` rows. Weights of idle
    /// `columns` are kept apart, as training does not move them.
    ///
    /// # Errors
    /// Returns [`crate::Error::Config`] if the engine is not available, and [`crate::Error::Memory`] if the system
    /// does not grant the memory.
    ///
    /// # Panics
    /// Panics if `parameters` or `columns` do not match `spec`.
    pub fn for_training(
        spec: &Spec,
        parameters: &[f32],
        columns: &Columns,
        engine: Engine,
        rule: &Rule,
        (partition, rows): (&Partition, usize),
    ) -> Result<Network> {
        let keeps = Keeps::of(rule);
        Network::new(spec, parameters, columns, engine, keeps, (partition, rows))
    }

    fn new(
        spec: &Spec,
        parameters: &[f32],
        columns: &Columns,
        engine: Engine,
        keeps: Keeps,
        (partition, rows): (&Partition, usize),
    ) -> Result<Network> {
        assert_eq!(parameters.len(), spec.parameters(), "parameters of {spec}");
        assert_eq!(columns.features(), spec.inputs(), "features of {spec}");
        // Without slots the network is not trained.
        let inputs_need_gradient = keeps != Keeps::default();
        let (mut layers, mut biases, mut norms) = (Vec::new(), Vec::new(), Vec::new());
        for (index, layer) in spec.layers().iter().enumerate() {
            let (weight, bias) = layer.split(parameters);
            let options = AffineOptions {
                inputs_need_gradient: inputs_need_gradient && index > 0,
                unit_groups: partition.groups_of(index),
                input_groups: partition.groups_of(index.saturating_sub(1)),
                by_inputs: partition.last_by_inputs() && index + 1 == spec.layers().len(),
                skips_zeros: None,
                rows,
            };
            layers.push(match index {
                0 => {
                    let skips_zeros = columns.sparsity().map(|sparsity| sparsity.offset);
                    let options = AffineOptions {
                        skips_zeros,
                        ..options
                    };
                    let active = active_rows(weight, layer.fan_out, columns);
                    let sizes = (columns.width(), layer.fan_out);
                    Affine::new(engine, &active, sizes, options, keeps)?
                }
                _ => Affine::new(
                    engine,
                    weight,
                    (layer.fan_in, layer.fan_out),
                    options,
                    keeps,
                )?,
            });
            biases.push(Parameter::new(bias, keeps)?);
            norms.extend(BatchNorm::new(layer, parameters, keeps)?);
        }
        let first = &spec.layers()[0];
        let idle = columns.idle().iter().map(|&column| column..column + 1);
        Ok(Network {
            idle_weight: take_rows(first.split(parameters).0, first.fan_out, idle),
            columns: columns.clone(),
            frozen: vec![false; layers.len()],
            pieces: PieceTable::new(spec, &layers, partition),
            spec: spec.clone(),
            layers,
            biases,
            norms,
        })
    }

    /// Replaces the slots by those of an earlier run, `[parameters]` each and laid out as the parameters.
    ///
    /// # Panics
    /// Panics if they do not match this network, or if they are more than the rule has.
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
                match index {
                    0 => affine.set_slot(slot, &active_rows(weight, layer.fan_out, columns)),
                    _ => affine.set_slot(slot, weight),
                }
            }
        }
    }

    /// Freezes layers: from now on no update moves their weights, biases or velocities.
    ///
    /// Shapes: `frozen [layers]`.
    ///
    /// # Panics
    /// Panics if `frozen` has another length than the network has layers.
    pub fn freeze(&mut self, frozen: &[bool]) {
        assert_eq!(frozen.len(), self.layers.len(), "layers of {}", self.spec);
        self.frozen.copy_from_slice(frozen);
    }

    /// The first layer that training moves; gradients below it are not needed.
    fn first_trained(&self) -> usize {
        let first = self.frozen.iter().position(|&frozen| !frozen);
        first.unwrap_or(self.layers.len())
    }

    /// The shape of the network.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Floating point operations of the matrix products to train on one sample: [`Spec::training_flops`] without idle
    /// columns and without what frozen layers save.
    pub fn training_flops(&self) -> f64 {
        self.forward_flops() + self.backward_flops() + self.update_flops()
    }

    /// Floating point operations of the backward pass to the first layer that is trained, as [`Spec::backward_flops`].
    pub fn backward_flops(&self) -> f64 {
        let layers = self.spec.layers().iter().skip(self.first_trained() + 1);
        layers.map(Layer::product_flops).sum()
    }

    /// Floating point operations of the weights' gradient: as many as in the forward pass, except for frozen layers.
    pub fn update_flops(&self) -> f64 {
        let layers = self.spec.layers().iter().zip(&self.frozen);
        let spared = layers.filter(|(_, frozen)| **frozen);
        let spared: f64 = spared.map(|(layer, _)| layer.product_flops()).sum();
        // What a frozen first layer leaves out is in both terms.
        let left_out = match self.frozen[0] {
            true => self.first_flops() - self.first_active_flops(),
            false => 0.0,
        };
        self.forward_flops() - spared + left_out
    }

    /// Floating point operations from inputs to logits: [`Spec::forward_flops`] without idle columns, and without the
    /// zeros that the first layer skips.
    pub fn forward_flops(&self) -> f64 {
        self.spec.forward_flops() - self.first_flops() + self.first_active_flops()
    }

    /// Floating point operations of the first layer's product, with all features.
    fn first_flops(&self) -> f64 {
        self.spec.layers()[0].product_flops()
    }

    /// Floating point operations of the first layer's product that are done.
    fn first_active_flops(&self) -> f64 {
        match self.columns.sparsity() {
            Some(sparsity) => self.first_flops() * sparsity.density,
            None => self.first_flops() - 2.0 * self.idle_weight.len() as f64,
        }
    }

    /// The parameters, laid out as the spec says: `[parameters]`.
    pub fn parameters(&mut self) -> Vec<f32> {
        let mut flat = self.collect(None);
        self.fill_idle(&mut flat);
        flat
    }

    /// A slot of the optimiser, laid out as the parameters: `[parameters]`. It is 0 for idle columns.
    ///
    /// # Panics
    /// Panics if the rule has no such slot.
    pub fn slot(&mut self, slot: usize) -> Vec<f32> {
        self.collect(Some(slot))
    }

    /// Writes the weights of idle columns to `flat [parameters]`.
    pub fn fill_idle(&self, flat: &mut [f32]) {
        let first = &self.spec.layers()[0];
        let idle = self.idle_weight.chunks_exact(first.fan_out);
        for (&column, idle) in self.columns.idle().iter().zip(idle) {
            flat[column * first.fan_out..][..first.fan_out].copy_from_slice(idle);
        }
    }

    /// The parameters, or one of the slots, as a flat buffer `[parameters]` that is 0 for idle columns.
    fn collect(&mut self, slot: Option<usize>) -> Vec<f32> {
        let mut flat = vec![0.0; self.spec.parameters()];
        let parts = self.layers.iter_mut().zip(&mut self.biases).enumerate();
        for (index, (affine, bias)) in parts {
            let layer = &self.spec.layers()[index];
            let (weight, bias_out) = layer.split_mut(&mut flat);
            let active = if index == 0 {
                self.columns.width()
            } else {
                layer.fan_in
            };
            let weight = &mut weight[..active * layer.fan_out];
            match slot {
                None => affine.copy_weight(weight),
                Some(slot) => affine.copy_slot(slot, weight),
            }
            bias.copy(slot, bias_out);
            if let (Some(norm), Some(to)) = (self.norms.get_mut(index), layer.norm_mut(&mut flat)) {
                norm.copy(slot, to);
            }
        }
        let first = &self.spec.layers()[0];
        spread_rows(first.split_mut(&mut flat).0, first.fan_out, &self.columns);
        flat
    }
}

/// Copies some rows of a row-major matrix.
///
/// Shapes: `matrix [rows · width]`; returns `[rows taken · width]`.
fn take_rows(matrix: &[f32], width: usize, rows: impl Iterator<Item = Range<usize>>) -> Vec<f32> {
    let mut taken = Vec::new();
    for rows in rows {
        taken.extend_from_slice(&matrix[rows.start * width..rows.end * width]);
    }
    taken
}

/// The rows of the active columns: a copy, unless all are active.
///
/// Shapes: `matrix [features · width]`; returns `[active columns · width]`.
fn active_rows<'a>(matrix: &'a [f32], width: usize, columns: &Columns) -> Cow<'a, [f32]> {
    match columns.idle() {
        [] => Cow::Borrowed(matrix),
        _ => Cow::Owned(take_rows(matrix, width, columns.active().iter().cloned())),
    }
}

/// Moves the first rows of `matrix`, which belong to the active columns, to the rows of these columns, and sets the
/// others to 0.
///
/// Shapes: `matrix [features · width]`, in place.
fn spread_rows(matrix: &mut [f32], width: usize, columns: &Columns) {
    let mut from = columns.width() * width;
    // From the last to the first, as no row moves to an earlier place.
    for run in columns.active().iter().rev() {
        let (start, length) = (run.start * width, run.len() * width);
        from -= length;
        matrix.copy_within(from..from + length, start);
    }
    for &column in columns.idle() {
        matrix[column * width..(column + 1) * width].fill(0.0);
    }
}
