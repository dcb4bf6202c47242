//! Accuracy: the share of samples that are predicted correctly.

use super::metric::{LABEL_THRESHOLD, Predicted, share};

/// The share of samples whose class, or every one of whose labels, is predicted correctly; `None` for regression.
///
/// # Panics
/// Panics if truth and predictions differ in length.
pub(super) fn accuracy(predicted: &Predicted) -> Option<f64> {
    match *predicted {
        Predicted::Classes {
            labels,
            predictions,
            ..
        } => {
            assert_eq!(labels.len(), predictions.len(), "labels and predictions");
            let pairs = labels.iter().zip(predictions);
            let right = pairs.filter(|(label, prediction)| label == prediction);
            Some(share(right.count() as u64, labels.len() as u64))
        }
        Predicted::Labels {
            flags,
            probabilities,
            labels,
        } => Some(exact_matches(flags, probabilities, labels)),
        Predicted::Values { .. } => None,
    }
}

/// The share of samples with every label right.
fn exact_matches(flags: &[u8], probabilities: &[f32], labels: usize) -> f64 {
    assert_eq!(flags.len(), probabilities.len(), "flags and probabilities");
    let samples = flags.chunks(labels).zip(probabilities.chunks(labels));
    let right = samples.filter(|(flags, probabilities)| {
        let mut pairs = flags.iter().zip(*probabilities);
        pairs.all(|(&flag, &p)| (flag == 1) == (p >= LABEL_THRESHOLD))
    });
    share(right.count() as u64, (flags.len() / labels) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accuracy_counts_classes_and_exact_matches_of_labels() {
        let of_classes = Predicted::Classes {
            labels: &[0, 0, 1, 2],
            predictions: &[0, 1, 1, 2],
            classes: 3,
        };
        assert_eq!(accuracy(&of_classes), Some(3.0 / 4.0));
        // Samples have labels {0}, {0, 1}, {}; predicted are {0}, {1}, {1}.
        let of_labels = Predicted::Labels {
            flags: &[1, 0, 1, 1, 0, 0],
            probabilities: &[0.5, 0.1, 0.4, 0.9, 0.0, 0.7],
            labels: 2,
        };
        assert_eq!(accuracy(&of_labels), Some(1.0 / 3.0));
    }
}
