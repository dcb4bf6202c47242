//! The activations and their derivatives by the textbook's formulas.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

use super::Reference;
use crate::nn::Activation;

impl Reference {
    /// The activation at `z`.
    pub(super) fn activate(&self, z: f64) -> f64 {
        match self.activation {
            Activation::Sigmoid => logistic(z),
            Activation::Tanh => z.tanh(),
            Activation::ScaledTanh => 1.7159 * (2.0 * z / 3.0).tanh(),
            Activation::Softsign => z / (1.0 + z.abs()),
            Activation::Relu => z.max(0.0),
            Activation::LeakyRelu if z > 0.0 => z,
            Activation::LeakyRelu => 0.01 * z,
            Activation::Elu if z > 0.0 => z,
            Activation::Elu => z.exp() - 1.0,
            Activation::Gelu => z * normal(z),
            Activation::Silu => z * logistic(z),
            Activation::Mish => z * (1.0 + z.exp()).ln().tanh(),
            Activation::Softplus => (1.0 + z.exp()).ln(),
            Activation::Identity => z,
        }
    }

    /// The derivative of the activation at `z`.
    pub(super) fn activate_derivative(&self, z: f64) -> f64 {
        match self.activation {
            Activation::Sigmoid => logistic(z) * (1.0 - logistic(z)),
            Activation::Tanh => 1.0 - z.tanh().powi(2),
            Activation::ScaledTanh => 1.7159 * 2.0 / 3.0 * (1.0 - (2.0 * z / 3.0).tanh().powi(2)),
            Activation::Softsign => (1.0 + z.abs()).powi(-2),
            Activation::Relu => f64::from(u8::from(z > 0.0)),
            Activation::LeakyRelu if z > 0.0 => 1.0,
            Activation::LeakyRelu => 0.01,
            Activation::Elu if z > 0.0 => 1.0,
            Activation::Elu => z.exp(),
            Activation::Gelu => normal(z) + z * (-z * z / 2.0).exp() / (2.0 * PI).sqrt(),
            Activation::Silu => logistic(z) + z * logistic(z) * (1.0 - logistic(z)),
            Activation::Mish => {
                let t = (1.0 + z.exp()).ln().tanh();
                t + z * (1.0 - t * t) * logistic(z)
            }
            Activation::Softplus => logistic(z),
            Activation::Identity => 1.0,
        }
    }
}

fn logistic(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

/// The distribution function Φ of the normal distribution.
fn normal(z: f64) -> f64 {
    (1.0 + libm::erf(z * FRAC_1_SQRT_2)) / 2.0
}
