//! Decoding of the elements of an array: numbers, or text.

use half::f16;

use super::npy::{Header, Kind};

/// Appends the elements in `bytes` as numbers. Returns the index of an integer that `f64` cannot represent, if there is
/// one.
pub(super) fn append(header: &Header, bytes: &[u8], out: &mut Vec<f64>) -> Result<(), usize> {
    /// Appends each element, whose bytes are passed to `value` most significant first.
    fn each<const N: usize>(
        big_endian: bool,
        bytes: &[u8],
        out: &mut Vec<f64>,
        value: impl Fn([u8; N]) -> Option<f64>,
    ) -> Result<(), usize> {
        for (at, element) in bytes.as_chunks::<N>().0.iter().enumerate() {
            let mut element = *element;
            if !big_endian {
                element.reverse();
            }
            out.push(value(element).ok_or(at)?);
        }
        Ok(())
    }
    let big = header.big_endian;
    match header.kind {
        Kind::Bool => each(big, bytes, out, |[b]: [u8; 1]| {
            Some(f64::from(u8::from(b != 0)))
        }),
        Kind::Unsigned(1) => each(big, bytes, out, |[b]: [u8; 1]| Some(f64::from(b))),
        Kind::Unsigned(2) => each(big, bytes, out, |b| Some(f64::from(u16::from_be_bytes(b)))),
        Kind::Unsigned(4) => each(big, bytes, out, |b| Some(f64::from(u32::from_be_bytes(b)))),
        Kind::Unsigned(_) => each(big, bytes, out, |b| {
            exact(i128::from(u64::from_be_bytes(b)))
        }),
        Kind::Signed(1) => each(big, bytes, out, |b| Some(f64::from(i8::from_be_bytes(b)))),
        Kind::Signed(2) => each(big, bytes, out, |b| Some(f64::from(i16::from_be_bytes(b)))),
        Kind::Signed(4) => each(big, bytes, out, |b| Some(f64::from(i32::from_be_bytes(b)))),
        Kind::Signed(_) => each(big, bytes, out, |b| {
            exact(i128::from(i64::from_be_bytes(b)))
        }),
        Kind::Float(2) => each(big, bytes, out, |b| Some(f16::from_be_bytes(b).to_f64())),
        Kind::Float(4) => each(big, bytes, out, |b| Some(f64::from(f32::from_be_bytes(b)))),
        Kind::Float(_) => each(big, bytes, out, |b| Some(f64::from_be_bytes(b))),
        Kind::Ascii(_) | Kind::Unicode(_) => Err(0),
    }
}

/// Converts an integer without rounding.
fn exact(number: i128) -> Option<f64> {
    let value = number as f64;
    (value as i128 == number).then_some(value)
}

/// Returns the text in `bytes`, one element of text; `None` if it is not Unicode.
pub(super) fn text(header: &Header, bytes: &[u8]) -> Option<String> {
    let text: String = match header.kind {
        Kind::Ascii(_) => std::str::from_utf8(bytes).ok()?.to_owned(),
        _ => {
            let characters = bytes.as_chunks::<4>().0.iter().map(|&bytes| {
                char::from_u32(match header.big_endian {
                    true => u32::from_be_bytes(bytes),
                    false => u32::from_le_bytes(bytes),
                })
            });
            characters.collect::<Option<String>>()?
        }
    };
    Some(text.trim_end_matches('\0').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_of_every_type_become_numbers() {
        let of = |kind, big_endian, bytes: &[u8]| {
            let header = Header {
                kind,
                big_endian,
                fortran: false,
                shape: vec![1],
                bytes: 0,
            };
            let mut out = Vec::new();
            append(&header, bytes, &mut out).map(|()| out)
        };
        assert_eq!(of(Kind::Bool, false, &[0, 1, 7]), Ok(vec![0.0, 1.0, 1.0]));
        assert_eq!(of(Kind::Signed(1), false, &[0xff]), Ok(vec![-1.0]));
        assert_eq!(of(Kind::Signed(2), false, &[0xfe, 0xff]), Ok(vec![-2.0]));
        assert_eq!(of(Kind::Unsigned(2), true, &[1, 0]), Ok(vec![256.0]));
        assert_eq!(
            of(Kind::Unsigned(4), false, &[0, 0, 0, 1]),
            Ok(vec![16_777_216.0])
        );
        assert_eq!(
            of(Kind::Signed(8), false, &(-5i64).to_le_bytes()),
            Ok(vec![-5.0])
        );
        assert_eq!(
            of(Kind::Unsigned(8), false, &(1u64 << 60).to_le_bytes()),
            Ok(vec![(1u64 << 60) as f64])
        );
        assert_eq!(
            of(Kind::Unsigned(8), false, &((1u64 << 53) + 1).to_le_bytes()),
            Err(0)
        );
        assert_eq!(
            of(Kind::Float(8), true, &0.1f64.to_be_bytes()),
            Ok(vec![0.1])
        );
        // IEEE 754: one, the smallest and the largest number, infinity.
        let halves = [0x3c00u16, 0x0001, 0x7bff, 0xfc00]
            .map(u16::to_le_bytes)
            .concat();
        assert_eq!(
            of(Kind::Float(2), false, &halves),
            Ok(vec![1.0, 2f64.powi(-24), 65504.0, f64::NEG_INFINITY])
        );
    }
}
