//! An amount of memory, as a setting.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::value::text_values;
use crate::text_value;

/// The units that a size may have, and their bytes. Sizes are written with the largest that divides them.
const UNITS: [(&str, u64); 8] = [
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1000),
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
];

/// An amount of memory in bytes.
///
/// ```
/// use perceptor::config::Size;
///
/// assert_eq!("2GB".parse(), Ok(Size(2_000_000_000)));
/// assert_eq!("1.5 GiB".parse(), Ok(Size(3 << 29)));
/// assert_eq!("512".parse(), Ok(Size(512)));
/// assert!("2 G".parse::<Size>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size(pub u64);

text_values!(Size: "SIZE");

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Size, String> {
        let expected = || {
            "expected bytes, or a number with kB, MB, GB, TB, KiB, MiB, GiB or TiB, such as 2GB"
                .to_owned()
        };
        let text = text.trim();
        if let Ok(bytes) = text.parse() {
            return Ok(Size(bytes));
        }
        let start = text.find(|c: char| c.is_ascii_alphabetic());
        let (number, unit) = text.split_at(start.ok_or_else(expected)?);
        let found = UNITS.iter().find(|(name, _)| *name == unit);
        let (_, factor) = found.ok_or_else(expected)?;
        let number: f64 = number.trim().parse().map_err(|_| expected())?;
        let bytes = (number * *factor as f64).round();
        match (0.0..u64::MAX as f64).contains(&bytes) {
            true => Ok(Size(bytes as u64)),
            false => Err(expected()),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = UNITS
            .iter()
            .find(|(_, factor)| self.0 > 0 && self.0.is_multiple_of(*factor));
        match unit {
            Some((name, factor)) => write!(f, "{}{name}", self.0 / factor),
            None => self.0.fmt(f),
        }
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Size, D::Error> {
        text_value::read(from, str::parse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_they_are_written() {
        for (bytes, text) in [
            (0, "0"),
            (1001, "1001"),
            (5000, "5kB"),
            (3 << 20, "3MiB"),
            (u64::MAX, "18446744073709551615"),
        ] {
            assert_eq!(Size(bytes).to_string(), text);
            assert_eq!(text.parse(), Ok(Size(bytes)));
        }
        for wrong in ["", "GB", "-1GB", "1e30TB", "nanGB", "2 gigabytes", "2gb"] {
            assert!(wrong.parse::<Size>().is_err(), "{wrong:?}");
        }
    }
}
