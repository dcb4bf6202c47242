//! Matrices that a team shares, and views of their rows.

use std::ops::Range;

use super::block::{Block, BlockMut};
use super::buffer::{LINE, Number, SharedBuffer};
use super::rows::{Rows, RowsMut};
use crate::error::Result;

/// A row-major matrix that a team shares, `[rows, width]`.
///
/// Rows start an odd number of cache lines apart, so that walking down a column does not hit the same few sets of a
/// cache. The numbers between `width` and the stride are zero at first and are never read as part of a row.
#[derive(Debug)]
pub struct Matrix<T = f32> {
    values: SharedBuffer<T>,
    width: usize,
    stride: usize,
}

impl<T: Number> Matrix<T> {
    /// A matrix of zeros.
    ///
    /// # Errors
    /// Returns [`Error::Memory`] if the system does not grant the memory.
    pub fn zeroed(rows: usize, width: usize) -> Result<Matrix<T>> {
        let line = LINE * size_of::<f32>() / size_of::<T>();
        let stride = (width.div_ceil(line) | 1) * line;
        Ok(Matrix {
            values: SharedBuffer::zeroed(rows.saturating_mul(stride))?,
            width,
            stride,
        })
    }

    /// The rows in the range `rows`, to read.
    ///
    /// # Safety
    /// 1. Nobody writes these rows while the result is in use.
    ///
    /// # Panics
    /// Panics if the rows are out of bounds.
    #[inline]
    pub(crate) unsafe fn rows(&self, rows: Range<usize>) -> Rows<'_, T> {
        let range = rows.start * self.stride..rows.end * self.stride;
        Rows {
            // SAFETY: precondition 1 of `read` is precondition 1 of this function: `range` is the memory of the rows.
            values: unsafe { self.values.read(range) },
            width: self.width,
            stride: self.stride,
        }
    }

    /// The rows in the range `rows`, to write.
    ///
    /// # Safety
    /// 1. Nobody else reads or writes these rows while the result is in use.
    ///
    /// # Panics
    /// Panics if the rows are out of bounds.
    #[inline]
    pub(crate) unsafe fn rows_mut(&self, rows: Range<usize>) -> RowsMut<'_, T> {
        let range = rows.start * self.stride..rows.end * self.stride;
        RowsMut {
            // SAFETY: precondition 1 of `write` is precondition 1 of this function: `range` is the memory of the rows.
            values: unsafe { self.values.write(range) },
            width: self.width,
            stride: self.stride,
        }
    }

    /// Some columns of the rows in the range `rows`, to read.
    ///
    /// # Safety
    /// 1. Nobody writes these columns of these rows while the result is in use.
    ///
    /// # Panics
    /// Panics if the rows are out of bounds, or in the cases of [`Matrix::block_mut`].
    #[inline]
    pub(crate) unsafe fn block(&self, rows: Range<usize>, columns: Range<usize>) -> Block<'_, T> {
        // SAFETY: (1) the result only reads, so writers are excluded by precondition 1 of this function.
        unsafe { self.block_mut(rows, columns) }.into_block()
    }

    /// Some columns of the rows in the range `rows`, to write; the padding belongs to the last column.
    ///
    /// # Safety
    /// 1. Nobody else reads or writes these columns of these rows while the result is in use.
    ///
    /// # Panics
    /// Panics if rows or columns are out of bounds, or a range of columns does not start and end at a cache line or at
    /// the end of a row.
    #[inline]
    pub(crate) unsafe fn block_mut(
        &self,
        rows: Range<usize>,
        columns: Range<usize>,
    ) -> BlockMut<'_, T> {
        let is_edge = |column: usize| column.is_multiple_of(LINE) || column == self.width;
        assert!(
            columns.start <= columns.end
                && columns.end <= self.width
                && is_edge(columns.start)
                && is_edge(columns.end),
            "columns {columns:?} of {}",
            self.width
        );
        let start = self
            .values
            .pointer(rows.start * self.stride..rows.end * self.stride);
        let reach = match columns.end == self.width {
            true => self.stride - columns.start,
            false => columns.len(),
        };
        // The rows are in bounds, which `pointer` checked, and the columns and their padding are within the stride.
        BlockMut::new(
            start.wrapping_add(columns.start),
            rows.len(),
            (columns.len(), reach, self.stride),
        )
    }

    /// Columns.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// All rows, for the only owner.
    pub fn all_mut(&mut self) -> RowsMut<'_, T> {
        RowsMut {
            values: self.values.as_mut_slice(),
            width: self.width,
            stride: self.stride,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_start_an_odd_number_of_lines_apart() {
        for width in 1..200 {
            let matrix = Matrix::<f32>::zeroed(3, width).expect("memory");
            assert!(matrix.stride >= width && matrix.stride.is_multiple_of(LINE));
            assert_eq!(matrix.stride / LINE % 2, 1);
        }
    }

    #[test]
    fn blocks_of_one_matrix_cover_it_without_overlap() {
        for width in [1, 16, 17, 100] {
            let mut matrix = Matrix::<f32>::zeroed(3, width).expect("memory");
            let edge = LINE.min(width);
            for columns in [0..edge, edge..width] {
                // SAFETY: (1) this is the only view of the matrix.
                let mut block = unsafe { matrix.block_mut(1..3, columns.clone()) };
                assert_eq!((block.rows(), block.width()), (2, columns.len()));
                for row in 0..2 {
                    block.row(row).iter_mut().for_each(|x| *x += 1.0);
                }
            }
            for (row, values) in matrix.all_mut().iter_mut().enumerate() {
                let expected = if row == 0 { 0.0 } else { 1.0 };
                assert!(values.iter().all(|&x| x == expected), "{width}: {values:?}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "columns 3..17 of 17")]
    fn a_block_does_not_start_within_a_cache_line() {
        let matrix = Matrix::<f32>::zeroed(3, 17).expect("memory");
        // SAFETY: (1) this is the only view of the matrix.
        unsafe { matrix.block_mut(0..3, 3..17) };
    }
}
