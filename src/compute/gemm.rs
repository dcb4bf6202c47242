//! Matrix products: the only place from which BLAS is called.
//!
//! ndarray hands a product to `cblas_sgemm` when a dimension exceeds 7 and each operand has unit stride
//! along one axis; else, and in builds without OpenBLAS, it runs `matrixmultiply`, single-threaded too.

use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2};

/// `c = a · b`.
///
/// Shapes: `a [m, k]`, `b [k, n]`, `c [m, n]`; `a` and `b` may be transposed views. Overwrites `c`.
///
/// # Panics
/// When the shapes do not fit.
pub fn multiply(a: ArrayView2<f32>, b: ArrayView2<f32>, mut c: ArrayViewMut2<f32>) {
    debug_assert!(
        [a.strides(), b.strides(), c.strides()]
            .iter()
            .all(|strides| strides.contains(&1)),
        "a product without unit strides silently leaves BLAS: {:?} · {:?} = {:?}",
        a.strides(),
        b.strides(),
        c.strides()
    );
    general_mat_mul(1.0, &a, &b, 0.0, &mut c);
}

/// A view of the first `rows` rows of a row-major buffer.
///
/// Shapes: `values [at least rows · columns]` gives `[rows, columns]`.
///
/// # Panics
/// When `values` is shorter.
pub fn matrix(values: &[f32], rows: usize, columns: usize) -> ArrayView2<'_, f32> {
    ArrayView2::from_shape((rows, columns), &values[..rows * columns])
        .expect("the slice has rows · columns elements")
}

/// [`matrix`], to write through.
pub fn matrix_mut(values: &mut [f32], rows: usize, columns: usize) -> ArrayViewMut2<'_, f32> {
    ArrayViewMut2::from_shape((rows, columns), &mut values[..rows * columns])
        .expect("the slice has rows · columns elements")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_textbook_sum_over_awkward_shapes_and_transposes() {
        for (m, k, n) in [(1, 9, 1), (2, 3, 4), (7, 8, 9), (33, 17, 10), (9, 65, 31)] {
            let value = |seed: usize| move |i: usize| ((i * 37 + seed) % 11) as f32 - 5.0;
            let a: Vec<f32> = (0..m * k).map(value(1)).collect();
            let b: Vec<f32> = (0..k * n).map(value(2)).collect();
            let expected: Vec<f32> = (0..m * n)
                .map(|at| (0..k).map(|l| a[at / n * k + l] * b[l * n + at % n]).sum())
                .collect();
            let mut c = vec![f32::NAN; m * n];
            multiply(matrix(&a, m, k), matrix(&b, k, n), matrix_mut(&mut c, m, n));
            assert_eq!(c, expected, "{m}×{k}×{n}");
            // (bᵀ · aᵀ) is cᵀ: small integers, so the sums are exact in any order.
            let mut transposed = vec![f32::NAN; n * m];
            multiply(
                matrix(&b, k, n).reversed_axes(),
                matrix(&a, m, k).reversed_axes(),
                matrix_mut(&mut transposed, n, m),
            );
            for (at, &value) in expected.iter().enumerate() {
                assert_eq!(transposed[at % n * m + at / n], value, "{m}×{k}×{n}");
            }
        }
    }
}
