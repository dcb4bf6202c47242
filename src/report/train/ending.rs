//! How a run ended: the score of its model, which epoch the model is from, and why there are no more epochs.

use std::io::{self, Write};

use crate::config::{EarlyStop, TrainConfig};
use crate::nn::Task;
use crate::report::number::{counted, percent};
use crate::scores::{Better, EpochMetrics, deciding_metric, metrics};
use crate::train::{Cause, Outcome};

/// Writes the score of the model, and which epoch the model is from.
///
/// # Errors
/// Returns the errors of `out`.
pub(super) fn write_result(out: &mut dyn Write, outcome: &Outcome) -> io::Result<()> {
    let (kept, task) = (outcome.kept(), outcome.model.spec.task());
    let (Some(score), Some(best)) = (kept.score(), outcome.best()) else {
        return writeln!(out, "training loss  {:.4} (no test set)", kept.train_loss);
    };
    let best = watched_words(best);
    let test = match metrics(task).collect::<Vec<_>>()[..] {
        [metric] => format!("test {}", metric.title),
        _ => "test".to_owned(),
    };
    let last = format!("{score} after the last epoch, as in the model; best {best}");
    match (kept.scores.validation, outcome.picked) {
        (None, _) => return writeln!(out, "{test:<13}  {last}"),
        (Some(_), true) => writeln!(
            out,
            "validation     {score} after epoch {}, the best on the validation set, as in the model",
            kept.epoch
        )?,
        (Some(_), false) => writeln!(out, "validation     {last}")?,
    }
    match &outcome.test {
        Some(score) => writeln!(out, "{test:<13}  {score}, measured once, at the end"),
        None => writeln!(out, "{test:<13}  unknown (no test set)"),
    }
}

/// The value by which epochs are compared: `98.02 % after epoch 3`.
fn watched_words(epoch: &EpochMetrics) -> String {
    let value = match epoch.score().and_then(|score| score.deciding()) {
        Some((metric, value)) => metric.text(value),
        None => format!("loss {:.4}", epoch.loss().unwrap_or(f64::NAN)),
    };
    format!("{value} after epoch {}", epoch.epoch)
}

/// When a run stops early: `the validation accuracy has not risen by more than 0.10 % for 3 epochs`.
pub(super) fn stop_words(stop: EarlyStop, task: Task) -> String {
    let metric = deciding_metric(task);
    let by = match (stop.min_delta, metric) {
        (0.0, _) => String::new(),
        (delta, Some(metric)) => format!(" by more than {}", metric.text(delta)),
        (delta, None) => format!(" by more than {delta}"),
    };
    let title = metric.map_or("loss", |metric| metric.title);
    let direction = match metric.map(|metric| metric.better) {
        Some(Better::Higher) => "risen",
        Some(Better::Lower) | None => "fallen",
    };
    let epochs = counted(stop.patience, "epoch");
    format!("the validation {title} has not {direction}{by} for {epochs}")
}

/// Writes why the run ended, unless all its epochs are done.
///
/// # Errors
/// Returns the errors of `out`.
pub(super) fn write_cause(
    out: &mut dyn Write,
    outcome: &Outcome,
    config: &TrainConfig,
) -> io::Result<()> {
    let (last, settings) = (outcome.last(), &config.validation);
    let target = settings
        .target_accuracy
        .map(|target| percent(target.0))
        .unwrap_or_default();
    let why = match outcome.cause {
        Cause::Epochs => return Ok(()),
        Cause::EarlyStop => {
            let stop = settings
                .early_stop
                .map(|stop| stop_words(stop, config.task.task));
            stop.unwrap_or_default()
        }
        Cause::TargetAccuracy if last.scores.validation.is_some() => {
            format!("{target} reached on the validation set")
        }
        Cause::TargetAccuracy => format!(
            "{target} reached on the test set, which is optimistic, because the test set decided when to stop"
        ),
        Cause::MaxTime => {
            let time = settings.max_time.map(|time| time.to_string());
            format!(
                "the time limit of {} is reached; how far training got depends on the speed of the machine",
                time.unwrap_or_default()
            )
        }
    };
    let when = match last.part {
        None => format!("after epoch {}", last.epoch),
        Some(part) => format!("in epoch {}, {} of it done", last.epoch, percent(part)),
    };
    writeln!(out, "ended          {when}: {why}")
}
