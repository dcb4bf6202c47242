//! Memory that a team shares: numbers in mapped pages, and single atomic numbers.

use std::marker::PhantomData;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use memmap2::MmapMut;

use crate::error::{Error, Refusal, Result};

/// Floats in a cache line, and in the widest register.
pub const LINE: usize = 16;

/// Floats in a page of memory, which a buffer starts with.
pub const PAGE: usize = 1024;

/// The size of a huge page on most systems, in bytes.
const HUGE_PAGE: usize = 2 << 20;

/// Number types for which zero bits are a valid value.
pub trait Number: Copy + Send + Sync + sealed::Sealed {}
impl Number for f32 {}
impl Number for f64 {}
impl Number for u8 {}
impl Number for u16 {}
impl Number for u32 {}
impl Number for u64 {}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
    impl Sealed for u8 {}
    impl Sealed for u16 {}
    impl Sealed for u32 {}
    impl Sealed for u64 {}
}

/// Numbers in memory that a team of workers shares, initially zeros.
#[derive(Debug)]
pub struct SharedBuffer<T> {
    start: NonNull<T>,
    length: usize,
    _memory: MmapMut,
    _numbers: PhantomData<T>,
}

// SAFETY: the buffer owns its memory, and `T: Number` may be sent to any thread.
unsafe impl<T: Number> Send for SharedBuffer<T> {}
// SAFETY: a shared reference gives access to the numbers only through `read`, `write` and `pointer`. The callers of the
// first two keep writes apart from all other access, and using the result of the third is unsafe.
unsafe impl<T: Number> Sync for SharedBuffer<T> {}

impl<T: Number> SharedBuffer<T> {
    /// A buffer of `length` zeros.
    ///
    /// # Errors
    /// Returns [`Error::Memory`] if the system does not grant the memory.
    pub fn zeroed(length: usize) -> Result<SharedBuffer<T>> {
        let bytes = length.saturating_mul(size_of::<T>()).max(1);
        let mut memory = MmapMut::map_anon(bytes).map_err(|error| {
            Error::Memory(
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
            // Only advice: without huge pages everything works, only slower.
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

    /// The numbers in `range`, to read.
    ///
    /// # Safety
    /// 1. Nobody writes in `range` while the result is in use.
    ///
    /// # Panics
    /// Panics if `range` is out of bounds.
    #[inline]
    pub(crate) unsafe fn read(&self, range: Range<usize>) -> &[T] {
        let start = self.pointer(range.clone());
        // SAFETY: `pointer` checks that the range is in bounds, the memory is initialised with zeros, and nobody writes
        // it meanwhile by precondition 1 of this function.
        unsafe { std::slice::from_raw_parts(start, range.len()) }
    }

    /// The numbers in `range`, to write.
    ///
    /// # Safety
    /// 1. Nobody else reads or writes in `range` while the result is in use, through this reference or another.
    ///
    /// # Panics
    /// Panics if `range` is out of bounds.
    #[expect(
        clippy::mut_from_ref,
        reason = "workers write disjoint ranges of one buffer: precondition 1"
    )]
    #[inline]
    pub(crate) unsafe fn write(&self, range: Range<usize>) -> &mut [T] {
        let start = self.pointer(range.clone());
        // SAFETY: `pointer` checks that the range is in bounds, the memory is initialised with zeros, and nobody else
        // uses it meanwhile by precondition 1 of this function.
        unsafe { std::slice::from_raw_parts_mut(start, range.len()) }
    }

    /// The address of the first number in `range`, for writing parts of the range that are not contiguous.
    ///
    /// # Panics
    /// Panics if `range` is out of bounds.
    #[inline]
    pub(crate) fn pointer(&self, range: Range<usize>) -> *mut T {
        assert!(
            range.start <= range.end && range.end <= self.length,
            "{range:?} of {}",
            self.length
        );
        // SAFETY: the offset is inside the mapping, or one past its end, by the assertion.
        unsafe { self.start.add(range.start).as_ptr() }
    }

    /// All numbers, for the only owner.
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        // SAFETY: precondition 1 of `write` holds because `&mut self` excludes every other reference.
        unsafe { self.write(0..self.length) }
    }

    /// The number of numbers.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether the buffer has no numbers.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }
}

/// A number that several workers may read and write; a barrier orders the accesses.
#[derive(Debug, Default)]
pub struct AtomicF64(AtomicU64);

impl AtomicF64 {
    /// The number.
    #[inline]
    pub fn load(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }

    /// Replaces the number.
    #[inline]
    pub fn store(&self, value: f64) {
        self.0.store(value.to_bits(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_memory_than_the_system_has_is_an_error() {
        let refused = SharedBuffer::<f32>::zeroed(usize::MAX / 8);
        assert!(refused.is_err_and(|error| matches!(error, Error::Memory(_))
            && error.to_string().contains("were not granted")));
    }
}
