//! Predictions, an item a line: text for people, CSV or JSON lines for machines. Where classes have names, they stand
//! behind the numbers, in a column or field of their own for machines.

use std::borrow::Cow;
use std::io::{self, Write};

use serde::Serialize;

use crate::data::ClassNames;
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

    /// `7 (sneaker)`, as wide as the longest name asks for.
    fn text(&self, names: Option<&ClassNames>) -> String {
        match names {
            Some(names) => format!("{:>3} {}", self.class, names.cell(self.class)),
            None => format!("{:>3}", self.class),
        }
    }

    /// The cells of a row.
    fn cells(&self) -> String {
        match self.name {
            Some(name) => format!("{},{},{}", self.class, cell(name), self.probability),
            None => format!("{},{}", self.class, self.probability),
        }
    }
}

/// `text` as a cell of CSV (RFC 4180).
fn cell(text: &str) -> Cow<'_, str> {
    match text.contains([',', '"']) {
        true => Cow::Owned(format!("\"{}\"", text.replace('"', "\"\""))),
        false => Cow::Borrowed(text),
    }
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
    names: Option<&ClassNames>,
) -> io::Result<()> {
    if format != Format::Csv {
        return Ok(());
    }
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

/// One item.
///
/// Shapes: `probabilities [classes]`, at least one, and as many names where there are names.
///
/// # Errors
/// Those of `out`.
pub fn write_item(
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

/// The `count` likeliest classes, likeliest first, the lower class first among equals.
fn rank<'a>(probabilities: &[f32], count: usize, names: Option<&'a ClassNames>) -> Vec<Ranked<'a>> {
    let mut classes: Vec<usize> = (0..probabilities.len()).collect();
    classes.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
    let best = classes.into_iter().take(count);
    best.map(|class| Ranked::new(class, probabilities, names))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(format: Format, detail: Detail) -> String {
        lines_with(None, format, detail)
    }

    fn lines_with(names: Option<&ClassNames>, format: Format, detail: Detail) -> String {
        let mut out = Vec::new();
        write_header(&mut out, format, detail, 3, names).expect("memory takes it");
        let row = [0.25, 0.5, 0.25];
        write_item(&mut out, format, detail, 7, &row, names).expect("memory takes it");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn names_stand_behind_their_classes() {
        let names = ["cat", "dog, or \"hound\"", "猫"].map(str::to_owned);
        let names = ClassNames::new("names", names.into()).expect("names");
        let lines = |format, detail| lines_with(Some(&names), format, detail);
        assert_eq!(
            lines(Format::Text, Detail::Top(2)),
            "      7  class   1 (dog, or \"hound\")  0.5000     0 (cat)              0.2500\n"
        );
        assert_eq!(
            lines(Format::Csv, Detail::Top(2)),
            "item,class,name,probability,class_2,name_2,probability_2\n\
             7,1,\"dog, or \"\"hound\"\"\",0.5,0,cat,0.25\n"
        );
        assert_eq!(
            lines(Format::JsonLines, Detail::Best),
            "{\"item\":7,\"class\":1,\"name\":\"dog, or \\\"hound\\\"\",\"probability\":0.5}\n"
        );
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
