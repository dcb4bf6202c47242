//! The operand of which the sparse kernels take single elements.

use crate::compute::elements::{BYTES, ByteValues, Elements};
use crate::compute::shared::Rows;

/// An operand of which some columns are summed over the rows where they are not zero.
#[derive(Debug, Clone, Copy)]
pub(in crate::compute) struct SparseColumns<'a> {
    /// The elements.
    pub elements: Elements<'a>,
    /// The first of the rows, and the first of the columns.
    pub first: (usize, usize),
    /// For each group of rows, a word for each feature: bit r is set if row r of the group is not zero there. It starts
    /// with the first of the columns.
    pub masks: &'a [u32],
    /// Words from one group to the next.
    pub mask_row: usize,
    /// Rows of a group: 8, 16 or 32.
    pub group: usize,
    /// Rows in all groups.
    pub rows: usize,
}

impl SparseColumns<'_> {
    pub(super) fn groups(&self) -> usize {
        self.rows.div_ceil(self.group)
    }
}

/// The elements of an operand, as a kernel reads them.
pub(super) trait Read: Copy {
    /// The element of a feature in a row, both counted from where the operand starts.
    ///
    /// # Safety
    /// 1. The operand has this row and this feature.
    unsafe fn read(self, row: usize, feature: usize) -> f32;

    /// The same operand, starting with another row and feature.
    fn starting_at(self, row: usize, feature: usize) -> Self;
}

/// Floats, so many from one row to the next.
#[derive(Clone, Copy)]
pub(super) struct Floats {
    start: *const f32,
    stride: usize,
}

impl Floats {
    #[inline(always)]
    pub(super) fn of(rows: Rows) -> Floats {
        Floats {
            start: rows.values.as_ptr(),
            stride: rows.stride,
        }
    }
}

impl Read for Floats {
    #[inline(always)]
    unsafe fn read(self, row: usize, feature: usize) -> f32 {
        // SAFETY: precondition 1 of this function.
        unsafe { *self.start.add(row * self.stride + feature) }
    }

    #[inline(always)]
    fn starting_at(self, row: usize, feature: usize) -> Floats {
        let start = self.start.wrapping_add(row * self.stride + feature);
        Floats { start, ..self }
    }
}

/// Bytes, so many from one row to the next, and what they stand for.
#[derive(Clone, Copy)]
pub(super) struct Bytes<'a> {
    start: *const u8,
    stride: usize,
    values: &'a [f32; BYTES],
}

impl<'a> Bytes<'a> {
    #[inline(always)]
    pub(super) fn of(rows: Rows<u8>, values: &'a ByteValues) -> Bytes<'a> {
        Bytes {
            start: rows.values.as_ptr(),
            stride: rows.stride,
            values: values.values(),
        }
    }
}

impl Read for Bytes<'_> {
    #[inline(always)]
    unsafe fn read(self, row: usize, feature: usize) -> f32 {
        // SAFETY: precondition 1 of this function.
        let byte = unsafe { *self.start.add(row * self.stride + feature) };
        self.values[usize::from(byte)]
    }

    #[inline(always)]
    fn starting_at(self, row: usize, feature: usize) -> Self {
        let start = self.start.wrapping_add(row * self.stride + feature);
        Bytes { start, ..self }
    }
}
