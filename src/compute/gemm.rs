//! Matrix products by a library: only this module calls OpenBLAS and matrixmultiply.
//!
//! Both run single-threaded here. OpenBLAS needs unit stride along one axis of each operand.

use std::ops::Range;

use ndarray::{ArrayView2, ArrayViewMut2, ShapeBuilder};

use super::openblas;
use super::shared::{Rows, RowsMut};

/// A library for matrix products.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Library {
    /// OpenBLAS, which `Engine::check` loads.
    OpenBlas,
    /// The matrixmultiply crate.
    MatrixMultiply,
}

/// `c = a · b + beta · c`.
///
/// Shapes: `a [m, k]`, `b [k, n]`, `c [m, n]`; `a` and `b` may be transposed views. Overwrites `c`, which is not
/// read if `beta` is 0.
///
/// # Panics
/// Panics if the shapes do not match, or if OpenBLAS is not available.
pub fn multiply(
    library: Library,
    a: ArrayView2<f32>,
    b: ArrayView2<f32>,
    beta: f32,
    mut c: ArrayViewMut2<f32>,
) {
    match library {
        Library::OpenBlas => {
            let openblas = openblas::loaded().expect("the engine was checked");
            openblas.multiply(a, b, beta, c);
        }
        Library::MatrixMultiply => {
            let ((m, k), n) = (a.dim(), b.ncols());
            assert_eq!((b.nrows(), c.dim()), (k, (m, n)), "shapes of a product");
            let stride = |strides: &[isize]| (strides[0], strides[1]);
            let (a_row, a_column) = stride(a.strides());
            let (b_row, b_column) = stride(b.strides());
            let (c_row, c_column) = stride(c.strides());
            // SAFETY: `sgemm` reads `a [m, k]` and `b [k, n]` and writes `c [m, n]` with the given strides. The
            // pointers and strides are those of views that borrow all elements, `c` mutably, and the assertion above
            // checks that the views have these shapes.
            unsafe {
                matrixmultiply::sgemm(
                    m,
                    k,
                    n,
                    1.0,
                    a.as_ptr(),
                    a_row,
                    a_column,
                    b.as_ptr(),
                    b_row,
                    b_column,
                    beta,
                    c.as_mut_ptr(),
                    c_row,
                    c_column,
                );
            }
        }
    }
}

/// A view of a row-major buffer.
///
/// Shapes: `values [rows · columns]`; returns `[rows, columns]`.
///
/// # Panics
/// Panics if `values` has another length.
pub fn matrix(values: &[f32], rows: usize, columns: usize) -> ArrayView2<'_, f32> {
    ArrayView2::from_shape((rows, columns), values).expect("rows · columns values")
}

/// A mutable view of a row-major buffer.
///
/// Shapes: `values [rows · columns]`; returns `[rows, columns]`.
///
/// # Panics
/// Panics if `values` has another length.
pub fn matrix_mut(values: &mut [f32], rows: usize, columns: usize) -> ArrayViewMut2<'_, f32> {
    ArrayViewMut2::from_shape((rows, columns), values).expect("rows · columns values")
}

/// A view of strided rows, `[rows, width]`.
pub fn rows(rows: Rows<'_>) -> ArrayView2<'_, f32> {
    let shape = (rows.rows(), rows.width).strides((rows.stride, 1));
    ArrayView2::from_shape(shape, rows.values).expect("rows of one stride each")
}

/// A mutable view of strided rows, `[rows, width]`.
pub fn rows_mut(rows: RowsMut<'_>) -> ArrayViewMut2<'_, f32> {
    let shape = (rows.rows(), rows.width).strides((rows.stride, 1));
    ArrayViewMut2::from_shape(shape, rows.values).expect("rows of one stride each")
}

/// Some columns of strided rows, `[rows, columns]`.
///
/// The strides are set explicitly: ndarray's own slice of a single column has stride 0, which BLAS does not accept.
///
/// # Panics
/// Panics if the columns are out of range.
pub fn columns(all: Rows<'_>, columns: Range<usize>) -> ArrayView2<'_, f32> {
    assert!(columns.end <= all.width, "columns of a row");
    let shape = (all.rows(), columns.len()).strides((all.stride, 1));
    ArrayView2::from_shape(shape, &all.values[columns.start..]).expect("rows of one stride each")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The libraries that are here.
    fn libraries() -> Vec<Library> {
        let mut here = vec![Library::MatrixMultiply];
        if openblas::loaded().is_ok() {
            here.push(Library::OpenBlas);
        }
        here
    }

    #[test]
    fn equals_the_textbook_sum_for_odd_shapes_and_transposes() {
        for library in libraries() {
            for (m, k, n) in [
                (1, 1, 1),
                (1, 9, 1),
                (2, 3, 4),
                (7, 8, 9),
                (33, 17, 10),
                (9, 65, 31),
            ] {
                let value = |seed: usize| move |i: usize| ((i * 37 + seed) % 11) as f32 - 5.0;
                let a: Vec<f32> = (0..m * k).map(value(1)).collect();
                let b: Vec<f32> = (0..k * n).map(value(2)).collect();
                let before: Vec<f32> = (0..m * n).map(value(3)).collect();
                let expected: Vec<f32> = (0..m * n)
                    .map(|at| {
                        let sum = (0..k).map(|l| a[at / n * k + l] * b[l * n + at % n]);
                        sum.sum::<f32>() + 2.0 * before[at]
                    })
                    .collect();
                let (a, b) = (matrix(&a, m, k), matrix(&b, k, n));
                let mut c = before.clone();
                multiply(library, a, b, 2.0, matrix_mut(&mut c, m, n));
                assert_eq!(c, expected, "{m}×{k}×{n}");
                // bᵀ · aᵀ is cᵀ. The elements are small integers, so the sums are exact in any order.
                let mut transposed = vec![f32::NAN; n * m];
                let out = matrix_mut(&mut transposed, n, m);
                multiply(library, b.reversed_axes(), a.reversed_axes(), 0.0, out);
                for (at, &value) in expected.iter().enumerate() {
                    let found = transposed[at % n * m + at / n] + 2.0 * before[at];
                    assert_eq!(found, value, "{m}×{k}×{n}");
                }
            }
        }
    }

    #[test]
    fn one_or_many_columns_of_strided_rows_are_multiplied() {
        let x: Vec<f32> = (0..5 * 16).map(|i| (i % 13) as f32).collect();
        let dz: Vec<f32> = (0..5 * 9).map(|i| (i % 7) as f32 - 3.0).collect();
        let all = Rows {
            first: 0,
            values: &x,
            width: 10,
            stride: 16,
        };
        let ranges = [9..10, 3..10, 0..1, 0..10];
        for (library, range) in libraries()
            .into_iter()
            .flat_map(|l| ranges.clone().map(|r| (l, r)))
        {
            let mut out = vec![f32::NAN; range.len() * 9];
            let transposed = columns(all, range.clone()).reversed_axes();
            let into = matrix_mut(&mut out, range.len(), 9);
            multiply(library, transposed, matrix(&dz, 5, 9), 0.0, into);
            for (at, &found) in out.iter().enumerate() {
                let (column, unit) = (range.start + at / 9, at % 9);
                let sum: f32 = (0..5)
                    .map(|row| x[row * 16 + column] * dz[row * 9 + unit])
                    .sum();
                assert_eq!(found, sum, "column {column} of {range:?}, unit {unit}");
            }
        }
    }
}
