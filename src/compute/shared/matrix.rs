//! Matrices that a team shares, and views of their rows.

use std::ops::Range;

use super::block::BlockMut;
use super::buffer::{LINE, Number, SharedBuffer};
use super::rows::{Rows, RowsMut};
use crate::error::Result;

/// Rows between groups of columns or copies that belong to different workers: what a processor fetches ahead at the end
/// of one does not reach the other.
pub const ROWS_APART: usize = 32;

/// A row-major matrix that a team shares, `[rows, width]`.
///
/// Rows start an odd number of cache lines apart, so that walking down a column does not hit the same few sets of a
/// cache. The numbers between `width` and the stride are zero at first and are never read as part of a row.
///
/// A matrix in groups has memory of its own for each group of columns, so that workers that have a group each do not
/// write near each other.
#[derive(Debug)]
pub struct Matrix<T = f32> {
    values: SharedBuffer<T>,
    width: usize,
    stride: usize,
    /// The number of rows of a group, if the matrix is in groups.
    rows_of_group: Option<usize>,
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
            rows_of_group: None,
        })
    }

    /// A matrix of zeros in `groups` groups of at most `widest` columns.
    ///
    /// # Errors
    /// Returns [`Error::Memory`] if the system does not grant the memory.
    pub fn zeroed_in_groups(
        (rows, width): (usize, usize),
        (groups, widest): (usize, usize),
    ) -> Result<Matrix<T>> {
        Ok(Matrix {
            width,
            rows_of_group: Some(rows + ROWS_APART),
            ..Matrix::zeroed((rows + ROWS_APART).saturating_mul(groups), widest)?
        })
    }

    /// The number of rows of a group, if the matrix is in groups.
    pub(crate) fn rows_of_group(&self) -> Option<usize> {
        self.rows_of_group
    }

    /// The columns `columns` of the rows in the range `rows`, if the matrix is in groups and these are one of them:
    /// the group with the number `group`.
    ///
    /// # Safety
    /// 1. Nobody writes these columns of these rows while the result is in use.
    ///
    /// # Panics
    /// Panics if the matrix is not in groups, or if rows or columns are out of bounds.
    #[inline]
    pub(crate) unsafe fn rows_in_group(
        &self,
        rows: Range<usize>,
        (group, columns): (usize, Range<usize>),
    ) -> Rows<'_, T> {
        let rows = self.within_group(rows, group);
        assert!(
            columns.len() <= self.stride,
            "columns {columns:?} of a group"
        );
        Rows {
            // SAFETY: precondition 1 of `read` is precondition 1 of this function: this is the memory of the group.
            values: unsafe {
                self.values
                    .read(rows.start * self.stride..rows.end * self.stride)
            },
            first: columns.start,
            width: columns.len(),
            stride: self.stride,
        }
    }

    /// Some columns of a group, counted from its first, in the rows in the range `rows`, to write, with the padding
    /// after them.
    ///
    /// # Safety
    /// 1. Nobody else reads or writes these rows of the group while the result is in use.
    ///
    /// # Panics
    /// Panics if the matrix is not in groups, or if rows or columns are out of bounds.
    #[inline]
    pub(crate) unsafe fn group_mut(
        &self,
        rows: Range<usize>,
        (group, width): (usize, usize),
    ) -> BlockMut<'_, T> {
        let rows = self.within_group(rows, group);
        assert!(width <= self.stride, "{width} columns of a group");
        let start = self
            .values
            .pointer(rows.start * self.stride..rows.end * self.stride);
        // The rows are in bounds, which `pointer` checked, and the columns are within the stride.
        BlockMut::new(start, rows.len(), (width, self.stride, self.stride))
    }

    /// Where rows of a group are among the rows of all groups.
    fn within_group(&self, rows: Range<usize>, group: usize) -> Range<usize> {
        let all = self.rows_of_group.expect("a matrix in groups");
        assert!(rows.end <= all, "rows {rows:?} of {all}");
        rows.start + group * all..rows.end + group * all
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
        assert!(self.rows_of_group.is_none(), "rows of a matrix in groups");
        let range = rows.start * self.stride..rows.end * self.stride;
        Rows {
            first: 0,
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
        assert!(self.rows_of_group.is_none(), "rows of a matrix in groups");
        let range = rows.start * self.stride..rows.end * self.stride;
        RowsMut {
            // SAFETY: precondition 1 of `write` is precondition 1 of this function: `range` is the memory of the rows.
            values: unsafe { self.values.write(range) },
            width: self.width,
            stride: self.stride,
        }
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
        assert!(
            self.rows_of_group.is_none(),
            "columns of a matrix in groups"
        );
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
    fn groups_of_columns_do_not_overlap() {
        let matrix = Matrix::<f32>::zeroed_in_groups((3, 20), (2, 16)).expect("memory");
        for (group, columns) in [(0, 0..16), (1, 16..20)] {
            // SAFETY: (1) this is the only view of the matrix.
            let mut block = unsafe { matrix.group_mut(0..3, (group, columns.len())) };
            assert_eq!((block.rows(), block.width()), (3, columns.len()));
            (0..3).for_each(|row| block.row(row).fill(1.0 + group as f32));
        }
        for (group, columns) in [(0, 0..16), (1, 16..20)] {
            // SAFETY: (1) nobody writes the matrix.
            let rows = unsafe { matrix.rows_in_group(1..3, (group, columns.clone())) };
            assert_eq!(
                (rows.first, rows.width, rows.rows()),
                (columns.start, columns.len(), 2)
            );
            for row in rows.values.chunks_exact(rows.stride) {
                assert!(row[..rows.width].iter().all(|&x| x == 1.0 + group as f32));
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
