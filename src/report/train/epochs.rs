//! The table of a run's epochs: one line each, with the metrics of the task.

use crate::nn::Task;
use crate::report::number::{grouped, rate};
use crate::scores::{EpochMetrics, Metric, metrics};

/// The columns of a run's epochs.
#[derive(Debug, Clone, Copy)]
pub struct EpochTable {
    /// The task, which decides the metrics.
    pub task: Task,
    /// Whether scores are those on a validation set rather than on the test set.
    pub validation: bool,
}

/// The width of a metric's column below the name of either set.
fn width(metric: &Metric) -> usize {
    let title = format!("test {}", metric.title).chars().count();
    title.max(metric.unit.width())
}

impl EpochTable {
    /// The titles of the columns.
    pub fn header(&self) -> String {
        let set = if self.validation { "val." } else { "test" };
        let titles = metrics(self.task).map(|metric| {
            let width = width(metric);
            format!("  {:>width$}", format!("{set} {}", metric.title))
        });
        let titles: String = titles.collect();
        format!("epoch  train loss  {set} loss{titles}  learning rate   samples/s  GFLOP/s")
    }

    /// The line of an epoch. If only a part of it is done, its number is a fraction.
    pub fn line(&self, epoch: &EpochMetrics) -> String {
        let number = match epoch.part {
            None => epoch.epoch.to_string(),
            Some(part) => format!("{:.2}", (epoch.epoch - 1) as f64 + part),
        };
        let or_dash = |value: Option<String>| value.unwrap_or_else(|| "–".to_owned());
        let score = epoch.score();
        let cells = metrics(self.task).map(|metric| {
            let value = score.and_then(|score| metric.of(&score));
            let (text, width) = (value.map(|value| metric.text(value)), width(metric));
            format!("  {:>width$}", or_dash(text))
        });
        let cells: String = cells.collect();
        format!(
            "{number:>5}  {:>10.4}  {:>9}{cells}  {:>13}  {:>10}  {:>7.1}",
            epoch.train_loss,
            or_dash(epoch.loss().map(|loss| format!("{loss:.4}"))),
            rate(epoch.learning_rate),
            grouped(epoch.samples_per_second.round() as usize),
            epoch.gflops,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scores::{Score, SetScores};

    fn table(task: Task, validation: bool) -> EpochTable {
        EpochTable { task, validation }
    }

    #[test]
    fn lines_are_aligned_with_their_header() {
        let epoch = EpochMetrics {
            epoch: 1,
            train_loss: 0.5,
            scores: SetScores {
                validation: None,
                test: Some(Score {
                    accuracy: Some(0.75),
                    f1: Some(0.5),
                    r2: Some(-0.125),
                    ..Score::of_loss(0.25)
                }),
            },
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
