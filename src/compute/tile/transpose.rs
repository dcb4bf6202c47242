//! Transposes of blocks in registers.

use super::operand::reach;
use super::set::InstructionSet;
use crate::compute::simd::{Avx2, Avx512, F32x8, F32x16, Vector};

#[cfg(doc)]
use crate::compute::simd::finish_streaming;

/// Where the stores of a transpose go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::compute) enum Stores {
    /// To the caches, for what is read again soon.
    Cached,
    /// To memory past the caches, for whole cache lines that no cache holds until they are read again: lines are not
    /// read before they are overwritten.
    Streaming,
}

impl InstructionSet {
    /// Writes the transpose of at most as many rows as a register has lanes. Rows start `from_row` and `to_row` floats
    /// apart, and those of `from` are whole registers. The transpose has as many columns as a register has lanes; zeros
    /// take the place of rows that are missing. Streaming stores are used only if each
    /// is a whole cache line: registers of 16 floats at multiples of their size.
    ///
    /// # Safety
    /// 1. For each `c < columns`, as many floats at `to + c · to_row` as a register has lanes are valid for writes, and
    ///    no other thread reads or writes them meanwhile.
    /// 2. With [`Stores::Streaming`], the caller calls [`finish_streaming`] before any thread reads them.
    ///
    /// # Panics
    /// Panics if there are more rows than lanes, or if they reach beyond `from`.
    #[inline]
    pub(in crate::compute) unsafe fn transpose(
        self,
        (from, from_row): (&[f32], usize),
        (rows, columns): (usize, usize),
        (to, to_row): (*mut f32, usize),
        stores: Stores,
    ) {
        let lanes = self.lanes();
        let width = columns.next_multiple_of(lanes);
        let end = reach((rows, from_row), (1, 0), width);
        let fits = end.is_some_and(|end| end <= from.len());
        assert!(rows <= lanes && fits, "{rows} rows of {columns} columns");
        let is_aligned =
            to.addr().is_multiple_of(lanes * size_of::<f32>()) && to_row.is_multiple_of(lanes);
        let (from, to) = ((from.as_ptr(), from_row), (to, to_row));
        match self {
            // SAFETY: `set` proves that the processor has AVX-512F. Precondition 1 of the callee is the assertion, its
            // precondition 2 is precondition 1 of this function, and 3 follows from `is_aligned` and
            // precondition 2.
            InstructionSet::Avx512(set) if stores == Stores::Streaming && is_aligned => unsafe {
                transpose_avx512::<true>(set, from, (rows, columns), to);
            },
            // SAFETY: as for streaming stores, except that precondition 3 of the callee asks for nothing.
            InstructionSet::Avx512(set) => unsafe {
                transpose_avx512::<false>(set, from, (rows, columns), to);
            },
            // SAFETY: `set` proves that the processor has AVX2 and FMA. Precondition 1 of the callee is the assertion,
            // its precondition 2 is precondition 1 of this function, and its precondition 3 asks for nothing.
            InstructionSet::Avx2(set) => unsafe {
                transpose_avx2(set, from, (rows, columns), to);
            },
        }
    }
}

/// [`blocks`], compiled for AVX-512.
///
/// # Safety
/// Preconditions 1 to 3 of [`blocks`].
#[target_feature(enable = "avx512f")]
unsafe fn transpose_avx512<const STREAMING: bool>(
    set: Avx512,
    from: (*const f32, usize),
    shape: (usize, usize),
    to: (*mut f32, usize),
) {
    // SAFETY: this function has the same preconditions 1 to 3.
    unsafe { blocks::<F32x16, STREAMING>(set, from, shape, to) }
}

/// [`blocks`], compiled for AVX2.
///
/// # Safety
/// Preconditions 1 and 2 of [`blocks`].
#[target_feature(enable = "avx2,fma")]
unsafe fn transpose_avx2(
    set: Avx2,
    from: (*const f32, usize),
    shape: (usize, usize),
    to: (*mut f32, usize),
) {
    // SAFETY: this function has the same preconditions 1 and 2, and 3 does not apply, as nothing is streamed.
    unsafe { blocks::<F32x8, false>(set, from, shape, to) }
}

/// The transpose of some rows, `LANES` columns at a time.
///
/// # Safety
/// 1. For each `r < rows`, `from + r · from_row` is valid for reads of `columns` floats, rounded up to whole registers.
/// 2. For each `c < columns`, `to + c · to_row` is valid for writes of `LANES` floats.
/// 3. If `STREAMING`, each of these addresses is a multiple of the size of a register, and the caller calls
///    [`finish_streaming`] before any thread reads the transpose.
#[inline(always)]
unsafe fn blocks<V: Vector, const STREAMING: bool>(
    set: V::Set,
    (from, from_row): (*const f32, usize),
    (rows, columns): (usize, usize),
    (to, to_row): (*mut f32, usize),
) {
    for column in (0..columns).step_by(V::LANES) {
        let left = V::LANES.min(columns - column);
        // SAFETY: `column` is below `columns`, so both are within rows of their operands. This function also
        // requires (1) to (3), for all columns.
        unsafe {
            let from = (from.add(column), from_row);
            let to = (to.add(column * to_row), to_row);
            match (rows, left) == (V::LANES, V::LANES) {
                true => V::transpose::<STREAMING>(set, from, (V::LANES, V::LANES), to),
                false => V::transpose::<STREAMING>(set, from, (rows, left), to),
            }
        }
    }
}
