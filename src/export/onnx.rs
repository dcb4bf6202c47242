//! Exports to ONNX: a graph from elements to probabilities, or to the values of a regression, for runtimes such as
//! onnxruntime.
//!
//! `elements [batch, features]`, the `f32`s of a data file, become inputs by `Sub` and `Mul`, as folding the scaling into
//! the first layer would change bits. One `Gemm` for each layer follows, with the activation after all except the last, and
//! a `Softmax`, or a `Sigmoid` for multi-label classification. The outputs are `probabilities` and `logits`, both `[batch,
//! classes]`, or only `values [batch, outputs]` for a regression. The batch can have any size. The graph uses operator set
//! 13: none of these operators has changed for `f32` since, and runtimes from 2020 on support it.

use prost::Message;

use super::activation;
use super::onnx_messages::{
    AttributeProto, AttributeType, DataType, Dimension, DimensionValue, GraphProto, ModelProto,
    NodeProto, OperatorSetIdProto, StringStringEntryProto, TensorProto, TensorShapeProto,
    TensorTypeProto, TypeProto, ValueInfoProto,
};
use crate::model::Model;
use crate::nn::Task;
use crate::tensors::{METADATA_KEY, little_endian};

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
    let property = StringStringEntryProto {
        key: METADATA_KEY.to_owned(),
        value: model.metadata(),
    };
    let file = ModelProto {
        ir_version: IR_VERSION,
        producer_name: "perceptor".to_owned(),
        producer_version: crate::VERSION.to_owned(),
        doc_string: format!("{}, {}", model.spec, model.spec.activation().name()),
        graph: Some(graph(model)),
        opset_import: vec![OperatorSetIdProto {
            domain: String::new(),
            version: OPERATOR_SET,
        }],
        metadata_props: vec![property],
    };
    (file.encoded_len() <= MAX_BYTES).then(|| file.encode_to_vec())
}

fn graph(model: &Model) -> GraphProto {
    let (spec, scaling) = (&model.spec, model.scaling);
    let mut initializer = vec![
        tensor("scaling.offset", &[], &[scaling.offset]),
        tensor("scaling.factor", &[], &[scaling.factor]),
    ];
    let mut node = vec![
        NodeProto::operator("Sub", &["elements", "scaling.offset"], "centred"),
        NodeProto::operator("Mul", &["centred", "scaling.factor"], "inputs"),
    ];
    if spec.layers().len() > 1 {
        let constants = activation::onnx_constants(spec.activation()).iter();
        initializer.extend(constants.map(|(name, value)| tensor(name, &[], &[*value])));
    }
    let mut x = "inputs".to_owned();
    for (index, layer) in spec.layers().iter().enumerate() {
        let (weight, bias) = layer.split(&model.parameters);
        let [weight_name, bias_name, z, y] =
            ["weight", "bias", "z", "y"].map(|part| format!("layers.{index}.{part}"));
        let (fan_in, fan_out) = (layer.fan_in, layer.fan_out);
        initializer.push(tensor(&weight_name, &[fan_in, fan_out], weight));
        initializer.push(tensor(&bias_name, &[fan_out], bias));
        let last = index + 1 == spec.layers().len();
        let z = match (last, spec.task()) {
            (false, _) => &z,
            (true, Task::Regression) => "values",
            (true, _) => "logits",
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
    node.extend(probabilities(spec.task()));
    GraphProto {
        name: spec.to_string(),
        input: vec![batch_of("elements", spec.inputs())],
        output: outputs(spec.task())
            .iter()
            .map(|name| batch_of(name, spec.outputs()))
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

/// Returns the node from logits to probabilities, except for a regression.
fn probabilities(task: Task) -> Option<NodeProto> {
    match task {
        Task::Classification => {
            let mut softmax = NodeProto::operator("Softmax", &["logits"], "probabilities");
            softmax.attribute.push(AttributeProto {
                name: "axis".to_owned(),
                i: 1,
                r#type: AttributeType::Int.into(),
                ..AttributeProto::default()
            });
            Some(softmax)
        }
        Task::Multilabel => Some(NodeProto::operator("Sigmoid", &["logits"], "probabilities")),
        Task::Regression => None,
    }
}

fn tensor(name: &str, shape: &[usize], values: &[f32]) -> TensorProto {
    TensorProto {
        dims: shape.iter().map(|&size| size as i64).collect(),
        data_type: DataType::Float.into(),
        name: name.to_owned(),
        raw_data: little_endian(values).into_owned(),
    }
}

/// Describes an `f32` array `[batch, width]` with a batch of any size.
fn batch_of(name: &str, width: usize) -> ValueInfoProto {
    let dim = [
        DimensionValue::DimParam("batch".to_owned()),
        DimensionValue::DimValue(width as i64),
    ];
    let shape = TensorShapeProto {
        dim: dim.map(|value| Dimension { value: Some(value) }).into(),
    };
    let tensor_type = TensorTypeProto {
        elem_type: DataType::Float.into(),
        shape: Some(shape),
    };
    ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(TypeProto {
            tensor_type: Some(tensor_type),
        }),
    }
}
