//! Floats as literals of C.

/// A finite `f32` as a C99 constant: `0x1.8p+1f` is 3.
pub(super) struct Hexadecimal(pub(super) f32);

impl std::fmt::Display for Hexadecimal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bits = self.0.to_bits();
        let sign = if bits >> 31 == 1 { "-" } else { "" };
        let (exponent, fraction) = ((bits >> 23 & 0xff) as i32, bits & 0x7f_ffff);
        match (exponent, fraction) {
            (0, 0) => write!(f, "{sign}0x0p+0f"),
            (0, _) => write!(f, "{sign}0x{fraction:x}p-149f"),
            (_, 0) => write!(f, "{sign}0x1p{:+}f", exponent - 127),
            _ => {
                // Six digits are 24 bits, one more than the fraction has.
                let digits = format!("{:06x}", fraction << 1);
                let digits = digits.trim_end_matches('0');
                write!(f, "{sign}0x1.{digits}p{:+}f", exponent - 127)
            }
        }
    }
}

/// A finite `f64` as a C99 constant: `0x1.8p+1` is 3.
pub(super) struct HexadecimalDouble(pub(super) f64);

impl std::fmt::Display for HexadecimalDouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bits = self.0.to_bits();
        let sign = if bits >> 63 == 1 { "-" } else { "" };
        let (exponent, fraction) = ((bits >> 52 & 0x7ff) as i32, bits & 0xf_ffff_ffff_ffff);
        match (exponent, fraction) {
            (0, 0) => write!(f, "{sign}0x0p+0"),
            (0, _) => write!(f, "{sign}0x{fraction:x}p-1074"),
            (_, 0) => write!(f, "{sign}0x1p{:+}", exponent - 1023),
            _ => {
                let digits = format!("{fraction:013x}");
                let digits = digits.trim_end_matches('0');
                write!(f, "{sign}0x1.{digits}p{:+}", exponent - 1023)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_are_written_as_c_writes_them() {
        for (value, text) in [
            (3.0, "0x1.8p+1"),
            (-0.1, "-0x1.999999999999ap-4"),
            (1.7e9, "0x1.954fc4p+30"),
            (f64::MAX, "0x1.fffffffffffffp+1023"),
            (f64::from_bits(1), "0x1p-1074"),
            (0.0, "0x0p+0"),
        ] {
            assert_eq!(HexadecimalDouble(value).to_string(), text);
        }
    }

    #[test]
    fn numbers_are_written_as_c_writes_them() {
        // By printf("%a") of C, but for the smallest ones, which it normalises.
        for (value, text) in [
            (3.0, "0x1.8p+1f"),
            (-1.0, "-0x1p+0f"),
            (0.1, "0x1.99999ap-4f"),
            (f32::MAX, "0x1.fffffep+127f"),
            (f32::MIN_POSITIVE, "0x1p-126f"),
            (f32::from_bits(1), "0x1p-149f"),
            (f32::from_bits(0x7f_ffff), "0x7fffffp-149f"),
            (0.0, "0x0p+0f"),
            (-0.0, "-0x0p+0f"),
        ] {
            assert_eq!(Hexadecimal(value).to_string(), text);
        }
    }
}
