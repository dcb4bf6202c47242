//! Stored elements to scaled `f32`s: `x = (element − offset) · factor`, at the width of the processor's registers.
//!
//! With a pair of numbers for each feature, differences are computed in `f64` and rounded to `f32`. If elements and
//! offsets are `f32`s, a difference in `f32` is the same number: the 53 bits of an `f64` are more than twice 24.

use std::ops::Range;

use multiversion::multiversion;

use super::idx::ElementType;
use super::scaling::{FeatureScaling, GlobalScaling};
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
pub(super) fn decode(encoding: Encoding, bytes: &[u8], scaling: GlobalScaling, row: &mut [f32]) {
    decode_into(encoding, bytes, scaling, row);
}

/// Writes the scaled elements of the active columns of `bytes` to `row`, side by side.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
pub(super) fn decode_runs(
    encoding: Encoding,
    bytes: &[u8],
    scaling: GlobalScaling,
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

/// Writes the elements of `bytes` to `row` without scaling or rounding.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
pub(super) fn decode_wide(encoding: Encoding, bytes: &[u8], row: &mut [f64]) {
    let (two, four, eight) = (
        bytes.as_chunks::<2>().0,
        bytes.as_chunks::<4>().0,
        bytes.as_chunks::<8>().0,
    );
    let element = match encoding {
        Encoding::NativeF32 => return fill(row, four, |&four| f32::from_ne_bytes(four).into()),
        Encoding::BigEndian(element) => element,
    };
    match element {
        ElementType::U8 => fill(row, bytes, |&byte| byte.into()),
        ElementType::I8 => fill(row, bytes, |&byte| (byte as i8).into()),
        ElementType::I16 => fill(row, two, |&two| i16::from_be_bytes(two).into()),
        ElementType::I32 => fill(row, four, |&four| i32::from_be_bytes(four).into()),
        ElementType::F32 => fill(row, four, |&four| f32::from_be_bytes(four).into()),
        ElementType::F64 => fill(row, eight, |&eight| f64::from_be_bytes(eight)),
    }
}

/// Writes the elements of `bytes`, one for each of `features`, to `row`, each scaled by the pair of its feature.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
pub(super) fn decode_each(
    encoding: Encoding,
    bytes: &[u8],
    scaling: &FeatureScaling,
    features: Range<usize>,
    row: &mut [f32],
) {
    let pairs = Pairs {
        offset: &scaling.offset()[features.clone()],
        narrow: scaling.narrow_offset().map(|of| &of[features.clone()]),
        factor: &scaling.factor()[features],
    };
    let (two, four, eight) = (
        bytes.as_chunks::<2>().0,
        bytes.as_chunks::<4>().0,
        bytes.as_chunks::<8>().0,
    );
    let element = match encoding {
        Encoding::NativeF32 => return pairs.fill(row, four, |&four| f32::from_ne_bytes(four)),
        Encoding::BigEndian(element) => element,
    };
    match element {
        ElementType::U8 => pairs.fill(row, bytes, |&byte| f32::from(byte)),
        ElementType::I8 => pairs.fill(row, bytes, |&byte| f32::from(byte as i8)),
        ElementType::I16 => pairs.fill(row, two, |&two| f32::from(i16::from_be_bytes(two))),
        ElementType::I32 => pairs.fill_wide(row, four, |&four| f64::from(i32::from_be_bytes(four))),
        ElementType::F32 => pairs.fill(row, four, |&four| f32::from_be_bytes(four)),
        ElementType::F64 => pairs.fill_wide(row, eight, |&eight| f64::from_be_bytes(eight)),
    }
}

/// The pairs of some features.
struct Pairs<'a> {
    offset: &'a [f64],
    narrow: Option<&'a [f32]>,
    factor: &'a [f32],
}

impl Pairs<'_> {
    /// Scales elements that fit an `f32`.
    #[inline(always)]
    fn fill<T>(&self, row: &mut [f32], elements: &[T], value: impl Fn(&T) -> f32) {
        let Some(offset) = self.narrow else {
            return self.fill_wide(row, elements, |element| f64::from(value(element)));
        };
        let pairs = offset.iter().zip(self.factor);
        for ((out, element), (offset, factor)) in row.iter_mut().zip(elements).zip(pairs) {
            *out = (value(element) - offset) * factor;
        }
    }

    #[inline(always)]
    fn fill_wide<T>(&self, row: &mut [f32], elements: &[T], value: impl Fn(&T) -> f64) {
        let pairs = self.offset.iter().zip(self.factor);
        for ((out, element), (offset, factor)) in row.iter_mut().zip(elements).zip(pairs) {
            *out = (value(element) - offset) as f32 * factor;
        }
    }
}

/// Decodes the first `length` of `bytes`, in whole registers as far as these are in bounds: what is written beyond
/// `length` is overwritten by the next run. Otherwise short runs would be decoded byte by byte.
#[inline(always)]
fn decode_run(bytes: &[u8], scaling: GlobalScaling, row: &mut [f32], length: usize) {
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
fn decode_into(encoding: Encoding, bytes: &[u8], scaling: GlobalScaling, row: &mut [f32]) {
    let GlobalScaling { offset, factor } = scaling;
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
fn fill<T, F>(row: &mut [F], elements: &[T], value: impl Fn(&T) -> F) {
    for (out, element) in row.iter_mut().zip(elements) {
        *out = value(element);
    }
}
