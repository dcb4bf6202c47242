//! A network on a labelled set: loss, accuracy, each class, and what is taken for what.

use std::io::{self, Write};

use serde::Serialize;

use super::number::{grouped, percent};
use crate::data::{ClassNames, Dataset};
use crate::train::metrics::{class_metrics, confusion};
use crate::train::{ClassMetrics, Evaluation};

/// The name and version of the JSON object's layout.
pub const SCHEMA: &str = "perceptor.eval/1";

/// A table of more classes than this, squared, is of no use to anyone.
const MAX_CONFUSION_CLASSES: usize = 1000;
/// A table of more columns than this does not fit a terminal.
const MAX_CONFUSION_COLUMNS: usize = 26;

/// An evaluation as one JSON object.
#[derive(Debug, Serialize)]
pub struct EvalReport {
    schema: &'static str,
    model: String,
    data: String,
    network: String,
    items: usize,
    loss: f64,
    accuracy: f64,
    classes: Vec<NamedMetrics>,
    /// `confusion[label][prediction]`; none for more than 1000 classes.
    confusion: Option<Vec<Vec<u64>>>,
}

/// How one class fares, with its name where it has one.
#[derive(Debug, Serialize)]
struct NamedMetrics {
    #[serde(flatten)]
    metrics: ClassMetrics,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

impl EvalReport {
    /// Works out the figures of every class, which may have `names`.
    ///
    /// # Panics
    /// When `evaluation` is not of `data`.
    pub fn new(
        model: String,
        network: String,
        names: Option<&ClassNames>,
        data: &Dataset,
        evaluation: &Evaluation,
    ) -> EvalReport {
        let (labels, predictions) = (data.labels(), &evaluation.predictions);
        let classes = data.classes();
        EvalReport {
            schema: SCHEMA,
            model,
            network,
            data: data.images().path().display().to_string(),
            items: data.items(),
            loss: evaluation.loss,
            accuracy: evaluation.accuracy,
            classes: class_metrics(labels, predictions, classes)
                .into_iter()
                .map(|metrics| NamedMetrics {
                    name: names.map(|names| names.names()[metrics.class].clone()),
                    metrics,
                })
                .collect(),
            confusion: (classes <= MAX_CONFUSION_CLASSES)
                .then(|| confusion(labels, predictions, classes)),
        }
    }

    /// The report as text.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "model     {} ({})", self.model, self.network)?;
        writeln!(
            out,
            "data      {}, {} items",
            self.data,
            grouped(self.items)
        )?;
        writeln!(out, "loss      {:.4}", self.loss)?;
        writeln!(out, "accuracy  {}", percent(self.accuracy))?;
        writeln!(
            out,
            "\nclass    items  predicted  precision    recall        F1"
        )?;
        for NamedMetrics {
            name,
            metrics: class,
        } in &self.classes
        {
            write!(
                out,
                "{:>5} {:>8} {:>10}  {:>9} {:>9} {:>9}",
                class.class,
                grouped(class.items as usize),
                grouped(class.predicted as usize),
                percent(class.precision),
                percent(class.recall),
                percent(class.f1),
            )?;
            match name {
                Some(name) => writeln!(out, "  {name}")?,
                None => writeln!(out)?,
            }
        }
        match &self.confusion {
            Some(rows) if rows.len() <= MAX_CONFUSION_COLUMNS => write_confusion(out, rows),
            _ => writeln!(
                out,
                "\n{} classes: the confusion matrix is in --format json, up to {MAX_CONFUSION_CLASSES}",
                self.classes.len()
            ),
        }
    }
}

fn write_confusion(out: &mut dyn Write, rows: &[Vec<u64>]) -> io::Result<()> {
    let widest = rows.iter().flatten().max().copied().unwrap_or(0);
    let width = widest.to_string().len().max(3) + 1;
    writeln!(
        out,
        "\nconfusion: a row is the true class, a column the predicted one"
    )?;
    write!(out, "{:>5}", "")?;
    for class in 0..rows.len() {
        write!(out, " {class:>width$}")?;
    }
    writeln!(out)?;
    for (label, row) in rows.iter().enumerate() {
        write!(out, "{label:>5}")?;
        for &count in row {
            if count == 0 {
                write!(out, " {:>width$}", "·")?;
            } else {
                write!(out, " {count:>width$}")?;
            }
        }
        writeln!(out)?;
    }
    Ok(())
}
