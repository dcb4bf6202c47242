//! Tokens of a row phase.

use std::marker::PhantomData;
use std::ops::Range;
use std::ptr;

use super::OnThisThread;
use super::share::Share;
use crate::compute::shared::{Block, BlockMut, Matrix, Number, Rows, RowsMut};

/// Rows of a batch, and the units in them, that belong to one worker during a row phase.
#[derive(Debug)]
pub struct OwnRows {
    range: Range<usize>,
    share: Share,
    _thread: OnThisThread,
}

/// Proof that a row phase lasts, in which nobody writes parameters that the share of the units uses.
#[derive(Debug, Clone, Copy)]
pub struct RowPhase<'a> {
    _rows: PhantomData<&'a OwnRows>,
}

impl OwnRows {
    /// Takes the rows `range` of all buffers that are used with this token.
    ///
    /// # Safety
    /// Until the token is dropped:
    /// 1. no other [`OwnRows`] for the same buffers contains any of these rows;
    /// 2. no `OwnPiece` or `OwnUnits` exists for a network or for buffers that are used with this token;
    /// 3. a matrix that is used as copies, with this token or another, is used only so, and always with the same number
    ///    of rows in a copy.
    pub(crate) unsafe fn new(range: Range<usize>) -> OwnRows {
        // SAFETY: (1) follows from precondition 1 of this function, as no other token has these rows at all, and (2)
        // and (3) are its preconditions 2 and 3.
        unsafe { OwnRows::of_units(range, Share::ALL) }
    }

    /// Takes the units `share` in the rows `range` of all buffers that are used with this token.
    ///
    /// # Safety
    /// Until the token is dropped:
    /// 1. every other [`OwnRows`] for the same buffers that contains any of these rows has another share of as many
    ///    groups, and no matrix is written with one of them and read as a whole with another;
    /// 2. no `OwnPiece` or `OwnUnits` exists for a network or for buffers that are used with this token, except for
    ///    pieces of parameters that this token is not used with, by a worker that reads only groups, copies and rows
    ///    that are not written with this token;
    /// 3. a matrix that is used as copies, with this token or another, is used only so, and always with the same number
    ///    of rows in a copy, and one in groups has a group for each share.
    pub(crate) unsafe fn of_units(range: Range<usize>, share: Share) -> OwnRows {
        OwnRows {
            range,
            share,
            _thread: PhantomData,
        }
    }

    /// The share of the units.
    pub fn share(&self) -> Share {
        self.share
    }

    /// The rows.
    pub fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    /// The proof that nobody writes parameters while this token is borrowed.
    pub fn phase(&self) -> RowPhase<'_> {
        RowPhase { _rows: PhantomData }
    }

    /// These rows and units of some matrices to read and of others to write, and the proof that nobody writes
    /// parameters.
    ///
    /// # Panics
    /// Panics if a matrix to write is also read, or is written twice, or has fewer rows.
    #[inline]
    pub(crate) fn blocks<'a, const R: usize, const W: usize>(
        &'a mut self,
        read: [&'a Matrix; R],
        write: [&'a Matrix; W],
    ) -> ([Block<'a>; R], [BlockMut<'a>; W], RowPhase<'a>) {
        for (index, matrix) in write.iter().enumerate() {
            let mut others = read.iter().chain(&write[..index]);
            assert!(
                !others.any(|other| ptr::eq(*other, *matrix)),
                "a matrix is written and used otherwise"
            );
        }
        // SAFETY: nobody else reads or writes these units of these rows, by precondition 1 of `of_units`. This worker
        // does so only through views that borrow the token, which is borrowed mutably here, and the assertion keeps
        // the views apart.
        let read = read.map(|matrix| unsafe { self.units_of(matrix) }.into_block());
        // SAFETY: as for the views to read: precondition 1 of `of_units` excludes other workers, the mutable borrow of
        // the token excludes other views of this worker, and the assertion excludes overlaps among these views.
        let write = write.map(|matrix| unsafe { self.units_of(matrix) });
        (read, write, RowPhase { _rows: PhantomData })
    }

    /// [`OwnRows::blocks`] of all units, as rows.
    ///
    /// # Panics
    /// Panics if this is not all units, and in the cases of [`OwnRows::blocks`].
    #[inline]
    pub(crate) fn views<'a, const R: usize, const W: usize>(
        &'a mut self,
        read: [&'a Matrix; R],
        write: [&'a Matrix; W],
    ) -> ([Rows<'a>; R], [RowsMut<'a>; W], RowPhase<'a>) {
        let (read, write, phase) = self.blocks(read, write);
        (
            read.map(Block::into_rows),
            write.map(BlockMut::into_rows),
            phase,
        )
    }

    /// What a product takes: these rows of the matrix `read` with all units, and these rows and units of the matrix
    /// `write`. If `rows_of_copy` is given, `read` has a copy of as many rows for each share.
    ///
    /// # Panics
    /// Panics if both are the same matrix, or one has fewer rows.
    #[inline]
    pub(crate) fn product<'a>(
        &'a mut self,
        (read, rows_of_copy): (&'a Matrix, Option<usize>),
        write: &'a Matrix,
    ) -> (Rows<'a>, BlockMut<'a>, RowPhase<'a>) {
        assert!(
            !ptr::eq(read, write),
            "a matrix is written and used otherwise"
        );
        let rows = match rows_of_copy {
            Some(rows_of_copy) => self.rows_of_copy(rows_of_copy),
            None => self.range(),
        };
        // SAFETY: nobody writes these rows while tokens read them as a whole, by precondition 1 of `of_units`.
        let read = unsafe { read.rows(rows) };
        let ([], [write], phase) = self.blocks([], [write]);
        (read, write, phase)
    }

    /// These rows of two matrices that have a copy of all rows, `rows_of_copy` of them, for each share of the units:
    /// those of this share's copy, with all columns, to read and to write.
    ///
    /// # Panics
    /// Panics if a copy has fewer rows, or a matrix has fewer copies.
    pub(crate) fn own_copies<'a, T: Number, U: Number>(
        &'a mut self,
        (read, write): (&'a Matrix<T>, &'a Matrix<U>),
        rows_of_copy: usize,
    ) -> (Rows<'a, T>, RowsMut<'a, U>) {
        assert_apart(read, write);
        let rows = self.rows_of_copy(rows_of_copy);
        // SAFETY: nobody else reads or writes these rows of this copy, because other tokens for the same rows have
        // another share by precondition 1 of `of_units`, and so use another copy by its precondition 3. The mutable
        // borrow of the token excludes other views of this worker, and the assertion keeps the two apart.
        unsafe { (read.rows(rows.clone()), write.rows_mut(rows)) }
    }

    /// [`OwnRows::blocks`] together with these rows of a matrix that has a copy of all rows for each share of the
    /// units: those of this share's copy, with all columns, to read.
    ///
    /// # Panics
    /// Panics in the cases of [`OwnRows::blocks`] and [`OwnRows::own_copies`].
    pub(crate) fn blocks_and_copy<'a, const R: usize, const W: usize>(
        &'a mut self,
        read: [&'a Matrix; R],
        write: [&'a Matrix; W],
        copies: &'a Matrix<u16>,
        rows_of_copy: usize,
    ) -> ([Block<'a>; R], [BlockMut<'a>; W], Rows<'a, u16>) {
        let rows = self.rows_of_copy(rows_of_copy);
        // SAFETY: nobody else writes these rows of this copy, by precondition 1 of `of_units`, and this worker writes
        // them only through views that borrow the token. The blocks below are of other matrices, of other numbers.
        let copy = unsafe { copies.rows(rows) };
        let (read, write, _) = self.blocks(read, write);
        (read, write, copy)
    }

    /// These rows of a matrix that has a copy of all rows for each share of the units, to write.
    ///
    /// # Panics
    /// Panics in the cases of [`OwnRows::own_copies`].
    pub(crate) fn own_copy_mut<'a, T: Number>(
        &'a mut self,
        matrix: &'a Matrix<T>,
        rows_of_copy: usize,
    ) -> RowsMut<'a, T> {
        // SAFETY: as in `own_copies`: precondition 1 of `of_units`, and the mutable borrow of the token.
        unsafe { matrix.rows_mut(self.rows_of_copy(rows_of_copy)) }
    }

    /// [`OwnRows::product`] with this share's copy of the operand and of what belongs to it.
    ///
    /// # Panics
    /// Panics in the cases of [`OwnRows::product`] and [`OwnRows::own_copies`].
    #[inline]
    pub(crate) fn sparse_product<'a, T: Number>(
        &'a mut self,
        (read, words): (&'a Matrix<T>, &'a Matrix<u64>),
        rows_of_copy: usize,
        write: &'a Matrix,
    ) -> (Rows<'a, T>, Rows<'a, u64>, BlockMut<'a>, RowPhase<'a>) {
        assert_apart(read, write);
        let rows = self.rows_of_copy(rows_of_copy);
        // SAFETY: nobody else writes these rows of this copy, by precondition 1 of `of_units`, and this worker writes
        // them only through views that borrow the token. What is written below is another matrix: that of the words
        // has other numbers, and the assertion excludes that it is the operand.
        let (read, words) = unsafe { (read.rows(rows.clone()), words.rows(rows)) };
        let ([], [write], phase) = self.blocks([], [write]);
        (read, words, write, phase)
    }

    /// These rows of sums, to read, and of a matrix that has a copy of all rows for each share of the units, to write.
    ///
    /// # Panics
    /// Panics in the cases of [`OwnRows::own_copies`].
    pub(crate) fn sums_and_copy<'a>(
        &'a mut self,
        sums: &'a Matrix,
        copies: &'a Matrix,
        rows_of_copy: usize,
    ) -> (Rows<'a>, RowsMut<'a>) {
        assert_apart(sums, copies);
        // SAFETY: (1) no token exists that writes sums, by precondition 1 of `OwnTurn::new`.
        let sums = unsafe { sums.rows(self.range()) };
        (sums, self.own_copy_mut(copies, rows_of_copy))
    }

    /// Where these rows are in this share's copy of all rows.
    pub(crate) fn rows_of_copy(&self, rows_of_copy: usize) -> Range<usize> {
        assert!(
            self.range.end <= rows_of_copy,
            "rows {:?} of {rows_of_copy}",
            self.range
        );
        let offset = self.share.index * rows_of_copy;
        self.range.start + offset..self.range.end + offset
    }

    /// These rows and units of a matrix of any numbers, to write.
    ///
    /// # Panics
    /// Panics if the matrix has fewer rows.
    pub(crate) fn block_mut<'a, T: Number>(&'a mut self, matrix: &'a Matrix<T>) -> BlockMut<'a, T> {
        // SAFETY: nobody else reads or writes these units of these rows, by precondition 1 of `of_units`, and the
        // mutable borrow of the token excludes other views of this worker.
        unsafe { self.units_of(matrix) }
    }

    /// These rows and units of a matrix.
    ///
    /// # Safety
    /// 1. Nobody else reads or writes these units of these rows while the result is in use.
    unsafe fn units_of<'a, T: Number>(&self, matrix: &'a Matrix<T>) -> BlockMut<'a, T> {
        let columns = self.share.columns(matrix.width());
        // SAFETY: (1) of both is precondition 1 of this function: a group has the units of one share.
        unsafe {
            match matrix.rows_of_group() {
                None => matrix.block_mut(self.range(), columns),
                Some(_) => matrix.group_mut(self.range(), (self.share.index, columns.len())),
            }
        }
    }

    /// These rows of a matrix of any numbers, to write.
    ///
    /// # Panics
    /// Panics if this is not all units, or if the matrix has fewer rows.
    pub(crate) fn view_mut<'a, T: Number>(&'a mut self, matrix: &'a Matrix<T>) -> RowsMut<'a, T> {
        self.block_mut(matrix).into_rows()
    }
}

/// Rows of sums that a worker adds to while it is its turn: all workers that have these rows follow each other.
#[derive(Debug)]
pub struct OwnTurn<'a> {
    rows: &'a mut OwnRows,
}

impl<'a> OwnTurn<'a> {
    /// Takes these rows of the matrices of sums.
    ///
    /// # Safety
    /// Until the token is dropped:
    /// 1. no other [`OwnTurn`] for the same buffers contains any of these rows, and no other token is used with a
    ///    matrix of sums.
    pub(crate) unsafe fn new(rows: &'a mut OwnRows) -> OwnTurn<'a> {
        OwnTurn { rows }
    }

    /// These rows and units of the matrix `read`, which is in groups, and these rows of the matrix of sums `write`.
    ///
    /// # Panics
    /// Panics if both are the same matrix, if `read` is not in groups, or if one has fewer rows.
    pub(crate) fn product<'b>(
        &'b mut self,
        read: &'b Matrix,
        write: &'b Matrix,
    ) -> (Rows<'b>, BlockMut<'b>, RowPhase<'b>) {
        assert_apart(read, write);
        let (range, share) = (self.rows.range(), self.rows.share);
        let columns = share.columns(read.width());
        // SAFETY: nobody else writes these units of these rows, by precondition 1 of `of_units`, and nobody uses these
        // rows of the sums, by precondition 1 of `new`; this worker does so only through views that borrow its tokens,
        // and the assertion keeps these two apart.
        unsafe {
            (
                read.rows_in_group(range.clone(), (share.index, columns)),
                write.rows_mut(range).into(),
                RowPhase { _rows: PhantomData },
            )
        }
    }
}

/// Panics if both are the same matrix.
fn assert_apart<T, U>(read: &Matrix<T>, write: &Matrix<U>) {
    assert!(
        !ptr::addr_eq(read, write),
        "a matrix is written and used otherwise"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "written and used otherwise")]
    fn a_matrix_is_not_read_and_written_at_once() {
        let matrix = Matrix::zeroed(2, 3).expect("memory");
        // SAFETY: (1) and (2) hold because this is the only token of the test.
        let mut rows = unsafe { OwnRows::new(0..2) };
        rows.views([&matrix], [&matrix]);
    }
}
