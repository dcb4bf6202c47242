//! What evaluation measures: the loss and the metrics of a network on a data set.
//!
//! [`METRICS`] is the table of all metrics. Reports, tables of epochs, CSV and JSON files, checkpoints, early stopping
//! and searches take their columns, fields and words from it, so a new metric is a field of [`Score`], a row of the
//! table and the function that computes it.

mod accuracy;
mod confusion;
mod epoch;
mod f1;
mod metric;
mod regression;
mod score;
mod sets;

use std::fmt;

pub use self::confusion::confusion;
pub use self::epoch::EpochMetrics;
pub use self::f1::{ClassMetrics, class_metrics, label_metrics};
pub use self::metric::{Better, LABEL_THRESHOLD, Metric, Predicted, Unit};
pub use self::regression::{OutputMetrics, output_metrics};
pub use self::score::Score;
pub use self::sets::SetScores;
use crate::nn::Task;

/// Every metric, in the order of columns and fields.
pub static METRICS: [Metric; 4] = [
    Metric {
        key: "accuracy",
        title: "accuracy",
        unit: Unit::Share,
        better: Better::Higher,
        tasks: &[Task::Classification, Task::Multilabel],
        decides: Some(Task::Classification),
        remarks: &[(Task::Multilabel, " of samples with every label right")],
        measure: accuracy::accuracy,
        field: |score| &mut score.accuracy,
    },
    Metric {
        key: "f1",
        title: "F1",
        unit: Unit::Share,
        better: Better::Higher,
        tasks: &[Task::Multilabel],
        decides: Some(Task::Multilabel),
        remarks: &[(Task::Multilabel, " over all labels")],
        measure: f1::f1,
        field: |score| &mut score.f1,
    },
    Metric {
        key: "mae",
        title: "MAE",
        unit: Unit::Quantity,
        better: Better::Lower,
        tasks: &[Task::Regression],
        decides: None,
        remarks: &[],
        measure: regression::mae,
        field: |score| &mut score.mae,
    },
    Metric {
        key: "r2",
        title: "R²",
        unit: Unit::Coefficient,
        better: Better::Higher,
        tasks: &[Task::Regression],
        decides: None,
        remarks: &[],
        measure: regression::r2,
        field: |score| &mut score.r2,
    },
];

/// The metrics of a task, in the order of columns and fields.
pub fn metrics(task: Task) -> impl Iterator<Item = &'static Metric> {
    METRICS
        .iter()
        .filter(move |metric| metric.tasks.contains(&task))
}

/// The metric by which networks of a task are compared; `None` if their loss decides.
pub fn deciding_metric(task: Task) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| metric.decides == Some(task))
}

impl Metric {
    /// Whether `score`, which is of a task with this metric, lacks the value because it is not defined for its samples.
    pub fn is_undefined_in(&self, score: &Score) -> bool {
        let mut kin = METRICS.iter().filter(|other| other.tasks == self.tasks);
        self.of(score).is_none() && kin.any(|other| other.of(score).is_some())
    }
}

impl Score {
    /// Measures every metric that `predicted` has.
    pub fn measure(loss: f64, predicted: &Predicted) -> Score {
        let mut score = Score::of_loss(loss);
        for metric in &METRICS {
            *(metric.field)(&mut score) = (metric.measure)(predicted);
        }
        score
    }

    /// The metric that decides for the task of this score, with its value; `None` if the loss decides.
    ///
    /// Of the deciding metrics that a score has, the last one in the table is that of its task.
    pub fn deciding(&self) -> Option<(&'static Metric, f64)> {
        let deciding = METRICS
            .iter()
            .rev()
            .filter(|metric| metric.decides.is_some());
        deciding
            .filter_map(|metric| Some((metric, metric.of(self)?)))
            .next()
    }

    /// How good the score is, the higher the better: by the deciding metric, else by the negative loss.
    pub fn goodness(&self) -> f64 {
        match self.deciding() {
            Some((metric, value)) if metric.better == Better::Higher => value,
            Some((_, value)) => -value,
            None => -self.loss,
        }
    }

    /// The values of all metrics of the task; `None` for one that is not defined for the samples.
    fn values(&self) -> impl Iterator<Item = (&'static Metric, Option<f64>)> {
        let metrics = METRICS.iter().map(|metric| (metric, metric.of(self)));
        metrics.filter(|(metric, value)| value.is_some() || metric.is_undefined_in(self))
    }
}

/// `98.02 %` for a single metric, `MAE 0.1204, R² 0.9731` for several.
impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let task = self.deciding().and_then(|(metric, _)| metric.decides);
        let values: Vec<(&Metric, Option<f64>)> = self.values().collect();
        match values[..] {
            [] => write!(f, "loss {:.4}", self.loss),
            [(metric, Some(value))] => f.write_str(&metric.text(value)),
            _ => {
                let text = |&(metric, value): &(&Metric, Option<f64>)| {
                    let remark = task.map_or("", |task| metric.remark(task));
                    let value = value.map_or_else(|| "–".to_owned(), |value| metric.text(value));
                    format!("{} {value}{remark}", metric.title)
                };
                f.write_str(&values.iter().map(text).collect::<Vec<_>>().join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Predictions of two samples for each task, one of them right.
    fn predicted(task: Task) -> Predicted<'static> {
        match task {
            Task::Classification => Predicted::Classes {
                labels: &[0, 1],
                predictions: &[0, 0],
                classes: 2,
            },
            Task::Multilabel => Predicted::Labels {
                flags: &[1, 0, 1, 1],
                probabilities: &[0.9, 0.1, 0.8, 0.2],
                labels: 2,
            },
            Task::Regression => Predicted::Values {
                values: &[1.0, 3.0],
                predictions: &[1.0, 2.0],
                outputs: 1,
            },
        }
    }

    #[test]
    fn a_score_has_exactly_the_metrics_of_its_task() {
        for task in Task::ALL {
            let score = Score::measure(0.5, &predicted(task));
            for metric in &METRICS {
                let expected = metric.tasks.contains(&task);
                assert_eq!(metric.of(&score).is_some(), expected, "{}", metric.key);
            }
            let deciding = score.deciding().map(|(metric, _)| metric.key);
            assert_eq!(deciding, deciding_metric(task).map(|metric| metric.key));
        }
    }

    #[test]
    fn scores_read_as_people_write_them() {
        let text = |task| Score::measure(0.5, &predicted(task)).to_string();
        assert_eq!(text(Task::Classification), "50.00 %");
        assert_eq!(
            text(Task::Multilabel),
            "accuracy 50.00 % of samples with every label right, F1 80.00 % over all labels"
        );
        assert_eq!(text(Task::Regression), "MAE 0.5000, R² 0.5000");
        assert_eq!(Score::of_loss(0.25).to_string(), "loss 0.2500");
        let constant = Predicted::Values {
            values: &[2.0, 2.0],
            predictions: &[1.0, 2.0],
            outputs: 1,
        };
        let score = Score::measure(0.5, &constant);
        assert_eq!(score.to_string(), "MAE 0.5000, R² –");
    }

    #[test]
    fn goodness_is_the_deciding_metric_or_the_negative_loss() {
        let goodness = |task| Score::measure(0.75, &predicted(task)).goodness();
        assert_eq!(goodness(Task::Classification), 0.5);
        assert_eq!(goodness(Task::Multilabel), 0.8);
        assert_eq!(goodness(Task::Regression), -0.75);
    }

    #[test]
    fn json_has_the_loss_and_the_metrics_that_are_there() {
        let json = |task| {
            let score = Score::measure(0.5, &predicted(task));
            let json = serde_json::to_string(&score).expect("JSON");
            assert_eq!(
                serde_json::from_str::<Score>(&json).expect("a score"),
                score
            );
            json
        };
        assert_eq!(json(Task::Classification), r#"{"loss":0.5,"accuracy":0.5}"#);
        assert_eq!(
            json(Task::Multilabel),
            r#"{"loss":0.5,"accuracy":0.5,"f1":0.8}"#
        );
        assert_eq!(json(Task::Regression), r#"{"loss":0.5,"mae":0.5,"r2":0.5}"#);
    }
}
