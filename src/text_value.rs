//! Values that a file may have as a number or as text, and that are read as typed.

use std::fmt;

use serde::de::{Deserializer, Error, Visitor};

/// Reads a value with `parse`, whose error is what was expected.
pub fn read<'de, T, D: Deserializer<'de>>(
    from: D,
    parse: fn(&str) -> Result<T, String>,
) -> Result<T, D::Error> {
    let text = from.deserialize_any(Typed)?;
    parse(&text).map_err(|expected| D::Error::custom(format!("{text:?}, {expected}")))
}

/// Reads a share as people type it: `0.2`, or `20%`.
pub fn share(text: &str) -> Option<f64> {
    let (number, whole) = match text.trim().strip_suffix('%') {
        Some(percent) => (percent, 100.0),
        None => (text, 1.0),
    };
    let number: f64 = number.trim().parse().ok()?;
    Some(number / whole)
}

/// A number or text, as one would type it.
struct Typed;

impl Visitor<'_> for Typed {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a number or text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<String, E> {
        Ok(number.to_string())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<String, E> {
        Ok(number.to_string())
    }

    /// Written with a point, which distinguishes a share from a count.
    fn visit_f64<E: Error>(self, number: f64) -> Result<String, E> {
        Ok(format!("{number:?}"))
    }
}
