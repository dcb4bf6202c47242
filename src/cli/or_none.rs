//! Values of flags that `none` does without, as where a file of settings has one.

use std::fmt;
use std::str::FromStr;

/// A value, or `none`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OrNone<T>(pub Option<T>);

/// What stands for nothing.
const NONE: &str = "none";

impl<T: FromStr> FromStr for OrNone<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<OrNone<T>, T::Err> {
        or_none(text, str::parse)
    }
}

impl<T: fmt::Display> fmt::Display for OrNone<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(value) => value.fmt(f),
            None => f.write_str(NONE),
        }
    }
}

/// Reads a value by `parse`.
pub fn or_none<T, E>(text: &str, parse: impl FnOnce(&str) -> Result<T, E>) -> Result<OrNone<T>, E> {
    match text {
        NONE => Ok(OrNone(None)),
        _ => parse(text).map(|value| OrNone(Some(value))),
    }
}
