//! Numbers as elements of an IDX file: which types hold them, and their encoding.

use crate::data::idx::ElementType;

/// Returns whether `value` is a whole number from 0 to 255.
pub(super) fn is_byte(value: f64) -> bool {
    (0.0..=255.0).contains(&value) && value.fract() == 0.0
}

/// Checks that an element of this type can hold `value`: exactly for integer types, rounded for floats. Returns what was
/// expected if it cannot.
pub(super) fn check(value: f64, element: ElementType) -> Result<(), &'static str> {
    let whole = |least: f64, most: f64| (least..=most).contains(&value) && value.fract() == 0.0;
    let (fits, expected) = match element {
        ElementType::U8 => (is_byte(value), "a whole number from 0 to 255 (u8)"),
        ElementType::I8 => (whole(-128.0, 127.0), "a whole number from -128 to 127 (i8)"),
        ElementType::I16 => (
            whole(f64::from(i16::MIN), f64::from(i16::MAX)),
            "a whole number from -32768 to 32767 (i16)",
        ),
        ElementType::I32 => (
            whole(f64::from(i32::MIN), f64::from(i32::MAX)),
            "a whole number from -2147483648 to 2147483647 (i32)",
        ),
        ElementType::F32 => (
            (value as f32).is_finite(),
            "a finite number up to 3.4e38 (f32)",
        ),
        ElementType::F64 => (value.is_finite(), "a finite number"),
    };
    if fits { Ok(()) } else { Err(expected) }
}

/// Appends `value` as it is stored in a file, if an element of this type can hold it.
pub(super) fn encode(
    value: f64,
    element: ElementType,
    out: &mut Vec<u8>,
) -> Result<(), &'static str> {
    check(value, element)?;
    match element {
        ElementType::U8 => out.push(value as u8),
        ElementType::I8 => out.push(value as i8 as u8),
        ElementType::I16 => out.extend((value as i16).to_be_bytes()),
        ElementType::I32 => out.extend((value as i32).to_be_bytes()),
        ElementType::F32 => out.extend((value as f32).to_be_bytes()),
        ElementType::F64 => out.extend(value.to_be_bytes()),
    }
    Ok(())
}

/// Formats `value` in its shorter notation: `1e39` rather than forty digits.
pub(super) fn shortest(value: f64) -> String {
    if value.abs() < 1e15 {
        format!("{value}")
    } else {
        format!("{value:e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_holds_exactly_the_values_in_its_range() {
        use ElementType::{F32, F64, I8, I16, I32, U8};
        for (element, least, most) in [
            (U8, 0.0, 255.0),
            (I8, -128.0, 127.0),
            (I16, -32768.0, 32767.0),
            (I32, -2147483648.0, 2147483647.0),
            (F32, -3.4e38, 3.4e38),
            (F64, -1.7e308, 1.7e308),
        ] {
            let mut bytes = Vec::new();
            for value in [least, most, 1.0] {
                encode(value, element, &mut bytes).expect("a value in range");
            }
            assert_eq!(bytes.len(), 3 * element.size());
            let mut outside = vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
            match element {
                F64 => {}
                F32 => outside.extend([1e39, -1e39]),
                _ => outside.extend([least - 1.0, most + 1.0, 0.5]),
            }
            for value in outside {
                encode(value, element, &mut bytes).expect_err("a value out of range");
            }
        }
    }

    #[test]
    fn large_numbers_are_formatted_with_an_exponent() {
        assert_eq!(
            (shortest(255.5), shortest(1e39)),
            ("255.5".into(), "1e39".into())
        );
    }
}
