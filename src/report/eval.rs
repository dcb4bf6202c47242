//! The report of an evaluation: the score of a network on a labelled set and, by task, the metrics of each class with
//! the confusion matrix, the errors of each output, or the metrics of each label.

use std::io::{self, Write};

use serde::Serialize;

use super::number::{grouped, percent};
use super::warning::Warning;
use crate::data::{ClassNames, Dataset, Note, Targets};
use crate::message::Spelling;
use crate::model::Model;
use crate::nn::Task;
use crate::nn::loss::Loss;
use crate::scores::{
    ClassMetrics, Metric, OutputMetrics, Score, class_metrics, confusion, label_metrics, metrics,
    output_metrics,
};
use crate::train::{Evaluation, Predictions};

/// The name and version of the JSON object's layout.
pub const SCHEMA: &str = "perceptor.eval/1";

/// The most classes for which there is a confusion matrix.
const MAX_CONFUSION_CLASSES: usize = 1000;
/// The most columns of a confusion matrix that fit a terminal.
const MAX_CONFUSION_COLUMNS: usize = 26;

/// Everything there is to say about an evaluation. Fields that are not skipped are those of the JSON object.
#[derive(Debug, Serialize)]
pub struct EvalReport {
    schema: &'static str,
    model: String,
    data: String,
    network: String,
    items: usize,
    /// The loss and the metrics of the task.
    #[serde(flatten)]
    score: Score,
    #[serde(flatten)]
    undefined: Option<Undefined>,
    #[serde(flatten)]
    details: Details,
    /// What was left out or changed in the table that was read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    /// What the result suggests is wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<Warning>,
    #[serde(skip)]
    task: Task,
}

/// A metric of the task that has no value, and why.
#[derive(Debug, Serialize)]
struct Undefined {
    r2: (),
    r2_undefined: &'static str,
}

impl Undefined {
    /// Why R² has no value; `None` if it has one, or the task is another one.
    fn of(score: &Score, samples: usize) -> Option<Undefined> {
        let is_undefined = |metric: &Metric| metric.is_undefined_in(score);
        metrics(Task::Regression)
            .any(is_undefined)
            .then_some(Undefined {
                r2: (),
                r2_undefined: match samples {
                    1 => "one sample has no variance",
                    _ => "all targets are equal",
                },
            })
    }
}

/// What there is in addition to the score, by task.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Details {
    Classification {
        classes: Vec<NamedMetrics>,
        /// `confusion[label][prediction]`; `None` for more than 1000 classes.
        confusion: Option<Vec<Vec<u64>>>,
    },
    Regression {
        outputs: Vec<OutputMetrics>,
    },
    Multilabel {
        /// The mean of F1 over the labels.
        macro_f1: f64,
        classes: Vec<NamedMetrics>,
    },
}

impl Details {
    fn new(names: Option<&ClassNames>, data: &Dataset, predictions: &Predictions) -> Details {
        let named = |classes: Vec<ClassMetrics>| {
            let name = |class: usize| names.map(|names| names.names()[class].clone());
            let named = classes.into_iter().map(|metrics| NamedMetrics {
                name: name(metrics.class),
                metrics,
            });
            named.collect()
        };
        let outputs = data.outputs();
        match (data.targets(), predictions) {
            (Targets::Classes { labels, classes }, Predictions::Classes(predictions)) => {
                Details::Classification {
                    classes: named(class_metrics(labels, predictions, *classes)),
                    confusion: (*classes <= MAX_CONFUSION_CLASSES)
                        .then(|| confusion(labels, predictions, *classes)),
                }
            }
            (Targets::Values { values, .. }, Predictions::Rows(rows)) => Details::Regression {
                outputs: output_metrics(values, rows, outputs),
            },
            (Targets::Flags { flags, .. }, Predictions::Rows(rows)) => {
                let classes = label_metrics(flags, rows, outputs);
                let sum = classes.iter().map(|class| class.f1).sum::<f64>();
                Details::Multilabel {
                    macro_f1: sum / outputs as f64,
                    classes: named(classes),
                }
            }
            (targets, _) => panic!("predictions of another task than {}", targets.task().name()),
        }
    }

    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Details::Classification { classes, confusion } => {
                write_classes(out, classes)?;
                match confusion {
                    Some(rows) if rows.len() <= MAX_CONFUSION_COLUMNS => write_confusion(out, rows),
                    _ => writeln!(
                        out,
                        "\n{} classes: the JSON report has a confusion matrix of up to {MAX_CONFUSION_CLASSES}",
                        classes.len()
                    ),
                }
            }
            Details::Regression { outputs } => write_outputs(out, outputs),
            Details::Multilabel { macro_f1, classes } => {
                writeln!(
                    out,
                    "macro F1  {}, the mean over the labels",
                    percent(*macro_f1)
                )?;
                write_classes(out, classes)
            }
        }
    }
}

/// The metrics of one class, with its name if it has one.
#[derive(Debug, Serialize)]
struct NamedMetrics {
    #[serde(flatten)]
    metrics: ClassMetrics,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

impl EvalReport {
    /// The report of an evaluation on `data` of `model`, which is in the file `name`.
    ///
    /// # Panics
    /// Panics if `evaluation` is not one on `data`.
    pub fn new(name: String, model: &Model, data: &Dataset, evaluation: &Evaluation) -> EvalReport {
        let names = model.class_names.as_ref();
        let warning = guessing(data.targets(), &evaluation.score, &model.loss());
        EvalReport {
            schema: SCHEMA,
            model: name,
            network: model.spec.to_string(),
            data: data.rows().name().to_owned(),
            items: data.samples(),
            score: evaluation.score,
            undefined: Undefined::of(&evaluation.score, data.samples()),
            details: Details::new(names, data, &evaluation.predictions),
            notes: Vec::new(),
            warnings: warning.into_iter().collect(),
            task: data.task(),
        }
    }

    /// Calls the data `name` instead of their path.
    #[must_use]
    pub fn with_data_name(self, name: &str) -> EvalReport {
        EvalReport {
            data: name.to_owned(),
            ..self
        }
    }

    /// Adds notes about the table that was read, with settings spelled by `spelling`.
    #[must_use]
    pub fn with_notes(self, notes: &[Note], spelling: &dyn Spelling) -> EvalReport {
        EvalReport {
            notes: super::note_texts(notes, spelling),
            ..self
        }
    }

    /// Writes one JSON object.
    ///
    /// # Errors
    /// Returns the errors of `out`.
    pub fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        super::write_json(out, self)
    }

    /// Writes the report as text.
    ///
    /// # Errors
    /// Returns the errors of `out`.
    pub fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "model     {} ({})", self.model, self.network)?;
        writeln!(
            out,
            "data      {}, {} samples",
            self.data,
            grouped(self.items)
        )?;
        writeln!(out, "loss      {:.4}", self.score.loss)?;
        for metric in metrics(self.task) {
            if let Some(value) = metric.of(&self.score) {
                let (text, remark) = (metric.text(value), metric.remark(self.task));
                writeln!(out, "{:<8}  {text}{remark}", metric.title)?;
            }
        }
        if let Some(Undefined { r2_undefined, .. }) = self.undefined {
            writeln!(out, "R²        –, as {r2_undefined}")?;
        }
        self.details.write_text(out)?;
        let mut warnings = self.warnings.iter();
        warnings.try_for_each(|warning| {
            writeln!(out)?;
            warning.write_text(out)
        })
    }
}

/// A warning if the network is no better than guessing: than always predicting the most frequent class, each label with
/// probability ½, or the mean.
fn guessing(targets: &Targets, score: &Score, loss: &Loss) -> Option<Warning> {
    let samples = targets.samples() as f64;
    let what = match targets {
        Targets::Classes { labels, classes } => {
            let mut counts = vec![0u32; *classes];
            labels.iter().for_each(|&label| counts[label as usize] += 1);
            let most = f64::from(counts.into_iter().max().unwrap_or(0));
            let (share, accuracy) = (most / samples, score.accuracy?);
            // Nothing is better than a constant on samples of one class.
            (share < 1.0 && accuracy <= share).then(|| {
                let [accuracy, share] = [accuracy, share].map(percent);
                format!("the accuracy of {accuracy} is no better than {share}, the share of the most frequent class")
            })
        }
        Targets::Flags { .. } => {
            let (loss, guessing) = (score.loss, 2.0f64.ln());
            (loss >= guessing).then(|| {
                format!("the loss of {loss:.4} is no better than {guessing:.4}, that of guessing")
            })
        }
        // A quantile other than the median is not near the mean.
        Targets::Values { .. } if matches!(loss, Loss::Quantile { share } if *share != 0.5) => None,
        // Without a spread there is nothing to explain.
        Targets::Values { values, outputs } if !differ(values, *outputs) => None,
        Targets::Values { .. } => score.r2.filter(|r2| *r2 <= 0.0).map(|r2| {
            format!("the R² of {r2:.4} is no better than 0, that of always predicting the mean")
        }),
    }?;
    let cure =
        "are the samples prepared as the training set was, and are the labels numbered as there?";
    Some(Warning {
        what,
        cure: cure.to_owned(),
    })
}

/// Whether each number to predict has several values.
fn differ(values: &[f32], outputs: usize) -> bool {
    (0..outputs).all(|output| {
        let mut of_output = values.iter().skip(output).step_by(outputs);
        let first = of_output.next();
        of_output.any(|value| Some(value) != first)
    })
}

fn write_outputs(out: &mut dyn Write, outputs: &[OutputMetrics]) -> io::Result<()> {
    writeln!(
        out,
        "\noutput          mean     deviation           MAE          RMSE        R²"
    )?;
    outputs.iter().try_for_each(|output| {
        let r2 = output
            .r2
            .map_or_else(|| "–".to_owned(), |r2| format!("{r2:.4}"));
        writeln!(
            out,
            "{:>6}  {:>12.4}  {:>12.4}  {:>12.4}  {:>12.4}  {r2:>8}",
            output.output, output.mean, output.deviation, output.mae, output.rmse
        )
    })
}

fn write_classes(out: &mut dyn Write, classes: &[NamedMetrics]) -> io::Result<()> {
    writeln!(
        out,
        "\nclass    items  predicted  precision    recall        F1"
    )?;
    for NamedMetrics {
        name,
        metrics: class,
    } in classes
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
    Ok(())
}

fn write_confusion(out: &mut dyn Write, rows: &[Vec<u64>]) -> io::Result<()> {
    let widest = rows.iter().flatten().max().copied().unwrap_or(0);
    let width = widest.to_string().len().max(3) + 1;
    writeln!(
        out,
        "\nconfusion: rows are true classes, columns predicted ones"
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
