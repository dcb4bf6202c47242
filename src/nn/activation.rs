//! Activations of hidden layers, with their derivatives as functions of the output.
//!
//! Taking the derivative from the output `y` and not from the input saves a buffer: the input is
//! overwritten in place.

use multiversion::multiversion;
use serde::{Deserialize, Serialize};

use crate::compute::kernels;
use crate::compute::shared::{Rows, RowsMut};

/// The slope of leaky ReLU for negative inputs.
pub const LEAK: f32 = 0.01;

/// The function between two affine layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// `y = 1 / (1 + e⁻ᶻ)`, `y' = y (1 − y)`.
    #[default]
    Sigmoid,
    /// `y = tanh z`, `y' = 1 − y²`.
    Tanh,
    /// `y = max(0, z)`, `y' = 1` where `y > 0`, else 0.
    Relu,
    /// `y = z` where `z > 0`, else `0.01 z`; `y' = 1` or `0.01`
    /// (A. Maas and others, *Rectifier Nonlinearities Improve Neural Network Acoustic Models*, 2013).
    LeakyRelu,
    /// `y = z`, `y' = 1`.
    Identity,
}

impl Activation {
    /// Every activation, in the order of the documentation.
    pub const ALL: [Activation; 5] = [
        Activation::Sigmoid,
        Activation::Tanh,
        Activation::Relu,
        Activation::LeakyRelu,
        Activation::Identity,
    ];

    /// The name used by flags, files and messages.
    pub fn name(self) -> &'static str {
        match self {
            Activation::Sigmoid => "sigmoid",
            Activation::Tanh => "tanh",
            Activation::Relu => "relu",
            Activation::LeakyRelu => "leaky-relu",
            Activation::Identity => "identity",
        }
    }
}

/// `z = f(z + b)`, in place.
///
/// Shapes: `z [rows, out]`, `bias [out]`. Overwrites `z`.
///
/// # Panics
/// When `bias` is not as wide as `z`.
pub fn activate(activation: Activation, z: RowsMut, bias: &[f32]) {
    assert_eq!(z.width, bias.len(), "width of z against biases");
    activate_rows(activation, z.values, z.stride, bias);
}

/// `dy = dy ⊙ f'`, with `f'` taken from the output `y`; 0 where that is denormal.
///
/// Shapes: `dy`, `y [rows, out]`. Overwrites `dy`, which then is `dz`.
///
/// # Panics
/// When the two differ in shape.
pub fn activate_backward(activation: Activation, dy: RowsMut, y: Rows) {
    assert_eq!(
        (dy.stride, dy.values.len()),
        (y.stride, y.values.len()),
        "shapes of dy and y"
    );
    by_output(activation, dy.values, y.values);
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn activate_rows(activation: Activation, z: &mut [f32], stride: usize, bias: &[f32]) {
    match activation {
        Activation::Sigmoid => with_bias(z, stride, bias, kernels::sigmoid),
        Activation::Tanh => with_bias(z, stride, bias, kernels::tanh),
        // Written so that NaN is kept, which `f32::max` would drop.
        Activation::Relu => with_bias(z, stride, bias, |z| if z < 0.0 { 0.0 } else { z }),
        Activation::LeakyRelu => with_bias(z, stride, bias, |z| if z < 0.0 { LEAK * z } else { z }),
        Activation::Identity => with_bias(z, stride, bias, |z| z),
    }
}

#[inline(always)]
fn with_bias(z: &mut [f32], stride: usize, bias: &[f32], f: impl Fn(f32) -> f32) {
    for row in z.chunks_exact_mut(stride) {
        for (z, b) in row.iter_mut().zip(bias) {
            *z = f(*z + b);
        }
    }
}

/// Runs over the padding between rows too, where `dy` is zero and stays so.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn by_output(activation: Activation, dy: &mut [f32], y: &[f32]) {
    match activation {
        Activation::Sigmoid => times(dy, y, |y| y * (1.0 - y)),
        Activation::Tanh => times(dy, y, |y| 1.0 - y * y),
        Activation::Relu => times(dy, y, |y| if y > 0.0 { 1.0 } else { 0.0 }),
        Activation::LeakyRelu => times(dy, y, |y| if y > 0.0 { 1.0 } else { LEAK }),
        Activation::Identity => {}
    }
}

#[inline(always)]
fn times(dy: &mut [f32], y: &[f32], derivative: impl Fn(f32) -> f32) {
    for (dy, y) in dy.iter_mut().zip(y) {
        *dy = kernels::flush(*dy * derivative(*y));
    }
}
