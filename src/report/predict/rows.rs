//! Predictions with a row of outputs for each sample: the probabilities of labels, or numbers.

use std::io::{self, Write};

use serde::Serialize;

use super::format::{Format, cell};
use crate::data::ClassNames;
use crate::data::class_names::titled;
use crate::scores::LABEL_THRESHOLD;

/// Writes every probability, and the labels that a sample is predicted to have.
pub(super) fn write_labels(
    out: &mut dyn Write,
    format: Format,
    item: usize,
    probabilities: &[f32],
    names: Option<&ClassNames>,
) -> io::Result<()> {
    #[derive(Serialize)]
    struct Line<'a> {
        item: usize,
        classes: &'a [usize],
        #[serde(skip_serializing_if = "Option::is_none")]
        names: Option<Vec<&'a str>>,
        probabilities: &'a [f32],
    }
    let likely = probabilities.iter().enumerate();
    let likely = likely.filter(|(_, p)| **p >= LABEL_THRESHOLD);
    let classes: Vec<usize> = likely.map(|(class, _)| class).collect();
    let own = names.map(|names| {
        let own = classes.iter().map(|&class| names.names()[class].as_str());
        own.collect::<Vec<&str>>()
    });
    match format {
        Format::Text => {
            write!(out, "{item:>7} ")?;
            write_each(out, probabilities, |p| format!(" {p:.4}"))?;
            let titles: Vec<String> = classes.iter().map(|&class| titled(class, names)).collect();
            match &titles[..] {
                [] => write!(out, "   none")?,
                [one] => write!(out, "   class {one}")?,
                several => write!(out, "   classes {}", several.join(" "))?,
            }
        }
        Format::Csv => {
            let numbers: Vec<String> = classes.iter().map(usize::to_string).collect();
            write!(out, "{item},{}", numbers.join(" "))?;
            if let Some(own) = &own {
                write!(out, ",{}", cell(&own.join("; ")))?;
            }
            write_each(out, probabilities, |p| format!(",{p}"))?;
        }
        Format::JsonLines => {
            let line = Line {
                item,
                classes: &classes,
                names: own,
                probabilities,
            };
            serde_json::to_writer(&mut *out, &line)?;
        }
    }
    writeln!(out)
}

/// Writes the predicted numbers.
pub(super) fn write_values(
    out: &mut dyn Write,
    format: Format,
    item: usize,
    values: &[f32],
) -> io::Result<()> {
    #[derive(Serialize)]
    struct Line<'a> {
        item: usize,
        values: &'a [f32],
    }
    match format {
        Format::Text => {
            write!(out, "{item:>7} ")?;
            write_each(out, values, |value| format!(" {value:>12.6}"))?;
        }
        Format::Csv => {
            write!(out, "{item}")?;
            write_each(out, values, |value| format!(",{value}"))?;
        }
        Format::JsonLines => serde_json::to_writer(&mut *out, &Line { item, values })?,
    }
    writeln!(out)
}

fn write_each(
    out: &mut dyn Write,
    numbers: &[f32],
    text: impl Fn(&f32) -> String,
) -> io::Result<()> {
    numbers
        .iter()
        .try_for_each(|number| out.write_all(text(number).as_bytes()))
}
