//! Exports models to the formats of other programs. Each format has a file here; a new one is added to [`Format`] and
//! [`save`].
//!
//! An exported model takes the elements of a data file and scales them itself, except in `pytorch`: an `nn.Sequential` has
//! no place for the scaling, which is in the metadata. A model of a table takes the cells of columns in `onnx` and `c`, and
//! rows that are encoded by the schema in `npz` and `pytorch`, which contain it. Weights keep their bits, except with batch
//! normalisation, which is folded into the weights and biases before it, and in the last layer of a regression, which takes
//! the scaling of targets. Exporting a model twice writes the same bytes.

pub mod activation;
pub mod c_header;
mod c_literal;
mod c_table;
pub mod columns;
pub mod npz;
pub mod onnx;
mod onnx_inputs;
mod onnx_messages;
mod onnx_table;
pub mod pytorch;

use std::cell::RefCell;
use std::io::{self, Write};
use std::path::Path;

use crate::durable;
use crate::error::{Error, Refusal, Result};
use crate::model::Model;

/// A format that models can be exported to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A graph for ONNX runtimes; see [`onnx`].
    Onnx,
    /// Arrays for NumPy; see [`npz`].
    Npz,
    /// A C99 header; see [`c_header`].
    C,
    /// Safetensors that an `nn.Sequential` of PyTorch loads; see [`pytorch`].
    SafetensorsPytorch,
}

impl Format {
    /// All formats.
    pub const ALL: [Format; 4] = [
        Format::Onnx,
        Format::Npz,
        Format::C,
        Format::SafetensorsPytorch,
    ];

    /// Returns the name used in settings and messages.
    pub fn name(self) -> &'static str {
        match self {
            Format::Onnx => "onnx",
            Format::Npz => "npz",
            Format::C => "c",
            Format::SafetensorsPytorch => "safetensors-pytorch",
        }
    }

    /// Returns the file name extension.
    pub fn extension(self) -> &'static str {
        match self {
            Format::Onnx => "onnx",
            Format::Npz => "npz",
            Format::C => "h",
            Format::SafetensorsPytorch => "pytorch.safetensors",
        }
    }
}

/// Writes `model` to `path`, completely or not at all. Batch normalisation and the scaling of targets are folded into the
/// weights ([`Model::folded`]). `name` is the prefix of all names in a C header.
///
/// # Errors
/// Returns [`Error::Io`] if the file cannot be written, [`Error::Config`] if `name` is not a C identifier, and
/// [`Error::Model`] if the model exceeds the size limit of the format, or if a folded weight is infinite.
pub fn save(model: &Model, format: Format, name: &str, path: &Path) -> Result<()> {
    save_by(model, (format, name), path, &|fill| {
        durable::write_atomically(path, fill)
    })
}

/// Writes `model` as [`save`] does, to a file that does not exist.
///
/// # Errors
/// Returns the errors of [`save`], and [`Error::Io`] with [`std::io::ErrorKind::AlreadyExists`] if the file exists.
pub fn save_new(model: &Model, format: Format, name: &str, path: &Path) -> Result<()> {
    save_by(model, (format, name), path, &|fill| {
        durable::write_new(path, fill)
    })
}

/// Writes `model` as [`save`] does, to `out`.
///
/// # Errors
/// Returns the errors of [`save`], with those of `out`.
pub fn write(model: &Model, format: Format, name: &str, out: &mut dyn Write) -> Result<()> {
    let (path, out) = (Path::new("stdout"), RefCell::new(out));
    save_by(model, (format, name), path, &|fill| {
        fill(&mut **out.borrow_mut()).map_err(Error::io(path, "write"))
    })
}

/// Writes the contents of a file.
type Fill<'a> = &'a mut dyn FnMut(&mut dyn Write) -> io::Result<()>;

/// Checks `model`, and passes what writes it to `put`.
fn save_by(
    model: &Model,
    (format, name): (Format, &str),
    path: &Path,
    put: &dyn Fn(Fill) -> Result<()>,
) -> Result<()> {
    let model = &*model.folded();
    if let Some(weight) = model.parameters.iter().find(|weight| !weight.is_finite()) {
        let found = format!("a weight of {weight} in units of the targets");
        let refusal = Refusal::new(path.display(), found, "finite weights");
        return Err(Error::Model(refusal));
    }
    match format {
        Format::Onnx => {
            let bytes = onnx::to_bytes(model).ok_or_else(|| {
                let found = format!("{} parameters", model.spec.parameters());
                let expected = "less than the 2 GiB that an ONNX file can hold";
                let refusal = Refusal::new(path.display(), found, expected);
                Error::Model(refusal.hint("npz and safetensors-pytorch have no such limit"))
            })?;
            put(&mut |out| out.write_all(&bytes))
        }
        Format::Npz => put(&mut |out| npz::write(model, out)),
        Format::C => {
            c_header::check_name(name)?;
            put(&mut |out| c_header::write(model, name, out))
        }
        Format::SafetensorsPytorch => {
            let bytes = pytorch::to_bytes(model);
            put(&mut |out| out.write_all(&bytes))
        }
    }
}
