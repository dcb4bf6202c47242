//! Precision, recall and F1: of each class, of each label, and over all labels.

use serde::Serialize;

use super::metric::{LABEL_THRESHOLD, Predicted, share};

/// Precision, recall and F1 of one class or label.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassMetrics {
    /// The class.
    pub class: usize,
    /// Samples that have it.
    pub items: u64,
    /// Samples that were predicted to have it.
    pub predicted: u64,
    /// The share of samples predicted to have it that do; 0 if none was predicted.
    pub precision: f64,
    /// The share of samples that have it and were predicted to; 0 if none has it.
    pub recall: f64,
    /// The harmonic mean of precision and recall; 0 if both are 0.
    pub f1: f64,
}

/// F1 over all labels of all samples; `None` for other tasks.
///
/// # Panics
/// Panics if flags and probabilities differ in length.
pub(super) fn f1(predicted: &Predicted) -> Option<f64> {
    let Predicted::Labels {
        flags,
        probabilities,
        ..
    } = *predicted
    else {
        return None;
    };
    assert_eq!(flags.len(), probabilities.len(), "flags and probabilities");
    let mut counts = Counts::default();
    for (&flag, &p) in flags.iter().zip(probabilities) {
        counts.add(flag == 1, p >= LABEL_THRESHOLD);
    }
    Some(counts.f1())
}

/// Precision, recall and F1 of each class.
///
/// Shapes: `labels`, `predictions [samples]`, all below `classes`; returns `[classes]`.
///
/// # Panics
/// Panics if a label or prediction is not below `classes`.
pub fn class_metrics(labels: &[u32], predictions: &[u32], classes: usize) -> Vec<ClassMetrics> {
    let mut counts = vec![Counts::default(); classes];
    for (&label, &prediction) in labels.iter().zip(predictions) {
        counts[label as usize].present += 1;
        counts[prediction as usize].predicted += 1;
        counts[label as usize].right += u64::from(label == prediction);
    }
    let counts = counts.into_iter().enumerate();
    counts
        .map(|(class, counts)| counts.metrics(class))
        .collect()
}

/// Precision, recall and F1 of each label. A sample is predicted to have a label if its probability is at least
/// [`LABEL_THRESHOLD`].
///
/// Shapes: `flags`, `probabilities [samples, labels]`; returns `[labels]`.
///
/// # Panics
/// Panics if the two differ in length.
pub fn label_metrics(flags: &[u8], probabilities: &[f32], labels: usize) -> Vec<ClassMetrics> {
    assert_eq!(flags.len(), probabilities.len(), "flags and probabilities");
    let of_label = |label: usize| {
        let mut counts = Counts::default();
        let pairs = flags.iter().zip(probabilities);
        let of_label = pairs.skip(label).step_by(labels);
        of_label.for_each(|(&flag, &p)| counts.add(flag == 1, p >= LABEL_THRESHOLD));
        counts.metrics(label)
    };
    (0..labels).map(of_label).collect()
}

/// How often a class or label is present, is predicted, and is both.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    present: u64,
    predicted: u64,
    right: u64,
}

impl Counts {
    fn add(&mut self, present: bool, predicted: bool) {
        self.present += u64::from(present);
        self.predicted += u64::from(predicted);
        self.right += u64::from(present && predicted);
    }

    fn f1(self) -> f64 {
        share(2 * self.right, self.predicted + self.present)
    }

    fn metrics(self, class: usize) -> ClassMetrics {
        ClassMetrics {
            class,
            items: self.present,
            predicted: self.predicted,
            precision: share(self.right, self.predicted),
            recall: share(self.right, self.present),
            f1: self.f1(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_counted_by_hand() {
        let (labels, predictions) = ([0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 0, 0]);
        let metrics = class_metrics(&labels, &predictions, 4);
        assert_eq!(metrics[0].precision, 2.0 / 4.0);
        assert_eq!(metrics[0].recall, 2.0 / 3.0);
        assert_eq!(metrics[0].f1, 4.0 / 7.0);
        // Class 2 is never predicted, and no sample has class 3.
        assert_eq!(
            (metrics[2].precision, metrics[2].recall, metrics[2].f1),
            (0.0, 0.0, 0.0)
        );
        assert_eq!((metrics[3].items, metrics[3].f1), (0, 0.0));
    }

    #[test]
    fn labels_counted_by_hand() {
        // Samples have labels {0}, {0, 1}, {}; predicted are {0}, {1}, {1}.
        let flags = [1, 0, 1, 1, 0, 0];
        let probabilities = [0.5, 0.1, 0.4, 0.9, 0.0, 0.7];
        let metrics = label_metrics(&flags, &probabilities, 2);
        assert_eq!((metrics[0].precision, metrics[0].recall), (1.0, 0.5));
        assert_eq!((metrics[1].precision, metrics[1].recall), (0.5, 1.0));
        // Two of the three predicted labels are right, and two of the three present ones are predicted.
        let all = Predicted::Labels {
            flags: &flags,
            probabilities: &probabilities,
            labels: 2,
        };
        assert_eq!(f1(&all), Some(2.0 / 3.0));
    }
}
