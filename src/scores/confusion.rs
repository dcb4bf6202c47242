//! The confusion matrix of a classifier.

/// How often samples of one class (row) were predicted to be of another (column).
///
/// Shapes: `labels`, `predictions [samples]`, all below `classes`; returns `[classes, classes]`.
///
/// # Panics
/// Panics if a label or prediction is not below `classes`.
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
    fn rows_are_true_classes_and_columns_predicted_ones() {
        let (labels, predictions) = ([0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 0, 0]);
        assert_eq!(
            confusion(&labels, &predictions, 4),
            [[2, 1, 0, 0], [1, 1, 0, 0], [1, 0, 0, 0], [0; 4]]
        );
    }
}
