//! Softmax and cross-entropy, fused: the loss from logits, and its gradient in their place.
//!
//! `ŷ = softmax(z)` and `loss = −ln ŷ[label] = ln Σ eᶻ − z[label]`, with the row's largest logit subtracted first, so
//! that the loss is finite for logits of any size. The gradient at the logits is `ŷ − y`.

use multiversion::multiversion;

use super::row_shares::RowShares;
use crate::compute::shared::{AtomicF64, RowsMut};
use crate::kernels;

/// Rows that are computed together: two registers for each class, so that one need not wait for the other.
pub const ROWS_TOGETHER: usize = 32;
/// The most classes of rows that are computed together. Longer rows fill registers by themselves.
const MAX_CLASSES_TOGETHER: usize = 16;
/// Classes that are transposed at a time.
const CLASSES_AT_A_TIME: usize = 4;

/// One number for each of the rows that are computed together.
type OfRows<T = f32> = [T; ROWS_TOGETHER];

/// The cross-entropy of one class per sample. By default all classes have the same weight, and nothing is smoothed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CrossEntropy {
    /// The share ε of the target that is spread over all classes: the target is `(1 − ε) · onehot + ε / classes`
    /// (C. Szegedy and others, *Rethinking the Inception Architecture for Computer Vision*, 2016).
    pub smoothing: f32,
    /// The weight of the samples of each class, `[classes]`; `None` if all weights are 1.
    pub class_weights: Option<Vec<f32>>,
}

impl CrossEntropy {
    /// The sum of the weights of samples with these labels, by which the loss of a batch is divided.
    ///
    /// # Panics
    /// Panics if a label is not below the number of classes.
    pub fn total_weight(&self, labels: impl ExactSizeIterator<Item = u32>) -> f64 {
        match &self.class_weights {
            None => labels.len() as f64,
            Some(weights) => labels.map(|label| f64::from(weights[label as usize])).sum(),
        }
    }

    /// The weight of the samples of a class.
    ///
    /// # Panics
    /// Panics if there is no such class.
    pub fn class_weight(&self, class: u32) -> f64 {
        let weights = self.class_weights.as_ref();
        weights.map_or(1.0, |weights| f64::from(weights[class as usize]))
    }

    /// Returns the loss of one sample times the weight of its class, and replaces the logits by its gradient. A
    /// smoothed target is weighted as a whole by the class of the sample; PyTorch weights each class's share by that
    /// class.
    ///
    /// Shapes: `logits [classes]`. With the target t and the weight w, overwrites `logits` with
    /// `(softmax(logits) − t) · w · scale` and returns `−w Σ t · ln softmax(logits)` in nats.
    ///
    /// # Panics
    /// Panics if the label is not below the number of classes.
    pub fn backward(&self, logits: &mut [f32], label: usize, scale: f32) -> f64 {
        let weight = self
            .class_weights
            .as_ref()
            .map_or(1.0, |weights| weights[label]);
        let scale = weight * scale;
        let loss = match self.smoothing {
            0.0 => cross_entropy_backward(logits, label, scale),
            smoothing => smoothed_backward(logits, label, smoothing, scale),
        };
        f64::from(weight) * loss
    }

    /// [`CrossEntropy::backward`] for some rows with their `shares`, to the same bits. Stores the loss of each, times its
    /// weight.
    ///
    /// Shapes: `logits [rows, classes]`, `labels`, `losses [rows]`. Overwrites `logits` and `losses`.
    ///
    /// # Panics
    /// Panics if a label is not below the number of classes, or the shapes differ.
    pub fn backward_rows(
        &self,
        mut logits: RowsMut,
        labels: &[u32],
        shares: RowShares,
        losses: &[AtomicF64],
    ) {
        assert_eq!(logits.rows(), labels.len(), "rows of logits and labels");
        assert_eq!(labels.len(), losses.len(), "labels and losses");
        let (classes, stride) = (logits.width, logits.stride);
        let whole = stride.is_multiple_of(CLASSES_AT_A_TIME);
        if self.smoothing == 0.0 && classes <= MAX_CLASSES_TOGETHER && whole {
            let rows = logits.values.chunks_mut(ROWS_TOGETHER * stride);
            let labels = labels.chunks(ROWS_TOGETHER);
            let losses = losses.chunks(ROWS_TOGETHER);
            for (index, ((rows, labels), losses)) in rows.zip(labels).zip(losses).enumerate() {
                let shares = shares.rows(index * ROWS_TOGETHER, labels.len());
                self.backward_together(rows, (classes, stride), labels, shares, losses);
            }
        } else {
            let rows = logits.iter_mut().zip(losses).zip(labels);
            for (index, ((row, loss), &label)) in rows.enumerate() {
                let weight = shares.weight(index);
                let of_row = self.backward(row, label as usize, weight * shares.scale());
                loss.store(f64::from(weight) * of_row);
            }
        }
    }

    /// [`CrossEntropy::backward_rows`] for at most [`ROWS_TOGETHER`] rows without smoothing, `rows [rows · stride]`.
    fn backward_together(
        &self,
        rows: &mut [f32],
        (classes, stride): (usize, usize),
        labels: &[u32],
        shares: RowShares,
        losses: &[AtomicF64],
    ) {
        let mut weights = [1.0; ROWS_TOGETHER];
        if let Some(of_classes) = &self.class_weights {
            for (weight, &label) in weights.iter_mut().zip(labels) {
                *weight = of_classes[label as usize];
            }
        }
        let mut of_labels = [0.0; ROWS_TOGETHER];
        let of_rows = rows.chunks_exact(stride).zip(labels);
        for (of_label, (row, &label)) in of_labels.iter_mut().zip(of_rows) {
            *of_label = row[..classes][label as usize];
        }
        let scale = shares.scale();
        let mut scales = weights.map(|weight| weight * scale);
        if shares.are_weighted() {
            for (row, (scale_of_row, weight)) in scales
                .iter_mut()
                .zip(&weights)
                .enumerate()
                .take(labels.len())
            {
                *scale_of_row = weight * (shares.weight(row) * scale);
            }
        }
        let of_rows = softmax_together(rows, (classes, stride), &scales, &of_labels);
        let of_labels = rows.chunks_exact_mut(stride).zip(labels);
        for (i, ((row, &label), loss)) in of_labels.zip(losses).enumerate() {
            row[label as usize] -= scales[i];
            let of_row = f64::from(weights[i]) * of_rows[i];
            loss.store(f64::from(shares.weight(i)) * of_row);
        }
    }
}

/// Replaces the logits of at most [`ROWS_TOGETHER`] rows by `softmax(logits) · scale`, and returns the loss of each row
/// whose label has the logit `of_labels`.
///
/// Shapes: `rows [rows · stride]`, of which the first `classes` of each stride are the logits. Overwrites these.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn softmax_together(
    rows: &mut [f32],
    (classes, stride): (usize, usize),
    scales: &OfRows,
    of_labels: &OfRows,
) -> OfRows<f64> {
    let mut columns = [[0.0; ROWS_TOGETHER]; MAX_CLASSES_TOGETHER];
    read_columns(rows, stride, &mut columns[..classes]);
    // Loops over indices of copies: the compiler makes registers of them.
    let mut largest = [f32::NEG_INFINITY; ROWS_TOGETHER];
    for column in &columns[..classes] {
        for i in 0..ROWS_TOGETHER {
            largest[i] = largest[i].max(column[i]);
        }
    }
    let mut sums = [0.0; ROWS_TOGETHER];
    for column in &mut columns[..classes] {
        let mut z = *column;
        for i in 0..ROWS_TOGETHER {
            z[i] = kernels::exp(z[i] - largest[i]);
        }
        for i in 0..ROWS_TOGETHER {
            sums[i] += z[i];
        }
        *column = z;
    }
    let mut factors = *scales;
    for i in 0..ROWS_TOGETHER {
        factors[i] /= sums[i];
    }
    for column in &mut columns[..classes] {
        let mut z = *column;
        for i in 0..ROWS_TOGETHER {
            z[i] = kernels::flush(z[i] * factors[i]);
        }
        *column = z;
    }
    write_columns(rows, stride, &columns[..classes]);
    let mut losses = [0.0; ROWS_TOGETHER];
    for i in 0..ROWS_TOGETHER {
        losses[i] = kernels::ln_wide(sums[i]);
    }
    for i in 0..ROWS_TOGETHER {
        losses[i] = losses[i] + f64::from(largest[i]) - f64::from(of_labels[i]);
    }
    losses
}

/// Reads a column for each class from `rows [rows · stride]`.
#[inline(always)]
fn read_columns(rows: &[f32], stride: usize, columns: &mut [OfRows]) {
    for (q, columns) in columns.chunks_mut(CLASSES_AT_A_TIME).enumerate() {
        let first = q * CLASSES_AT_A_TIME;
        let mut parts = [[0.0; CLASSES_AT_A_TIME]; ROWS_TOGETHER];
        for (part, row) in parts.iter_mut().zip(rows.chunks_exact(stride)) {
            part.copy_from_slice(&row[first..first + CLASSES_AT_A_TIME]);
        }
        for (k, column) in columns.iter_mut().enumerate() {
            *column = parts.map(|part| part[k]);
        }
    }
}

/// Writes the column of each class to `rows [rows · stride]`.
#[inline(always)]
fn write_columns(rows: &mut [f32], stride: usize, columns: &[OfRows]) {
    let (whole, rest) = columns.as_chunks::<CLASSES_AT_A_TIME>();
    for (q, columns) in whole.iter().enumerate() {
        let first = q * CLASSES_AT_A_TIME;
        let mut parts = [[0.0; CLASSES_AT_A_TIME]; ROWS_TOGETHER];
        for (i, part) in parts.iter_mut().enumerate() {
            *part = columns.map(|column| column[i]);
        }
        for (part, row) in parts.iter().zip(rows.chunks_exact_mut(stride)) {
            row[first..first + CLASSES_AT_A_TIME].copy_from_slice(part);
        }
    }
    for (k, column) in rest.iter().enumerate() {
        let class = whole.len() * CLASSES_AT_A_TIME + k;
        for (z, row) in column.iter().zip(rows.chunks_exact_mut(stride)) {
            row[class] = *z;
        }
    }
}

/// [`cross_entropy_backward`] for a smoothed target: `lse − (1 − ε) z[label] − ε mean(z)`, where `lse` is `ln Σ eᶻ`.
fn smoothed_backward(logits: &mut [f32], label: usize, smoothing: f32, scale: f32) -> f64 {
    let classes = logits.len() as f64;
    let smoothed = f64::from(smoothing);
    let mean = logits.iter().map(|&z| f64::from(z)).sum::<f64>() / classes;
    // Zero for equal logits, however large.
    let from_mean = f64::from(logits[label]) - mean;
    let loss = cross_entropy_backward(logits, label, scale) + smoothed * from_mean;
    let share = (smoothed / classes) as f32 * scale;
    logits
        .iter_mut()
        .for_each(|d| *d = kernels::flush(*d - share));
    logits[label] += smoothing * scale;
    loss
}

/// Returns the loss of one sample, and replaces its logits by the gradient.
///
/// Shapes: `logits [classes]`. Overwrites `logits` with `(softmax(logits) − onehot(label)) · scale` and returns the
/// loss in nats. `scale` is 1 over the batch size if the loss is a mean over the batch.
///
/// # Panics
/// Panics if the label is not below the number of classes.
pub fn cross_entropy_backward(logits: &mut [f32], label: usize, scale: f32) -> f64 {
    let logit = logits[label];
    let (largest, sum) = exponentials(logits);
    scale_row(logits, scale / sum);
    logits[label] -= scale;
    kernels::ln_wide(sum) + f64::from(largest) - f64::from(logit)
}

/// The loss of one row of logits, in nats.
///
/// Shapes: `logits [classes]`.
///
/// # Panics
/// Panics if `label` is not below the number of classes.
pub fn cross_entropy(logits: &[f32], label: usize) -> f64 {
    let largest = maximum(logits);
    let sum = logits
        .iter()
        .map(|&z| kernels::exp(z - largest))
        .sum::<f32>();
    kernels::ln_wide(sum) + f64::from(largest) - f64::from(logits[label])
}

/// Turns logits into probabilities, in place: `ŷ = softmax(z)`.
///
/// Shapes: `logits [classes]`. Overwrites them.
pub fn softmax(logits: &mut [f32]) {
    let (_, sum) = exponentials(logits);
    scale_row(logits, 1.0 / sum);
}

/// The class with the largest value; the first one if several are equal.
///
/// Shapes: `values [classes]`, at least one.
pub fn arg_max(values: &[f32]) -> usize {
    let mut best = 0;
    for (class, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = class;
        }
    }
    best
}

/// `z = e^(z − max z)` in place; returns `max z` and the sum of the exponentials.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn exponentials(row: &mut [f32]) -> (f32, f32) {
    let largest = maximum(row);
    for z in row.iter_mut() {
        *z = kernels::exp(*z - largest);
    }
    (largest, row.iter().sum())
}

/// The largest number. NaN is ignored here; the exponentials keep it.
#[inline(always)]
fn maximum(row: &[f32]) -> f32 {
    row.iter().fold(f32::NEG_INFINITY, |most, z| most.max(*z))
}

#[inline(always)]
fn scale_row(row: &mut [f32], factor: f32) {
    for z in row {
        *z = kernels::flush(*z * factor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn huge_logits_give_a_finite_loss() {
        for row in [[1e4, -1e4, 0.0], [-1e4; 3], [1e4; 3]] {
            for label in 0..3 {
                let mut logits = row;
                let alone = cross_entropy(&row, label);
                let loss = cross_entropy_backward(&mut logits, label, 1.0);
                assert!(loss.is_finite() && logits.iter().all(|d| d.is_finite()));
                assert!((loss - alone).abs() < 1e-6, "{loss} against {alone}");
            }
        }
        // The loss of a certain but wrong prediction is the distance of the logits.
        assert_eq!(cross_entropy(&[1e4, -1e4], 1), 2e4);
    }

    #[test]
    fn the_gradient_is_probability_minus_target() {
        let mut logits = [0.0, (2.0f32).ln(), (5.0f32).ln()];
        let loss = cross_entropy_backward(&mut logits, 1, 0.5);
        let expected = [1.0 / 8.0, 2.0 / 8.0 - 1.0, 5.0 / 8.0];
        for (found, expected) in logits.iter().zip(expected) {
            assert!((found - 0.5 * expected).abs() < 1e-6, "{logits:?}");
        }
        assert!((loss - 4.0f64.ln()).abs() < 1e-6);
    }

    #[test]
    fn rows_together_have_the_bits_of_each_row() {
        for (classes, rows) in (1..=17).flat_map(|c| [1, 31, 32, 77].map(|rows| (c, rows))) {
            let stride = 20;
            let logits: Vec<f32> = (0..rows * stride)
                .map(|i| match i % stride < classes {
                    true => (i * 7919 % 1000) as f32 / 50.0 - 10.0,
                    false => 0.0,
                })
                .collect();
            let labels: Vec<u32> = (0..rows).map(|row| (row * 5 % classes) as u32).collect();
            let class_weights = Some((0..classes).map(|class| 1.0 + class as f32).collect());
            for class_weights in [None, class_weights] {
                let loss = CrossEntropy {
                    smoothing: 0.0,
                    class_weights,
                };
                let (mut found, mut expected) = (logits.clone(), logits.clone());
                let losses: Vec<_> = labels.iter().map(|_| AtomicF64::default()).collect();
                let together = RowsMut {
                    values: &mut found,
                    width: classes,
                    stride,
                };
                loss.backward_rows(together, &labels, RowShares::equal(4.0), &losses);
                for (row, expected) in expected.chunks_exact_mut(stride).enumerate() {
                    let alone = loss.backward(&mut expected[..classes], labels[row] as usize, 0.25);
                    assert_eq!(losses[row].load(), alone, "{classes} classes, row {row}");
                }
                assert_eq!(found, expected, "{classes} classes, {rows} rows");
            }
        }
    }

    #[test]
    fn smoothed_loss_equals_that_computed_by_hand() {
        // Probabilities 1/8, 2/8, 5/8; the target 0.1, 0.8, 0.1 and a weight of 3.
        let loss = CrossEntropy {
            smoothing: 0.3,
            class_weights: Some(vec![1.0, 3.0, 1.0]),
        };
        let mut logits = [0.0, (2.0f32).ln(), (5.0f32).ln()];
        let found = loss.backward(&mut logits, 1, 0.5);
        let truth = [0.1, 0.8, 0.1];
        let shares = [1.0 / 8.0, 2.0 / 8.0, 5.0 / 8.0f64];
        let expected: f64 = truth
            .iter()
            .zip(shares)
            .map(|(t, p)| -3.0 * t * p.ln())
            .sum();
        assert!((found - expected).abs() < 1e-6, "{found} for {expected}");
        for ((found, p), t) in logits.into_iter().zip(shares).zip(truth) {
            assert!(
                (f64::from(found) - 1.5 * (p - t)).abs() < 1e-6,
                "{logits:?}"
            );
        }
        assert_eq!(loss.total_weight([1, 0, 1].into_iter()), 7.0);
        assert_eq!(
            CrossEntropy::default().total_weight([1, 0, 1].into_iter()),
            3.0
        );
    }

    #[test]
    fn nan_logits_give_a_nan_loss() {
        let mut logits = [0.0, f32::NAN];
        assert!(cross_entropy(&logits, 0).is_nan());
        assert!(cross_entropy_backward(&mut logits, 0, 1.0).is_nan());
    }

    #[test]
    fn arg_max_takes_the_first_of_equals() {
        assert_eq!(arg_max(&[0.0, 3.0, 3.0, 1.0]), 1);
    }
}
