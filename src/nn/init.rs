//! Initial weights, each layer from its own random stream.

use rand::distr::{Distribution, Uniform};
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

use super::activation::Activation;
use super::spec::{Layer, Spec};
use crate::random::{ChaCha8Rng, Purpose, stream};

/// How weights start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Init {
    /// He before ReLU and leaky ReLU, Xavier before everything else, the softmax included.
    #[default]
    Auto,
    /// All zero. Units of a hidden layer then never come to differ: here to be seen, not to be used.
    Zero,
    /// `N(0, 1)`.
    Normal,
    /// `N(0, 2 / (fan_in + fan_out))` (X. Glorot and Y. Bengio, *Understanding the difficulty of training
    /// deep feedforward neural networks*, 2010).
    Xavier,
    /// `U(−a, a)` with `a = √(6 / (fan_in + fan_out))`: Xavier's variance, drawn uniformly.
    XavierUniform,
    /// `N(0, 2 / fan_in)` (K. He and others, *Delving Deep into Rectifiers*, 2015).
    He,
    /// `U(−a, a)` with `a = √(6 / fan_in)`: He's variance, drawn uniformly.
    HeUniform,
}

impl Init {
    /// Every way to start.
    pub const ALL: [Init; 7] = [
        Init::Auto,
        Init::Zero,
        Init::Normal,
        Init::Xavier,
        Init::XavierUniform,
        Init::He,
        Init::HeUniform,
    ];

    /// The name used by flags, files and messages.
    pub fn name(self) -> &'static str {
        match self {
            Init::Auto => "auto",
            Init::Zero => "zero",
            Init::Normal => "normal",
            Init::Xavier => "xavier",
            Init::XavierUniform => "xavier-uniform",
            Init::He => "he",
            Init::HeUniform => "he-uniform",
        }
    }

    /// What `auto` stands for in front of `activation`; any other init stands for itself.
    fn before(self, activation: Option<Activation>) -> Init {
        match (self, activation) {
            (Init::Auto, Some(Activation::Relu | Activation::LeakyRelu)) => Init::He,
            (Init::Auto, _) => Init::Xavier,
            (init, _) => init,
        }
    }
}

/// Initial parameters of `spec` under `seed`: weights by `init`, biases all `bias`.
///
/// Shapes: gives `[parameters]`.
pub fn initial_parameters(spec: &Spec, init: Init, bias: f32, seed: u64) -> Vec<f32> {
    let mut flat = vec![0.0; spec.parameters()];
    let last = spec.layers().len() - 1;
    for (index, layer) in spec.layers().iter().enumerate() {
        let activation = (index < last).then(|| spec.activation());
        let mut rng = stream(seed, Purpose::Init, index as u32);
        let (weight, biases) = layer.split_mut(&mut flat);
        biases.fill(bias);
        let weights = weight.iter_mut();
        draw(init.before(activation), layer, &mut rng, weights);
    }
    flat
}

fn draw<'a>(
    init: Init,
    layer: &Layer,
    rng: &mut ChaCha8Rng,
    weights: impl Iterator<Item = &'a mut f32>,
) {
    let (fan_in, fan_out) = (layer.fan_in as f32, layer.fan_out as f32);
    match init {
        Init::Zero => {}
        Init::Normal => normal(1.0, rng, weights),
        Init::Xavier | Init::Auto => normal((2.0 / (fan_in + fan_out)).sqrt(), rng, weights),
        Init::He => normal((2.0 / fan_in).sqrt(), rng, weights),
        Init::XavierUniform => uniform((6.0 / (fan_in + fan_out)).sqrt(), rng, weights),
        Init::HeUniform => uniform((6.0 / fan_in).sqrt(), rng, weights),
    }
}

fn normal<'a>(deviation: f32, rng: &mut ChaCha8Rng, weights: impl Iterator<Item = &'a mut f32>) {
    for weight in weights {
        let draw: f32 = StandardNormal.sample(rng);
        *weight = deviation * draw;
    }
}

fn uniform<'a>(limit: f32, rng: &mut ChaCha8Rng, weights: impl Iterator<Item = &'a mut f32>) {
    let range = Uniform::new_inclusive(-limit, limit).expect("a finite, positive limit");
    for weight in weights {
        *weight = range.sample(rng);
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
    fn deviations_are_those_of_the_papers() {
        let xavier = (2.0f64 / 700.0).sqrt();
        let he = (2.0f64 / 400.0).sqrt();
        for (init, activation, expected) in [
            (Init::Normal, Activation::Sigmoid, 1.0),
            (Init::Xavier, Activation::Relu, xavier),
            (Init::XavierUniform, Activation::Relu, xavier),
            (Init::He, Activation::Sigmoid, he),
            (Init::HeUniform, Activation::Sigmoid, he),
            (Init::Auto, Activation::Sigmoid, xavier),
            (Init::Auto, Activation::Tanh, xavier),
            (Init::Auto, Activation::Relu, he),
            (Init::Auto, Activation::LeakyRelu, he),
            (Init::Zero, Activation::Sigmoid, 0.0),
        ] {
            // 120,000 draws: the deviation of an estimate is 0.2 %, that of a mean 0.3 % of it.
            let (mean, deviation) = moments(init, activation);
            assert!(
                (deviation - expected).abs() <= 0.01 * expected,
                "{init:?}: {deviation}"
            );
            assert!(mean.abs() <= 0.015 * expected, "{init:?}: {mean}");
        }
    }

    #[test]
    fn biases_start_at_the_constant_and_seeds_differ() {
        let spec = Spec::new(5, &[4], 3, Activation::Tanh).expect("a spec");
        let flat = initial_parameters(&spec, Init::Auto, 0.25, 1);
        for layer in spec.layers() {
            assert!(layer.bias(&flat).iter().all(|&b| b == 0.25));
        }
        assert_eq!(flat, initial_parameters(&spec, Init::Auto, 0.25, 1));
        assert_ne!(flat, initial_parameters(&spec, Init::Auto, 0.25, 2));
    }
}
