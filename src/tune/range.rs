//! The range of a setting in a search.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::text_value;

/// The range that a setting is drawn from, including both ends.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Range {
    /// The lowest value.
    pub low: f64,
    /// The highest value.
    pub high: f64,
}

/// `0.003..0.5`, or `0.1` if both ends are equal.
impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.low == self.high {
            true => write!(f, "{}", self.low),
            false => write!(f, "{}..{}", self.low, self.high),
        }
    }
}

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Range, String> {
        let (low, high) = text.split_once("..").unwrap_or((text, text));
        let number = text_value::share;
        let range = number(low).zip(number(high));
        let range = range.map(|(low, high)| Range { low, high });
        range.ok_or_else(|| "expected a range, as 0.01..0.3, or one number".to_owned())
    }
}

impl TryFrom<String> for Range {
    type Error = String;

    fn try_from(text: String) -> std::result::Result<Range, String> {
        text.parse()
    }
}

impl From<Range> for String {
    fn from(range: Range) -> String {
        range.to_string()
    }
}

impl Range {
    /// The range from `low` to `high`.
    pub const fn new(low: f64, high: f64) -> Range {
        Range { low, high }
    }

    /// The value at `share` of the range, 0 to 1, on a logarithmic scale.
    pub(super) fn logarithmic(self, share: f64) -> f64 {
        self.low * (self.high / self.low).powf(share)
    }

    /// The value at `share` of the range on a linear scale.
    pub(super) fn linear(self, share: f64) -> f64 {
        self.low + (self.high - self.low) * share
    }

    pub(super) fn clamp(self, value: f64) -> f64 {
        value.clamp(self.low, self.high)
    }
}
