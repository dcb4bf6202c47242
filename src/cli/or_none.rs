//! Values of flags that accept `none`, which overrides a value from a file of settings.

use std::str::FromStr;

/// A value, or `none`.
#[derive(Debug, Clone, Copy)]
pub struct OrNone<T>(pub Option<T>);

/// The word for no value.
const NONE: &str = "none";

impl<T: FromStr> FromStr for OrNone<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<OrNone<T>, T::Err> {
        or_none(text, str::parse)
    }
}

/// Parses `none`, or a value by `parse`.
pub fn or_none<T, E>(text: &str, parse: impl FnOnce(&str) -> Result<T, E>) -> Result<OrNone<T>, E> {
    match text {
        NONE => Ok(OrNone(None)),
        _ => parse(text).map(|value| OrNone(Some(value))),
    }
}
