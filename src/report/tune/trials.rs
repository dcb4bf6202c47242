//! The table of trials: their settings, and the loss and metric that they reached.

use crate::config::TrainConfig;
use crate::nn::Task;
use crate::report::number::rate;
use crate::scores::{Metric, Score, deciding_metric, metrics};
use crate::tune::{Measured, Plan, Space};

/// Formats a setting.
type Cell = fn(&TrainConfig) -> String;
/// The name of a setting, and how it is formatted.
type Column = (&'static str, Cell);

/// The columns of the settings that are searched in `space`.
pub(super) fn columns(space: &Space) -> Vec<Column> {
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

/// The metric that is shown in addition to the loss: the one that decides, else the last of the task.
fn shown_metric(task: Task) -> &'static Metric {
    let metric = deciding_metric(task).or_else(|| metrics(task).last());
    metric.expect("every task has a metric")
}

/// The title of its column.
pub(super) fn metric_title(task: Task) -> String {
    format!("val. {}", shown_metric(task).title)
}

/// The value by which trials are compared: the deciding metric, or the loss.
pub fn watched(score: &Score) -> String {
    match score.deciding() {
        Some((metric, value)) => metric.text(value),
        None => loss_words(score.loss),
    }
}

/// The cells of a trial's loss and metric.
pub(super) fn cells(task: Task, measured: &Measured) -> [String; 2] {
    let dash = || "–".to_owned();
    let Some(score) = &measured.score else {
        return [dash(), "diverged".to_owned()];
    };
    let metric = shown_metric(task);
    let value = metric.of(score).map(|value| metric.text(value));
    [loss_words(score.loss), value.unwrap_or_else(dash)]
}

/// The width of a setting's column.
fn width(name: &str) -> usize {
    name.len().max("0.00123".len())
}

/// The titles of the columns of [`line()`].
pub fn header(plan: &Plan) -> String {
    let metric = metric_title(plan.settings.train.task.task);
    let columns = columns(&plan.space);
    let names = columns
        .iter()
        .map(|(name, _)| format!("  {name:>0$}", width(name)));
    let names: String = names.collect();
    format!("rung  trial  epochs  val. loss  {metric:>13}   best so far{names}")
}

/// The line of a trial at the end of a rung, aligned with [`header`].
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
        measured.epochs_text(),
        best.unwrap_or_else(|| "–".to_owned()),
    )
}

/// A loss that fits its column, however large it is.
fn loss_words(loss: f64) -> String {
    match loss {
        ..1e4 => format!("{loss:.4}"),
        _ => format!("{loss:.1e}"),
    }
}
