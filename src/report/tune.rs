//! A search, told: the banner before it, a line for each trial at the end of a rung, the table after it, or all of it as
//! JSON.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use super::banner::target_words;
use super::number::{counted, grouped, rate, seconds};
use super::table::Table;
use crate::config::TrainConfig;
use crate::data::{Dataset, Splits};
use crate::nn::Task;
use crate::scores::{Metric, Score, deciding_metric, metrics};
use crate::tune::halving::by_merit;
use crate::tune::{Ended, Measured, Plan, Rung, Space, Tried, Tuned};

/// The name and version of the JSON object's layout.
pub const SCHEMA: &str = "perceptor.tune/1";

/// Says what will be searched on what.
///
/// # Errors
/// Those of `out`.
pub fn banner(
    out: &mut dyn Write,
    data_name: &str,
    data: &Splits,
    plan: &Plan,
    threads: usize,
    engine: &str,
) -> io::Result<()> {
    let train = &plan.settings.train;
    let held_out = data.validation.as_ref().map_or(0, Dataset::samples);
    writeln!(out, "perceptor {} ({})", crate::VERSION, crate::REVISION)?;
    writeln!(
        out,
        "  data      {data_name}: {} training and {} validation items, {} features, {}",
        grouped(data.train.samples()),
        grouped(held_out),
        data.train.features(),
        target_words(data.train.targets()),
    )?;
    let searched = plan.space.searched();
    let searched = searched.map(|(key, range)| format!("{} {range}", key.0.replace('_', " ")));
    let batch_norm = plan.space.batch_norm.then(|| "batch norm".to_owned());
    let searched = searched.chain(batch_norm);
    writeln!(
        out,
        "  search    {}",
        searched.collect::<Vec<_>>().join(", ")
    )?;
    writeln!(
        out,
        "  fixed     {}, {} by {}, seed {}; the rest as in tune.toml",
        train.activation.name(),
        train.optimizer.optimizer.name(),
        train.schedule.schedule.name(),
        train.seed
    )?;
    let rungs = plan.rungs();
    let rungs = rungs.iter().map(|rung| match rung.trials {
        1 => format!("1 trial for {}", rung.epochs),
        trials => format!("{trials} trials for {}", rung.epochs),
    });
    let rungs = rungs.collect::<Vec<_>>().join(", ");
    let limit = plan.time.map(|time| format!(", within {time}"));
    writeln!(
        out,
        "  rungs     {rungs} epochs{}",
        limit.unwrap_or_default()
    )?;
    let threads = counted(threads, "thread");
    writeln!(out, "  compute   {threads}, engine {engine}")
}

/// How a setting is written.
type Cell = fn(&TrainConfig) -> String;
/// The name of a setting, and how it is written.
type Column = (&'static str, Cell);

/// The columns of what is searched in `space`.
fn columns(space: &Space) -> Vec<Column> {
    let all: [(bool, &'static str, Cell); 7] = [
        (space.lr.is_some(), "lr", |config| {
            config.optimizer.rate().map_or_else(String::new, rate)
        }),
        (space.width.is_some(), "hidden", |config| {
            match config.hidden.first() {
                None => "none".to_owned(),
                Some(width) => format!("{}×{width}", config.hidden.len()),
            }
        }),
        (space.batch_size.is_some(), "batch", |config| {
            config.batch_size.to_string()
        }),
        (space.dropout.is_some(), "dropout", |config| {
            config.regularization.dropout.to_string()
        }),
        (space.weight_decay.is_some(), "decay", |config| {
            config.optimizer.weight_decay.map_or_else(String::new, rate)
        }),
        (space.label_smoothing.is_some(), "smoothing", |config| {
            config.regularization.label_smoothing.to_string()
        }),
        (space.batch_norm, "norm", |config| {
            if config.batch_norm { "batch" } else { "–" }.to_owned()
        }),
    ];
    let used = all.into_iter().filter(|(used, ..)| *used);
    used.map(|(_, name, cell)| (name, cell)).collect()
}

/// The metric of a task that is shown beside the loss: the one that decides, else the last.
fn shown_metric(task: Task) -> &'static Metric {
    let metric = deciding_metric(task).or_else(|| metrics(task).last());
    metric.expect("every task has a metric")
}

/// The column of the [`shown_metric`].
fn metric_title(task: Task) -> String {
    format!("val. {}", shown_metric(task).title)
}

/// What trials are compared by: the deciding metric, or the loss.
pub fn watched(score: &Score) -> String {
    match score.deciding() {
        Some((metric, value)) => metric.text(value),
        None => loss_words(score.loss),
    }
}

/// The loss of a trial, and its [`shown_metric`].
fn cells(task: Task, measured: &Measured) -> [String; 2] {
    let dash = || "–".to_owned();
    let Some(score) = &measured.score else {
        return [dash(), "diverged".to_owned()];
    };
    let metric = shown_metric(task);
    let value = metric.of(score).map(|value| metric.text(value));
    [loss_words(score.loss), value.unwrap_or_else(dash)]
}

/// The widest cell of a column, or its name.
fn width(name: &str) -> usize {
    name.len().max("0.00123".len())
}

/// The columns that [`line()`] fills.
pub fn header(plan: &Plan) -> String {
    let metric = metric_title(plan.settings.train.task.task);
    let columns = columns(&plan.space);
    let names = columns
        .iter()
        .map(|(name, _)| format!("  {name:>0$}", width(name)));
    let names: String = names.collect();
    format!("rung  trial  epochs  val. loss  {metric:>13}   best so far{names}")
}

/// A trial at the end of a rung, under [`header`].
pub fn line(plan: &Plan, measured: &Measured, config: &TrainConfig, best: &Measured) -> String {
    let [loss, metric] = cells(plan.settings.train.task.task, measured);
    let best = best
        .score
        .as_ref()
        .map(|score| format!("{} ({})", watched(score), best.trial));
    let columns = columns(&plan.space);
    let settings = columns
        .iter()
        .map(|(name, cell)| format!("  {:>1$}", cell(config), width(name)));
    let settings: String = settings.collect();
    format!(
        "{:>4}  {:>5}  {:>6}  {loss:>9}  {metric:>13}  {:>12}{settings}",
        measured.rung,
        measured.trial,
        measured.epochs,
        best.unwrap_or_else(|| "–".to_owned()),
    )
}

/// A loss in the width of its column, whatever a learning rate made of it.
fn loss_words(loss: f64) -> String {
    match loss {
        ..1e4 => format!("{loss:.4}"),
        _ => format!("{loss:.1e}"),
    }
}

/// Says what a search came to, every trial with what it reached, the best first, and what to type next.
///
/// # Errors
/// Those of `out`.
pub fn summary(
    out: &mut dyn Write,
    plan: &Plan,
    tuned: &Tuned,
    best_config: &Path,
    next: &str,
) -> io::Result<()> {
    let (task, columns) = (plan.settings.train.task.task, columns(&plan.space));
    let title = "trials, the best first, by the validation set alone";
    let mut table = Table::new(
        title,
        0,
        ["trial", "epochs", "val. loss", &metric_title(task)],
    );
    columns.iter().for_each(|(name, _)| table.column(*name));
    let mut ranked: Vec<(&Tried, &Measured)> = tuned
        .trials
        .iter()
        .filter_map(|tried| Some((tried, tried.measured.last()?)))
        .collect();
    ranked.sort_by(|(_, a), (_, b)| by_merit(a, b));
    for (tried, last) in ranked {
        let mut row = vec![tried.trial.to_string(), last.epochs.to_string()];
        row.extend(cells(task, last));
        row.extend(columns.iter().map(|(_, cell)| cell(&tried.config)));
        table.row(row);
    }
    table.write_text(out)?;
    if let Some(Measured {
        trial,
        epochs,
        score: Some(score),
        ..
    }) = &tuned.best
    {
        let (words, all) = (score.to_string(), plan.settings.train.epochs);
        writeln!(
            out,
            "best           trial {trial}: {words} after {epochs} of {all} epochs"
        )?;
    }
    let ended = match tuned.ended {
        Ended::Rungs => "",
        Ended::Time => {
            ", all there was; how far the search came depends on the speed of the machine"
        }
        Ended::Stopped => ", then it was stopped",
    };
    writeln!(
        out,
        "time           {}{ended}",
        seconds(tuned.spent_seconds)
    )?;
    if tuned.best.is_some() {
        writeln!(out, "settings       {}", best_config.display())?;
    }
    writeln!(out, "next           {next}")
}

/// A search as one JSON object.
#[derive(Debug, Serialize)]
pub struct TuneReport<'a> {
    schema: &'static str,
    version: &'static str,
    revision: &'static str,
    data: &'a str,
    train_items: usize,
    validation_items: usize,
    space: &'a Space,
    /// What is the same in all trials; what is searched stands here as it would be without the search.
    config: &'a TrainConfig,
    rungs: Vec<Rung>,
    threads: usize,
    engine: &'a str,
    trials: Vec<TrialReport<'a>>,
    best: Option<&'a Measured>,
    ended: Ended,
    seconds: f64,
    best_config: Option<String>,
}

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
    /// Puts together what a search came to.
    pub fn new(
        (data_name, data): (&'a str, &'a Splits),
        plan: &'a Plan,
        (threads, engine): (usize, &'a str),
        tuned: &'a Tuned,
        best_config: &Path,
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
            best_config: tuned
                .best
                .as_ref()
                .map(|_| best_config.display().to_string()),
        }
    }
}
