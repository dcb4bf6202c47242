//! Models in the formats of other programs: one file a format.
//!
//! Each takes elements as they stand in a data file and scales them itself, but for `pytorch`: an `nn.Sequential` has no
//! place for the scaling, which stands in the metadata. Formats hold the same bits that the model has, but for batch
//! normalisation, which is folded into the weights and biases before it. Writing a model twice gives the same bytes.

pub mod activation;
pub mod c_header;
mod c_literal;
pub mod npz;
pub mod onnx;
mod onnx_messages;
pub mod pytorch;

use std::path::Path;

use crate::durable;
use crate::error::{Error, Refusal, Result};
use crate::model::Model;

/// A format that models are exported to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A graph for ONNX runtimes; see [`onnx`].
    Onnx,
    /// Arrays for NumPy; see [`npz`].
    Npz,
    /// A C99 header; see [`c_header`].
    C,
    /// What `nn.Sequential` loads; see [`pytorch`].
    SafetensorsPytorch,
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 4] = [
        Format::Onnx,
        Format::Npz,
        Format::C,
        Format::SafetensorsPytorch,
    ];

    /// The name used by flags and messages.
    pub fn name(self) -> &'static str {
        match self {
            Format::Onnx => "onnx",
            Format::Npz => "npz",
            Format::C => "c",
            Format::SafetensorsPytorch => "safetensors-pytorch",
        }
    }

    /// What names of such files end in.
    pub fn extension(self) -> &'static str {
        match self {
            Format::Onnx => "onnx",
            Format::Npz => "npz",
            Format::C => "h",
            Format::SafetensorsPytorch => "pytorch.safetensors",
        }
    }
}

/// Writes `model` to `path`, whole or not at all, [`Model::folded`] where it has batch normalisation. `name` is what the
/// functions of a C header start with.
///
/// # Errors
/// [`Error::Io`] when the file cannot be written, [`Error::Config`] when `name` is no C identifier,
/// [`Error::Model`] when the model is larger than the format can be.
pub fn save(model: &Model, format: Format, name: &str, path: &Path) -> Result<()> {
    let model = &*model.folded();
    match format {
        Format::Onnx => {
            let bytes = onnx::to_bytes(model).ok_or_else(|| {
                let found = format!("{} parameters", model.spec.parameters());
                let expected = "less than the 2 GiB that an ONNX file can hold";
                let refusal = Refusal::new(path.display(), found, expected);
                Error::Model(refusal.hint("npz and safetensors-pytorch have no such limit"))
            })?;
            durable::write_whole(path, |out| out.write_all(&bytes))
        }
        Format::Npz => durable::write_whole(path, |out| npz::write(model, out)),
        Format::C => {
            c_header::check_name(name)?;
            durable::write_whole(path, |out| c_header::write(model, name, out))
        }
        Format::SafetensorsPytorch => {
            let bytes = pytorch::to_bytes(model);
            durable::write_whole(path, |out| out.write_all(&bytes))
        }
    }
}
