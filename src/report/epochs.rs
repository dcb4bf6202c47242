//! The table of a run's epochs: a line each, with the figures that the task has.

use super::number::{grouped, percent, rate};
use crate::data::Task;
use crate::train::EpochMetrics;
use crate::train::outcome::figures;

/// A figure of the test set as a column: its name, its width, and how it is written.
type Column = (&'static str, usize, fn(f64) -> String);

/// The columns of the [`figures`] of a task, in the same order.
fn columns(task: Task) -> &'static [Column] {
    const ACCURACY: Column = ("test accuracy", 13, percent);
    match task {
        Task::Classification => &[ACCURACY],
        Task::Regression => &[("test MAE", 10, four_digits), ("test R²", 8, four_digits)],
        Task::Multilabel => &[ACCURACY, ("test F1", 8, percent)],
    }
}

fn four_digits(number: f64) -> String {
    format!("{number:.4}")
}

/// What stands above the lines of [`epoch_line`].
pub fn epoch_header(task: Task) -> String {
    let figures = columns(task).iter();
    let figures = figures.map(|(name, width, _)| format!("  {name:>width$}"));
    let figures: String = figures.collect();
    format!("epoch  train loss  test loss{figures}  learning rate   samples/s  GFLOP/s")
}

/// One epoch under [`epoch_header`].
pub fn epoch_line(task: Task, epoch: &EpochMetrics) -> String {
    let or_dash = |figure: Option<String>| figure.unwrap_or_else(|| "–".to_owned());
    let cells = columns(task).iter().zip(figures(task));
    let cells = cells
        .map(|((_, width, write), (_, of))| format!("  {:>width$}", or_dash(of(epoch).map(write))));
    let figures: String = cells.collect();
    format!(
        "{:>5}  {:>10.4}  {:>9}{figures}  {:>13}  {:>10}  {:>7.1}",
        epoch.epoch,
        epoch.train_loss,
        or_dash(epoch.test_loss.map(four_digits)),
        rate(epoch.learning_rate),
        grouped(epoch.samples_per_second.round() as usize),
        epoch.gflops,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stand_under_their_header() {
        let epoch = EpochMetrics {
            epoch: 1,
            train_loss: 0.5,
            test_loss: Some(0.25),
            test_accuracy: Some(0.75),
            f1: Some(0.5),
            mae: None,
            r2: Some(-0.125),
            learning_rate: 0.1,
            train_seconds: 1.0,
            samples_per_second: 1000.0,
            gflops: 2.0,
        };
        for task in Task::ALL {
            let (header, line) = (epoch_header(task), epoch_line(task, &epoch));
            let width = |text: &str| text.chars().count();
            assert_eq!(width(&header), width(&line), "{header}\n{line}");
        }
        let line = epoch_line(Task::Regression, &epoch);
        assert!(line.contains("  0.2500           –   -0.1250  "), "{line}");
        let header = epoch_header(Task::Classification);
        assert_eq!(
            header,
            "epoch  train loss  test loss  test accuracy  learning rate   samples/s  GFLOP/s"
        );
    }
}
