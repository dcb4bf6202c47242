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

#[cfg(test)]
mod tests {
    use super::*;

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
