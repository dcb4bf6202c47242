//! Errors of a regression: mean absolute error, root mean square error and R².

use serde::Serialize;

use super::metric::Predicted;

/// The errors of one output of a regression.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OutputMetrics {
    /// The output.
    pub output: usize,
    /// Mean of the true numbers.
    pub mean: f64,
    /// Standard deviation of the true numbers.
    pub deviation: f64,
    /// Mean absolute error.
    pub mae: f64,
    /// Root mean square error.
    pub rmse: f64,
    /// `R² = 1 − Σ (t − y)² / Σ (t − mean t)²`, the share of the variance that the predictions explain; `None` if all true
    /// numbers are equal, as those of one sample are: then there is no variance.
    pub r2: Option<f64>,
}

/// Mean absolute error, averaged over the outputs; `None` for other tasks.
///
/// # Panics
/// Panics if values and predictions differ in length.
pub(super) fn mae(predicted: &Predicted) -> Option<f64> {
    mean_over_outputs(predicted, |output| Some(output.mae()))
}

/// R², averaged over the outputs that have one; `None` if none has, and for other tasks.
///
/// # Panics
/// Panics if values and predictions differ in length.
pub(super) fn r2(predicted: &Predicted) -> Option<f64> {
    mean_over_outputs(predicted, |output| output.r2())
}

/// Errors and R² of each output.
///
/// Shapes: `values`, `predictions [samples, outputs]`; returns `[outputs]`.
///
/// # Panics
/// Panics if the two differ in length.
pub fn output_metrics(values: &[f32], predictions: &[f32], outputs: usize) -> Vec<OutputMetrics> {
    let columns = (0..outputs).map(|output| Column::new(values, predictions, (output, outputs)));
    columns.map(|column| column.metrics()).collect()
}

fn mean_over_outputs(predicted: &Predicted, figure: fn(&Column) -> Option<f64>) -> Option<f64> {
    let Predicted::Values {
        values,
        predictions,
        outputs,
    } = *predicted
    else {
        return None;
    };
    let columns = (0..outputs).map(|output| Column::new(values, predictions, (output, outputs)));
    let figures: Vec<f64> = columns.filter_map(|column| figure(&column)).collect();
    (!figures.is_empty()).then(|| figures.iter().sum::<f64>() / figures.len() as f64)
}

/// The true and predicted numbers of one output.
struct Column<'a> {
    values: &'a [f32],
    predictions: &'a [f32],
    output: usize,
    outputs: usize,
}

impl<'a> Column<'a> {
    fn new(
        values: &'a [f32],
        predictions: &'a [f32],
        (output, outputs): (usize, usize),
    ) -> Column<'a> {
        assert_eq!(values.len(), predictions.len(), "values and predictions");
        Column {
            values,
            predictions,
            output,
            outputs,
        }
    }

    /// The mean of `figure` over all pairs of a true number and a predicted one, in the order of the samples.
    fn mean_of(&self, figure: impl Fn(f64, f64) -> f64) -> f64 {
        let pairs = self.values.iter().zip(self.predictions);
        let pairs = pairs.skip(self.output).step_by(self.outputs);
        let samples = (self.values.len() / self.outputs) as f64;
        let figures = pairs.map(|(&t, &y)| figure(f64::from(t), f64::from(y)));
        figures.sum::<f64>() / samples
    }

    fn mean(&self) -> f64 {
        self.mean_of(|t, _| t)
    }

    fn variance(&self) -> f64 {
        let mean = self.mean();
        self.mean_of(|t, _| (t - mean).powi(2))
    }

    fn mae(&self) -> f64 {
        self.mean_of(|t, y| (t - y).abs())
    }

    fn mean_square_error(&self) -> f64 {
        self.mean_of(|t, y| (t - y).powi(2))
    }

    fn r2(&self) -> Option<f64> {
        // The variance of equal numbers may be above 0 by rounding.
        let mut values = self.values.iter().skip(self.output).step_by(self.outputs);
        let first = values.next()?;
        let differ = values.any(|value| value != first);
        differ.then(|| 1.0 - self.mean_square_error() / self.variance())
    }

    fn metrics(&self) -> OutputMetrics {
        OutputMetrics {
            output: self.output,
            mean: self.mean(),
            deviation: self.variance().sqrt(),
            mae: self.mae(),
            rmse: self.mean_square_error().sqrt(),
            r2: self.r2(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_computed_by_hand() {
        // Output 0: 1, 2, 3 against 1, 2, 6; output 1 is always 5.
        let values = [1.0, 5.0, 2.0, 5.0, 3.0, 5.0];
        let predictions = [1.0, 5.0, 2.0, 5.0, 6.0, 5.0];
        let metrics = output_metrics(&values, &predictions, 2);
        assert_eq!(
            (metrics[0].mean, metrics[0].mae, metrics[0].rmse),
            (2.0, 1.0, 3.0f64.sqrt())
        );
        // The mean square error is 9 / 3, the variance 2 / 3.
        let first = metrics[0].r2.expect("numbers that differ");
        assert!((first - (1.0 - 9.0 / 2.0)).abs() < 1e-12);
        assert_eq!((metrics[1].r2, metrics[1].deviation), (None, 0.0));
        // Tenths, whose mean is not one of them.
        assert_eq!(output_metrics(&[0.1; 7], &[0.2; 7], 1)[0].r2, None);
        assert_eq!(output_metrics(&[3.0], &[3.0], 1)[0].r2, None);
        let both = Predicted::Values {
            values: &values,
            predictions: &predictions,
            outputs: 2,
        };
        assert_eq!(mae(&both), Some(0.5));
        assert_eq!(r2(&both), Some(first));
        let one = Predicted::Values {
            values: &values[..2],
            predictions: &predictions[..2],
            outputs: 2,
        };
        assert_eq!(r2(&one), None);
    }
}
