//! Predictions of one class for each sample.

use std::io::{self, Write};

use serde::Serialize;

use super::format::{Detail, Format, cell};
use crate::data::ClassNames;
use crate::nn::loss::arg_max;

/// A line of JSON.
#[derive(Serialize)]
struct Line<'a> {
    item: usize,
    #[serde(flatten)]
    best: Ranked<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top: Option<Vec<Ranked<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    probabilities: Option<&'a [f32]>,
}

#[derive(Serialize)]
struct Ranked<'a> {
    class: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    probability: f32,
}

impl<'a> Ranked<'a> {
    fn new(class: usize, probabilities: &[f32], names: Option<&'a ClassNames>) -> Ranked<'a> {
        Ranked {
            class,
            name: names.map(|names| names.names()[class].as_str()),
            probability: probabilities[class],
        }
    }

    /// The class for people, padded to the longest name: `7 (sneaker)`.
    fn text(&self, names: Option<&ClassNames>) -> String {
        match names {
            Some(names) => format!("{:>3} {}", self.class, names.cell(self.class)),
            None => format!("{:>3}", self.class),
        }
    }

    /// The cells of CSV.
    fn cells(&self) -> String {
        match self.name {
            Some(name) => format!("{},{},{}", self.class, cell(name), self.probability),
            None => format!("{},{}", self.class, self.probability),
        }
    }
}

/// Writes the header of CSV.
pub(super) fn write_header(
    out: &mut dyn Write,
    detail: Detail,
    classes: usize,
    names: Option<&ClassNames>,
) -> io::Result<()> {
    let name = |rank: &str| match names {
        Some(_) => format!(",name{rank}"),
        None => String::new(),
    };
    write!(out, "item,class{},probability", name(""))?;
    match detail {
        Detail::Best => {}
        Detail::Top(count) => {
            for rank in 2..=count.min(classes) {
                let name = name(&format!("_{rank}"));
                write!(out, ",class_{rank}{name},probability_{rank}")?;
            }
        }
        Detail::All => {
            for class in 0..classes {
                write!(out, ",p_{class}")?;
            }
        }
    }
    writeln!(out)
}

/// Writes the prediction for one sample.
pub(super) fn write(
    out: &mut dyn Write,
    format: Format,
    detail: Detail,
    item: usize,
    probabilities: &[f32],
    names: Option<&ClassNames>,
) -> io::Result<()> {
    let best = Ranked::new(arg_max(probabilities), probabilities, names);
    let ranked = match detail {
        Detail::Top(count) => rank(probabilities, count, names),
        _ => Vec::new(),
    };
    match format {
        Format::Text => {
            let text = best.text(names);
            write!(out, "{item:>7}  class {text}  {:.4}", best.probability)?;
            for other in ranked.iter().skip(1) {
                write!(out, "   {}  {:.4}", other.text(names), other.probability)?;
            }
            if detail == Detail::All {
                write!(out, "  ")?;
                for p in probabilities {
                    write!(out, " {p:.4}")?;
                }
            }
        }
        Format::Csv => {
            write!(out, "{item},{}", best.cells())?;
            for other in ranked.iter().skip(1) {
                write!(out, ",{}", other.cells())?;
            }
            if detail == Detail::All {
                for p in probabilities {
                    write!(out, ",{p}")?;
                }
            }
        }
        Format::JsonLines => {
            let line = Line {
                item,
                best,
                top: matches!(detail, Detail::Top(_)).then_some(ranked),
                probabilities: (detail == Detail::All).then_some(probabilities),
            };
            serde_json::to_writer(&mut *out, &line)?;
        }
    }
    writeln!(out)
}

/// The `count` likeliest classes, the likeliest first; of equals, the lower class first.
fn rank<'a>(probabilities: &[f32], count: usize, names: Option<&'a ClassNames>) -> Vec<Ranked<'a>> {
    let mut classes: Vec<usize> = (0..probabilities.len()).collect();
    classes.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
    let best = classes.into_iter().take(count);
    best.map(|class| Ranked::new(class, probabilities, names))
        .collect()
}
