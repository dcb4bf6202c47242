//! Notes: what was guessed, left out or changed while a table was read.

use super::cell::{short, shown};
use super::facts::{Kind, NumberFacts};
use super::infer::is_narrowed;
use super::schema::{Column, Encoding, NumberScaling, Place, Reason, Schema, Target, TargetKind};
use super::survey::Survey;
use crate::message::{Key, Message, message};

/// Lists columns for a note, abbreviated to fit in a line.
pub(super) fn list(columns: &[&Place]) -> String {
    const SHOWN: usize = 5;
    let names = columns.iter().take(SHOWN).map(|place| match &place.name {
        Some(name) => short(name),
        None => (place.position + 1).to_string(),
    });
    let names: Vec<String> = names.collect();
    let more = match columns.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let noun = if columns.len() == 1 {
        "column"
    } else {
        "columns"
    };
    format!("{noun} {}{more}", names.join(", "))
}

pub(super) fn left_out(reason: Reason, columns: &[&Place]) -> Message {
    let is_one = columns.len() == 1;
    let text = format!(
        "left out {}, which {}",
        list(columns),
        reason.clause(is_one)
    );
    match reason {
        Reason::Dates => message![
            text,
            "; to take ",
            if is_one { "it" } else { "them" },
            " as numbers, use ",
            Key("dates").set_to(true)
        ],
        _ => text.into(),
    }
}

/// Returns the note about rows without a target.
pub(super) fn dropped_rows(dropped: u64, schema: &Schema) -> Message {
    let targets: Vec<&Place> = schema.targets.iter().map(|target| &target.place).collect();
    let rows = if dropped == 1 { "row" } else { "rows" };
    format!(
        "left out {dropped} {rows} without a value in the target, {}",
        list(&targets)
    )
    .into()
}

/// Returns the note about missing cells that are filled, if there are any.
pub(super) fn filled_cells<'a>(
    columns: impl Iterator<Item = (&'a Column, u64)>,
) -> Option<Message> {
    let filled: Vec<(&Column, u64)> = columns.filter(|(_, count)| *count > 0).collect();
    let cells: u64 = filled.iter().map(|(_, count)| count).sum();
    let columns: Vec<&Place> = filled.iter().map(|(column, _)| &column.place).collect();
    let noun = if cells == 1 { "cell" } else { "cells" };
    (cells > 0).then(|| format!("filled {cells} missing {noun} in {}", list(&columns)).into())
}

/// Returns notes about words in the place of numbers, and about numbers that become the same input.
pub(super) fn about_numbers(column: &Column, numbers: &NumberFacts) -> Vec<Message> {
    let mut texts: Vec<Message> = Vec::new();
    let title = column.place.title();
    if numbers.words > 0 {
        let example = numbers
            .examples
            .first()
            .map_or(String::new(), |word| shown(word));
        let cells = if numbers.words == 1 {
            "cell is"
        } else {
            "cells are"
        };
        texts.push(
            format!(
                "{title} has numbers; {} other {cells} taken as missing, such as {example}",
                numbers.words
            )
            .into(),
        );
    }
    if let Encoding::Number { scale, .. } = column.encoding
        && is_narrowed(numbers, scale)
    {
        let hint = match scale == NumberScaling::IDENTITY {
            true => message![
                "; ",
                Key("scale").set_to("standard"),
                " subtracts their mean first"
            ],
            false => Message::default(),
        };
        let found = format!(
            "{title} has whole numbers from {} to {}, of which neighbours become the same input",
            numbers.min, numbers.max
        );
        texts.push(message![found, hint]);
    }
    texts
}

/// Returns the note about the columns whose logarithms are taken, as they have a long tail.
pub(super) fn logarithms(columns: &[Column]) -> Message {
    let is_log = |column: &&Column| matches!(&column.encoding, Encoding::Number { scale, .. } if scale.log_unit.is_some());
    let places: Vec<&Place> = columns
        .iter()
        .filter(is_log)
        .map(|column| &column.place)
        .collect();
    match places.is_empty() {
        true => message![
            "no column has a long tail, so ",
            Key("scale").set_to("log"),
            " does what ",
            Key("scale").set_to("standard"),
            " does"
        ],
        false => format!(
            "took the logarithm of {}, as the tail is long",
            list(&places)
        )
        .into(),
    }
}

/// Returns a note about a target that is the same in each row, or has whole numbers that it cannot hold.
pub(super) fn about_target(target: &Target, survey: &Survey) -> Option<Message> {
    let Kind::Numbers(numbers) = &survey.facts[target.place.position].kind else {
        return None;
    };
    let is_value = matches!(target.kind, TargetKind::Values);
    if is_value && numbers.min == numbers.max {
        let title = target.place.title();
        let found = format!(
            "{title} is {} in each row, so there is nothing to learn",
            numbers.min
        );
        return Some(found.into());
    }
    (is_value && is_narrowed(numbers, NumberScaling::IDENTITY)).then(|| {
        let title = target.place.title();
        format!(
            "{title} has whole numbers up to {}, which are rounded to 24 bits",
            numbers.max.abs().max(numbers.min.abs())
        )
        .into()
    })
}
