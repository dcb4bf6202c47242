//! What predictions are worth: class by class, label by label, output by output.

use serde::Serialize;

/// How one class fares.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassMetrics {
    /// The class.
    pub class: usize,
    /// Items that have it.
    pub items: u64,
    /// Items that were predicted to have it.
    pub predicted: u64,
    /// Of those predicted, the share that has it; 0 where none was predicted.
    pub precision: f64,
    /// Of those that have it, the share that was predicted; 0 where none has it.
    pub recall: f64,
    /// The harmonic mean of precision and recall; 0 where both are 0.
    pub f1: f64,
}

/// Precision, recall and F1 of each class.
///
/// Shapes: `labels`, `predictions [items]`, all below `classes`; gives `[classes]`.
///
/// # Panics
/// When a label or prediction is not below `classes`.
pub fn class_metrics(labels: &[u32], predictions: &[u32], classes: usize) -> Vec<ClassMetrics> {
    let count = |list: &mut dyn Iterator<Item = u32>| {
        let mut counts = vec![0u64; classes];
        list.for_each(|class| counts[class as usize] += 1);
        counts
    };
    let pairs = || labels.iter().copied().zip(predictions.iter().copied());
    let items = count(&mut pairs().map(|(label, _)| label));
    let predicted = count(&mut pairs().map(|(_, prediction)| prediction));
    let right = count(&mut pairs().filter(|(a, b)| a == b).map(|(label, _)| label));
    let counts = |class| Counts {
        there: items[class],
        predicted: predicted[class],
        right: right[class],
    };
    (0..classes)
        .map(|class| counts(class).metrics(class))
        .collect()
}

/// Precision, recall and F1 of each of several labels, which an item is predicted to have where its probability is at least
/// ½.
///
/// Shapes: `flags`, `probabilities [items, labels]`; gives `[labels]`.
///
/// # Panics
/// When the two differ in length.
pub fn label_metrics(flags: &[u8], probabilities: &[f32], labels: usize) -> Vec<ClassMetrics> {
    let counts = |class: usize| {
        let mut counts = Counts::default();
        let pairs = flags.iter().zip(probabilities);
        let of_class = pairs.skip(class).step_by(labels);
        of_class.for_each(|(&flag, &p)| counts.add(flag == 1, p >= THRESHOLD));
        counts.metrics(class)
    };
    assert_eq!(flags.len(), probabilities.len(), "flags and probabilities");
    (0..labels).map(counts).collect()
}

/// From which probability on an item is predicted to have a label.
pub const THRESHOLD: f32 = 0.5;

/// F1 over all labels of all items together, and the share of items all of whose labels are right.
///
/// Shapes: `flags`, `probabilities [items, labels]`.
///
/// # Panics
/// When the two differ in length.
pub fn label_scores(flags: &[u8], probabilities: &[f32], labels: usize) -> (f64, f64) {
    assert_eq!(flags.len(), probabilities.len(), "flags and probabilities");
    let (mut counts, mut right) = (Counts::default(), 0u64);
    for (flags, probabilities) in flags.chunks(labels).zip(probabilities.chunks(labels)) {
        let mut all = true;
        for (&flag, &p) in flags.iter().zip(probabilities) {
            let (there, predicted) = (flag == 1, p >= THRESHOLD);
            counts.add(there, predicted);
            all &= there == predicted;
        }
        right += u64::from(all);
    }
    let items = (flags.len() / labels) as u64;
    (counts.metrics(0).f1, share(right, items))
}

/// How one output of a regression fares.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OutputMetrics {
    /// The output.
    pub output: usize,
    /// Mean of the true numbers.
    pub mean: f64,
    /// Their standard deviation.
    pub deviation: f64,
    /// Mean distance of the predicted numbers from the true ones.
    pub mae: f64,
    /// Root of the mean of the squared distances.
    pub rmse: f64,
    /// `R² = 1 − Σ (t − y)² / Σ (t − mean t)²`: the share of the variance that is explained. Where the true numbers are all
    /// the same it is 1 if every prediction is right, else 0.
    pub r2: f64,
}

/// Errors and R² of each output.
///
/// Shapes: `values`, `predictions [items, outputs]`; gives `[outputs]`.
///
/// # Panics
/// When the two differ in length.
pub fn output_metrics(values: &[f32], predictions: &[f32], outputs: usize) -> Vec<OutputMetrics> {
    assert_eq!(values.len(), predictions.len(), "values and predictions");
    let items = (values.len() / outputs) as f64;
    let of_output = |output: usize| {
        let pairs = || {
            let pairs = values.iter().zip(predictions).skip(output).step_by(outputs);
            pairs.map(|(&t, &y)| (f64::from(t), f64::from(y)))
        };
        let mean = pairs().map(|(t, _)| t).sum::<f64>() / items;
        let variance = pairs().map(|(t, _)| (t - mean).powi(2)).sum::<f64>() / items;
        let square = pairs().map(|(t, y)| (t - y).powi(2)).sum::<f64>() / items;
        OutputMetrics {
            output,
            mean,
            deviation: variance.sqrt(),
            mae: pairs().map(|(t, y)| (t - y).abs()).sum::<f64>() / items,
            rmse: square.sqrt(),
            r2: match variance > 0.0 {
                true => 1.0 - square / variance,
                false => f64::from(u8::from(square == 0.0)),
            },
        }
    };
    (0..outputs).map(of_output).collect()
}

/// How often something is there, is predicted, and both.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    there: u64,
    predicted: u64,
    right: u64,
}

impl Counts {
    fn add(&mut self, there: bool, predicted: bool) {
        self.there += u64::from(there);
        self.predicted += u64::from(predicted);
        self.right += u64::from(there && predicted);
    }

    fn metrics(self, class: usize) -> ClassMetrics {
        ClassMetrics {
            class,
            items: self.there,
            predicted: self.predicted,
            precision: share(self.right, self.predicted),
            recall: share(self.right, self.there),
            f1: share(2 * self.right, self.predicted + self.there),
        }
    }
}

/// `part / whole`, or 0 where there is nothing.
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

/// How often items of one class (row) were predicted to be of another (column).
///
/// Shapes: `labels`, `predictions [items]`, all below `classes`; gives `[classes, classes]`.
///
/// # Panics
/// When a label or prediction is not below `classes`.
pub fn confusion(labels: &[u32], predictions: &[u32], classes: usize) -> Vec<Vec<u64>> {
    let mut counts = vec![vec![0; classes]; classes];
    for (&label, &prediction) in labels.iter().zip(predictions) {
        counts[label as usize][prediction as usize] += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_hand() {
        let (labels, predictions) = ([0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 0, 0]);
        assert_eq!(
            confusion(&labels, &predictions, 4),
            [[2, 1, 0, 0], [1, 1, 0, 0], [1, 0, 0, 0], [0; 4]]
        );
        let metrics = class_metrics(&labels, &predictions, 4);
        assert_eq!(metrics[0].precision, 2.0 / 4.0);
        assert_eq!(metrics[0].recall, 2.0 / 3.0);
        assert_eq!(metrics[0].f1, 4.0 / 7.0);
        // Never predicted, and never there.
        assert_eq!(
            (metrics[2].precision, metrics[2].recall, metrics[2].f1),
            (0.0, 0.0, 0.0)
        );
        assert_eq!((metrics[3].items, metrics[3].f1), (0, 0.0));
    }

    #[test]
    fn several_labels_by_hand() {
        // Items have labels {0}, {0, 1}, {}; predicted are {0}, {1}, {1}.
        let flags = [1, 0, 1, 1, 0, 0];
        let probabilities = [0.5, 0.1, 0.4, 0.9, 0.0, 0.7];
        let metrics = label_metrics(&flags, &probabilities, 2);
        assert_eq!((metrics[0].precision, metrics[0].recall), (1.0, 0.5));
        assert_eq!((metrics[1].precision, metrics[1].recall), (0.5, 1.0));
        // Two of three predicted are right, and two of three there are predicted.
        assert_eq!(
            label_scores(&flags, &probabilities, 2),
            (2.0 / 3.0, 1.0 / 3.0)
        );
    }

    #[test]
    fn numbers_by_hand() {
        // Outputs 0: 1, 2, 3 against 1, 2, 6; outputs 1 are all 5.
        let values = [1.0, 5.0, 2.0, 5.0, 3.0, 5.0];
        let predictions = [1.0, 5.0, 2.0, 5.0, 6.0, 5.0];
        let metrics = output_metrics(&values, &predictions, 2);
        assert_eq!(
            (metrics[0].mean, metrics[0].mae, metrics[0].rmse),
            (2.0, 1.0, 3.0f64.sqrt())
        );
        // Squares of 9 against 2.
        assert!((metrics[0].r2 - (1.0 - 9.0 / 2.0)).abs() < 1e-12);
        assert_eq!((metrics[1].r2, metrics[1].deviation), (1.0, 0.0));
        assert_eq!(output_metrics(&[5.0, 5.0], &[5.0, 4.0], 1)[0].r2, 0.0);
    }
}
