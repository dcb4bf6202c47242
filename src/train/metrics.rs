//! What predictions are worth, class by class.

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
    let share = |part: u64, whole: u64| {
        if whole == 0 {
            0.0
        } else {
            part as f64 / whole as f64
        }
    };
    (0..classes)
        .map(|class| ClassMetrics {
            class,
            items: items[class],
            predicted: predicted[class],
            precision: share(right[class], predicted[class]),
            recall: share(right[class], items[class]),
            f1: share(2 * right[class], predicted[class] + items[class]),
        })
        .collect()
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
}
