//! The report of predictions, one line for each sample: text for people, CSV or JSON lines for programs. If classes
//! have names, these follow the numbers; programs get them in a column or field of their own.

mod class;
mod format;
mod rows;
mod table;

use std::io::{self, Write};

pub use self::format::{Detail, Format};
pub use self::table::PredictedColumns;
use crate::data::ClassNames;
use crate::nn::Task;

/// What to write about each sample, and how.
#[derive(Debug, Clone, Copy)]
pub struct PredictReport<'a> {
    /// The task of the network.
    pub task: Task,
    /// The names of the classes, if they have any.
    pub names: Option<&'a ClassNames>,
    /// The number of outputs of the network.
    pub outputs: usize,
    /// The format.
    pub format: Format,
    /// How much to write about each sample.
    pub detail: Detail,
}

impl PredictReport<'_> {
    /// Writes the header, if the format has one.
    ///
    /// # Errors
    /// Returns the errors of `out`.
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
                class::write_header(out, self.detail, classes, self.names)
            }
            (Task::Multilabel, _) => {
                let names = self.names.map_or("", |_| ",names");
                writeln!(out, "item,classes{names}{}", numbered("p"))
            }
            (Task::Regression, 1) => writeln!(out, "item,value"),
            (Task::Regression, _) => writeln!(out, "item{}", numbered("value")),
        }
    }

    /// Writes the prediction for one sample, whose number is `item`.
    ///
    /// Shapes: `row [outputs]`, as [`crate::train::Evaluator::predict`] returns it.
    ///
    /// # Errors
    /// Returns the errors of `out`.
    pub fn write_sample(&self, out: &mut dyn Write, item: usize, row: &[f32]) -> io::Result<()> {
        match self.task {
            Task::Classification => {
                class::write(out, self.format, self.detail, item, row, self.names)
            }
            Task::Multilabel => rows::write_labels(out, self.format, item, row, self.names),
            Task::Regression => rows::write_values(out, self.format, item, row),
        }
    }
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
        let report = PredictReport {
            task,
            names,
            outputs: row.len(),
            format,
            detail,
        };
        report.write_header(&mut out).expect("memory takes it");
        report
            .write_sample(&mut out, 7, row)
            .expect("memory takes it");
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
    fn labels_and_numbers_are_written_in_every_format() {
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
    fn names_follow_their_classes() {
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
    fn json_lines_have_what_was_asked_for() {
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
