//! Activations of hidden layers, with their derivatives.
//!
//! If the derivative is a function of the output `y`, the input is overwritten in place, which saves a buffer. GELU,
//! SiLU and Mish are not monotonic, so an output does not determine its input; the input `z` is kept for these.

use multiversion::multiversion;
use serde::{Deserialize, Serialize};

use crate::compute::shared::{Block, BlockMut, LINE, Rows, RowsMut};
use crate::kernels;
use crate::named::named;

/// The slope of leaky ReLU for negative inputs.
pub const LEAK: f32 = 0.01;
/// The factor of scaled tanh, with which `f(1) = 1`.
pub const TANH_SCALE: f32 = 1.7159;
/// The factor of the input of scaled tanh.
pub const TANH_STRETCH: f32 = 2.0 / 3.0;

named! {
    /// The function between two affine layers.
    ///
    /// To add an activation, add it here with its name, its function in `activate_rows` and its derivative in
    /// `times_derivative`; functions that need a vector kernel go to [`crate::kernels`]. The compiler then points to
    /// the formula of the tests in `reference/activation.rs`, and to the export formats in `export/activation.rs`.
    ///
    /// ```
    /// use perceptor::Activation;
    ///
    /// assert_eq!(Activation::Relu.name(), "relu");
    /// ```
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
    pub enum Activation {
        /// `y = 1 / (1 + e⁻ᶻ)`, `y' = y (1 − y)`.
        #[default]
        Sigmoid = "sigmoid",
        /// `y = tanh z`, `y' = 1 − y²`.
        Tanh = "tanh",
        /// `y = 1.7159 tanh(2z/3)`, `y' = 2/3 (1.7159 − y² / 1.7159)`
        /// (Y. LeCun and others, *Efficient BackProp*, 1998).
        ScaledTanh = "scaled-tanh",
        /// `y = z / (1 + |z|)`, `y' = (1 − |y|)²`
        /// (J. Bergstra and others, *Quadratic Polynomials Learn Better Image Features*, 2009).
        Softsign = "softsign",
        /// `y = max(0, z)`, `y' = 1` if `y > 0`, otherwise 0.
        Relu = "relu",
        /// `y = z` if `z > 0`, otherwise `0.01 z`; `y' = 1` or `0.01`
        /// (A. Maas and others, *Rectifier Nonlinearities Improve Neural Network Acoustic Models*, 2013).
        LeakyRelu = "leaky-relu",
        /// `y = z` if `z > 0`, otherwise `eᶻ − 1`; `y' = 1` or `y + 1` (D. Clevert and others, *Fast and Accurate Deep
        /// Network Learning by Exponential Linear Units*, 2016, with α = 1).
        Elu = "elu",
        /// `y = z Φ(z)` with the normal distribution's Φ, computed by erf; `y' = Φ(z) + z e^(−z²/2) / √2π`
        /// (D. Hendrycks and K. Gimpel, *Gaussian Error Linear Units*, 2016).
        Gelu = "gelu",
        /// `y = z σ(z)` with the logistic function σ, `y' = σ(z) (1 + z (1 − σ(z)))`
        /// (S. Elfwing and others, *Sigmoid-Weighted Linear Units*, 2018; also known as swish).
        Silu = "silu",
        /// `y = z tanh(ln(1 + eᶻ))`, `y' = t + z (1 − t²) σ(z)` with `t` the hyperbolic tangent in `y`
        /// (D. Misra, *Mish: A Self Regularized Non-Monotonic Activation Function*, 2020).
        Mish = "mish",
        /// `y = ln(1 + eᶻ)`, `y' = 1 − e⁻ʸ`
        /// (C. Dugas and others, *Incorporating Second-Order Functional Knowledge*, 2000).
        Softplus = "softplus",
        /// `y = z`, `y' = 1`.
        Identity = "identity",
    }
}

/// The variance that initial weights in front of an activation should have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InitialVariance {
    /// The variance of [`crate::nn::Init::Xavier`].
    Xavier,
    /// The variance of [`crate::nn::Init::Lecun`].
    Lecun,
    /// The variance of [`crate::nn::Init::He`].
    He,
}

impl Activation {
    /// Whether the derivative is a function of the input `z`, because the output does not determine it.
    pub fn needs_input(self) -> bool {
        matches!(self, Activation::Gelu | Activation::Silu | Activation::Mish)
    }

    /// The initial variance that the literature pairs with the activation: He's for ReLU and functions of its shape,
    /// LeCun's for scaled tanh, and Xavier's for sigmoid, tanh and softsign, which its authors studied, and for the
    /// identity.
    pub fn initial_variance(self) -> InitialVariance {
        match self {
            Activation::Relu
            | Activation::LeakyRelu
            | Activation::Elu
            | Activation::Gelu
            | Activation::Silu
            | Activation::Mish
            | Activation::Softplus => InitialVariance::He,
            Activation::ScaledTanh => InitialVariance::Lecun,
            Activation::Sigmoid
            | Activation::Tanh
            | Activation::Softsign
            | Activation::Identity => InitialVariance::Xavier,
        }
    }
}

/// Adds the bias and applies the activation in place: `z = f(z + b)`.
///
/// Shapes: `z [rows, units]`, `bias [units]`, or longer by padding up to a whole cache line. Overwrites `z` and, if the
/// bias is padded, as much of its padding.
///
/// # Panics
/// Panics if there are fewer biases than units.
pub fn activate(activation: Activation, z: BlockMut, bias: &[f32]) {
    assert!(z.width() <= bias.len(), "width of z against biases");
    activate_rows(activation, z, bias);
}

/// Adds the bias and applies the activation in place, and keeps the input: `input = z + b`, `z = f(input)`.
///
/// Shapes: `z`, `input [rows, units]`, `bias` as for [`activate`]. Overwrites `z` and `input`.
///
/// # Panics
/// Panics if the shapes differ.
pub fn activate_keeping(activation: Activation, mut z: BlockMut, input: BlockMut, bias: &[f32]) {
    let shape = |block: &BlockMut| (block.rows(), block.width());
    assert_eq!(shape(&z), shape(&input), "shapes of z and its input");
    keep_input(z.reborrow(), bias, input);
    activate(activation, z, bias);
}

/// The gradient of [`activate`] in place: `dz = dy ⊙ f'`, with `f'` computed from the output `y`, or from the input if
/// [`Activation::needs_input`]. Denormal results become 0.
///
/// Shapes: `dy`, `of [rows, units]`, where `of` has the outputs or inputs. Overwrites `dy` with `dz`.
///
/// # Panics
/// Panics if the two differ in shape.
pub fn activate_backward(activation: Activation, mut dy: BlockMut, of: Block) {
    assert_eq!(
        (dy.rows(), dy.width()),
        (of.rows(), of.width()),
        "shapes of dy and of the outputs or inputs"
    );
    backward_rows(activation, &mut dy, of);
}

/// The gradient `dy = dy ⊙ f'(γ ⊙ x + b)` of an activation whose derivative is a function of the input, which is
/// computed again here instead of kept.
///
/// Shapes: `dy`, `x [rows, out]`, `gamma`, `bias [out]`. Overwrites `dy` with the gradient at `γ ⊙ x + b`.
///
/// # Panics
/// Panics if `dy` and `x` differ in shape.
pub fn activate_backward_scaled(
    activation: Activation,
    mut dy: RowsMut,
    x: Rows,
    gamma: &[f32],
    bias: &[f32],
) {
    /// The number of inputs that are computed at a time.
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
fn activate_rows(activation: Activation, z: BlockMut, bias: &[f32]) {
    match activation {
        Activation::Sigmoid => with_bias(z, bias, kernels::sigmoid),
        Activation::Tanh => with_bias(z, bias, kernels::tanh),
        Activation::ScaledTanh => {
            with_bias(z, bias, |z| TANH_SCALE * kernels::tanh(TANH_STRETCH * z))
        }
        Activation::Softsign => with_bias(z, bias, |z| z / (1.0 + z.abs())),
        // A comparison with NaN is false, so NaN is kept; `f32::max` would drop it.
        Activation::Relu => with_bias(z, bias, |z| if z < 0.0 { 0.0 } else { z }),
        Activation::LeakyRelu => with_bias(z, bias, |z| if z < 0.0 { LEAK * z } else { z }),
        Activation::Elu => with_bias(z, bias, |z| {
            let negative = kernels::exp_m1(z);
            if z < 0.0 { negative } else { z }
        }),
        Activation::Gelu => with_bias(z, bias, kernels::gelu),
        Activation::Silu => with_bias(z, bias, kernels::silu),
        Activation::Mish => with_bias(z, bias, kernels::mish),
        Activation::Softplus => with_bias(z, bias, kernels::softplus),
        Activation::Identity => with_bias(z, bias, |z| z),
    }
}

/// [`times_derivative`] for all rows, with their padding, where `dy` is zero and stays zero.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn backward_rows(activation: Activation, dy: &mut BlockMut, of: Block) {
    if let (Some(dy), Some(of)) = (dy.without_gaps(), of.without_gaps()) {
        return derivative_times(activation, dy, of);
    }
    for row in 0..dy.rows() {
        derivative_times(activation, dy.row_of_lines(row), of.row_of_lines(row));
    }
}

/// `dy = dy ⊙ f'`, where `of` has the outputs, or the inputs if [`Activation::needs_input`].
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn times_derivative(activation: Activation, dy: &mut [f32], of: &[f32]) {
    derivative_times(activation, dy, of);
}

#[inline(always)]
fn derivative_times(activation: Activation, dy: &mut [f32], of: &[f32]) {
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
        Activation::Gelu => times(dy, of, kernels::gelu_derivative),
        Activation::Silu => times(dy, of, kernels::silu_derivative),
        Activation::Mish => times(dy, of, kernels::mish_derivative),
        Activation::Softplus => times(dy, of, |y| -kernels::exp_m1(-y)),
        Activation::Identity => {}
    }
}

/// Up to so many units, a row is taken in lines of a constant length: a loop of any length would take longer to start
/// than the row takes.
const NARROW: usize = 4 * LINE;

#[inline(always)]
fn with_bias(mut z: BlockMut, bias: &[f32], f: impl Fn(f32) -> f32) {
    for row in 0..z.rows() {
        let z = z.row_of_lines(row);
        let length = z.len().min(bias.len());
        let lines = match length <= NARROW {
            true => length / LINE,
            false => 0,
        };
        let (z, z_rest) = z[..length].split_at_mut(lines * LINE);
        let (bias, bias_rest) = bias[..length].split_at(lines * LINE);
        for (z, b) in (z.as_chunks_mut::<LINE>().0.iter_mut()).zip(bias.as_chunks::<LINE>().0) {
            // Copies, which the compiler keeps in registers.
            let (mut line, b) = (*z, *b);
            for i in 0..LINE {
                line[i] = f(line[i] + b[i]);
            }
            *z = line;
        }
        for (z, b) in z_rest.iter_mut().zip(bias_rest) {
            *z = f(*z + b);
        }
    }
}

/// `input = z + b`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn keep_input(mut z: BlockMut, bias: &[f32], mut input: BlockMut) {
    for row in 0..z.rows() {
        let (z, input) = (z.row_of_lines(row), input.row_of_lines(row));
        for ((input, z), b) in input.iter_mut().zip(z).zip(bias) {
            *input = *z + b;
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

#[inline(always)]
fn times(dy: &mut [f32], of: &[f32], derivative: impl Fn(f32) -> f32) {
    for (dy, of) in dy.iter_mut().zip(of) {
        *dy = kernels::flush(*dy * derivative(*of));
    }
}
