//! Values of flags that several commands have.

use clap::ValueEnum;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use perceptor::config::setting::{ParseError, SettingValue};

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

/// The widths of the hidden layers, as one value of one flag.
#[derive(Debug, Clone)]
pub struct Hidden(pub Vec<usize>);

pub fn parse_hidden(text: &str) -> Result<Hidden, String> {
    SettingValue::parse(text)
        .map(Hidden)
        .map_err(|error| match error {
            ParseError::Text(expected) => expected,
            ParseError::File(error) => error.to_string(),
        })
}
