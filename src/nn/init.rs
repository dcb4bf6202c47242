//! Initial weights, each layer from its own random stream.

use rand::distr::{Distribution, Uniform};
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

use super::activation::{Activation, InitialVariance};
use super::orthogonal::orthonormal;
use super::spec::{Layer, Spec};
use crate::named::named;
use crate::random::{ChaCha8Rng, Purpose, stream};

/// The default limit of [`Init::Uniform`].
pub const DEFAULT_RANGE: f32 = 0.05;

named! {
    /// The distribution of initial weights.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
    pub enum Init {
        /// What the literature pairs with the activation after the layer ([`Activation::initial_variance`]): He before
        /// ReLU and functions of its shape (leaky ReLU, ELU, GELU, SiLU, Mish, softplus), LeCun before scaled tanh, and
        /// Xavier before all others and in the last layer.
        #[default]
        Auto = "auto",
        /// All zero. Units of a hidden layer then never differ; for demonstration only.
        Zero = "zero",
        /// `N(0, 1)`.
        Normal = "normal",
        /// `U(−x, x)` with a configurable x.
        Uniform = "uniform",
        /// `N(0, 1 / fan_in)` (Y. LeCun and others, *Efficient BackProp*, 1998).
        Lecun = "lecun",
        /// `U(−a, a)` with `a = √(3 / fan_in)`: LeCun's variance, drawn uniformly.
        LecunUniform = "lecun-uniform",
        /// `N(0, 2 / (fan_in + fan_out))` (X. Glorot and Y. Bengio, *Understanding the difficulty of training
        /// deep feedforward neural networks*, 2010).
        Xavier = "xavier",
        /// `U(−a, a)` with `a = √(6 / (fan_in + fan_out))`: Xavier's variance, drawn uniformly.
        XavierUniform = "xavier-uniform",
        /// `N(0, 2 / fan_in)` (K. He and others, *Delving Deep into Rectifiers*, 2015).
        He = "he",
        /// `U(−a, a)` with `a = √(6 / fan_in)`: He's variance, drawn uniformly.
        HeUniform = "he-uniform",
        /// A random rotation: the rows or the columns, whichever are fewer, are orthonormal (A. Saxe and others, *Exact
        /// solutions to the nonlinear dynamics of learning in deep linear neural networks*, 2014).
        Orthogonal = "orthogonal",
    }
}

impl Init {
    /// What `auto` stands for in front of `activation`, which is `None` for the last layer. Any other init stands for
    /// itself.
    fn before(self, activation: Option<Activation>) -> Init {
        match (self, activation.map(Activation::initial_variance)) {
            (Init::Auto, Some(InitialVariance::He)) => Init::He,
            (Init::Auto, Some(InitialVariance::Lecun)) => Init::Lecun,
            (Init::Auto, Some(InitialVariance::Xavier) | None) => Init::Xavier,
            (init, _) => init,
        }
    }
}

/// The initial parameters of a network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Start {
    /// The distribution of the weights.
    pub init: Init,
    /// The limit x of [`Init::Uniform`], above 0; no other init uses it.
    pub range: f32,
    /// The value of every bias.
    pub bias: f32,
}

impl Start {
    /// The parameters of `spec` under `seed`. Batch normalisation starts with γ = 1, mean 0 and variance 1.
    ///
    /// Shapes: returns `[parameters]`.
    pub fn parameters(&self, spec: &Spec, seed: u64) -> Vec<f32> {
        let mut flat = vec![0.0; spec.parameters()];
        let last = spec.layers().len() - 1;
        for (index, layer) in spec.layers().iter().enumerate() {
            let activation = (index < last).then(|| spec.activation());
            let mut rng = stream(seed, Purpose::Init, index as u32);
            let (weight, biases) = layer.split_mut(&mut flat);
            biases.fill(self.bias);
            self.draw(self.init.before(activation), layer, &mut rng, weight);
            if let Some(norm) = layer.norm_mut(&mut flat) {
                norm.gamma.fill(1.0);
                norm.variance.fill(1.0);
            }
        }
        flat
    }

    /// Shapes: `weight [in · out]`. Overwrites it.
    fn draw(&self, init: Init, layer: &Layer, rng: &mut ChaCha8Rng, weight: &mut [f32]) {
        let (fan_in, fan_out) = (layer.fan_in as f32, layer.fan_out as f32);
        match init {
            Init::Zero => {}
            Init::Normal => normal(1.0, rng, weight),
            Init::Uniform => uniform(self.range, rng, weight),
            Init::Lecun => normal((1.0 / fan_in).sqrt(), rng, weight),
            Init::LecunUniform => uniform((3.0 / fan_in).sqrt(), rng, weight),
            Init::Xavier | Init::Auto => normal((2.0 / (fan_in + fan_out)).sqrt(), rng, weight),
            Init::XavierUniform => uniform((6.0 / (fan_in + fan_out)).sqrt(), rng, weight),
            Init::He => normal((2.0 / fan_in).sqrt(), rng, weight),
            Init::HeUniform => uniform((6.0 / fan_in).sqrt(), rng, weight),
            Init::Orthogonal => rotation(layer, rng, weight),
        }
    }
}

/// The parameters of `spec` under `seed`, with [`DEFAULT_RANGE`] as the limit of [`Init::Uniform`].
///
/// Shapes: returns `[parameters]`.
pub fn initial_parameters(spec: &Spec, init: Init, bias: f32, seed: u64) -> Vec<f32> {
    let start = Start {
        init,
        range: DEFAULT_RANGE,
        bias,
    };
    start.parameters(spec, seed)
}

fn normal(deviation: f32, rng: &mut ChaCha8Rng, weight: &mut [f32]) {
    for weight in weight {
        let draw: f32 = StandardNormal.sample(rng);
        *weight = deviation * draw;
    }
}

fn uniform(limit: f32, rng: &mut ChaCha8Rng, weight: &mut [f32]) {
    let range = Uniform::new_inclusive(-limit, limit).expect("a finite, positive limit");
    for weight in weight {
        *weight = range.sample(rng);
    }
}

/// Orthonormal columns, or orthonormal rows if these are fewer.
fn rotation(layer: &Layer, rng: &mut ChaCha8Rng, weight: &mut [f32]) {
    let (fan_in, fan_out) = (layer.fan_in, layer.fan_out);
    if fan_in < fan_out {
        let rows = orthonormal(fan_in, fan_out, rng);
        for (weight, x) in weight.iter_mut().zip(rows) {
            *weight = x as f32;
        }
    } else {
        let columns = orthonormal(fan_out, fan_in, rng);
        for (j, column) in columns.chunks_exact(fan_in).enumerate() {
            for (row, &x) in weight.chunks_exact_mut(fan_out).zip(column) {
                row[j] = x as f32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean and standard deviation of the first layer's weights, 400 into 300.
    fn moments(init: Init, activation: Activation) -> (f64, f64) {
        let spec = Spec::new(400, &[300], 10, activation).expect("a spec");
        let flat = initial_parameters(&spec, init, 0.0, 5);
        let weight = spec.layers()[0].weight(&flat);
        let count = weight.len() as f64;
        let mean = weight.iter().map(|&w| f64::from(w)).sum::<f64>() / count;
        let square = weight
            .iter()
            .map(|&w| (f64::from(w) - mean).powi(2))
            .sum::<f64>();
        (mean, (square / count).sqrt())
    }

    #[test]
    fn standard_deviations_are_those_of_the_papers() {
        let xavier = (2.0f64 / 700.0).sqrt();
        let he = (2.0f64 / 400.0).sqrt();
        let lecun = (1.0f64 / 400.0).sqrt();
        for (init, activation, expected) in [
            (Init::Normal, Activation::Sigmoid, 1.0),
            (Init::Xavier, Activation::Relu, xavier),
            (Init::XavierUniform, Activation::Relu, xavier),
            (Init::He, Activation::Sigmoid, he),
            (Init::HeUniform, Activation::Sigmoid, he),
            (Init::Lecun, Activation::Relu, lecun),
            (Init::LecunUniform, Activation::Relu, lecun),
            (Init::Uniform, Activation::Relu, 0.05 / 3.0f64.sqrt()),
            // A column of 400 numbers has length one.
            (Init::Orthogonal, Activation::Relu, lecun),
            (Init::Auto, Activation::Sigmoid, xavier),
            (Init::Auto, Activation::Tanh, xavier),
            (Init::Auto, Activation::Softsign, xavier),
            (Init::Auto, Activation::Identity, xavier),
            (Init::Auto, Activation::ScaledTanh, lecun),
            (Init::Auto, Activation::Relu, he),
            (Init::Auto, Activation::LeakyRelu, he),
            (Init::Auto, Activation::Elu, he),
            (Init::Auto, Activation::Gelu, he),
            (Init::Auto, Activation::Silu, he),
            (Init::Auto, Activation::Mish, he),
            (Init::Auto, Activation::Softplus, he),
            (Init::Zero, Activation::Sigmoid, 0.0),
        ] {
            // With 120,000 draws, the standard error of a deviation is 0.2 % of it, that of a mean 0.3 %.
            let (mean, deviation) = moments(init, activation);
            assert!(
                (deviation - expected).abs() <= 0.01 * expected,
                "{init:?}: {deviation}"
            );
            assert!(mean.abs() <= 0.015 * expected, "{init:?}: {mean}");
        }
    }

    #[test]
    fn uniform_weights_fill_their_range_and_do_not_exceed_it() {
        let spec = Spec::new(100, &[90], 10, Activation::Tanh).expect("a spec");
        let start = Start {
            init: Init::Uniform,
            range: 0.3,
            bias: 0.0,
        };
        let flat = start.parameters(&spec, 5);
        let largest = flat.iter().fold(0.0f32, |most, w| most.max(w.abs()));
        assert!(largest <= 0.3 && largest > 0.299, "{largest}");
    }

    #[test]
    fn orthogonal_weights_have_orthonormal_rows_or_columns() {
        let spec = Spec::new(30, &[70], 20, Activation::Tanh).expect("a spec");
        let flat = initial_parameters(&spec, Init::Orthogonal, 0.0, 5);
        let [first, second] = spec.layers() else {
            panic!("two layers");
        };
        let (first, second) = (first.weight(&flat), second.weight(&flat));
        for (products, count) in [(first.dot(&first.t()), 30), (second.t().dot(&second), 20)] {
            assert_eq!(products.dim(), (count, count));
            for ((i, j), product) in products.indexed_iter() {
                let expected = f32::from(u8::from(i == j));
                assert!((product - expected).abs() < 1e-6, "{i}, {j}: {product}");
            }
        }
    }

    #[test]
    fn biases_are_constant_and_seeds_give_different_weights() {
        let spec = Spec::new(5, &[4], 3, Activation::Tanh).expect("a spec");
        let flat = initial_parameters(&spec, Init::Auto, 0.25, 1);
        for layer in spec.layers() {
            assert!(layer.bias(&flat).iter().all(|&b| b == 0.25));
        }
        assert_eq!(flat, initial_parameters(&spec, Init::Auto, 0.25, 1));
        assert_ne!(flat, initial_parameters(&spec, Init::Auto, 0.25, 2));
    }
}
