//! Proof of what a worker may read and write until the next barrier.
//!
//! The borrow checker does not know barriers, so it cannot see that workers write disjoint parts of shared buffers.
//! A training step is made of phases that are separated by barriers:
//!
//! - in a *row phase* each worker writes rows of its own, and nobody writes parameters;
//! - in an *update phase* each worker writes pieces of the parameters of its own, and nobody writes rows.
//!
//! A worker creates a token of this module for what it takes in a phase. Creating it is `unsafe`, because the caller
//! promises that the token is the only one; everything that takes a token is safe. A token stays on its thread.

use std::marker::PhantomData;
use std::ops::Range;
use std::ptr;

use super::shared::{Matrix, Rows, RowsMut};

/// Makes a type that contains it stay on its thread.
type OnThisThread = PhantomData<*mut ()>;

/// Rows of a batch that belong to one worker during a row phase.
#[derive(Debug)]
pub struct OwnRows {
    range: Range<usize>,
    _thread: OnThisThread,
}

/// Proof that a row phase lasts, in which nobody writes parameters.
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
    /// 2. no [`OwnPiece`] or [`OwnUnits`] exists for a network or for buffers that are used with this token.
    pub(crate) unsafe fn new(range: Range<usize>) -> OwnRows {
        OwnRows {
            range,
            _thread: PhantomData,
        }
    }

    /// The rows.
    pub fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    /// The proof that nobody writes parameters while this token is borrowed.
    pub fn phase(&self) -> RowPhase<'_> {
        RowPhase { _rows: PhantomData }
    }

    /// These rows of some matrices to read and of others to write, and the proof that nobody writes parameters.
    ///
    /// # Panics
    /// Panics if a matrix to write is also read, or is written twice, or has fewer rows.
    #[inline]
    pub(crate) fn views<'a, const R: usize, const W: usize>(
        &'a mut self,
        read: [&'a Matrix; R],
        write: [&'a Matrix; W],
    ) -> ([Rows<'a>; R], [RowsMut<'a>; W], RowPhase<'a>) {
        for (index, matrix) in write.iter().enumerate() {
            let mut others = read.iter().chain(&write[..index]);
            assert!(
                !others.any(|other| ptr::eq(*other, *matrix)),
                "a matrix is written and used otherwise"
            );
        }
        // SAFETY: nobody else reads or writes these rows, by precondition 1 of `new`. This worker does so only through
        // views that borrow the token, which is borrowed mutably here, and the assertion keeps the views apart.
        let read = read.map(|matrix| unsafe { matrix.rows(self.range()) });
        // SAFETY: as for the views to read: precondition 1 of `new` excludes other workers, the mutable borrow of the
        // token excludes other views of this worker, and the assertion excludes overlaps among these views.
        let write = write.map(|matrix| unsafe { matrix.rows_mut(self.range()) });
        (read, write, RowPhase { _rows: PhantomData })
    }

    /// These rows of a matrix of any numbers, to write.
    ///
    /// # Panics
    /// Panics if the matrix has fewer rows.
    pub(crate) fn view_mut<'a, T: super::shared::Number>(
        &'a mut self,
        matrix: &'a Matrix<T>,
    ) -> RowsMut<'a, T> {
        // SAFETY: nobody else reads or writes these rows, by precondition 1 of `new`, and the mutable borrow of the
        // token excludes other views of this worker.
        unsafe { matrix.rows_mut(self.range()) }
    }
}

/// A piece of the parameters that belongs to one worker during an update phase.
#[derive(Debug)]
pub struct OwnPiece {
    index: usize,
    _thread: OnThisThread,
}

impl OwnPiece {
    /// Takes piece `index` of the parameters of a network or layer.
    ///
    /// # Safety
    /// Until the token is dropped:
    /// 1. no other [`OwnPiece`] for the same piece of the same parameters exists, and no [`OwnUnits`] for them;
    /// 2. no [`OwnRows`] exists for a network or for buffers that are used with this token.
    pub(crate) unsafe fn new(index: usize) -> OwnPiece {
        OwnPiece {
            index,
            _thread: PhantomData,
        }
    }

    /// The number of the piece.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Rows of a matrix, to read: all workers may read all rows in an update phase.
    ///
    /// # Panics
    /// Panics if the matrix has fewer rows.
    pub(crate) fn rows<'a>(&'a self, matrix: &'a Matrix, rows: Range<usize>) -> Rows<'a> {
        // SAFETY: nobody writes rows while this token exists, by precondition 2 of `new`.
        unsafe { matrix.rows(rows) }
    }
}

/// Hidden units whose incoming weights belong to one worker during an update phase.
#[derive(Debug)]
pub struct OwnUnits {
    index: usize,
    _thread: OnThisThread,
}

impl OwnUnits {
    /// Takes piece `index` of the units of a network or layer.
    ///
    /// # Safety
    /// Until the token is dropped:
    /// 1. no other [`OwnUnits`] for the same piece of the same units exists, and no [`OwnPiece`] for their parameters;
    /// 2. no [`OwnRows`] exists for a network or for buffers that are used with this token.
    pub(crate) unsafe fn new(index: usize) -> OwnUnits {
        OwnUnits {
            index,
            _thread: PhantomData,
        }
    }

    /// The number of the piece of units.
    pub fn index(&self) -> usize {
        self.index
    }
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
