//! Big-endian elements to scaled `f32`s: `x = (element − offset) · factor`, at the width of the processor's registers.

use multiversion::multiversion;

use super::idx::ElementType;
use super::scaling::Scaling;
use crate::nn::columns::Columns;

/// Elements to scaled `f32`s, at the width of the processor's registers.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
pub(super) fn decode(element: ElementType, bytes: &[u8], scaling: Scaling, row: &mut [f32]) {
    decode_into(element, bytes, scaling, row);
}

/// [`decode`] of the runs of active columns alone, side by side.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
pub(super) fn decode_runs(
    element: ElementType,
    bytes: &[u8],
    scaling: Scaling,
    columns: &Columns,
    row: &mut [f32],
) {
    let (size, mut start) = (element.size(), 0);
    for run in columns.active() {
        let out = start..start + run.len();
        if element == ElementType::U8 {
            decode_run(&bytes[run.start..], scaling, &mut row[start..], run.len());
        } else {
            let bytes = &bytes[run.start * size..run.end * size];
            decode_into(element, bytes, scaling, &mut row[out.clone()]);
        }
        start = out.end;
    }
}

/// The first `length` of `bytes`, in whole registers where these are in bounds: what is written beyond `length` is
/// written again by the run that comes next. Short runs would else be decoded one by one.
#[inline(always)]
fn decode_run(bytes: &[u8], scaling: Scaling, row: &mut [f32], length: usize) {
    /// Elements of the widest register.
    const LANES: usize = 16;
    for start in (0..length).step_by(LANES) {
        let end = start + LANES;
        match (bytes.get(start..end), row.get_mut(start..end)) {
            (Some(bytes), Some(out)) => decode_into(ElementType::U8, bytes, scaling, out),
            _ => {
                let (bytes, out) = (&bytes[start..length], &mut row[start..length]);
                return decode_into(ElementType::U8, bytes, scaling, out);
            }
        }
    }
}

#[inline(always)]
fn decode_into(element: ElementType, bytes: &[u8], scaling: Scaling, row: &mut [f32]) {
    let Scaling { offset, factor } = scaling;
    let scale = |value: f32| (value - offset) * factor;
    let (pairs, quads, octets) = (
        bytes.as_chunks::<2>().0,
        bytes.as_chunks::<4>().0,
        bytes.as_chunks::<8>().0,
    );
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
