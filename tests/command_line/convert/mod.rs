//! `data convert`: what comes out of other people's files, and what is said of files that are not as they should be.
//!
//! A file a format, `sets` for what all have in common, `memory` for what they must not take. Here is what writes such
//! files and reads what came of them.

mod arrays;
mod csv;
mod memory;
mod pictures;
mod sets;

use std::io::Write;

use rawzip::{CompressionMethod, ZipArchiveWriter};

use crate::desk::{Desk, Run};

/// What stands in an IDX file: its type, its sizes, and its elements as numbers.
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

/// Bytes, as an IDX file has them.
pub fn bytes(sizes: &[u32], elements: &[f64]) -> Idx {
    Idx {
        code: 0x08,
        sizes: sizes.to_vec(),
        elements: elements.to_vec(),
    }
}

/// Floats, as an IDX file has them.
pub fn floats(sizes: &[u32], elements: &[f64]) -> Idx {
    Idx {
        code: 0x0d,
        sizes: sizes.to_vec(),
        elements: elements.iter().map(|&x| f64::from(x as f32)).collect(),
    }
}

/// Converts into the folder `set`, which must work.
pub fn convert(desk: &Desk, line: &str) -> Run {
    let run = desk.run(&format!("data convert {line} --out set"));
    run.done();
    run
}

/// An NPY file of little-endian elements.
pub fn npy(descr: &str, fortran: bool, shape: &str, elements: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let line = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}");
    let line = format!("{line:<117}\n");
    let length = (line.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], line.as_bytes(), elements].concat()
}

/// A ZIP archive of these files.
pub fn zip(method: CompressionMethod, files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = ZipArchiveWriter::new(Vec::new());
    for (name, bytes) in files {
        let file = archive.new_file(*name).compression_method(method);
        let (mut entry, config) = file.start().expect("an entry");
        let descriptor = if method == CompressionMethod::DEFLATE {
            let level = flate2::Compression::fast();
            let mut writer = config.wrap(flate2::write::DeflateEncoder::new(&mut entry, level));
            writer.write_all(bytes).expect("memory takes it");
            let (encoder, descriptor) = writer.finish().expect("memory takes it");
            encoder.finish().expect("memory takes it");
            descriptor
        } else {
            let mut writer = config.wrap(&mut entry);
            writer.write_all(bytes).expect("memory takes it");
            writer.finish().expect("memory takes it").1
        };
        entry.finish(descriptor).expect("memory takes it");
    }
    archive.finish().expect("memory takes it")
}
