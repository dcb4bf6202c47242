//! The report of a search: a table of its trials for people, or one JSON object.
//!
//! [`banner`](self::banner()) is printed before a search, [`header`] and [`line()`] make a table of its trials as they
//! are measured, and [`TuneReport`] holds everything that is known at the end.

mod banner;
mod trials;

use std::io::{self, Write};
use std::path::PathBuf;

use serde::Serialize;

pub use self::banner::banner;
pub use self::trials::{header, line, watched};
use super::number::seconds;
use super::table::Table;
use crate::config::TrainConfig;
use crate::data::{Dataset, Splits};
use crate::tune::halving::by_merit;
use crate::tune::{Ended, Measured, Plan, Rung, SearchResult, Space, TrialResult, TuneFolder};

/// The name and version of the JSON object's layout.
pub const SCHEMA: &str = "perceptor.tune/1";

/// Everything there is to say about a search. Fields that are not skipped are those of the JSON object.
#[derive(Debug, Serialize)]
pub struct TuneReport<'a> {
    schema: &'static str,
    version: &'static str,
    revision: &'static str,
    data: &'a str,
    train_items: usize,
    validation_items: usize,
    space: &'a Space,
    /// The settings that all trials share; those that are searched have the values that they have without a search.
    config: &'a TrainConfig,
    rungs: Vec<Rung>,
    threads: usize,
    engine: &'a str,
    trials: Vec<TrialReport<'a>>,
    best: Option<&'a Measured>,
    ended: Ended,
    seconds: f64,
    best_config: Option<String>,
    best_model: Option<String>,
    #[serde(skip)]
    tuned: &'a SearchResult,
}

/// The settings of a trial that may be searched, and what it reached rung by rung.
#[derive(Debug, Serialize)]
struct TrialReport<'a> {
    trial: usize,
    hidden: &'a [usize],
    learning_rate: Option<f32>,
    batch_size: usize,
    dropout: f32,
    weight_decay: Option<f32>,
    label_smoothing: f32,
    batch_norm: bool,
    measured: &'a [Measured],
}

impl<'a> TuneReport<'a> {
    /// The report of a search on `data` with so many threads and this engine.
    pub fn new(
        (data_name, data): (&'a str, &'a Splits),
        plan: &'a Plan,
        (threads, engine): (usize, &'a str),
        tuned: &'a SearchResult,
        folder: &TuneFolder,
    ) -> TuneReport<'a> {
        let trials = tuned.trials.iter().map(|tried| TrialReport {
            trial: tried.trial,
            hidden: &tried.config.hidden,
            learning_rate: tried.config.optimizer.rate(),
            batch_size: tried.config.batch_size,
            dropout: tried.config.regularization.dropout,
            weight_decay: tried.config.optimizer.weight_decay,
            label_smoothing: tried.config.regularization.label_smoothing,
            batch_norm: tried.config.batch_norm,
            measured: &tried.measured,
        });
        let is_found = tuned.best.is_some();
        let path = |path: PathBuf| is_found.then(|| path.display().to_string());
        TuneReport {
            schema: SCHEMA,
            version: crate::VERSION,
            revision: crate::REVISION,
            data: data_name,
            train_items: data.train.samples(),
            validation_items: data.validation.as_ref().map_or(0, Dataset::samples),
            space: &plan.space,
            config: &plan.settings.train,
            rungs: plan.rungs(),
            threads,
            engine,
            trials: trials.collect(),
            best: tuned.best.as_ref(),
            ended: tuned.ended,
            seconds: tuned.spent_seconds,
            best_config: path(folder.best()),
            best_model: path(folder.model()).filter(|_| folder.model().is_file()),
            tuned,
        }
    }

    /// Writes every trial with what it reached, the best first, and `next`, the command to run next.
    ///
    /// # Errors
    /// Returns the errors of `out`.
    pub fn write_text(&self, out: &mut dyn Write, next: &str) -> io::Result<()> {
        let (task, columns) = (self.config.task.task, trials::columns(self.space));
        let title = "trials, the best on the validation set first";
        let mut table = Table::new(
            title,
            0,
            ["trial", "epochs", "val. loss", &trials::metric_title(task)],
        );
        columns.iter().for_each(|(name, _)| table.column(*name));
        let mut ranked: Vec<(&TrialResult, &Measured)> = self
            .tuned
            .trials
            .iter()
            .filter_map(|tried| Some((tried, tried.measured.last()?)))
            .collect();
        ranked.sort_by(|(_, a), (_, b)| by_merit(a, b));
        for (tried, last) in ranked {
            let mut row = vec![tried.trial.to_string(), last.epochs_text()];
            row.extend(trials::cells(task, last));
            row.extend(columns.iter().map(|(_, cell)| cell(&tried.config)));
            table.row(row);
        }
        table.write_text(out)?;
        if let Some(best) = &self.tuned.best
            && let Some(score) = best.score
        {
            let (trial, epochs, all) = (best.trial, best.epochs_text(), self.config.epochs);
            writeln!(
                out,
                "best           trial {trial}: {score} after {epochs} of {all} epochs"
            )?;
        }
        let ended = match self.ended {
            Ended::Rungs => "",
            Ended::Time => {
                ", the time limit; how far the search got depends on the speed of the machine"
            }
            Ended::Stopped => ", then it was stopped",
        };
        writeln!(out, "time           {}{ended}", seconds(self.seconds))?;
        if let Some(path) = &self.best_config {
            writeln!(out, "settings       {path}")?;
        }
        if let Some(path) = &self.best_model {
            writeln!(out, "model          {path}")?;
        }
        writeln!(out, "next           {next}")
    }

    /// Writes one JSON object.
    ///
    /// # Errors
    /// Returns the errors of `out`.
    pub fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        super::write_json(out, self)
    }
}
