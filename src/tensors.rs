//! The file that models and checkpoints are: safetensors with one metadata key, `perceptor`, that holds a JSON object.
//!
//! One key and not several, so that the same content always is the same bytes. Reading is bounded: no number in a file
//! sizes an allocation before it was held against the file's length, and nothing in a file names a path or runs.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors, TensorView};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Refusal, Result};
use crate::nn::{Activation, Spec};

const METADATA_KEY: &str = "perceptor";

/// What a file is, for those who refuse one.
pub(crate) struct Kind {
    /// `model` or `checkpoint`.
    pub name: &'static str,
    /// The newest format of it that is read, and the one that is written.
    pub format: u32,
    /// The error of a file that is damaged or something else.
    pub damaged: fn(Refusal) -> Error,
    /// The error of a file that is whole, and cannot be used.
    pub unusable: fn(Refusal) -> Error,
}

/// A file whose structure is known to be sound.
pub(crate) struct TensorFile<'a> {
    kind: &'a Kind,
    path: &'a Path,
    tensors: SafeTensors<'a>,
    /// The JSON object.
    pub metadata: String,
}

/// The format alone, readable whatever else a later version puts beside it.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

impl<'a> TensorFile<'a> {
    /// Reads the structure of `bytes`, the content of the file `path`, and holds its format against what is known.
    pub fn parse(kind: &'a Kind, path: &'a Path, bytes: &'a [u8]) -> Result<TensorFile<'a>> {
        let refuse = |found: String, expected: &str| {
            (kind.damaged)(Refusal::new(path.display(), found, expected))
        };
        let damaged = |error: SafeTensorError| refuse(error.to_string(), "a safetensors file");
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
        let tensors = SafeTensors::deserialize(bytes).map_err(damaged)?;
        let text = header
            .metadata()
            .as_ref()
            .and_then(|map| map.get(METADATA_KEY));
        let Some(text) = text else {
            return Err(refuse(
                "no metadata under the key perceptor".to_owned(),
                &format!("a {} that perceptor wrote", kind.name),
            ));
        };
        let file = TensorFile {
            kind,
            path,
            tensors,
            metadata: text.clone(),
        };
        let Format { format } = file.metadata()?;
        if format != kind.format {
            return Err((kind.unusable)(Refusal::new(
                path.display(),
                format!("{} format {format}", kind.name),
                format!("{}, the newest this version reads", kind.format),
            )));
        }
        Ok(file)
    }

    /// The JSON object as a `T`.
    pub fn metadata<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(&self.metadata).map_err(|error| {
            self.refuse(format!("metadata: {error}"), "what perceptor writes there")
        })
    }

    /// The network with these `layers`, the widths from inputs to classes.
    pub fn spec(&self, layers: &[usize], activation: Activation) -> Result<Spec> {
        let [inputs, hidden @ .., classes] = layers else {
            return Err(self.refuse(format!("layers {layers:?}"), "at least two widths"));
        };
        Spec::new(*inputs, hidden, *classes, activation)
            .map_err(|error| self.refuse(format!("layers {layers:?} ({error})"), "a network"))
    }

    /// Holds the number of tensors against `expected`.
    pub fn check_count(&self, expected: usize, why: &str) -> Result<()> {
        match self.tensors.len() {
            found if found == expected => Ok(()),
            found => Err((self.kind.damaged)(Refusal::new(
                format!("{}: tensors", self.path.display()),
                found.to_string(),
                format!("{expected}, {why}"),
            ))),
        }
    }

    /// A flat buffer laid out as `spec` says, from the tensors `layers.L.weight` and `layers.L.bias`, each with
    /// `ending` behind its name. It is sized only after every tensor's shape, which safetensors has held against the
    /// length of the file, is known to add up to it.
    pub fn flat(&self, spec: &Spec, ending: &str) -> Result<Vec<f32>> {
        let refuse = |name: &str, found: String, expected: String| {
            let place = format!("{}: {name}", self.path.display());
            (self.kind.damaged)(Refusal::new(place, found, expected))
        };
        let find = |name: String, shape: &[usize]| {
            let tensor = self
                .tensors
                .tensor(&name)
                .map_err(|_| refuse(&name, "no such tensor".to_owned(), format!("{shape:?}")))?;
            if tensor.dtype() != Dtype::F32 || tensor.shape() != shape {
                let found = format!("{} {:?}", tensor.dtype(), tensor.shape());
                return Err(refuse(&name, found, format!("F32 {shape:?}")));
            }
            Ok((name, tensor))
        };
        let mut found = Vec::new();
        for (index, layer) in spec.layers().iter().enumerate() {
            let [weight, bias] = names(index, ending);
            found.push(find(weight, &[layer.fan_in, layer.fan_out])?);
            found.push(find(bias, &[layer.fan_out])?);
        }
        let mut flat = Vec::with_capacity(spec.parameters());
        for (name, tensor) in found {
            let start = flat.len();
            let numbers = tensor.data().as_chunks::<4>().0.iter();
            flat.extend(numbers.map(|&bytes| f32::from_le_bytes(bytes)));
            if let Some(at) = flat[start..].iter().position(|x| !x.is_finite()) {
                let found = format!("element {at} is {}", flat[start + at]);
                return Err(refuse(&name, found, "finite numbers".to_owned()));
            }
        }
        Ok(flat)
    }

    /// A refusal of this file as damaged.
    pub fn refuse(&self, found: impl Into<String>, expected: &str) -> Error {
        (self.kind.damaged)(Refusal::new(self.path.display(), found, expected))
    }
}

/// The file that holds `flats`, each a buffer laid out as `spec` says with the ending of its tensors' names, and
/// `metadata`.
pub(crate) fn to_bytes(spec: &Spec, flats: &[(&[f32], &str)], metadata: String) -> Vec<u8> {
    let mut tensors: Vec<(String, Vec<usize>, Cow<[u8]>)> = Vec::new();
    for (flat, ending) in flats {
        for (index, layer) in spec.layers().iter().enumerate() {
            let [weight_name, bias_name] = names(index, ending);
            let (weight, bias) = layer.split(flat);
            let shape = vec![layer.fan_in, layer.fan_out];
            tensors.push((weight_name, shape, little_endian(weight)));
            tensors.push((bias_name, vec![layer.fan_out], little_endian(bias)));
        }
    }
    let views = tensors.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes);
        (name, view.expect("shape and bytes are those of a layer"))
    });
    let metadata = HashMap::from([(METADATA_KEY.to_owned(), metadata)]);
    safetensors::serialize(views, Some(metadata)).expect("names are distinct and sizes agree")
}

/// The numbers as they stand in a file.
pub(crate) fn little_endian(values: &[f32]) -> Cow<'_, [u8]> {
    if cfg!(target_endian = "little") {
        Cow::Borrowed(bytemuck::cast_slice(values))
    } else {
        Cow::Owned(
            values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
        )
    }
}

/// The names of weight and bias of a layer.
fn names(layer: usize, ending: &str) -> [String; 2] {
    ["weight", "bias"].map(|what| format!("layers.{layer}.{what}{ending}"))
}
