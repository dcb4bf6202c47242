//! The table of a run's epochs: a line each, with the figures that the task has.

use super::number::{grouped, percent, rate};
use crate::nn::Task;
use crate::scores::EpochMetrics;
use crate::scores::figures;

/// What the lines of a run have.
#[derive(Debug, Clone, Copy)]
pub struct EpochTable {
    /// The task, which says the figures.
    pub task: Task,
    /// Whether they are of a validation set, and not of the test set.
    pub validation: bool,
}

/// A figure as a column: its name, its width, and how it is written.
type Column = (&'static str, usize, fn(f64) -> String);

/// The columns of the [`figures`] of a task, in the same order.
fn columns(task: Task) -> &'static [Column] {
    const ACCURACY: Column = ("accuracy", 13, percent);
    match task {
        Task::Classification => &[ACCURACY],
        Task::Regression => &[("MAE", 10, four_digits), ("R²", 8, four_digits)],
        Task::Multilabel => &[ACCURACY, ("F1", 8, percent)],
    }
}

fn four_digits(number: f64) -> String {
    format!("{number:.4}")
}

impl EpochTable {
    /// What stands above the lines.
    pub fn header(&self) -> String {
        let set = if self.validation { "val." } else { "test" };
        let figures = columns(self.task).iter();
        let figures =
            figures.map(|(name, width, _)| format!("  {:>width$}", format!("{set} {name}")));
        let figures: String = figures.collect();
        format!("epoch  train loss  {set} loss{figures}  learning rate   samples/s  GFLOP/s")
    }

    /// The line of an epoch; a part of one has a point in its number.
    pub fn line(&self, epoch: &EpochMetrics) -> String {
        let number = match epoch.part {
            None => epoch.epoch.to_string(),
            Some(part) => format!("{:.2}", (epoch.epoch - 1) as f64 + part),
        };
        let or_dash = |figure: Option<String>| figure.unwrap_or_else(|| "–".to_owned());
        let cells = columns(self.task).iter().zip(figures(self.task));
        let cells = cells.map(|((_, width, write), (_, of))| {
            format!("  {:>width$}", or_dash(of(epoch).map(write)))
        });
        let figures: String = cells.collect();
        format!(
            "{number:>5}  {:>10.4}  {:>9}{figures}  {:>13}  {:>10}  {:>7.1}",
            epoch.train_loss,
            or_dash(epoch.loss().map(four_digits)),
            rate(epoch.learning_rate),
            grouped(epoch.samples_per_second.round() as usize),
            epoch.gflops,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(task: Task, validation: bool) -> EpochTable {
        EpochTable { task, validation }
    }

    #[test]
    fn lines_stand_under_their_header() {
        let epoch = EpochMetrics {
            epoch: 1,
            train_loss: 0.5,
            validation_loss: None,
            validation_accuracy: None,
            test_loss: Some(0.25),
            test_accuracy: Some(0.75),
            f1: Some(0.5),
            mae: None,
            r2: Some(-0.125),
            learning_rate: 0.1,
            train_seconds: 1.0,
            samples_per_second: 1000.0,
            gflops: 2.0,
            part: None,
        };
        let tables = Task::ALL.map(|task| [false, true].map(|validation| table(task, validation)));
        for table in tables.into_iter().flatten() {
            let (header, line) = (table.header(), table.line(&epoch));
            let width = |text: &str| text.chars().count();
            assert_eq!(width(&header), width(&line), "{header}\n{line}");
        }
        let line = table(Task::Regression, false).line(&epoch);
        assert!(line.contains("  0.2500           –   -0.1250  "), "{line}");
        assert_eq!(
            table(Task::Classification, false).header(),
            "epoch  train loss  test loss  test accuracy  learning rate   samples/s  GFLOP/s"
        );
    }
}
