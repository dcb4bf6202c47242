//! Stored elements to scaled `f32`s: `x = (element − offset) · factor`, at the width of the processor's registers.

use multiversion::multiversion;

use super::idx::ElementType;
use super::scaling::Scaling;
use crate::nn::columns::Columns;

/// How the elements of a row are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Big-endian, as in an IDX file.
    BigEndian(ElementType),
    /// `f32`s in the byte order of this machine.
    NativeF32,
}

impl Encoding {
    /// Bytes of an element.
    pub(super) fn size(self) -> usize {
        match self {
            Encoding::BigEndian(element) => element.size(),
            Encoding::NativeF32 => size_of::<f32>(),
        }
    }
}

/// Writes the scaled elements of `bytes` to `row`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
pub(super) fn decode(encoding: Encoding, bytes: &[u8], scaling: Scaling, row: &mut [f32]) {
    decode_into(encoding, bytes, scaling, row);
}

/// Writes the scaled elements of the active columns of `bytes` to `row`, side by side.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
pub(super) fn decode_runs(
    encoding: Encoding,
    bytes: &[u8],
    scaling: Scaling,
    columns: &Columns,
    row: &mut [f32],
) {
    let (size, mut start) = (encoding.size(), 0);
    for run in columns.active() {
        let out = start..start + run.len();
        if encoding == Encoding::BigEndian(ElementType::U8) {
            decode_run(&bytes[run.start..], scaling, &mut row[start..], run.len());
        } else {
            let bytes = &bytes[run.start * size..run.end * size];
            decode_into(encoding, bytes, scaling, &mut row[out.clone()]);
        }
        start = out.end;
    }
}

/// Decodes the first `length` of `bytes`, in whole registers as far as these are in bounds: what is written beyond
/// `length` is overwritten by the next run. Otherwise short runs would be decoded byte by byte.
#[inline(always)]
fn decode_run(bytes: &[u8], scaling: Scaling, row: &mut [f32], length: usize) {
    /// Elements of the widest register.
    const LANES: usize = 16;
    let encoding = Encoding::BigEndian(ElementType::U8);
    for start in (0..length).step_by(LANES) {
        let end = start + LANES;
        match (bytes.get(start..end), row.get_mut(start..end)) {
            (Some(bytes), Some(out)) => decode_into(encoding, bytes, scaling, out),
            _ => {
                let (bytes, out) = (&bytes[start..length], &mut row[start..length]);
                return decode_into(encoding, bytes, scaling, out);
            }
        }
    }
}

#[inline(always)]
fn decode_into(encoding: Encoding, bytes: &[u8], scaling: Scaling, row: &mut [f32]) {
    let Scaling { offset, factor } = scaling;
    let scale = |value: f32| (value - offset) * factor;
    let (pairs, quads, octets) = (
        bytes.as_chunks::<2>().0,
        bytes.as_chunks::<4>().0,
        bytes.as_chunks::<8>().0,
    );
    let element = match encoding {
        Encoding::NativeF32 => return fill(row, quads, |&quad| scale(f32::from_ne_bytes(quad))),
        Encoding::BigEndian(element) => element,
    };
    match element {
        ElementType::U8 => fill(row, bytes, |&byte| scale(f32::from(byte))),
        ElementType::I8 => fill(row, bytes, |&byte| scale(f32::from(byte as i8))),
        ElementType::I16 => fill(row, pairs, |&pair| {
            scale(f32::from(i16::from_be_bytes(pair)))
        }),
        ElementType::I32 => fill(row, quads, |&quad| scale(i32::from_be_bytes(quad) as f32)),
        ElementType::F32 => fill(row, quads, |&quad| scale(f32::from_be_bytes(quad))),
        ElementType::F64 => fill(
            row,
            octets,
            |&octet| scale(f64::from_be_bytes(octet) as f32),
        ),
    }
}

#[inline(always)]
fn fill<T>(row: &mut [f32], elements: &[T], value: impl Fn(&T) -> f32) {
    for (out, element) in row.iter_mut().zip(elements) {
        *out = value(element);
    }
}
