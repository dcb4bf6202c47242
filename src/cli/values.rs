//! Values of flags that several commands have.

use clap::ValueEnum;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
}

/// Returns a parser of the names of `values`, which lists them in help and errors.
pub fn named<T: Copy + Send + Sync + 'static, const N: usize>(
    values: [T; N],
    name: fn(T) -> &'static str,
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(values.map(name)).try_map(move |text| {
        let found = values.into_iter().find(|&value| name(value) == text);
        found.ok_or("no such value")
    })
}

/// Returns a parser of `yes` and `no`, which are `true` and `false` in files of settings.
pub fn yes_or_no() -> impl TypedValueParser<Value = bool> {
    let values = [("yes", "true"), ("no", "false")];
    let values = values.map(|(value, alias)| PossibleValue::new(value).alias(alias));
    PossibleValuesParser::new(values).map(|text| text == "yes" || text == "true")
}
