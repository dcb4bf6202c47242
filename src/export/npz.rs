//! Exports to NPZ, which `numpy.load` reads: one array for each tensor, with the names of a model file.
//!
//! In addition to `layers.l.weight [in, out]` and `layers.l.bias [out]` there are:
//!
//! - `scaling.offset` and `scaling.factor`: scalars, or arrays `[in]` with offsets of 64 bits if each feature has its own
//!   pair;
//! - the string `activation`, and the string `task` unless it is classification;
//! - the string `link` (`log`) if the outputs of a regression are logarithms;
//! - the string `schema`, which is JSON, if the model was trained on a table: its inputs are rows encoded by it.
//!
//! An NPZ is a zip archive, here without compression, of NPY files
//! (<https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>): a header in Python syntax, then the numbers.
//! Entries have no time, so that the bytes are reproducible.

use std::io::{self, Write};

use rawzip::ZipArchiveWriter;

use crate::data::Scaling;
use crate::model::Model;
use crate::nn::Link;
use crate::tensors::little_endian;

/// Writes the archive.
///
/// # Errors
/// Returns the errors of `out`.
pub fn write(model: &Model, out: &mut dyn Write) -> io::Result<()> {
    let mut archive = ZipArchiveWriter::new(out);
    for (index, layer) in model.spec.layers().iter().enumerate() {
        let (weight, bias) = layer.split(&model.parameters);
        let shape = format!("({}, {})", layer.fan_in, layer.fan_out);
        let name = format!("layers.{index}.weight");
        add(&mut archive, &name, "<f4", &shape, &little_endian(weight))?;
        let shape = format!("({},)", layer.fan_out);
        let name = format!("layers.{index}.bias");
        add(&mut archive, &name, "<f4", &shape, &little_endian(bias))?;
    }
    let [offset, factor] = ["scaling.offset", "scaling.factor"];
    match &model.scaling {
        Scaling::Global(pair) => {
            add(
                &mut archive,
                offset,
                "<f4",
                "()",
                &pair.offset.to_le_bytes(),
            )?;
            add(
                &mut archive,
                factor,
                "<f4",
                "()",
                &pair.factor.to_le_bytes(),
            )?;
        }
        Scaling::PerFeature(of) => {
            let shape = format!("({},)", model.spec.inputs());
            let offsets: Vec<u8> = of.offset().iter().flat_map(|x| x.to_le_bytes()).collect();
            add(&mut archive, offset, "<f8", &shape, &offsets)?;
            add(
                &mut archive,
                factor,
                "<f4",
                &shape,
                &little_endian(of.factor()),
            )?;
        }
    }
    add_text(&mut archive, "activation", model.spec.activation().name())?;
    if !model.spec.task().is_default() {
        add_text(&mut archive, "task", model.spec.task().name())?;
    }
    if model.spec.link() != Link::default() {
        add_text(&mut archive, "link", model.spec.link().name())?;
    }
    if let Some(schema) = &model.schema {
        let text = serde_json::to_string(schema).expect("plain data is always JSON");
        add_text(&mut archive, "schema", &text)?;
    }
    archive.finish().map(drop).map_err(io::Error::other)
}

/// Adds a string, which is an array of UTF-32 characters.
fn add_text(
    archive: &mut ZipArchiveWriter<&mut dyn Write>,
    name: &str,
    text: &str,
) -> io::Result<()> {
    let kind = format!("<U{}", text.chars().count());
    let characters = text.chars().map(|c| u32::from(c).to_le_bytes());
    let characters: Vec<u8> = characters.flatten().collect();
    add(archive, name, &kind, "()", &characters)
}

/// Adds the array `name` of elements `kind`, its bytes row-major and little-endian.
fn add(
    archive: &mut ZipArchiveWriter<&mut dyn Write>,
    name: &str,
    kind: &str,
    shape: &str,
    bytes: &[u8],
) -> io::Result<()> {
    let path = format!("{name}.npy");
    let file = archive.new_file(&path);
    let (mut entry, config) = file.start().map_err(io::Error::other)?;
    let mut writer = config.wrap(&mut entry);
    writer.write_all(&npy_header(kind, shape))?;
    writer.write_all(bytes)?;
    let (_, descriptor) = writer.finish().map_err(io::Error::other)?;
    let written = entry.finish(descriptor);
    written.map(drop).map_err(io::Error::other)
}

/// Returns the start of an NPY file: magic number, version 1.0, length of the header, and the header, padded so that the
/// numbers start at a multiple of 64.
fn npy_header(kind: &str, shape: &str) -> Vec<u8> {
    const BEFORE_THE_LINE: usize = 10;
    let mut line = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}");
    let whole = (BEFORE_THE_LINE + line.len() + 1).next_multiple_of(64);
    let padding = whole - BEFORE_THE_LINE - line.len() - 1;
    line.push_str(&" ".repeat(padding));
    line.push('\n');
    let length = u16::try_from(line.len()).expect("two sizes fit a line of 64 kB");
    [
        b"\x93NUMPY\x01\x00",
        &length.to_le_bytes()[..],
        line.as_bytes(),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_start_at_a_multiple_of_64() {
        for shape in ["()", "(7,)", "(123456789, 123456789)"] {
            let header = npy_header("<f4", shape);
            assert_eq!(header.len() % 64, 0);
            assert_eq!(header.last(), Some(&b'\n'));
            let length = u16::from_le_bytes([header[8], header[9]]);
            assert_eq!(usize::from(length) + 10, header.len());
        }
    }
}
