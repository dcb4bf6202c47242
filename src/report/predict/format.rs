//! The formats of predictions, and how much they say.

use std::borrow::Cow;

/// The format of predictions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Aligned columns.
    Text,
    /// Comma-separated values with a header.
    Csv,
    /// One JSON object per line.
    JsonLines,
}

/// How much to write about each sample that has one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// The likeliest class and its probability.
    Best,
    /// This many of the likeliest classes, with their probabilities.
    Top(usize),
    /// The likeliest class, and the probability of every class.
    All,
}

/// `text` as a cell of CSV, quoted if necessary (RFC 4180).
pub(super) fn cell(text: &str) -> Cow<'_, str> {
    match text.contains([',', '"']) {
        true => Cow::Owned(format!("\"{}\"", text.replace('"', "\"\""))),
        false => Cow::Borrowed(text),
    }
}
