//! `data convert`: what it writes for files of other formats, and how it refuses malformed ones.
//!
//! One file per format; `photos` has JPEG and pictures of other sizes, `layouts` several files of one set; `sets` tests what all formats have in common, `memory` the bound on memory. The helpers here write
//! such files and read the result.

mod arrays;
mod csv;
mod idx;
mod layouts;
mod memory;
mod photos;
pub mod pictures;
mod rounding;
mod sets;

use rawzip::path::EntryPath;
use rawzip::{CompressionMethod, ZipArchiveWriter};

use crate::desk::{Desk, Run};
use crate::zip_file::add_entry;

/// The contents of an IDX file: element type, sizes, and elements as numbers.
#[derive(Debug, PartialEq)]
pub struct Idx {
    pub code: u8,
    pub sizes: Vec<u32>,
    pub elements: Vec<f64>,
}

/// Reads an IDX file of bytes (08), 16-bit (0b) or 32-bit (0c) integers, floats (0d) or doubles (0e).
pub fn read_idx(desk: &Desk, name: &str) -> Idx {
    let bytes = desk.read(name);
    let (dimensions, code) = (usize::from(bytes[3]), bytes[2]);
    let (sizes, elements) = bytes[4..].split_at(4 * dimensions);
    let sizes = sizes.as_chunks::<4>().0.iter();
    let elements = match code {
        0x08 => elements.iter().map(|&b| f64::from(b)).collect(),
        0x0b => numbers(elements, |b| f64::from(i16::from_be_bytes(b))),
        0x0c => numbers(elements, |b| f64::from(i32::from_be_bytes(b))),
        0x0d => numbers(elements, |b| f64::from(f32::from_be_bytes(b))),
        0x0e => numbers(elements, f64::from_be_bytes),
        other => panic!("{name}: type {other:02x}"),
    };
    Idx {
        code,
        sizes: sizes.map(|&b| u32::from_be_bytes(b)).collect(),
        elements,
    }
}

fn numbers<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> f64) -> Vec<f64> {
    bytes
        .as_chunks::<N>()
        .0
        .iter()
        .map(|&b| number(b))
        .collect()
}

/// Returns an IDX file of bytes.
pub fn bytes(sizes: &[u32], elements: &[f64]) -> Idx {
    Idx {
        code: 0x08,
        sizes: sizes.to_vec(),
        elements: elements.to_vec(),
    }
}

/// Returns an IDX file of floats.
pub fn floats(sizes: &[u32], elements: &[f64]) -> Idx {
    Idx {
        code: 0x0d,
        sizes: sizes.to_vec(),
        elements: elements.iter().map(|&x| f64::from(x as f32)).collect(),
    }
}

/// Converts to the folder `set`, and asserts that it succeeds.
pub fn convert(desk: &Desk, line: &str) -> Run {
    let run = desk.run(&format!("data convert {line} --out set"));
    run.done();
    run
}

/// Returns an NPY file of little-endian elements.
pub fn npy(descr: &str, fortran: bool, shape: &str, elements: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let line = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}");
    let line = format!("{line:<117}\n");
    let length = (line.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], line.as_bytes(), elements].concat()
}

/// Returns a ZIP archive of these files.
pub fn zip(method: CompressionMethod, files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = ZipArchiveWriter::new(Vec::new());
    for (name, bytes) in files {
        add_entry(&mut archive, EntryPath::from(*name), method, bytes);
    }
    archive.finish().expect("writing to memory")
}
