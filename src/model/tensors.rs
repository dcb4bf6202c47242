//! A network's parameters as the tensors of a safetensors file, by our own layout or by PyTorch's.
//!
//! The two differ in what a layer is called and in which way its weights lie: `layers.l.weight [in, out]` is ours,
//! `m.weight [out, in]` is that of an `nn.Sequential`, whose modules m counts. Shapes are held against the file's
//! length by the safetensors crate before anything here is sized by them.

use std::collections::HashMap;
use std::path::Path;

use ndarray::ArrayView2;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::METADATA_KEY;
use crate::error::{Error, Refusal, Result};
use crate::nn::Spec;

/// Where tensors are not what they should be.
pub(crate) const HINT: &str =
    "perceptor import takes the state_dict of an nn.Sequential of PyTorch";

/// What the tensors of each layer are called, and how they lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    /// For each layer in turn what stands before `.weight` and `.bias`.
    pub stems: Vec<String>,
    /// Whether weights are `[out, in]` and not `[in, out]`.
    pub outputs_first: bool,
}

impl Layout {
    /// Our own: `layers.l.weight [in, out]`.
    pub fn own(layers: usize) -> Layout {
        Layout {
            stems: (0..layers).map(|layer| format!("layers.{layer}")).collect(),
            outputs_first: false,
        }
    }

    /// That of `nn.Sequential`, where each affine module but the last has an activation module behind it:
    /// `2l.weight [out, in]`.
    pub fn sequential(layers: usize) -> Layout {
        Layout {
            stems: (0..layers).map(|layer| (2 * layer).to_string()).collect(),
            outputs_first: true,
        }
    }
}

/// A safetensors file, its structure checked.
pub(crate) struct TensorFile<'a> {
    pub path: &'a Path,
    pub tensors: SafeTensors<'a>,
    /// What stands in its metadata under our key.
    pub metadata: Option<String>,
}

impl<'a> TensorFile<'a> {
    /// Reads the header of `bytes`, the content of the file `path`.
    ///
    /// # Errors
    /// [`Error::Model`] when they are no whole safetensors file.
    pub fn open(path: &'a Path, bytes: &'a [u8]) -> Result<TensorFile<'a>> {
        let damaged = |error: safetensors::SafeTensorError| {
            let expected = "a safetensors file";
            Error::Model(Refusal::new(path.display(), error.to_string(), expected))
        };
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
        let metadata = header.metadata().as_ref();
        Ok(TensorFile {
            path,
            tensors: SafeTensors::deserialize(bytes).map_err(damaged)?,
            metadata: metadata.and_then(|map| map.get(METADATA_KEY)).cloned(),
        })
    }

    /// A refusal that names a tensor.
    pub fn refusal(&self, name: &str, found: String, expected: impl Into<String>) -> Refusal {
        let place = format!("{}: {name}", self.path.display());
        Refusal::new(place, found, expected)
    }

    /// The flat buffer `[parameters]` of a network `spec`, one stem of `layout` a layer. It is sized only after every
    /// tensor's shape, which is known to fit the length of the file, has been found to add up to it.
    ///
    /// # Errors
    /// [`Error::Model`] when a tensor is missing, left over, of another shape or type, or has a number that is not
    /// finite.
    pub fn parameters(&self, spec: &Spec, layout: &Layout) -> Result<Vec<f32>> {
        let (found, expected) = (self.tensors.len(), 2 * spec.layers().len());
        if found != expected {
            let expected = format!("{expected}, two a layer");
            let refusal = self.refusal("tensors", found.to_string(), expected);
            return Err(Error::Model(refusal));
        }
        let mut found = Vec::new();
        for (stem, layer) in layout.stems.iter().zip(spec.layers()) {
            let weight = if layout.outputs_first {
                [layer.fan_out, layer.fan_in]
            } else {
                [layer.fan_in, layer.fan_out]
            };
            found.push(self.find(weight_of(stem), &weight)?);
            found.push(self.find(bias_of(stem), &[layer.fan_out])?);
        }
        let mut parameters = Vec::with_capacity(spec.parameters());
        for (name, tensor) in found {
            let numbers = tensor.data().as_chunks::<4>().0.iter();
            let numbers: Vec<f32> = numbers.map(|&bytes| f32::from_le_bytes(bytes)).collect();
            if let Some(at) = numbers.iter().position(|number| !number.is_finite()) {
                let found = format!("element {at} is {}", numbers[at]);
                return Err(Error::Model(self.refusal(&name, found, "finite numbers")));
            }
            match *tensor.shape() {
                [out, fan_in] if layout.outputs_first => {
                    let weight = ArrayView2::from_shape((out, fan_in), &numbers);
                    parameters.extend(weight.expect("as many numbers as its shape says").t());
                }
                _ => parameters.extend(numbers),
            }
        }
        Ok(parameters)
    }

    fn find(&self, name: String, shape: &[usize]) -> Result<(String, TensorView<'a>)> {
        let tensor = self.tensors.tensor(&name).map_err(|_| {
            let found = "no such tensor".to_owned();
            let refusal = self.refusal(&name, found, format!("{shape:?}"));
            Error::Model(refusal.hint(HINT))
        })?;
        if tensor.dtype() != Dtype::F32 || tensor.shape() != shape {
            let found = format!("{} {:?}", tensor.dtype(), tensor.shape());
            let refusal = self.refusal(&name, found, format!("F32 {shape:?}"));
            return Err(Error::Model(refusal));
        }
        Ok((name, tensor))
    }
}

/// The bytes of a safetensors file with the parameters of `spec`, and `metadata` under our key.
///
/// Shapes: `parameters [parameters]`.
pub(crate) fn to_bytes(
    spec: &Spec,
    parameters: &[f32],
    layout: &Layout,
    metadata: String,
) -> Vec<u8> {
    let layers = layout.stems.iter().zip(spec.layers());
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = layers
        .flat_map(|(stem, layer)| {
            let (weight, bias) = (layer.weight(parameters), layer.bias(parameters));
            let weight = if layout.outputs_first {
                weight.reversed_axes()
            } else {
                weight
            };
            let shape = weight.shape().to_vec();
            [
                (weight_of(stem), shape, to_le(weight.iter())),
                (bias_of(stem), vec![bias.len()], to_le(bias.iter())),
            ]
        })
        .collect();
    let views = tensors.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes);
        (name, view.expect("shape and bytes come from one view"))
    });
    let metadata = HashMap::from([(METADATA_KEY.to_owned(), metadata)]);
    safetensors::serialize(views, Some(metadata)).expect("names are distinct and sizes agree")
}

/// The bytes of `values`, little-endian.
pub(crate) fn to_le<'a>(values: impl IntoIterator<Item = &'a f32>) -> Vec<u8> {
    let values = values.into_iter();
    values.flat_map(|value| value.to_le_bytes()).collect()
}

fn weight_of(stem: &str) -> String {
    format!("{stem}.weight")
}

fn bias_of(stem: &str) -> String {
    format!("{stem}.bias")
}
