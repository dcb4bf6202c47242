//! Predictions, an item a line: text for people, CSV or JSON lines for machines.

use std::io::{self, Write};

use serde::Serialize;

use crate::nn::loss::arg_max;

/// How predictions are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Aligned columns.
    Text,
    /// Comma-separated values with a header.
    Csv,
    /// A JSON object a line.
    JsonLines,
}

/// How much is told of each item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// The likeliest class and its probability.
    Best,
    /// The likeliest classes, this many, with their probabilities.
    Top(usize),
    /// The likeliest class, and the probability of every class.
    All,
}

/// A line of JSON.
#[derive(Serialize)]
struct Line<'a> {
    item: usize,
    class: usize,
    probability: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    top: Option<Vec<Ranked>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    probabilities: Option<&'a [f32]>,
}

#[derive(Serialize)]
struct Ranked {
    class: usize,
    probability: f32,
}

/// The line above the first item, where the format has one.
///
/// # Errors
/// Those of `out`.
pub fn write_header(
    out: &mut dyn Write,
    format: Format,
    detail: Detail,
    classes: usize,
) -> io::Result<()> {
    if format != Format::Csv {
        return Ok(());
    }
    write!(out, "item,class,probability")?;
    match detail {
        Detail::Best => {}
        Detail::Top(count) => {
            for rank in 2..=count.min(classes) {
                write!(out, ",class_{rank},probability_{rank}")?;
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

/// One item.
///
/// Shapes: `probabilities [classes]`, at least one.
///
/// # Errors
/// Those of `out`.
pub fn write_item(
    out: &mut dyn Write,
    format: Format,
    detail: Detail,
    item: usize,
    probabilities: &[f32],
) -> io::Result<()> {
    let class = arg_max(probabilities);
    let probability = probabilities[class];
    let ranked = match detail {
        Detail::Top(count) => rank(probabilities, count),
        _ => Vec::new(),
    };
    match format {
        Format::Text => {
            write!(out, "{item:>7}  class {class:>3}  {probability:.4}")?;
            for other in ranked.iter().skip(1) {
                write!(out, "   {:>3}  {:.4}", other.class, other.probability)?;
            }
            if detail == Detail::All {
                write!(out, "  ")?;
                for p in probabilities {
                    write!(out, " {p:.4}")?;
                }
            }
        }
        Format::Csv => {
            write!(out, "{item},{class},{probability}")?;
            for other in ranked.iter().skip(1) {
                write!(out, ",{},{}", other.class, other.probability)?;
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
                class,
                probability,
                top: matches!(detail, Detail::Top(_)).then_some(ranked),
                probabilities: (detail == Detail::All).then_some(probabilities),
            };
            serde_json::to_writer(&mut *out, &line)?;
        }
    }
    writeln!(out)
}

/// The `count` likeliest classes, likeliest first, the lower class first among equals.
fn rank(probabilities: &[f32], count: usize) -> Vec<Ranked> {
    let mut classes: Vec<usize> = (0..probabilities.len()).collect();
    classes.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
    let best = classes.into_iter().take(count);
    best.map(|class| Ranked {
        class,
        probability: probabilities[class],
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(format: Format, detail: Detail) -> String {
        let mut out = Vec::new();
        write_header(&mut out, format, detail, 3).expect("memory takes it");
        write_item(&mut out, format, detail, 7, &[0.25, 0.5, 0.25]).expect("memory takes it");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn columns_match_their_header() {
        assert_eq!(
            lines(Format::Csv, Detail::Best),
            "item,class,probability\n7,1,0.5\n"
        );
        assert_eq!(
            lines(Format::Csv, Detail::Top(9)),
            "item,class,probability,class_2,probability_2,class_3,probability_3\n\
             7,1,0.5,0,0.25,2,0.25\n"
        );
        assert_eq!(
            lines(Format::Csv, Detail::All),
            "item,class,probability,p_0,p_1,p_2\n7,1,0.5,0.25,0.5,0.25\n"
        );
    }

    #[test]
    fn json_lines_say_what_was_asked() {
        assert_eq!(
            lines(Format::JsonLines, Detail::Best),
            "{\"item\":7,\"class\":1,\"probability\":0.5}\n"
        );
        assert!(
            lines(Format::JsonLines, Detail::Top(1))
                .contains("\"top\":[{\"class\":1,\"probability\":0.5}]")
        );
        assert!(
            lines(Format::JsonLines, Detail::All).contains("\"probabilities\":[0.25,0.5,0.25]")
        );
    }
}
