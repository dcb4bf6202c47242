//! Views of whole rows of a matrix.

/// Rows of a [`super::Matrix`]: `values [rows · stride]`, where the first `width` numbers of each stride are the row.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a, T = f32> {
    /// The memory of the rows, padding included.
    pub values: &'a [T],
    /// The first column of the matrix that the rows have: not 0 in a group of columns.
    pub first: usize,
    /// Columns.
    pub width: usize,
    /// Numbers from the start of a row to the start of the next.
    pub stride: usize,
}

impl<T> Rows<'_, T> {
    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.values.len() / self.stride
    }
}

/// Rows of a [`super::Matrix`], to write: [`Rows`] has the layout.
#[derive(Debug)]
pub struct RowsMut<'a, T = f32> {
    /// The memory of the rows, padding included.
    pub values: &'a mut [T],
    /// Columns.
    pub width: usize,
    /// Numbers from the start of a row to the start of the next.
    pub stride: usize,
}

impl<T> RowsMut<'_, T> {
    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.values.len() / self.stride
    }

    /// The same rows, to read.
    pub fn as_rows(&self) -> Rows<'_, T> {
        Rows {
            values: self.values,
            first: 0,
            width: self.width,
            stride: self.stride,
        }
    }

    /// The same rows, borrowed again.
    pub fn reborrow(&mut self) -> RowsMut<'_, T> {
        RowsMut {
            values: self.values,
            width: self.width,
            stride: self.stride,
        }
    }

    /// An iterator over the rows, without their padding.
    pub fn iter_mut(&mut self) -> impl ExactSizeIterator<Item = &mut [T]> {
        let width = self.width;
        let rows = self.values.chunks_exact_mut(self.stride);
        rows.map(move |row| &mut row[..width])
    }
}
