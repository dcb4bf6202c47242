//! ONNX: a graph from elements to probabilities, or to the numbers of a regression, for onnxruntime and its like.
//!
//! `elements [batch, features]` in `f32`, as they stand in a data file, become inputs by `Sub` and `Mul`: folding the
//! scaling into the first layer would change bits. A `Gemm` a layer follows, with the activation behind all but the last,
//! and a `Softmax`, or a `Sigmoid` where items have several labels. Out come `probabilities` and `logits`, both `[batch,
//! classes]`; of a regression `values [batch, outputs]` alone. The batch is any size. The graph is in operator set 13, as
//! none of these operators has changed for `f32` since, and runtimes from 2020 on take it.

use std::f32::consts::FRAC_1_SQRT_2;

use prost::Message;

use super::onnx_messages::{
    AttributeProto, AttributeType, DataType, Dimension, DimensionValue, GraphProto, ModelProto,
    NodeProto, OperatorSetIdProto, StringStringEntryProto, TensorProto, TensorShapeProto,
    TensorTypeProto, TypeProto, ValueInfoProto,
};
use crate::model::Model;
use crate::nn::Activation;
use crate::nn::Task;
use crate::nn::activation::{LEAK, TANH_SCALE, TANH_STRETCH};
use crate::tensors::{METADATA_KEY, little_endian};

/// The operator set of the graph.
pub const OPERATOR_SET: i64 = 13;
/// The version of the file format that came with it.
const IR_VERSION: i64 = 7;
/// No protobuf message is longer, in bytes.
const MAX_BYTES: usize = i32::MAX as usize;

/// The file, or none when it would be longer than ONNX allows.
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
        operator("Sub", &["elements", "scaling.offset"], "centred"),
        operator("Mul", &["centred", "scaling.factor"], "inputs"),
    ];
    if spec.layers().len() > 1 {
        let constants = constants(spec.activation()).iter();
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
        node.push(operator("Gemm", &[&x, &weight_name, &bias_name], z));
        if !last {
            node.extend(activation(spec.activation(), z, &y));
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

/// What comes out of the graph.
pub fn outputs(task: Task) -> &'static [&'static str] {
    match task {
        Task::Classification | Task::Multilabel => &["probabilities", "logits"],
        Task::Regression => &["values"],
    }
}

/// From logits to probabilities, where there are any.
fn probabilities(task: Task) -> Option<NodeProto> {
    match task {
        Task::Classification => {
            let mut softmax = operator("Softmax", &["logits"], "probabilities");
            softmax.attribute.push(AttributeProto {
                name: "axis".to_owned(),
                i: 1,
                r#type: AttributeType::Int.into(),
                ..AttributeProto::default()
            });
            Some(softmax)
        }
        Task::Multilabel => Some(operator("Sigmoid", &["logits"], "probabilities")),
        Task::Regression => None,
    }
}

const STRETCH: &str = "activation.stretch";
const SCALE: &str = "activation.scale";
const ONE: &str = "activation.one";

/// The scalars that [`activation`] takes.
fn constants(activation: Activation) -> &'static [(&'static str, f32)] {
    match activation {
        Activation::ScaledTanh => &[(STRETCH, TANH_STRETCH), (SCALE, TANH_SCALE)],
        Activation::Gelu => &[(STRETCH, FRAC_1_SQRT_2), (SCALE, 0.5), (ONE, 1.0)],
        _ => &[],
    }
}

/// `y = f(z)`, of several nodes where the operator set has no such function.
fn activation(activation: Activation, z: &str, y: &str) -> Vec<NodeProto> {
    let [a, b, c, d] = ["a", "b", "c", "d"].map(|part| format!("{z}.{part}"));
    match activation {
        Activation::Sigmoid => vec![operator("Sigmoid", &[z], y)],
        Activation::Tanh => vec![operator("Tanh", &[z], y)],
        Activation::ScaledTanh => vec![
            operator("Mul", &[z, STRETCH], &a),
            operator("Tanh", &[&a], &b),
            operator("Mul", &[&b, SCALE], y),
        ],
        Activation::Softsign => vec![operator("Softsign", &[z], y)],
        Activation::Relu => vec![operator("Relu", &[z], y)],
        Activation::LeakyRelu => {
            let mut node = operator("LeakyRelu", &[z], y);
            node.attribute.push(AttributeProto {
                name: "alpha".to_owned(),
                f: LEAK,
                r#type: AttributeType::Float.into(),
                ..AttributeProto::default()
            });
            vec![node]
        }
        // Its attribute is 1 where it is not given.
        Activation::Elu => vec![operator("Elu", &[z], y)],
        Activation::Gelu => vec![
            operator("Mul", &[z, STRETCH], &a),
            operator("Erf", &[&a], &b),
            operator("Add", &[&b, ONE], &c),
            operator("Mul", &[z, &c], &d),
            operator("Mul", &[&d, SCALE], y),
        ],
        Activation::Silu => vec![operator("Sigmoid", &[z], &a), operator("Mul", &[z, &a], y)],
        Activation::Mish => vec![
            operator("Softplus", &[z], &a),
            operator("Tanh", &[&a], &b),
            operator("Mul", &[z, &b], y),
        ],
        Activation::Softplus => vec![operator("Softplus", &[z], y)],
        Activation::Identity => vec![operator("Identity", &[z], y)],
    }
}

/// A node with one output, by which it is named.
fn operator(op_type: &str, inputs: &[&str], output: &str) -> NodeProto {
    NodeProto {
        input: inputs.iter().map(|&input| input.to_owned()).collect(),
        output: vec![output.to_owned()],
        name: output.to_owned(),
        op_type: op_type.to_owned(),
        attribute: Vec::new(),
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

/// `f32 [batch, width]` for any batch.
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
