//! Transposes of blocks in registers.

use super::operand::reach;
use super::set::InstructionSet;
use crate::compute::simd::{Avx2, Avx512, F32x8, F32x16, Vector};

impl InstructionSet {
    /// Writes the transpose of a block with as many rows and columns as a register has lanes. Rows start `from_row` and
    /// `to_row` floats apart.
    ///
    /// # Safety
    /// 1. For each row `r` of the transpose, as many floats at `to + r · to_row` as a register has lanes are valid for
    ///    writes, and no other thread reads or writes them meanwhile.
    ///
    /// # Panics
    /// Panics if the block reaches beyond `from`.
    #[inline]
    pub(in crate::compute) unsafe fn transpose(
        self,
        from: &[f32],
        from_row: usize,
        to: *mut f32,
        to_row: usize,
    ) {
        let lanes = self.lanes();
        let end = reach((lanes, from_row), (1, 0), lanes);
        assert!(end.is_some_and(|end| end <= from.len()), "a whole block");
        let from = from.as_ptr();
        match self {
            // SAFETY: `set` proves that the processor has AVX-512F. Precondition 1 of the callee is the assertion, and
            // its precondition 2 is precondition 1 of this function.
            InstructionSet::Avx512(set) => unsafe {
                transpose_avx512(set, from, from_row, to, to_row);
            },
            // SAFETY: `set` proves that the processor has AVX2 and FMA. Precondition 1 of the callee is the assertion,
            // and its precondition 2 is precondition 1 of this function.
            InstructionSet::Avx2(set) => unsafe {
                transpose_avx2(set, from, from_row, to, to_row);
            },
        }
    }
}

/// [`Vector::transpose`], compiled for AVX-512.
///
/// # Safety
/// Preconditions 1 and 2 of [`Vector::transpose`].
#[target_feature(enable = "avx512f")]
unsafe fn transpose_avx512(
    set: Avx512,
    from: *const f32,
    from_row: usize,
    to: *mut f32,
    to_row: usize,
) {
    // SAFETY: preconditions 1 and 2 are those of this function.
    unsafe { F32x16::transpose(set, from, from_row, to, to_row) }
}

/// [`Vector::transpose`], compiled for AVX2.
///
/// # Safety
/// Preconditions 1 and 2 of [`Vector::transpose`].
#[target_feature(enable = "avx2,fma")]
unsafe fn transpose_avx2(
    set: Avx2,
    from: *const f32,
    from_row: usize,
    to: *mut f32,
    to_row: usize,
) {
    // SAFETY: preconditions 1 and 2 are those of this function.
    unsafe { F32x8::transpose(set, from, from_row, to, to_row) }
}
