//! Views of some columns of some rows of a matrix.
//!
//! They are no slices: between the end of one row and the start of the next is what another worker may write.

use std::marker::PhantomData;
use std::ops::Range;

use super::buffer::{LINE, Number};
use super::rows::{Rows, RowsMut};

/// Some columns of some rows of a [`super::Matrix`], to write. Another worker may use other columns of the same rows
/// meanwhile.
#[derive(Debug)]
pub struct BlockMut<'a, T = f32> {
    start: *mut T,
    rows: usize,
    width: usize,
    /// Numbers from the start of a row that belong to the block: its columns, and the padding after the last one.
    reach: usize,
    stride: usize,
    _numbers: PhantomData<&'a mut [T]>,
}

impl<'a, T: Number> BlockMut<'a, T> {
    /// `rows` rows from `start`, with their width, reach and stride.
    pub(super) fn new(
        start: *mut T,
        rows: usize,
        (width, reach, stride): (usize, usize, usize),
    ) -> BlockMut<'a, T> {
        BlockMut {
            start,
            rows,
            width,
            reach,
            stride,
            _numbers: PhantomData,
        }
    }

    /// The rows of a slice that are `width` numbers each, without gaps.
    ///
    /// # Panics
    /// Panics if the slice is not whole rows.
    pub fn of_slice(values: &'a mut [T], width: usize) -> BlockMut<'a, T> {
        assert!(values.len().is_multiple_of(width), "rows of {width}");
        BlockMut {
            rows: values.len() / width,
            start: values.as_mut_ptr(),
            width,
            reach: width,
            stride: width,
            _numbers: PhantomData,
        }
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Numbers from the start of a row to the start of the next.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// The address of the first number; valid for each row as far as the block reaches.
    pub(crate) fn pointer(&mut self) -> *mut T {
        self.start
    }

    /// A row.
    ///
    /// # Panics
    /// Panics if there is no such row.
    #[inline]
    pub fn row(&mut self, row: usize) -> &mut [T] {
        let width = self.width;
        &mut self.padded_row(row, width)[..width]
    }

    /// A row with as much of the padding after it as completes a cache line.
    ///
    /// # Panics
    /// Panics if there is no such row.
    #[inline]
    pub fn row_of_lines(&mut self, row: usize) -> &mut [T] {
        let lines = self.width.next_multiple_of(LINE).min(self.reach);
        self.padded_row(row, lines)
    }

    #[inline]
    fn padded_row(&mut self, row: usize, length: usize) -> &mut [T] {
        assert!(
            row < self.rows && length <= self.reach,
            "row {row} of {}",
            self.rows
        );
        // SAFETY: the block is a part of a matrix or slice that is borrowed mutably for as long as the block; the row
        // is one of its rows, and `length` is within its reach, by the assertion.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(row * self.stride), length) }
    }

    /// A part of the block, whose `columns` may lie in the padding after the last column.
    ///
    /// # Panics
    /// Panics if the part is out of bounds.
    #[inline]
    pub fn part(&mut self, rows: Range<usize>, columns: Range<usize>) -> BlockMut<'_, T> {
        assert!(
            rows.start <= rows.end
                && rows.end <= self.rows
                && columns.start <= columns.end
                && columns.end <= self.reach,
            "rows {rows:?} and columns {columns:?} of {}×{}",
            self.rows,
            self.reach
        );
        BlockMut {
            start: self
                .start
                .wrapping_add(rows.start * self.stride + columns.start),
            rows: rows.len(),
            width: columns.len(),
            reach: columns.len(),
            stride: self.stride,
            _numbers: PhantomData,
        }
    }

    /// The rows from `row` on, with all that they reach.
    ///
    /// # Panics
    /// Panics if there are fewer rows.
    #[inline]
    pub fn rows_from(&mut self, row: usize) -> BlockMut<'_, T> {
        assert!(row <= self.rows, "row {row} of {}", self.rows);
        BlockMut {
            start: self.start.wrapping_add(row * self.stride),
            rows: self.rows - row,
            _numbers: PhantomData,
            ..*self
        }
    }

    /// All numbers from the start of the first row to the end of the last, if no other worker may have any of them.
    #[inline]
    pub fn without_gaps(&mut self) -> Option<&mut [T]> {
        let length = self.rows * self.stride;
        // SAFETY: the rows reach as far as the next one starts, and are borrowed mutably.
        (self.reach == self.stride)
            .then(|| unsafe { std::slice::from_raw_parts_mut(self.start, length) })
    }

    /// The same block, borrowed again.
    pub fn reborrow(&mut self) -> BlockMut<'_, T> {
        BlockMut {
            _numbers: PhantomData,
            ..*self
        }
    }

    /// The same block, to read.
    pub fn into_block(self) -> Block<'a, T> {
        Block {
            start: self.start,
            rows: self.rows,
            width: self.width,
            reach: self.reach,
            stride: self.stride,
            _numbers: PhantomData,
        }
    }

    /// The block as rows.
    ///
    /// # Panics
    /// Panics if it is not all columns of its matrix.
    pub fn into_rows(self) -> RowsMut<'a, T> {
        assert_eq!(self.reach, self.stride, "all columns of a matrix");
        let length = self.rows * self.stride;
        RowsMut {
            // SAFETY: the rows have no gaps by the assertion, and are borrowed mutably for as long as the block.
            values: unsafe { std::slice::from_raw_parts_mut(self.start, length) },
            width: self.width,
            stride: self.stride,
        }
    }
}

impl<'a, T: Number> From<RowsMut<'a, T>> for BlockMut<'a, T> {
    fn from(rows: RowsMut<'a, T>) -> BlockMut<'a, T> {
        BlockMut {
            rows: rows.rows(),
            start: rows.values.as_mut_ptr(),
            width: rows.width,
            reach: rows.stride,
            stride: rows.stride,
            _numbers: PhantomData,
        }
    }
}

/// Some columns of some rows of a [`super::Matrix`], to read.
#[derive(Debug, Clone, Copy)]
pub struct Block<'a, T = f32> {
    start: *const T,
    rows: usize,
    width: usize,
    reach: usize,
    stride: usize,
    _numbers: PhantomData<&'a [T]>,
}

impl<'a, T: Number> Block<'a, T> {
    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// A row with as much of the padding after it as completes a cache line.
    ///
    /// # Panics
    /// Panics if there is no such row.
    #[inline]
    pub fn row_of_lines(&self, row: usize) -> &'a [T] {
        assert!(row < self.rows, "row {row} of {}", self.rows);
        let lines = self.width.next_multiple_of(LINE).min(self.reach);
        // SAFETY: the block is a part of a matrix that is borrowed for as long as the block; the row is one of its
        // rows by the assertion, and `lines` is within its reach.
        unsafe { std::slice::from_raw_parts(self.start.add(row * self.stride), lines) }
    }

    /// All numbers from the start of the first row to the end of the last, if no other worker may have any of them.
    #[inline]
    pub fn without_gaps(&self) -> Option<&'a [T]> {
        let length = self.rows * self.stride;
        // SAFETY: the rows reach as far as the next one starts, and are borrowed.
        (self.reach == self.stride)
            .then(|| unsafe { std::slice::from_raw_parts(self.start, length) })
    }

    /// The block as rows.
    ///
    /// # Panics
    /// Panics if it is not all columns of its matrix.
    pub fn into_rows(self) -> Rows<'a, T> {
        assert_eq!(self.reach, self.stride, "all columns of a matrix");
        Rows {
            first: 0,
            // SAFETY: the rows have no gaps by the assertion, and are borrowed for as long as the block.
            values: unsafe { std::slice::from_raw_parts(self.start, self.rows * self.stride) },
            width: self.width,
            stride: self.stride,
        }
    }
}

impl<'a, T: Number> From<Rows<'a, T>> for Block<'a, T> {
    fn from(rows: Rows<'a, T>) -> Block<'a, T> {
        Block {
            rows: rows.rows(),
            start: rows.values.as_ptr(),
            width: rows.width,
            reach: rows.stride,
            stride: rows.stride,
            _numbers: PhantomData,
        }
    }
}
