//! The schema of a table in words.

use super::number::{counted, counted_as, grouped};
use crate::table::Schema;
use crate::table::schema::{Encoding, NumberScaling, Place};

/// The most values of a column that are listed.
const MOST_VALUES: usize = 8;

/// The columns and what becomes of them: `11 columns in 23 inputs: 7 numbers, 3 categories, 1 left out`.
pub(super) fn schema_words(schema: &Schema) -> String {
    let of = |is_kind: fn(&Encoding) -> bool| {
        let columns = schema.columns.iter();
        columns.filter(|column| is_kind(&column.encoding)).count()
    };
    let kinds = [
        (
            of(|it| matches!(it, Encoding::Number { .. })),
            "number",
            "numbers",
        ),
        (
            of(|it| matches!(it, Encoding::Date { .. })),
            "date",
            "dates",
        ),
        (
            of(|it| matches!(it, Encoding::Flag { .. })),
            "flag",
            "flags",
        ),
        (
            of(|it| matches!(it, Encoding::Categories { .. })),
            "column of categories",
            "columns of categories",
        ),
        (
            of(|it| matches!(it, Encoding::Omitted { .. })),
            "left out",
            "left out",
        ),
    ];
    let kinds = kinds.into_iter().filter(|(count, _, _)| *count > 0);
    let kinds: Vec<String> = kinds
        .map(|(count, one, several)| counted_as(count, one, several))
        .collect();
    let columns = counted(schema.columns.len(), "column");
    format!(
        "{columns} in {}: {}",
        counted(schema.inputs(), "input"),
        kinds.join(", ")
    )
}

/// The columns to predict, and the column of weights: `price, rent; weights from n`.
pub(super) fn target_titles(schema: &Schema) -> String {
    let targets = schema.targets.iter().map(|target| name(&target.place));
    let targets: Vec<String> = targets.collect();
    let weights = schema.sample_weight.as_ref();
    let weights = weights.map_or_else(String::new, |place| {
        format!("; weights from {}", name(place))
    });
    format!("{}{weights}", targets.join(", "))
}

/// The name of a column, or its number.
pub(super) fn name(place: &Place) -> String {
    match &place.name {
        Some(name) => name.clone(),
        None => place.title(),
    }
}

/// What becomes of a column: `number, mean 44.0722, deviation 5.56171; missing as 44.4, and marked`.
pub(super) fn encoding_words(encoding: &Encoding) -> String {
    let (mut words, fill) = match encoding {
        Encoding::Omitted { reason } => return format!("left out: it {}", reason.clause(true)),
        Encoding::Number { scale, fill, .. } => {
            (format!("number, {}", scaling_words(*scale)), rounded(*fill))
        }
        Encoding::Date {
            scale,
            fill,
            format,
            ..
        } => (
            format!("date {format}, days of {}", scaling_words(*scale)),
            rounded(*fill),
        ),
        Encoding::Flag { no, yes, fill, .. } => (format!("flag, {no} 0, {yes} 1"), fill.clone()),
        Encoding::Categories {
            values,
            other,
            fill,
            ..
        } => {
            let listed = values[..values.len().min(MOST_VALUES)].join(", ");
            let more = match values.len().checked_sub(MOST_VALUES) {
                None | Some(0) => String::new(),
                Some(more) => format!(" and {} more", grouped(more)),
            };
            let other = if *other {
                "; one input for all others"
            } else {
                ""
            };
            (format!("categories {listed}{more}{other}"), fill.clone())
        }
    };
    if encoding.marks_missing() {
        words += &format!("; missing as {fill}, and marked");
    }
    words
}

/// How a number becomes an input: `mean 44.0722, deviation 5.56171`, or `logarithm of …, mean 1, deviation 0.5`.
fn scaling_words(scale: NumberScaling) -> String {
    let logarithm = scale.log_unit.map_or_else(String::new, |unit| {
        format!(
            "logarithm of 1 + |x| / {} with the sign of x, ",
            rounded(unit)
        )
    });
    match scale == NumberScaling::IDENTITY {
        true => "as it is".to_owned(),
        false => format!(
            "{logarithm}mean {}, deviation {}",
            rounded(scale.offset),
            rounded(scale.factor.recip())
        ),
    }
}

/// A number to six significant digits.
fn rounded(number: f64) -> String {
    let short: f64 = format!("{number:.5e}").parse().unwrap_or(number);
    short.to_string()
}
