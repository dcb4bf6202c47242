//! Exports to ONNX: a graph from elements to probabilities, or to the values of a regression, for runtimes such as
//! onnxruntime.
//!
//! `elements [batch, features]`, the numbers of a data file, become inputs by `Sub` and `Mul`, as folding the scaling into
//! the first layer would change bits. They are `f32`s, or `f64`s if the offset of a feature has more digits. A model of a
//! table takes the cells of its columns instead, as `numbers` and `texts`; `onnx_table.rs` describes them.
//!
//! One `Gemm` for each layer follows, with the activation after all except the last, and a `Softmax`, or a `Sigmoid` for
//! multi-label classification. The outputs are `probabilities` and `logits`, both `[batch, classes]`, or only `values
//! [batch, outputs]` for a regression, after an `Exp` if its outputs are logarithms. The batch can have any size. The graph
//! uses operator set 13: none of these operators has changed for `f32` since, and runtimes from 2020 on support it.

use prost::Message;

use super::activation;
use super::onnx_inputs::{INPUTS, Start, elements_start};
use super::onnx_messages::{
    AttributeProto, AttributeType, DataType, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
    StringStringEntryProto, TensorProto, ValueInfoProto,
};
use super::onnx_table::{TEXT_DOMAIN, TEXT_OPERATOR_SET, table_start};
use crate::model::Model;
use crate::nn::{Link, Spec, Task};
use crate::tensors::METADATA_KEY;

/// The operator set of the graph.
pub const OPERATOR_SET: i64 = 13;
/// The version of the file format that belongs to the operator set.
const IR_VERSION: i64 = 7;
/// The length limit of a protobuf message, in bytes.
const MAX_BYTES: usize = i32::MAX as usize;

/// Encodes the model, or returns `None` if the file would be longer than ONNX allows.
pub fn to_bytes(model: &Model) -> Option<Vec<u8>> {
    if model.spec.parameters() > MAX_BYTES / size_of::<f32>() {
        return None;
    }
    let mut properties = vec![StringStringEntryProto {
        key: METADATA_KEY.to_owned(),
        value: model.metadata(),
    }];
    let graph = graph(model, &mut properties);
    let set = |domain: &str, version| OperatorSetIdProto {
        domain: domain.to_owned(),
        version,
    };
    let has_texts = graph.node.iter().any(|node| node.domain == TEXT_DOMAIN);
    let texts = has_texts.then(|| set(TEXT_DOMAIN, TEXT_OPERATOR_SET));
    let file = ModelProto {
        ir_version: IR_VERSION,
        producer_name: "perceptor".to_owned(),
        producer_version: crate::VERSION.to_owned(),
        doc_string: format!("{}, {}", model.spec, model.spec.activation().name()),
        graph: Some(graph),
        opset_import: texts.into_iter().chain([set("", OPERATOR_SET)]).collect(),
        metadata_props: properties,
    };
    (file.encoded_len() <= MAX_BYTES).then(|| file.encode_to_vec())
}

/// Returns the graph, and adds what describes its inputs to `properties`.
fn graph(model: &Model, properties: &mut Vec<StringStringEntryProto>) -> GraphProto {
    let spec = &model.spec;
    let Start {
        input,
        mut initializer,
        mut node,
        property,
    } = match &model.schema {
        Some(schema) => table_start(schema),
        None => elements_start(model),
    };
    properties.extend(property);
    if spec.layers().len() > 1 {
        let constants = activation::onnx_constants(spec.activation()).iter();
        initializer
            .extend(constants.map(|(name, value)| TensorProto::floats(name, &[], &[*value])));
    }
    let mut x = INPUTS.to_owned();
    for (index, layer) in spec.layers().iter().enumerate() {
        let (weight, bias) = layer.split(&model.parameters);
        let [weight_name, bias_name, z, y] =
            ["weight", "bias", "z", "y"].map(|part| format!("layers.{index}.{part}"));
        let (fan_in, fan_out) = (layer.fan_in, layer.fan_out);
        initializer.push(TensorProto::floats(
            &weight_name,
            &[fan_in, fan_out],
            weight,
        ));
        initializer.push(TensorProto::floats(&bias_name, &[fan_out], bias));
        let last = index + 1 == spec.layers().len();
        let z = match (last, spec.task(), spec.link()) {
            (false, _, _) => &z,
            (true, Task::Regression, Link::Identity) => "values",
            (true, _, _) => "logits",
        };
        node.push(NodeProto::operator(
            "Gemm",
            &[&x, &weight_name, &bias_name],
            z,
        ));
        if !last {
            node.extend(activation::onnx_nodes(spec.activation(), z, &y));
            x = y;
        }
    }
    node.extend(last_node(spec));
    GraphProto {
        name: spec.to_string(),
        input,
        output: outputs(spec.task())
            .iter()
            .map(|name| ValueInfoProto::batch(name, DataType::Float, spec.outputs()))
            .collect(),
        node,
        initializer,
    }
}

/// Returns the outputs of the graph.
pub fn outputs(task: Task) -> &'static [&'static str] {
    match task {
        Task::Classification | Task::Multilabel => &["probabilities", "logits"],
        Task::Regression => &["values"],
    }
}

/// Returns the node from logits to probabilities or values, unless the logits are the values.
fn last_node(spec: &Spec) -> Option<NodeProto> {
    match (spec.task(), spec.link()) {
        (Task::Classification, _) => {
            let mut softmax = NodeProto::operator("Softmax", &["logits"], "probabilities");
            softmax.attribute.push(AttributeProto {
                name: "axis".to_owned(),
                i: 1,
                r#type: AttributeType::Int.into(),
                ..AttributeProto::default()
            });
            Some(softmax)
        }
        (Task::Multilabel, _) => Some(NodeProto::operator("Sigmoid", &["logits"], "probabilities")),
        (Task::Regression, Link::Log) => Some(NodeProto::operator("Exp", &["logits"], "values")),
        (Task::Regression, Link::Identity) => None,
    }
}
