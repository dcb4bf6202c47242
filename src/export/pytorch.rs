//! The `state_dict` of an `nn.Sequential` as safetensors, which [`crate::import`] reads back.
//!
//! `nn.Sequential(nn.Linear(784, 100), nn.Sigmoid(), nn.Linear(100, 10))` names its tensors `0.weight [out, in]`,
//! `0.bias [out]`, `2.weight`, and so on, by the numbers of the modules. An identity activation is an `nn.Identity`, and a
//! scaled tanh is a module that the reader defines, as PyTorch has none. With a log link the module returns logarithms. A
//! `state_dict` lacks the activation and the scaling, which are in the metadata as in a model file.

use crate::model::Model;
use crate::tensors::Layout;

/// Encodes a model as a `state_dict`.
pub fn to_bytes(model: &Model) -> Vec<u8> {
    model.to_safetensors(Layout::sequential(model.spec.layers().len()))
}
