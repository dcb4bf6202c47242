//! Activations of hidden layers, with their derivatives.
//!
//! Where the derivative is a function of the output `y`, the input is overwritten in place, which saves a buffer. GELU,
//! SiLU and Mish fall before they rise, so that an output does not tell its input: for these the input `z` is kept.

use multiversion::multiversion;
use serde::{Deserialize, Serialize};

use crate::compute::shared::{Rows, RowsMut};
use crate::kernels;

/// The slope of leaky ReLU for negative inputs.
pub const LEAK: f32 = 0.01;
/// What scaled tanh is scaled by: then `f(1) = 1`.
pub const TANH_SCALE: f32 = 1.7159;
/// What scaled tanh's input is scaled by.
pub const TANH_STRETCH: f32 = 2.0 / 3.0;

/// The function between two affine layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// `y = 1 / (1 + e⁻ᶻ)`, `y' = y (1 − y)`.
    #[default]
    Sigmoid,
    /// `y = tanh z`, `y' = 1 − y²`.
    Tanh,
    /// `y = 1.7159 tanh(2z/3)`, `y' = 2/3 (1.7159 − y² / 1.7159)`
    /// (Y. LeCun and others, *Efficient BackProp*, 1998).
    ScaledTanh,
    /// `y = z / (1 + |z|)`, `y' = (1 − |y|)²`
    /// (J. Bergstra and others, *Quadratic Polynomials Learn Better Image Features*, 2009).
    Softsign,
    /// `y = max(0, z)`, `y' = 1` where `y > 0`, else 0.
    Relu,
    /// `y = z` where `z > 0`, else `0.01 z`; `y' = 1` or `0.01`
    /// (A. Maas and others, *Rectifier Nonlinearities Improve Neural Network Acoustic Models*, 2013).
    LeakyRelu,
    /// `y = z` where `z > 0`, else `eᶻ − 1`; `y' = 1` or `y + 1`
    /// (D. Clevert and others, *Fast and Accurate Deep Network Learning by Exponential Linear Units*, 2016, with α = 1).
    Elu,
    /// `y = z Φ(z)` with the normal distribution's Φ, computed by erf; `y' = Φ(z) + z e^(−z²/2) / √2π`
    /// (D. Hendrycks and K. Gimpel, *Gaussian Error Linear Units*, 2016).
    Gelu,
    /// `y = z σ(z)` with the logistic function σ, `y' = σ(z) (1 + z (1 − σ(z)))`
    /// (S. Elfwing and others, *Sigmoid-Weighted Linear Units*, 2018; also known as swish).
    Silu,
    /// `y = z tanh(ln(1 + eᶻ))`, `y' = t + z (1 − t²) σ(z)` with `t` the hyperbolic tangent in `y`
    /// (D. Misra, *Mish: A Self Regularized Non-Monotonic Activation Function*, 2020).
    Mish,
    /// `y = ln(1 + eᶻ)`, `y' = 1 − e⁻ʸ`
    /// (C. Dugas and others, *Incorporating Second-Order Functional Knowledge*, 2000).
    Softplus,
    /// `y = z`, `y' = 1`.
    Identity,
}

impl Activation {
    /// Every activation, in the order of the documentation: sigmoids, rectifiers, and none.
    pub const ALL: [Activation; 12] = [
        Activation::Sigmoid,
        Activation::Tanh,
        Activation::ScaledTanh,
        Activation::Softsign,
        Activation::Relu,
        Activation::LeakyRelu,
        Activation::Elu,
        Activation::Gelu,
        Activation::Silu,
        Activation::Mish,
        Activation::Softplus,
        Activation::Identity,
    ];

    /// The name used by flags, files and messages.
    pub fn name(self) -> &'static str {
        match self {
            Activation::Sigmoid => "sigmoid",
            Activation::Tanh => "tanh",
            Activation::ScaledTanh => "scaled-tanh",
            Activation::Softsign => "softsign",
            Activation::Relu => "relu",
            Activation::LeakyRelu => "leaky-relu",
            Activation::Elu => "elu",
            Activation::Gelu => "gelu",
            Activation::Silu => "silu",
            Activation::Mish => "mish",
            Activation::Softplus => "softplus",
            Activation::Identity => "identity",
        }
    }

    /// Whether the derivative takes the input `z`, because the output does not tell it.
    pub fn needs_input(self) -> bool {
        matches!(self, Activation::Gelu | Activation::Silu | Activation::Mish)
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

/// [`activate`] that keeps the input: `input = z + b`, `z = f(input)`.
///
/// Shapes: `z`, `input [rows, out]`, `bias [out]`. Overwrites `z` and `input`.
///
/// # Panics
/// When they are not of one shape.
pub fn activate_keeping(activation: Activation, z: RowsMut, input: RowsMut, bias: &[f32]) {
    assert_eq!(
        (z.stride, z.values.len()),
        (input.stride, input.values.len()),
        "shapes of z and its input"
    );
    keep_input(z.values, z.stride, bias, input.values);
    activate(activation, z, bias);
}

/// `dy = dy ⊙ f'`, with `f'` taken from the output `y`, or from the input where [`Activation::needs_input`]; 0 where
/// that is denormal.
///
/// Shapes: `dy`, `of [rows, out]`, the latter the outputs or inputs. Overwrites `dy`, which then is `dz`.
///
/// # Panics
/// When the two differ in shape.
pub fn activate_backward(activation: Activation, dy: RowsMut, of: Rows) {
    assert_eq!(
        (dy.stride, dy.values.len()),
        (of.stride, of.values.len()),
        "shapes of dy and what the derivative is taken of"
    );
    times_derivative(activation, dy.values, of.values);
}

/// `dy = dy ⊙ f'(γ ⊙ x + b)`, for an activation whose derivative takes the input, which is not kept but made again.
///
/// Shapes: `dy`, `x [rows, out]`, `gamma`, `bias [out]`. Overwrites `dy`, which then is the gradient at `γ ⊙ x + b`.
///
/// # Panics
/// When the two differ in shape.
pub fn activate_backward_scaled(
    activation: Activation,
    mut dy: RowsMut,
    x: Rows,
    gamma: &[f32],
    bias: &[f32],
) {
    /// Inputs that are made at once.
    const CHUNK: usize = 256;
    assert_eq!(
        (dy.stride, dy.values.len()),
        (x.stride, x.values.len()),
        "shapes of dy and x"
    );
    let mut inputs = [0.0; CHUNK];
    for (dy, x) in dy.iter_mut().zip(x.values.chunks_exact(x.stride)) {
        let scales = gamma.chunks(CHUNK).zip(bias.chunks(CHUNK));
        for ((dy, x), (gamma, bias)) in dy.chunks_mut(CHUNK).zip(x.chunks(CHUNK)).zip(scales) {
            let inputs = &mut inputs[..dy.len()];
            scale(x, gamma, bias, inputs);
            times_derivative(activation, dy, inputs);
        }
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn activate_rows(activation: Activation, z: &mut [f32], stride: usize, bias: &[f32]) {
    match activation {
        Activation::Sigmoid => with_bias(z, stride, bias, kernels::sigmoid),
        Activation::Tanh => with_bias(z, stride, bias, kernels::tanh),
        Activation::ScaledTanh => with_bias(z, stride, bias, |z| {
            TANH_SCALE * kernels::tanh(TANH_STRETCH * z)
        }),
        Activation::Softsign => with_bias(z, stride, bias, |z| z / (1.0 + z.abs())),
        // Written so that NaN is kept, which `f32::max` would drop.
        Activation::Relu => with_bias(z, stride, bias, |z| if z < 0.0 { 0.0 } else { z }),
        Activation::LeakyRelu => with_bias(z, stride, bias, |z| if z < 0.0 { LEAK * z } else { z }),
        Activation::Elu => with_bias(z, stride, bias, |z| {
            let negative = kernels::exp_m1(z);
            if z < 0.0 { negative } else { z }
        }),
        Activation::Gelu => with_bias(z, stride, bias, kernels::gelu),
        Activation::Silu => with_bias(z, stride, bias, kernels::silu),
        Activation::Mish => with_bias(z, stride, bias, kernels::mish),
        Activation::Softplus => with_bias(z, stride, bias, kernels::softplus),
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

/// `input = z + b`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn keep_input(z: &[f32], stride: usize, bias: &[f32], input: &mut [f32]) {
    for (z, input) in z.chunks_exact(stride).zip(input.chunks_exact_mut(stride)) {
        for ((input, z), b) in input.iter_mut().zip(z).zip(bias) {
            *input = z + b;
        }
    }
}

/// `input = γ ⊙ x + b`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn scale(x: &[f32], gamma: &[f32], bias: &[f32], input: &mut [f32]) {
    for (((input, x), gamma), b) in input.iter_mut().zip(x).zip(gamma).zip(bias) {
        *input = gamma * x + b;
    }
}

/// Runs over the padding between rows too, where `dy` is zero and stays so. `of` has outputs, or inputs where these are
/// needed.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn times_derivative(activation: Activation, dy: &mut [f32], of: &[f32]) {
    match activation {
        Activation::Sigmoid => times(dy, of, |y| y * (1.0 - y)),
        Activation::Tanh => times(dy, of, |y| 1.0 - y * y),
        Activation::ScaledTanh => times(dy, of, |y| {
            TANH_STRETCH * TANH_SCALE - (TANH_STRETCH / TANH_SCALE) * (y * y)
        }),
        Activation::Softsign => times(dy, of, |y| (1.0 - y.abs()) * (1.0 - y.abs())),
        Activation::Relu => times(dy, of, |y| if y > 0.0 { 1.0 } else { 0.0 }),
        Activation::LeakyRelu => times(dy, of, |y| if y > 0.0 { 1.0 } else { LEAK }),
        Activation::Elu => times(dy, of, |y| if y > 0.0 { 1.0 } else { y + 1.0 }),
        Activation::Gelu => times(dy, of, kernels::gelu_slope),
        Activation::Silu => times(dy, of, kernels::silu_slope),
        Activation::Mish => times(dy, of, kernels::mish_slope),
        Activation::Softplus => times(dy, of, |y| -kernels::exp_m1(-y)),
        Activation::Identity => {}
    }
}

#[inline(always)]
fn times(dy: &mut [f32], of: &[f32], derivative: impl Fn(f32) -> f32) {
    for (dy, of) in dy.iter_mut().zip(of) {
        *dy = kernels::flush(*dy * derivative(*of));
    }
}
