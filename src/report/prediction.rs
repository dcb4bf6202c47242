//! Predictions, an item a line: text for people, CSV or JSON lines for machines.

use std::io::{self, Write};

use serde::Serialize;

use crate::data::Task;
use crate::nn::loss::arg_max;
use crate::train::metrics::THRESHOLD;

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

/// How much is told of each item that has one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// The likeliest class and its probability.
    Best,
    /// The likeliest classes, this many, with their probabilities.
    Top(usize),
    /// The likeliest class, and the probability of every class.
    All,
}

/// What is told of each item, and how.
#[derive(Debug, Clone, Copy)]
pub struct Told {
    /// What the network's outputs mean.
    pub task: Task,
    /// Outputs of the network.
    pub outputs: usize,
    /// How they are written.
    pub format: Format,
    /// How much of them.
    pub detail: Detail,
}

impl Told {
    /// The line above the first item, where the format has one.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_header(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.format != Format::Csv {
            return Ok(());
        }
        let numbered = |name: &str| {
            let columns = (0..self.outputs).map(|output| format!(",{name}_{output}"));
            columns.collect::<String>()
        };
        match (self.task, self.outputs) {
            (Task::Classification, classes) => write_class_header(out, self.detail, classes),
            (Task::Multilabel, _) => writeln!(out, "item,classes{}", numbered("p")),
            (Task::Regression, 1) => writeln!(out, "item,value"),
            (Task::Regression, _) => writeln!(out, "item{}", numbered("value")),
        }
    }

    /// One item.
    ///
    /// Shapes: `row [outputs]`, what [`crate::train::Evaluator::predict`] gives.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_item(&self, out: &mut dyn Write, item: usize, row: &[f32]) -> io::Result<()> {
        match self.task {
            Task::Classification => write_class(out, self.format, self.detail, item, row),
            Task::Multilabel => write_labels(out, self.format, item, row),
            Task::Regression => write_values(out, self.format, item, row),
        }
    }
}

/// Every probability, and the classes that an item is predicted to have.
fn write_labels(
    out: &mut dyn Write,
    format: Format,
    item: usize,
    probabilities: &[f32],
) -> io::Result<()> {
    #[derive(Serialize)]
    struct Line<'a> {
        item: usize,
        classes: &'a [usize],
        probabilities: &'a [f32],
    }
    let likely = probabilities
        .iter()
        .enumerate()
        .filter(|(_, p)| **p >= THRESHOLD);
    let classes: Vec<usize> = likely.map(|(class, _)| class).collect();
    let names = classes.iter().map(usize::to_string).collect::<Vec<_>>();
    match format {
        Format::Text => {
            write!(out, "{item:>7} ")?;
            write_each(out, probabilities, |p| format!(" {p:.4}"))?;
            match classes.len() {
                0 => write!(out, "   none")?,
                1 => write!(out, "   class {}", names[0])?,
                _ => write!(out, "   classes {}", names.join(" "))?,
            }
        }
        Format::Csv => {
            write!(out, "{item},{}", names.join(" "))?;
            write_each(out, probabilities, |p| format!(",{p}"))?;
        }
        Format::JsonLines => {
            let line = Line {
                item,
                classes: &classes,
                probabilities,
            };
            serde_json::to_writer(&mut *out, &line)?;
        }
    }
    writeln!(out)
}

/// The numbers.
fn write_values(
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

/// A line of JSON of an item that has one class.
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

fn write_class_header(out: &mut dyn Write, detail: Detail, classes: usize) -> io::Result<()> {
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

fn write_class(
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

    fn lines_of(task: Task, format: Format, detail: Detail, row: &[f32]) -> String {
        let mut out = Vec::new();
        let told = Told {
            task,
            outputs: row.len(),
            format,
            detail,
        };
        told.write_header(&mut out).expect("memory takes it");
        told.write_item(&mut out, 7, row).expect("memory takes it");
        String::from_utf8(out).expect("text")
    }

    fn lines(format: Format, detail: Detail) -> String {
        lines_of(Task::Classification, format, detail, &[0.25, 0.5, 0.25])
    }

    #[test]
    fn several_labels_and_numbers_are_told_in_every_format() {
        let of = |task, format, row| lines_of(task, format, Detail::Best, row);
        let labels = |format| of(Task::Multilabel, format, &[0.5, 0.125, 0.75]);
        assert_eq!(
            labels(Format::Text),
            "      7  0.5000 0.1250 0.7500   classes 0 2\n"
        );
        assert_eq!(
            labels(Format::Csv),
            "item,classes,p_0,p_1,p_2\n7,0 2,0.5,0.125,0.75\n"
        );
        assert_eq!(
            labels(Format::JsonLines),
            "{\"item\":7,\"classes\":[0,2],\"probabilities\":[0.5,0.125,0.75]}\n"
        );
        let none = of(Task::Multilabel, Format::Csv, &[0.25]);
        assert_eq!(none, "item,classes,p_0\n7,,0.25\n");
        let one = |format| of(Task::Regression, format, &[-1.5]);
        assert_eq!(one(Format::Text), "      7     -1.500000\n");
        assert_eq!(one(Format::Csv), "item,value\n7,-1.5\n");
        let two = |format| of(Task::Regression, format, &[-1.5, 1e9]);
        assert_eq!(
            two(Format::Csv),
            "item,value_0,value_1\n7,-1.5,1000000000\n"
        );
        assert_eq!(
            two(Format::JsonLines),
            "{\"item\":7,\"values\":[-1.5,1000000000.0]}\n"
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
