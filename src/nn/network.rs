//! Forward and backward through the layers, over a workspace that is lent.
//!
//! Shapes for a batch of `rows`: inputs `[rows, in]`, the output of layer l `[rows, out_l]`, where the last
//! one holds the logits. Nothing here allocates, knows where rows come from, or where gradients go.

use multiversion::multiversion;

use super::activation::{activate, activate_backward};
use super::loss::cross_entropy_backward;
use super::spec::Spec;
use crate::compute::gemm::{matrix, matrix_mut, multiply};

/// Buffers for one batch of up to `capacity` rows.
#[derive(Debug)]
pub struct Workspace {
    /// The scaled inputs, `[capacity, in]`.
    pub inputs: Vec<f32>,
    /// The class of each row, `[capacity]`.
    pub labels: Vec<u32>,
    outputs: Vec<Vec<f32>>,
    d_outputs: Vec<Vec<f32>>,
    capacity: usize,
}

impl Workspace {
    /// Buffers to run forward and backward.
    pub fn for_training(spec: &Spec, capacity: usize) -> Workspace {
        let layers = spec.layers();
        let hidden = &layers[..layers.len() - 1];
        Workspace {
            d_outputs: hidden
                .iter()
                .map(|layer| vec![0.0; capacity * layer.fan_out])
                .collect(),
            ..Workspace::for_inference(spec, capacity)
        }
    }

    /// Buffers to run forward only.
    pub fn for_inference(spec: &Spec, capacity: usize) -> Workspace {
        Workspace {
            inputs: vec![0.0; capacity * spec.inputs()],
            labels: vec![0; capacity],
            outputs: spec
                .layers()
                .iter()
                .map(|layer| vec![0.0; capacity * layer.fan_out])
                .collect(),
            d_outputs: Vec::new(),
            capacity,
        }
    }

    /// The most rows that fit.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// The logits of the last forward pass, `[rows, classes]`.
    pub fn logits(&mut self, spec: &Spec, rows: usize) -> &mut [f32] {
        let last = self.outputs.len() - 1;
        &mut self.outputs[last][..rows * spec.classes()]
    }
}

/// From the first `rows` inputs of `workspace` to its logits: `y = f(x · w + b)`, layer after layer, with
/// no activation behind the last.
///
/// Shapes: `parameters [parameters]`, inputs `[rows, in]`. Overwrites the outputs of all layers.
///
/// # Panics
/// When `rows` exceeds the workspace, or `parameters` is not of this `spec`.
pub fn forward(spec: &Spec, parameters: &[f32], workspace: &mut Workspace, rows: usize) {
    let last = spec.layers().len() - 1;
    for (index, layer) in spec.layers().iter().enumerate() {
        let (before, from_here) = workspace.outputs.split_at_mut(index);
        let x = before.last().unwrap_or(&workspace.inputs);
        let y = &mut from_here[0][..rows * layer.fan_out];
        multiply(
            matrix(x, rows, layer.fan_in),
            layer.weight(parameters),
            matrix_mut(y, rows, layer.fan_out),
        );
        let bias = layer.bias(parameters);
        if index < last {
            activate(spec.activation(), y, bias);
        } else {
            add_bias(y, bias);
        }
    }
}

/// From the logits of [`forward`] to the gradient: the loss at the top, then for each layer from the last
/// `dw = xᵀ · dz`, `db = Σ_rows dz`, `dx = dz · wᵀ`, and `dz = dx ⊙ f'` for the layer before.
///
/// Shapes: `parameters`, `gradient [parameters]`; logits `[rows, classes]`. Overwrites `gradient` with that
/// of `scale · Σ_rows loss`, overwrites the logits, and gives `Σ_rows loss` in nats.
///
/// # Panics
/// When `rows` exceeds the workspace, the workspace is for inference only, or a buffer is not of this
/// `spec`.
pub fn backward(
    spec: &Spec,
    parameters: &[f32],
    workspace: &mut Workspace,
    rows: usize,
    scale: f32,
    gradient: &mut [f32],
) -> f64 {
    let Workspace {
        inputs,
        labels,
        outputs,
        d_outputs,
        ..
    } = workspace;
    let (logits, hidden) = outputs.split_last_mut().expect("a spec has a layer");
    let logits = &mut logits[..rows * spec.classes()];
    let loss = cross_entropy_backward(logits, &labels[..rows], scale);
    for (index, layer) in spec.layers().iter().enumerate().rev() {
        let (before, from_here) = d_outputs.split_at_mut(index);
        let dz = from_here
            .first()
            .map_or(&*logits, |dz| &dz[..rows * layer.fan_out]);
        let d_z = matrix(dz, rows, layer.fan_out);
        let x = if index == 0 {
            &*inputs
        } else {
            &hidden[index - 1]
        };
        let (dw, db) = layer.split_mut(gradient);
        multiply(matrix(x, rows, layer.fan_in).reversed_axes(), d_z, dw);
        column_sums(dz, db);
        if let Some(dx) = before.last_mut() {
            let dx = &mut dx[..rows * layer.fan_in];
            let weight = layer.weight(parameters);
            multiply(
                d_z,
                weight.reversed_axes(),
                matrix_mut(dx, rows, layer.fan_in),
            );
            activate_backward(spec.activation(), dx, &x[..dx.len()]);
        }
    }
    loss
}

/// `z = z + b` for each row.
///
/// Shapes: `z [rows, out]`, `bias [out]`. Accumulates into `z`.
fn add_bias(z: &mut [f32], bias: &[f32]) {
    activate(super::Activation::Identity, z, bias);
}

/// `sums = Σ_rows z`.
///
/// Shapes: `z [rows, out]`, `sums [out]`. Overwrites `sums`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn column_sums(z: &[f32], sums: &mut [f32]) {
    sums.fill(0.0);
    for row in z.chunks_exact(sums.len()) {
        for (sum, z) in sums.iter_mut().zip(row) {
            *sum += z;
        }
    }
}
