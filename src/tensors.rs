//! The safetensors format of models, checkpoints and weights of PyTorch. Files written by perceptor have a JSON object
//! under the metadata key `perceptor`.
//!
//! There is one key, not several, so that the same content always has the same bytes. Reading is bounded: no number in a
//! file decides the size of an allocation before it is checked against the length of the file, and nothing in a file
//! names a path or is executed.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

use ndarray::ArrayView2;
use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors, TensorView};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Refusal, Result};
use crate::message::Message;
use crate::nn::spec::layer_name;
use crate::nn::{Activation, Layer, Spec};
use crate::regular_file::{open_regular, read_regular};

/// The metadata key of perceptor, in safetensors files and in exported formats.
pub(crate) const METADATA_KEY: &str = "perceptor";

/// Reads the file at `path`, which is expected to be `expected`, for [`TensorFile::parse`]. Of a file that cannot be
/// safetensors, by the length of its header, only the start is read: it may be a large file of another kind.
pub(crate) fn read(path: &Path, expected: &str) -> Result<Vec<u8>> {
    /// The safetensors crate refuses longer headers.
    const MAX_HEADER: u64 = 100_000_000;
    let mut start = [0; 8];
    let read = open_regular(path, expected)?.read_exact(&mut start);
    match read {
        Ok(()) if u64::from_le_bytes(start) > MAX_HEADER => Ok(start.to_vec()),
        _ => read_regular(path, expected),
    }
}

/// The kind of a file, with the errors for one that is refused.
pub(crate) struct Kind {
    /// `model` or `checkpoint`.
    pub name: &'static str,
    /// The newest format that is read; the first one is 1.
    pub format: u32,
    /// The error for a file that is damaged or of another kind.
    pub damaged: fn(Refusal) -> Error,
    /// The error for a file that is undamaged but cannot be used.
    pub unusable: fn(Refusal) -> Error,
    /// The hint for a file that another program wrote.
    pub hint: fn() -> Option<Message>,
}

/// The names of the tensors of batch normalisation after the stem of their layer, all `[out]`, as in PyTorch's modules. The
/// shift is the bias of the layer.
const NORM: [&str; 3] = ["norm.weight", "norm.running_mean", "norm.running_var"];

/// The names and shapes of the tensors of each layer: `layers.l.weight [in, out]` in perceptor's own files, `m.weight
/// [out, in]` in those of an `nn.Sequential` of PyTorch, where m is the number of the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    /// For each layer the part of the names before `.weight`, `.bias` and so on.
    pub stems: Vec<String>,
    /// Whether weights are `[out, in]` instead of `[in, out]`.
    pub outputs_first: bool,
    /// The end of every name.
    pub ending: String,
}

impl Layout {
    /// Returns the layout of perceptor's own files.
    pub fn own(layers: usize) -> Layout {
        Layout {
            stems: (0..layers).map(layer_name).collect(),
            outputs_first: false,
            ending: String::new(),
        }
    }

    /// Returns the layout of `nn.Sequential`, where an activation module follows each affine module except the last:
    /// `2l.weight [out, in]`.
    pub fn sequential(layers: usize) -> Layout {
        Layout {
            stems: (0..layers).map(|layer| (2 * layer).to_string()).collect(),
            outputs_first: true,
            ending: String::new(),
        }
    }

    /// Appends `ending` to every name.
    pub fn ending(self, ending: &str) -> Layout {
        Layout {
            ending: ending.to_owned(),
            ..self
        }
    }

    /// Returns each layer of `spec` with the function that names its tensors.
    fn layers<'a>(
        &'a self,
        spec: &'a Spec,
    ) -> impl Iterator<Item = (impl Fn(&str) -> String + 'a, &'a Layer)> {
        let layers = self.stems.iter().zip(spec.layers());
        layers.map(move |(stem, layer)| {
            let name = move |what: &str| format!("{stem}.{what}{}", self.ending);
            (name, layer)
        })
    }
}

/// A file whose structure was checked.
pub(crate) struct TensorFile<'a> {
    kind: &'a Kind,
    pub path: &'a Path,
    pub tensors: SafeTensors<'a>,
    /// The JSON object under the key of perceptor, if there is one.
    pub metadata: Option<String>,
}

/// Only the format number, which can be read whatever else a later version adds.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

impl<'a> TensorFile<'a> {
    /// Reads the structure of `bytes`, the content of the file `path`, and checks the format number if perceptor wrote
    /// the file.
    pub fn parse(kind: &'a Kind, path: &'a Path, bytes: &'a [u8]) -> Result<TensorFile<'a>> {
        let damaged = |error: SafeTensorError| {
            let expected = "a safetensors file";
            (kind.damaged)(Refusal::new(path.display(), error.to_string(), expected))
        };
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
        let metadata = header.metadata().as_ref();
        let file = TensorFile {
            kind,
            path,
            tensors: SafeTensors::deserialize(bytes).map_err(damaged)?,
            metadata: metadata.and_then(|map| map.get(METADATA_KEY)).cloned(),
        };
        match file.optional_metadata()? {
            Some(Format { format }) if !(1..=kind.format).contains(&format) => {
                Err((kind.unusable)(Refusal::new(
                    path.display(),
                    format!("{} format {format}", kind.name),
                    format!("{}, the newest this version reads", kind.format),
                )))
            }
            _ => Ok(file),
        }
    }

    /// Reads the JSON object as a `T`, if the file has one.
    pub fn optional_metadata<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        let text = self.metadata.as_ref();
        text.map(|text| serde_json::from_str(text))
            .transpose()
            .map_err(|error| {
                self.refuse(format!("metadata: {error}"), "what perceptor writes there")
            })
    }

    /// Reads the JSON object as a `T`.
    pub fn metadata<T: DeserializeOwned>(&self) -> Result<T> {
        self.optional_metadata()?.ok_or_else(|| {
            let found = "no metadata under the key perceptor";
            let expected = format!("a {} that perceptor wrote", self.kind.name);
            self.hinted(Refusal::new(self.path.display(), found, expected))
        })
    }

    /// Returns the network with these `layers`, the widths from inputs to outputs.
    pub fn spec(&self, layers: &[usize], activation: Activation, batch_norm: bool) -> Result<Spec> {
        let [inputs, hidden @ .., classes] = layers else {
            return Err(self.refuse(format!("layers {layers:?}"), "at least two widths"));
        };
        Spec::new(*inputs, hidden, *classes, activation)
            .and_then(|spec| spec.with_batch_norm(batch_norm))
            .map_err(|error| self.refuse(format!("layers {layers:?} ({error})"), "a network"))
    }

    /// Checks that the file has the tensors of `flats` flat buffers of the network `spec`, and no others.
    pub fn check_count(&self, spec: &Spec, flats: usize) -> Result<()> {
        let normalized = spec.layers().iter().filter(|layer| layer.is_normalized());
        let norms = flats * NORM.len() * normalized.count();
        let expected = 2 * flats * spec.layers().len() + norms;
        match self.tensors.len() {
            found if found == expected => Ok(()),
            found => {
                let mut expected = format!("{expected}, {} a layer", 2 * flats);
                if norms > 0 {
                    expected += " and those of batch normalisation";
                }
                Err(self.refuse_tensor("tensors", found.to_string(), expected))
            }
        }
    }

    /// Reads the tensors of `layout` into a flat buffer of the network `spec`. The buffer is allocated only after the
    /// shapes of all tensors, which safetensors has checked against the length of the file, add up to its size.
    pub fn flat(&self, spec: &Spec, layout: &Layout) -> Result<Vec<f32>> {
        let mut found = Vec::new();
        for (name, layer) in layout.layers(spec) {
            let shape = if layout.outputs_first {
                [layer.fan_out, layer.fan_in]
            } else {
                [layer.fan_in, layer.fan_out]
            };
            found.push(self.find(name("weight"), &shape)?);
            let norm = NORM.iter().filter(|_| layer.is_normalized());
            for part in ["bias"].iter().chain(norm) {
                found.push(self.find(name(part), &[layer.fan_out])?);
            }
        }
        let mut flat = Vec::with_capacity(spec.parameters());
        for (name, tensor) in found {
            let numbers = tensor.data().as_chunks::<4>().0.iter();
            let numbers: Vec<f32> = numbers.map(|&bytes| f32::from_le_bytes(bytes)).collect();
            if let Some(at) = numbers.iter().position(|number| !number.is_finite()) {
                let found = format!("element {at} is {}", numbers[at]);
                return Err(self.refuse_tensor(&name, found, "finite numbers"));
            }
            let negative = numbers.iter().position(|&number| number < 0.0);
            if let Some(at) = negative.filter(|_| name.contains(NORM[2])) {
                let found = format!("element {at} is {}", numbers[at]);
                return Err(self.refuse_tensor(&name, found, "variances of at least 0"));
            }
            match *tensor.shape() {
                [out, fan_in] if layout.outputs_first => {
                    let weight = ArrayView2::from_shape((out, fan_in), &numbers);
                    flat.extend(weight.expect("as many numbers as its shape says").t());
                }
                _ => flat.extend(numbers),
            }
        }
        Ok(flat)
    }

    fn find(&self, name: String, shape: &[usize]) -> Result<(String, TensorView<'a>)> {
        let tensor = self.tensors.tensor(&name).map_err(|_| {
            let place = format!("{}: {name}", self.path.display());
            self.hinted(Refusal::new(place, "no such tensor", format!("{shape:?}")))
        })?;
        if tensor.dtype() != Dtype::F32 || tensor.shape() != shape {
            let found = format!("{} {:?}", tensor.dtype(), tensor.shape());
            return Err(self.refuse_tensor(&name, found, format!("F32 {shape:?}")));
        }
        Ok((name, tensor))
    }

    /// Returns the error for this file as damaged.
    pub fn refuse(&self, found: impl Into<Message>, expected: &str) -> Error {
        (self.kind.damaged)(Refusal::new(self.path.display(), found, expected))
    }

    /// Returns the error for a tensor of this file.
    pub fn refuse_tensor(&self, name: &str, found: String, expected: impl Into<Message>) -> Error {
        let place = format!("{}: {name}", self.path.display());
        (self.kind.damaged)(Refusal::new(place, found, expected))
    }

    /// Returns the error for a file that another program wrote, with the hint of its kind.
    fn hinted(&self, refusal: Refusal) -> Error {
        (self.kind.damaged)(match (self.kind.hint)() {
            Some(hint) => refusal.hint(hint),
            None => refusal,
        })
    }
}

/// Encodes a file with `metadata` and the flat buffers `flats` of the network `spec`, each with the layout of its tensors.
pub(crate) fn to_bytes(spec: &Spec, flats: &[(&[f32], Layout)], metadata: String) -> Vec<u8> {
    let mut tensors: Vec<(String, Vec<usize>, Cow<[u8]>)> = Vec::new();
    for (flat, layout) in flats {
        for (name, layer) in layout.layers(spec) {
            let (weight, bias) = layer.split(flat);
            let (fan_in, fan_out) = (layer.fan_in, layer.fan_out);
            let (shape, weight) = if layout.outputs_first {
                let turned: Vec<f32> = layer.weight(flat).t().iter().copied().collect();
                let bytes = little_endian(&turned).into_owned();
                (vec![fan_out, fan_in], Cow::Owned(bytes))
            } else {
                (vec![fan_in, fan_out], little_endian(weight))
            };
            tensors.push((name("weight"), shape, weight));
            tensors.push((name("bias"), vec![fan_out], little_endian(bias)));
            if let Some(norm) = layer.norm(flat) {
                for (part, values) in NORM.iter().zip([norm.gamma, norm.mean, norm.variance]) {
                    tensors.push((name(part), vec![fan_out], little_endian(values)));
                }
            }
        }
    }
    let views = tensors.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes);
        (name, view.expect("shape and bytes are those of a layer"))
    });
    let metadata = HashMap::from([(METADATA_KEY.to_owned(), metadata)]);
    safetensors::serialize(views, Some(metadata)).expect("names are distinct and sizes agree")
}

/// Returns the bytes of numbers as stored in a file.
pub(crate) fn little_endian(values: &[f32]) -> Cow<'_, [u8]> {
    if cfg!(target_endian = "little") {
        Cow::Borrowed(bytemuck::cast_slice(values))
    } else {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        Cow::Owned(bytes.collect())
    }
}
