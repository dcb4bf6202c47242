//! The start of an ONNX graph: from elements to the inputs of the network.
//!
//! Elements are `f32`s, or `f64`s if a feature's offset is no `f32`: the difference is then rounded only after the
//! subtraction, as in training.

use super::onnx_messages::{
    DataType, NodeProto, StringStringEntryProto, TensorProto, ValueInfoProto,
};
use crate::data::Scaling;
use crate::model::Model;

/// The name of the inputs of the network.
pub(super) const INPUTS: &str = "inputs";

/// The nodes before the first layer, with the inputs of the graph and the constants that they need.
#[derive(Default)]
pub(super) struct Start {
    pub input: Vec<ValueInfoProto>,
    pub initializer: Vec<TensorProto>,
    pub node: Vec<NodeProto>,
    /// What describes the inputs.
    pub property: Vec<StringStringEntryProto>,
}

/// Returns the nodes from `elements` to [`INPUTS`].
pub(super) fn elements_start(model: &Model) -> Start {
    const OFFSET: &str = "scaling.offset";
    const FACTOR: &str = "scaling.factor";
    let features = model.spec.inputs();
    let (offset, factor) = match &model.scaling {
        Scaling::Global(pair) => (
            TensorProto::floats(OFFSET, &[], &[pair.offset]),
            TensorProto::floats(FACTOR, &[], &[pair.factor]),
        ),
        Scaling::PerFeature(of) => (
            match of.narrow_offset() {
                Some(offset) => TensorProto::floats(OFFSET, &[features], offset),
                None => TensorProto::doubles(OFFSET, &[features], of.offset()),
            },
            TensorProto::floats(FACTOR, &[features], of.factor()),
        ),
    };
    let is_wide = model.scaling.is_wide();
    let (element, centred) = match is_wide {
        true => (DataType::Double, "differences"),
        false => (DataType::Float, "centred"),
    };
    let mut node = vec![NodeProto::operator("Sub", &["elements", OFFSET], centred)];
    if is_wide {
        node.push(NodeProto::cast(centred, DataType::Float, "centred"));
    }
    node.push(NodeProto::operator("Mul", &["centred", FACTOR], INPUTS));
    Start {
        input: vec![ValueInfoProto::batch("elements", element, features)],
        initializer: vec![offset, factor],
        node,
        property: Vec::new(),
    }
}
