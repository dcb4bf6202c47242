//! The number of worker threads, as a setting.

use std::fmt;
use std::num::NonZeroUsize;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::value::text_values;
use crate::text_value;

const AUTO: &str = "auto";

/// The number of worker threads, as a setting.
///
/// ```
/// use std::num::NonZeroUsize;
///
/// use perceptor::config::Threads;
///
/// assert_eq!("auto".parse(), Ok(Threads::Auto));
/// assert_eq!("1".parse(), Ok(Threads::Count(NonZeroUsize::MIN)));
/// assert!("0".parse::<Threads>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Threads {
    /// As many as train the network fastest: see [`crate::bench::team`].
    #[default]
    Auto,
    /// This number.
    Count(NonZeroUsize),
}

text_values!(Threads: "N");

impl Threads {
    /// The number; `None` for [`Threads::Auto`].
    pub fn count(self) -> Option<NonZeroUsize> {
        match self {
            Threads::Auto => None,
            Threads::Count(count) => Some(count),
        }
    }
}

impl FromStr for Threads {
    type Err = String;

    fn from_str(text: &str) -> Result<Threads, String> {
        let text = text.trim();
        if text == AUTO {
            return Ok(Threads::Auto);
        }
        let count = text.parse().map(Threads::Count);
        count.map_err(|_| "expected a whole number of at least 1, or auto".to_owned())
    }
}

impl fmt::Display for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Threads::Auto => f.write_str(AUTO),
            Threads::Count(count) => count.fmt(f),
        }
    }
}

impl Serialize for Threads {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Threads::Auto => to.serialize_str(AUTO),
            Threads::Count(count) => count.serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for Threads {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Threads, D::Error> {
        text_value::read(from, str::parse)
    }
}
