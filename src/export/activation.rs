//! The activations as each export format writes them.

use std::f32::consts::FRAC_1_SQRT_2;

use super::c_literal::Hexadecimal;
use super::onnx_messages::{AttributeProto, AttributeType, NodeProto};
use crate::nn::Activation;
use crate::nn::activation::{LEAK, TANH_SCALE, TANH_STRETCH};

/// The expression of `f(y[o])` in C; `None` for the identity.
pub(super) fn c_expression(activation: Activation) -> Option<String> {
    Some(match activation {
        Activation::Sigmoid => "1.0f / (1.0f + expf(-y[o]))".to_owned(),
        Activation::Tanh => "tanhf(y[o])".to_owned(),
        Activation::Relu => "y[o] < 0.0f ? 0.0f : y[o]".to_owned(),
        Activation::LeakyRelu => format!("y[o] < 0.0f ? {} * y[o] : y[o]", Hexadecimal(LEAK)),
        Activation::ScaledTanh => format!(
            "{} * tanhf({} * y[o])",
            Hexadecimal(TANH_SCALE),
            Hexadecimal(TANH_STRETCH)
        ),
        Activation::Softsign => "y[o] / (1.0f + fabsf(y[o]))".to_owned(),
        Activation::Elu => "y[o] < 0.0f ? expm1f(y[o]) : y[o]".to_owned(),
        Activation::Gelu => format!(
            "0.5f * y[o] * erfcf({} * y[o])",
            Hexadecimal(-FRAC_1_SQRT_2)
        ),
        Activation::Silu => "y[o] / (1.0f + expf(-y[o]))".to_owned(),
        Activation::Mish => format!("y[o] * tanhf({SOFTPLUS})"),
        Activation::Softplus => SOFTPLUS.to_owned(),
        Activation::Identity => return None,
    })
}

/// `ln(1 + e^y)`, without overflow.
const SOFTPLUS: &str = "fmaxf(y[o], 0.0f) + log1pf(expf(-fabsf(y[o])))";

/// The PyTorch module in Python.
pub fn pytorch_module(activation: Activation) -> &'static str {
    match activation {
        Activation::Sigmoid => "nn.Sigmoid()",
        Activation::Tanh => "nn.Tanh()",
        Activation::Relu => "nn.ReLU()",
        Activation::LeakyRelu => "nn.LeakyReLU(0.01)",
        Activation::ScaledTanh => "ScaledTanh()",
        Activation::Softsign => "nn.Softsign()",
        Activation::Elu => "nn.ELU()",
        Activation::Gelu => "nn.GELU()",
        Activation::Silu => "nn.SiLU()",
        Activation::Mish => "nn.Mish()",
        Activation::Softplus => "nn.Softplus()",
        Activation::Identity => "nn.Identity()",
    }
}

/// The definition of the PyTorch module in Python; `None` for modules that PyTorch has.
pub fn pytorch_definition(activation: Activation) -> Option<&'static str> {
    /// `f(z) = 1.7159 tanh(2z/3)`.
    const SCALED_TANH: &str =
        "class ScaledTanh(nn.Module): forward = lambda self, z: 1.7159 * torch.tanh(2 / 3 * z)";
    (activation == Activation::ScaledTanh).then_some(SCALED_TANH)
}

const STRETCH: &str = "activation.stretch";
const SCALE: &str = "activation.scale";
const ONE: &str = "activation.one";

/// The names and values of the constants that [`onnx_nodes`] uses.
pub(super) fn onnx_constants(activation: Activation) -> &'static [(&'static str, f32)] {
    match activation {
        Activation::ScaledTanh => &[(STRETCH, TANH_STRETCH), (SCALE, TANH_SCALE)],
        Activation::Gelu => &[(STRETCH, FRAC_1_SQRT_2), (SCALE, 0.5), (ONE, 1.0)],
        _ => &[],
    }
}

/// `y = f(z)` in ONNX, in several nodes if the operator set has no such function.
pub(super) fn onnx_nodes(activation: Activation, z: &str, y: &str) -> Vec<NodeProto> {
    let [a, b, c, d] = ["a", "b", "c", "d"].map(|part| format!("{z}.{part}"));
    match activation {
        Activation::Sigmoid => vec![NodeProto::operator("Sigmoid", &[z], y)],
        Activation::Tanh => vec![NodeProto::operator("Tanh", &[z], y)],
        Activation::ScaledTanh => vec![
            NodeProto::operator("Mul", &[z, STRETCH], &a),
            NodeProto::operator("Tanh", &[&a], &b),
            NodeProto::operator("Mul", &[&b, SCALE], y),
        ],
        Activation::Softsign => vec![NodeProto::operator("Softsign", &[z], y)],
        Activation::Relu => vec![NodeProto::operator("Relu", &[z], y)],
        Activation::LeakyRelu => {
            let mut node = NodeProto::operator("LeakyRelu", &[z], y);
            node.attribute.push(AttributeProto {
                name: "alpha".to_owned(),
                f: LEAK,
                r#type: AttributeType::Float.into(),
                ..AttributeProto::default()
            });
            vec![node]
        }
        // The attribute is 1 by default.
        Activation::Elu => vec![NodeProto::operator("Elu", &[z], y)],
        Activation::Gelu => vec![
            NodeProto::operator("Mul", &[z, STRETCH], &a),
            NodeProto::operator("Erf", &[&a], &b),
            NodeProto::operator("Add", &[&b, ONE], &c),
            NodeProto::operator("Mul", &[z, &c], &d),
            NodeProto::operator("Mul", &[&d, SCALE], y),
        ],
        Activation::Silu => vec![
            NodeProto::operator("Sigmoid", &[z], &a),
            NodeProto::operator("Mul", &[z, &a], y),
        ],
        Activation::Mish => vec![
            NodeProto::operator("Softplus", &[z], &a),
            NodeProto::operator("Tanh", &[&a], &b),
            NodeProto::operator("Mul", &[z, &b], y),
        ],
        Activation::Softplus => vec![NodeProto::operator("Softplus", &[z], y)],
        Activation::Identity => vec![NodeProto::operator("Identity", &[z], y)],
    }
}
