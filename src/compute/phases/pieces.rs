//! Tokens of an update phase.

use std::marker::PhantomData;
use std::ops::Range;

use super::OnThisThread;
#[cfg(doc)]
use super::rows::OwnRows;
use super::share::Share;
use crate::compute::shared::{Matrix, Number, Rows};

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
    /// 2. no [`OwnRows`] exists for a network or for buffers that are used with this token, except for those that are
    ///    not used with the parameters of the piece, and write only groups, copies and rows that are not read with this
    ///    token.
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

    /// Rows of a matrix, to read: all workers may read all rows in an update phase that follows a barrier.
    ///
    /// # Panics
    /// Panics if the matrix has fewer rows.
    pub(crate) fn rows<'a, T: Number>(
        &'a self,
        matrix: &'a Matrix<T>,
        rows: Range<usize>,
    ) -> Rows<'a, T> {
        // SAFETY: nobody writes rows that are read with this token, by precondition 2 of `new`.
        unsafe { matrix.rows(rows) }
    }

    /// Rows of a matrix, to read: if it is in groups, with the columns of a share.
    ///
    /// # Panics
    /// Panics if the matrix has fewer rows.
    pub(crate) fn rows_of_share<'a>(
        &'a self,
        matrix: &'a Matrix,
        share: Share,
        rows: Range<usize>,
    ) -> Rows<'a> {
        if matrix.rows_of_group().is_none() {
            return self.rows(matrix, rows);
        }
        let columns = share.columns(matrix.width());
        // SAFETY: (1) nobody writes rows that are read with this token, by precondition 2 of `new`.
        unsafe { matrix.rows_in_group(rows, (share.index, columns)) }
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
