//! Buffers that the workers of a team write side by side: the price of one parallel region an epoch.
//!
//! The borrow checker cannot see that between two barriers each worker writes rows or weights of its own. The
//! promise is therefore the caller's, in one form everywhere: *between two barriers, what one worker writes no
//! other worker reads or writes*. Memory is mapped, zeroed, page-aligned, and in huge pages where the system has
//! them, which spares the address lookups that strided access to large weights is made of.

use std::marker::PhantomData;
use std::ops::Range;
use std::ptr::NonNull;

use memmap2::MmapMut;

use crate::error::{Error, Refusal, Result};

/// Floats in a cache line, and in the widest register.
pub const LINE: usize = 16;

/// A huge page of most systems, in bytes.
const HUGE_PAGE: usize = 2 << 20;

/// Plain numbers for which all zero bits are a value.
pub trait Number: Copy + Send + Sync + sealed::Sealed {}
impl Number for f32 {}
impl Number for f64 {}
impl Number for u16 {}
impl Number for u32 {}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
    impl Sealed for u16 {}
    impl Sealed for u32 {}
}

/// Numbers in memory of their own, starting as zeros.
#[derive(Debug)]
pub struct SharedBuffer<T> {
    start: NonNull<T>,
    length: usize,
    _memory: MmapMut,
    _numbers: PhantomData<T>,
}

// SAFETY: the buffer owns its memory, numbers may be sent anywhere, and shared access is only through the
// unsafe methods, whose callers promise that no two workers touch what one of them writes.
unsafe impl<T: Number> Send for SharedBuffer<T> {}
// SAFETY: as above.
unsafe impl<T: Number> Sync for SharedBuffer<T> {}

impl<T: Number> SharedBuffer<T> {
    /// `length` zeros.
    ///
    /// # Errors
    /// [`Error::Config`] when the system does not grant the memory.
    pub fn zeroed(length: usize) -> Result<SharedBuffer<T>> {
        let bytes = length.saturating_mul(size_of::<T>()).max(1);
        let mut memory = MmapMut::map_anon(bytes).map_err(|error| {
            Error::Config(
                Refusal::new(
                    "memory",
                    format!("{bytes} bytes were not granted ({error})"),
                    "room for the network and a batch",
                )
                .hint("make the network or the batch smaller"),
            )
        })?;
        #[cfg(target_os = "linux")]
        if bytes >= HUGE_PAGE {
            // Only advice: where it is not taken everything works, somewhat slower.
            drop(memory.advise(memmap2::Advice::HugePage));
        }
        let start =
            NonNull::new(memory.as_mut_ptr().cast::<T>()).expect("a mapping has an address");
        Ok(SharedBuffer {
            start,
            length,
            _memory: memory,
            _numbers: PhantomData,
        })
    }

    /// The numbers in `range`.
    ///
    /// # Safety
    /// Until the next barrier no other worker writes in `range`.
    ///
    /// # Panics
    /// When `range` is out of bounds.
    pub unsafe fn read(&self, range: Range<usize>) -> &[T] {
        assert!(
            range.start <= range.end && range.end <= self.length,
            "{range:?} of {}",
            self.length
        );
        // SAFETY: in bounds by the assertion, zeroed at birth, and not written meanwhile by the caller's promise.
        unsafe { std::slice::from_raw_parts(self.start.add(range.start).as_ptr(), range.len()) }
    }

    /// The numbers in `range`, to write.
    ///
    /// # Safety
    /// Until the next barrier no other worker reads or writes in `range`, nor does this one through another
    /// reference.
    ///
    /// # Panics
    /// When `range` is out of bounds.
    #[expect(
        clippy::mut_from_ref,
        reason = "that is what the type is for; see its promise"
    )]
    pub unsafe fn write(&self, range: Range<usize>) -> &mut [T] {
        assert!(
            range.start <= range.end && range.end <= self.length,
            "{range:?} of {}",
            self.length
        );
        // SAFETY: in bounds by the assertion, and nobody else's by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(range.start).as_ptr(), range.len()) }
    }

    /// Where `range` begins, for writing parts of it that lie apart.
    ///
    /// # Safety
    /// What is touched through it keeps to the promise of [`SharedBuffer::write`], and lies in `range`.
    ///
    /// # Panics
    /// When `range` is out of bounds.
    pub unsafe fn pointer(&self, range: Range<usize>) -> *mut T {
        assert!(
            range.start <= range.end && range.end <= self.length,
            "{range:?} of {}",
            self.length
        );
        // SAFETY: in bounds by the assertion.
        unsafe { self.start.add(range.start).as_ptr() }
    }

    /// All numbers, for the only owner.
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        // SAFETY: `&mut self` says that there is no other reference.
        unsafe { self.write(0..self.length) }
    }

    /// Number of numbers.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }
}

/// A row-major matrix that a team shares, `[rows, width]`.
///
/// Rows begin an odd number of cache lines apart, so that walking down a column does not fall on the same few
/// sets of a cache. What lies between `width` and the stride is zero at first and never read as part of a row.
#[derive(Debug)]
pub struct Matrix<T = f32> {
    values: SharedBuffer<T>,
    width: usize,
    stride: usize,
}

impl<T: Number> Matrix<T> {
    /// Zeros.
    ///
    /// # Errors
    /// As [`SharedBuffer::zeroed`].
    pub fn zeroed(rows: usize, width: usize) -> Result<Matrix<T>> {
        let stride = (width.div_ceil(LINE) | 1) * LINE;
        Ok(Matrix {
            values: SharedBuffer::zeroed(rows.saturating_mul(stride))?,
            width,
            stride,
        })
    }

    /// Some rows.
    ///
    /// # Safety
    /// As [`SharedBuffer::read`].
    pub unsafe fn rows(&self, rows: Range<usize>) -> Rows<'_, T> {
        let range = rows.start * self.stride..rows.end * self.stride;
        Rows {
            // SAFETY: the caller's promise.
            values: unsafe { self.values.read(range) },
            width: self.width,
            stride: self.stride,
        }
    }

    /// Some rows, to write.
    ///
    /// # Safety
    /// As [`SharedBuffer::write`].
    pub unsafe fn rows_mut(&self, rows: Range<usize>) -> RowsMut<'_, T> {
        let range = rows.start * self.stride..rows.end * self.stride;
        RowsMut {
            // SAFETY: the caller's promise.
            values: unsafe { self.values.write(range) },
            width: self.width,
            stride: self.stride,
        }
    }
}

/// Rows of a [`Matrix`]: `values [rows · stride]`, of which the first `width` of each stride are the row.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a, T = f32> {
    /// All of it, padding included.
    pub values: &'a [T],
    /// Columns.
    pub width: usize,
    /// Numbers from one row to the next.
    pub stride: usize,
}

impl<T> Rows<'_, T> {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.values.len() / self.stride
    }
}

/// [`Rows`], to write.
#[derive(Debug)]
pub struct RowsMut<'a, T = f32> {
    /// All of it, padding included.
    pub values: &'a mut [T],
    /// Columns.
    pub width: usize,
    /// Numbers from one row to the next.
    pub stride: usize,
}

impl<T> RowsMut<'_, T> {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.values.len() / self.stride
    }

    /// The same rows, to read.
    pub fn as_rows(&self) -> Rows<'_, T> {
        Rows {
            values: self.values,
            width: self.width,
            stride: self.stride,
        }
    }

    /// The same rows, lent on.
    pub fn reborrow(&mut self) -> RowsMut<'_, T> {
        RowsMut {
            values: self.values,
            width: self.width,
            stride: self.stride,
        }
    }

    /// Each row in turn.
    pub fn iter_mut(&mut self) -> impl ExactSizeIterator<Item = &mut [T]> {
        let width = self.width;
        let rows = self.values.chunks_exact_mut(self.stride);
        rows.map(move |row| &mut row[..width])
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
    fn more_memory_than_there_is_is_an_error() {
        let refused = SharedBuffer::<f32>::zeroed(usize::MAX / 8);
        assert!(refused.is_err_and(|error| error.to_string().contains("were not granted")));
    }
}
