//! The report of a model file: the network, what goes in and comes out, and how it was trained.

use std::io::{self, Write};

use serde::Serialize;

use super::number::{bytes, counted, counted_as, grouped};
use super::schema::{encoding_words, name, schema_words, target_titles};
use super::train::banner::{network_words, optimizer_words, regularization_words, task_words};
use crate::config::TaskConfig;
use crate::data::{ClassNames, GlobalScaling, Scaling, TargetScale, TargetScaling};
use crate::model::{Model, Provenance};
use crate::nn::Task;
use crate::scores::{Score, metrics};
use crate::table::Schema;

/// The name and version of the JSON object's layout.
pub const SCHEMA: &str = "perceptor.model/1";

/// The widest name of a column that others are aligned with, in characters.
const WIDEST_TITLE: usize = 24;

/// The most class names on a line of text.
const MOST_NAMES: usize = 12;

/// Everything a model file says about its network. Fields that are not skipped are those of the JSON object.
#[derive(Debug, Serialize)]
pub struct ModelReport<'a> {
    schema: &'static str,
    model: String,
    bytes: u64,
    network: String,
    parameters: usize,
    task: Task,
    activation: &'static str,
    batch_norm: bool,
    scaling: &'a Scaling,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_scaling: Option<&'a TargetScaling>,
    #[serde(skip_serializing_if = "Option::is_none")]
    class_names: Option<&'a ClassNames>,
    /// How the rows of a table become inputs, and what is predicted.
    #[serde(skip_serializing_if = "Option::is_none")]
    table: Option<&'a Schema>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provenance: Option<&'a Provenance>,
    #[serde(skip)]
    of: &'a Model,
}

impl<'a> ModelReport<'a> {
    /// The report of the model in the file called `name`, which has this `length` in bytes.
    pub fn new(name: String, length: u64, model: &'a Model) -> ModelReport<'a> {
        let spec = &model.spec;
        ModelReport {
            schema: SCHEMA,
            model: name,
            bytes: length,
            network: spec.to_string(),
            parameters: spec.trainable(),
            task: spec.task(),
            activation: spec.activation().name(),
            batch_norm: spec.batch_norm(),
            scaling: &model.scaling,
            target_scaling: model.target_scaling.as_ref(),
            class_names: model.class_names.as_ref(),
            table: model.schema.as_ref(),
            provenance: model.provenance.as_ref(),
            of: model,
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
        let length = bytes(usize::try_from(self.bytes).unwrap_or(usize::MAX));
        writeln!(out, "model     {}, {length}", self.model)?;
        writeln!(out, "network   {}", network_words(&self.of.spec))?;
        match self.table {
            Some(schema) => write_columns(out, schema)?,
            None => {
                writeln!(out, "inputs    {}", self.input_words())?;
                let seen = self.provenance.and_then(|it| it.elements.as_ref());
                if let Some(seen) = seen {
                    writeln!(out, "          trained on elements from {seen}")?;
                }
            }
        }
        writeln!(out, "outputs   {}", self.output_words())?;
        match self.provenance {
            Some(provenance) => self.write_training(out, provenance),
            None => writeln!(out, "training  unknown (trained by another program)"),
        }
    }

    /// How elements become inputs: `(element − 33.3) · 0.0127`.
    fn input_words(&self) -> String {
        match (self.scaling, self.scaling.left_out()) {
            (Scaling::Global(GlobalScaling { offset, factor }), _) => {
                format!("(element − {offset}) · {factor}")
            }
            (Scaling::PerFeature(_), 0) => "each feature by its own offset and factor".to_owned(),
            (Scaling::PerFeature(_), left_out) => format!(
                "each feature by its own offset and factor, {} left out",
                grouped(left_out)
            ),
        }
    }

    /// Writes the settings and figures of the training.
    fn write_training(&self, out: &mut dyn Write, provenance: &Provenance) -> io::Result<()> {
        let config = &provenance.config;
        let samples = counted(provenance.train_items, "sample");
        writeln!(
            out,
            "training  {} of {samples}, batch size {}, seed {}",
            counted(config.epochs, "epoch"),
            config.batch_for(provenance.train_items),
            config.seed
        )?;
        if let Some(hash) = &provenance.init_from {
            writeln!(
                out,
                "          from the weights of a model with hash {hash}"
            )?;
        }
        // Models of earlier versions have no such setting, and learned their targets as they are.
        let target_scale = match self.target_scaling {
            Some(_) => TargetScale::Standard,
            None => TargetScale::None,
        };
        let task = TaskConfig {
            target_scale: Some(target_scale),
            ..config.task.clone()
        };
        writeln!(out, "task      {}", task_words(&task))?;
        writeln!(out, "optimiser {}", optimizer_words(config))?;
        let regularization = regularization_words(config);
        if !regularization.is_empty() {
            writeln!(out, "          {regularization}")?;
        }
        let (version, revision) = (&provenance.version, &provenance.revision);
        let engine = &provenance.engine;
        writeln!(
            out,
            "program   perceptor {version} ({revision}), engine {engine}"
        )?;
        if let Some(epoch) = provenance.best_epoch {
            writeln!(out, "epoch     {epoch}, the best on the validation set")?;
        }
        writeln!(out, "scores    training: loss {:.4}", provenance.train_loss)?;
        let scores = &provenance.scores;
        for (set, score) in [("validation", scores.validation), ("test", scores.test)] {
            if let Some(score) = score {
                writeln!(out, "          {set}: {}", score_words(&score, self.task))?;
            }
        }
        Ok(())
    }

    /// What is predicted: `3 classes: setosa, versicolor, virginica`, `1 number`.
    fn output_words(&self) -> String {
        let outputs = self.of.spec.outputs();
        let words = match self.task {
            Task::Classification => counted_as(outputs, "class", "classes"),
            Task::Regression => counted(outputs, "number"),
            Task::Multilabel => format!("{}, any of them", counted(outputs, "label")),
        };
        let Some(names) = self.class_names.map(ClassNames::names) else {
            return words;
        };
        let listed = names[..names.len().min(MOST_NAMES)].join(", ");
        match names.len().checked_sub(MOST_NAMES) {
            None | Some(0) => format!("{words}: {listed}"),
            Some(more) => format!("{words}: {listed} and {} more", grouped(more)),
        }
    }
}

/// Writes what becomes of each column, and which ones are predicted.
fn write_columns(out: &mut dyn Write, schema: &Schema) -> io::Result<()> {
    writeln!(out, "table     {}", schema_words(schema))?;
    let titles = schema.columns.iter().map(|column| name(&column.place));
    let titles: Vec<String> = titles.collect();
    let widths = titles.iter().map(|title| title.chars().count());
    let width = widths.max().unwrap_or(0).min(WIDEST_TITLE);
    for (title, column) in titles.iter().zip(&schema.columns) {
        let words = encoding_words(&column.encoding);
        writeln!(out, "          {title:<width$}  {words}")?;
    }
    writeln!(out, "target    {}", target_titles(schema))
}

/// The loss, and the metrics that the file holds: `loss 0.0812, accuracy 97.52 %`.
fn score_words(score: &Score, task: Task) -> String {
    let values = metrics(task).filter_map(|metric| {
        let value = metric.of(score)?;
        Some(format!("{} {}", metric.title, metric.text(value)))
    });
    let loss = format!("loss {:.4}", score.loss);
    [loss]
        .into_iter()
        .chain(values)
        .collect::<Vec<_>>()
        .join(", ")
}
