//! The start of an ONNX graph: from elements to the inputs of the network.
//!
//! Elements are `f32`s, or `f64`s if a feature's offset is no `f32`: the difference is then rounded only after the
//! subtraction, as in training.

use super::onnx_messages::{
    AttributeProto, AttributeType, DataType, NodeProto, TensorProto, ValueInfoProto,
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
}

/// Returns the nodes from `elements` to [`INPUTS`].
pub(super) fn start(model: &Model) -> Start {
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
        let mut cast = NodeProto::operator("Cast", &[centred], "centred");
        cast.attribute.push(AttributeProto {
            name: "to".to_owned(),
            i: DataType::Float as i64,
            r#type: AttributeType::Int.into(),
            ..AttributeProto::default()
        });
        node.push(cast);
    }
    node.push(NodeProto::operator("Mul", &["centred", FACTOR], INPUTS));
    Start {
        input: vec![ValueInfoProto::batch("elements", element, features)],
        initializer: vec![offset, factor],
        node,
    }
}
