//! How a run ended: what its model comes to and by what it was picked, why there are no more epochs, and what should be
//! known about it.

use std::io::{self, Write};

use serde::Serialize;

use super::number::{counted, percent, rate};
use crate::config::{EarlyStop, TrainConfig};
use crate::message::{Key, Spelling, message};
use crate::nn::Task;
use crate::scores::{Better, EpochMetrics, deciding_metric, metrics};
use crate::train::{Cause, Outcome};

/// What the model comes to, and by what it was picked.
///
/// # Errors
/// Those of `out`.
pub fn write_result(out: &mut dyn Write, outcome: &Outcome) -> io::Result<()> {
    let (kept, task) = (outcome.kept(), outcome.model.spec.task());
    let (Some(score), Some(best)) = (kept.score(), outcome.best()) else {
        return writeln!(out, "training loss  {:.4} (no test set)", kept.train_loss);
    };
    let (score, best, after) = (score, watched_words(best), "the last epoch (the model)");
    let test = match metrics(task).collect::<Vec<_>>()[..] {
        [metric] => format!("test {}", metric.title),
        _ => "test".to_owned(),
    };
    match (kept.scores.validation, outcome.picked) {
        (None, _) => return writeln!(out, "{test:<13}  {score} after {after}; best {best}"),
        (Some(_), true) => writeln!(
            out,
            "validation     {score} after epoch {}, the best by it: the model is picked on validation data",
            kept.epoch
        )?,
        (Some(_), false) => writeln!(out, "validation     {score} after {after}; best {best}")?,
    }
    match &outcome.test {
        Some(score) => {
            writeln!(out, "{test:<13}  {}, measured once, at the end", score)
        }
        None => writeln!(out, "{test:<13}  unknown (no test set)"),
    }
}

/// `98.02 % after epoch 3`: the figure by which epochs are compared.
fn watched_words(epoch: &EpochMetrics) -> String {
    let value = match epoch.score().and_then(|score| score.deciding()) {
        Some((metric, value)) => metric.text(value),
        None => format!("loss {:.4}", epoch.loss().unwrap_or(f64::NAN)),
    };
    format!("{value} after epoch {}", epoch.epoch)
}

/// `the validation accuracy has not risen by more than 0.10 % for 3 epochs`.
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

/// Why the run ended, where that was not with its last epoch.
///
/// # Errors
/// Those of `out`.
pub fn write_cause(out: &mut dyn Write, outcome: &Outcome, config: &TrainConfig) -> io::Result<()> {
    let (last, settings) = (outcome.last(), &config.validation);
    let target = settings.target_accuracy.map(percent).unwrap_or_default();
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
            "{target} reached on the test set, which thereby picked the model and flatters it"
        ),
        Cause::MaxTime => {
            let time = settings.max_time.map(|time| time.to_string());
            format!(
                "the time of {} was over; how far it came depends on the speed of the machine",
                time.unwrap_or_default()
            )
        }
    };
    let place = match last.part {
        None => format!("after epoch {}", last.epoch),
        Some(part) => format!("in epoch {}, {} of it done", last.epoch, percent(part)),
    };
    writeln!(out, "ended          {place}: {why}")
}

/// Something the user should know about a run that did end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// What was found.
    pub what: String,
    /// What to do about it.
    pub cure: String,
}

/// What is wrong with the network that a run ended with.
pub fn warnings(outcome: &Outcome, spelling: &dyn Spelling) -> Vec<Warning> {
    let layers = outcome.model.spec.layers();
    let identical = outcome.identical_layers.iter().map(|&layer| Warning {
        what: format!(
            "all {} units of hidden layer {layer} are the same: with equal initial weights they get \
             equal gradients and learn one feature between them",
            layers[layer - 1].fan_out
        ),
        cure: message![
            "start from different weights, with ",
            Key("init").set_to("auto"),
            " (or xavier, he, normal)"
        ]
        .spelled(spelling),
    });
    identical
        .chain(learned_nothing(outcome, spelling))
        .collect()
}

/// A network that guesses every class alike has a loss of `ln classes`, one that guesses every label alike of `ln 2`, and
/// one that always tells the mean an R² of 0.
fn learned_nothing(outcome: &Outcome, spelling: &dyn Spelling) -> Option<Warning> {
    let (last, spec) = (outcome.kept(), &outcome.model.spec);
    let loss = last.loss().unwrap_or(last.train_loss);
    let by_loss = |guessing: f64| {
        let what =
            format!("the loss of {loss:.4} is no better than that of guessing, {guessing:.4}");
        (loss >= guessing).then_some(what)
    };
    let what = match spec.task() {
        Task::Classification => by_loss((spec.outputs() as f64).ln()),
        Task::Multilabel => by_loss(2.0f64.ln()),
        Task::Regression => {
            let r2 = last.score().and_then(|score| score.r2);
            r2.filter(|r2| *r2 <= 0.0).map(|r2| {
                format!("the R² of {r2:.4} is no better than that of always predicting the mean, 0")
            })
        }
    }?;
    let provenance = outcome.model.provenance.as_ref();
    let highest = provenance.and_then(|provenance| provenance.config.optimizer.rate());
    // Where units are copies of one another, that is the reason.
    let unexplained = outcome.identical_layers.is_empty();
    unexplained.then(|| Warning {
        what,
        cure: message![
            format!(
                "another learning rate than {} may do, which may be too high or, for so few steps, too low: ",
                rate(highest.unwrap_or(last.learning_rate))
            ),
            Key("learning_rate").set_to("auto"),
            " looks for one; and weaker regularisation, where there is any",
        ]
        .spelled(spelling),
    })
}
