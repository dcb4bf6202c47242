//! The messages of ONNX's protobuf schema that a dense network needs, with the names and numbers of the schema
//! (onnx.proto, <https://github.com/onnx/onnx/blob/main/onnx/onnx.proto>). Fields that are never set are left out.

use prost::{Enumeration, Message, Oneof};

use crate::tensors::little_endian;

#[derive(Clone, PartialEq, Message)]
pub struct ModelProto {
    #[prost(int64, tag = "1")]
    pub ir_version: i64,
    #[prost(string, tag = "2")]
    pub producer_name: String,
    #[prost(string, tag = "3")]
    pub producer_version: String,
    #[prost(string, tag = "6")]
    pub doc_string: String,
    #[prost(message, optional, tag = "7")]
    pub graph: Option<GraphProto>,
    #[prost(message, repeated, tag = "8")]
    pub opset_import: Vec<OperatorSetIdProto>,
    #[prost(message, repeated, tag = "14")]
    pub metadata_props: Vec<StringStringEntryProto>,
}

#[derive(Clone, PartialEq, Message)]
pub struct OperatorSetIdProto {
    /// Empty for the operators of ONNX itself.
    #[prost(string, tag = "1")]
    pub domain: String,
    #[prost(int64, tag = "2")]
    pub version: i64,
}

#[derive(Clone, PartialEq, Message)]
pub struct StringStringEntryProto {
    #[prost(string, tag = "1")]
    pub key: String,
    #[prost(string, tag = "2")]
    pub value: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct GraphProto {
    #[prost(message, repeated, tag = "1")]
    pub node: Vec<NodeProto>,
    #[prost(string, tag = "2")]
    pub name: String,
    #[prost(message, repeated, tag = "5")]
    pub initializer: Vec<TensorProto>,
    #[prost(message, repeated, tag = "11")]
    pub input: Vec<ValueInfoProto>,
    #[prost(message, repeated, tag = "12")]
    pub output: Vec<ValueInfoProto>,
}

#[derive(Clone, PartialEq, Message)]
pub struct NodeProto {
    #[prost(string, repeated, tag = "1")]
    pub input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub output: Vec<String>,
    #[prost(string, tag = "3")]
    pub name: String,
    #[prost(string, tag = "4")]
    pub op_type: String,
    #[prost(message, repeated, tag = "5")]
    pub attribute: Vec<AttributeProto>,
    /// Empty for the operators of ONNX itself.
    #[prost(string, tag = "7")]
    pub domain: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct AttributeProto {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(float, tag = "2")]
    pub f: f32,
    #[prost(int64, tag = "3")]
    pub i: i64,
    #[prost(float, repeated, tag = "7")]
    pub floats: Vec<f32>,
    #[prost(int64, repeated, tag = "8")]
    pub ints: Vec<i64>,
    #[prost(bytes = "vec", repeated, tag = "9")]
    pub strings: Vec<Vec<u8>>,
    #[prost(enumeration = "AttributeType", tag = "20")]
    pub r#type: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Enumeration)]
#[repr(i32)]
pub enum AttributeType {
    Undefined = 0,
    Float = 1,
    Int = 2,
    Floats = 6,
    Ints = 7,
    Strings = 8,
}

#[derive(Clone, PartialEq, Message)]
pub struct TensorProto {
    #[prost(int64, repeated, tag = "1")]
    pub dims: Vec<i64>,
    #[prost(enumeration = "DataType", tag = "2")]
    pub data_type: i32,
    #[prost(string, tag = "8")]
    pub name: String,
    /// Little-endian, row-major.
    #[prost(bytes = "vec", tag = "9")]
    pub raw_data: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Enumeration)]
#[repr(i32)]
pub enum DataType {
    Undefined = 0,
    Float = 1,
    Int64 = 7,
    String = 8,
    Bool = 9,
    Double = 11,
}

#[derive(Clone, PartialEq, Message)]
pub struct ValueInfoProto {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, optional, tag = "2")]
    pub r#type: Option<TypeProto>,
    #[prost(string, tag = "3")]
    pub doc_string: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct TypeProto {
    #[prost(message, optional, tag = "1")]
    pub tensor_type: Option<TensorTypeProto>,
}

#[derive(Clone, PartialEq, Message)]
pub struct TensorTypeProto {
    #[prost(enumeration = "DataType", tag = "1")]
    pub elem_type: i32,
    #[prost(message, optional, tag = "2")]
    pub shape: Option<TensorShapeProto>,
}

#[derive(Clone, PartialEq, Message)]
pub struct TensorShapeProto {
    #[prost(message, repeated, tag = "1")]
    pub dim: Vec<Dimension>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Dimension {
    #[prost(oneof = "DimensionValue", tags = "1, 2")]
    pub value: Option<DimensionValue>,
}

#[derive(Clone, PartialEq, Oneof)]
pub enum DimensionValue {
    /// A known size.
    #[prost(int64, tag = "1")]
    DimValue(i64),
    /// The name of a size that is only known when the graph runs.
    #[prost(string, tag = "2")]
    DimParam(String),
}

impl NodeProto {
    /// Makes a node with one output, whose name it has.
    pub(super) fn operator(op_type: &str, inputs: &[&str], output: &str) -> NodeProto {
        NodeProto {
            input: inputs.iter().map(|&input| input.to_owned()).collect(),
            output: vec![output.to_owned()],
            name: output.to_owned(),
            op_type: op_type.to_owned(),
            attribute: Vec::new(),
            domain: String::new(),
        }
    }

    /// Makes a node that converts elements.
    pub(super) fn cast(input: &str, to: DataType, output: &str) -> NodeProto {
        let node = NodeProto::operator("Cast", &[input], output);
        node.with(AttributeProto::int("to", to as i64))
    }

    /// The same node of another set of operators.
    pub(super) fn of_domain(mut self, domain: &str) -> NodeProto {
        self.domain = domain.to_owned();
        self
    }

    /// The same node with a further attribute.
    pub(super) fn with(mut self, attribute: AttributeProto) -> NodeProto {
        self.attribute.push(attribute);
        self
    }
}

impl AttributeProto {
    fn of(name: &str, kind: AttributeType) -> AttributeProto {
        AttributeProto {
            name: name.to_owned(),
            r#type: kind.into(),
            ..AttributeProto::default()
        }
    }

    /// Makes a whole number.
    pub(super) fn int(name: &str, i: i64) -> AttributeProto {
        AttributeProto {
            i,
            ..AttributeProto::of(name, AttributeType::Int)
        }
    }

    /// Makes a number.
    pub(super) fn float(name: &str, f: f32) -> AttributeProto {
        AttributeProto {
            f,
            ..AttributeProto::of(name, AttributeType::Float)
        }
    }

    /// Makes whole numbers.
    pub(super) fn ints(name: &str, ints: Vec<i64>) -> AttributeProto {
        AttributeProto {
            ints,
            ..AttributeProto::of(name, AttributeType::Ints)
        }
    }

    /// Makes numbers.
    pub(super) fn floats(name: &str, floats: Vec<f32>) -> AttributeProto {
        AttributeProto {
            floats,
            ..AttributeProto::of(name, AttributeType::Floats)
        }
    }

    /// Makes texts.
    pub(super) fn strings(name: &str, texts: &[&str]) -> AttributeProto {
        AttributeProto {
            strings: texts.iter().map(|text| text.as_bytes().to_vec()).collect(),
            ..AttributeProto::of(name, AttributeType::Strings)
        }
    }
}

impl TensorProto {
    /// Makes a constant of `f32`s, row-major.
    pub(super) fn floats(name: &str, shape: &[usize], values: &[f32]) -> TensorProto {
        TensorProto {
            dims: shape.iter().map(|&size| size as i64).collect(),
            data_type: DataType::Float.into(),
            name: name.to_owned(),
            raw_data: little_endian(values).into_owned(),
        }
    }

    /// Makes a constant of whole numbers, row-major.
    pub(super) fn ints(name: &str, shape: &[usize], values: &[i64]) -> TensorProto {
        TensorProto {
            data_type: DataType::Int64.into(),
            raw_data: values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
            ..TensorProto::floats(name, shape, &[])
        }
    }

    /// Makes a constant of `f64`s, row-major.
    pub(super) fn doubles(name: &str, shape: &[usize], values: &[f64]) -> TensorProto {
        TensorProto {
            data_type: DataType::Double.into(),
            raw_data: values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
            ..TensorProto::floats(name, shape, &[])
        }
    }
}

impl ValueInfoProto {
    /// Describes an array `[batch, width]` with a batch of any size.
    pub(super) fn batch(name: &str, element: DataType, width: usize) -> ValueInfoProto {
        let dim = [
            DimensionValue::DimParam("batch".to_owned()),
            DimensionValue::DimValue(width as i64),
        ];
        let shape = TensorShapeProto {
            dim: dim.map(|value| Dimension { value: Some(value) }).into(),
        };
        let tensor_type = TensorTypeProto {
            elem_type: element.into(),
            shape: Some(shape),
        };
        ValueInfoProto {
            name: name.to_owned(),
            doc_string: String::new(),
            r#type: Some(TypeProto {
                tensor_type: Some(tensor_type),
            }),
        }
    }
}
