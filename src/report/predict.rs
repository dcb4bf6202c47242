//! Predictions, an item a line: text for people, CSV or JSON lines for machines. Where classes have names, they stand
//! behind the numbers, in a column or field of their own for machines.

use std::borrow::Cow;
use std::io::{self, Write};

use serde::Serialize;

use crate::data::ClassNames;
use crate::data::class_names::titled;
use crate::nn::Task;
use crate::nn::loss::arg_max;
use crate::scores::LABEL_THRESHOLD;

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
pub struct Told<'a> {
    /// What the network's outputs mean.
    pub task: Task,
    /// What the classes are called; none where nobody said.
    pub names: Option<&'a ClassNames>,
    /// Outputs of the network.
    pub outputs: usize,
    /// How they are written.
    pub format: Format,
    /// How much of them.
    pub detail: Detail,
}

impl Told<'_> {
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
            (Task::Classification, classes) => {
                write_class_header(out, self.detail, classes, self.names)
            }
            (Task::Multilabel, _) => {
                let names = self.names.map_or("", |_| ",names");
                writeln!(out, "item,classes{names}{}", numbered("p"))
            }
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
            Task::Classification => {
                write_class(out, self.format, self.detail, item, row, self.names)
            }
            Task::Multilabel => write_labels(out, self.format, item, row, self.names),
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

fn write_class_header(
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

fn write_class(
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

    fn lines_of(
        task: Task,
        names: Option<&ClassNames>,
        format: Format,
        detail: Detail,
        row: &[f32],
    ) -> String {
        let mut out = Vec::new();
        let told = Told {
            task,
            names,
            outputs: row.len(),
            format,
            detail,
        };
        told.write_header(&mut out).expect("memory takes it");
        told.write_item(&mut out, 7, row).expect("memory takes it");
        String::from_utf8(out).expect("text")
    }

    fn lines_with(names: Option<&ClassNames>, format: Format, detail: Detail) -> String {
        lines_of(
            Task::Classification,
            names,
            format,
            detail,
            &[0.25, 0.5, 0.25],
        )
    }

    fn lines(format: Format, detail: Detail) -> String {
        lines_with(None, format, detail)
    }

    #[test]
    fn several_labels_and_numbers_are_told_in_every_format() {
        let of = |task, format, row| lines_of(task, None, format, Detail::Best, row);
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
        let names = ClassNames::new("names", vec!["cat".to_owned(), "dog".to_owned()]);
        let names = names.expect("names");
        let named = |format| {
            let (task, row) = (Task::Multilabel, &[0.5, 0.75]);
            lines_of(task, Some(&names), format, Detail::Best, row)
        };
        assert_eq!(
            named(Format::Text),
            "      7  0.5000 0.7500   classes 0 (cat) 1 (dog)\n"
        );
        assert_eq!(
            named(Format::Csv),
            "item,classes,names,p_0,p_1\n7,0 1,cat; dog,0.5,0.75\n"
        );
        assert!(named(Format::JsonLines).contains("\"names\":[\"cat\",\"dog\"]"));
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
