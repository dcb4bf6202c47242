//! Registers of the processor's vector units, under one trait.
//!
//! A kernel is written once over [`Vector`] and compiled for each instruction set inside a function that enables
//! it. Every lane does the same fused multiply-adds in the same order whatever the width, so AVX-512 and AVX2
//! give the same bits.

use std::arch::x86_64::*;

/// A register of `f32` lanes.
///
/// # Safety
/// All methods need the instruction set of the implementing type, which the caller has found at run time;
/// pointers must be good for `LANES` floats and need no alignment.
pub(super) trait Vector: Copy {
    /// Floats in a register.
    const LANES: usize;

    /// All lanes 0.
    unsafe fn zero() -> Self;
    /// All lanes `value`.
    unsafe fn splat(value: f32) -> Self;
    /// The `LANES` floats at `from`.
    unsafe fn load(from: *const f32) -> Self;
    /// Stores the lanes at `to`.
    unsafe fn store(self, to: *mut f32);
    /// `self · factor + term`, rounded once.
    unsafe fn mul_add(self, factor: Self, term: Self) -> Self;
    /// The lanes, or 0 where they are denormal: [`crate::kernels::flush`].
    unsafe fn flush(self) -> Self;
    /// Writes the transpose of a block of `LANES` by `LANES` floats. Rows lie `from_row` and `to_row` floats apart.
    unsafe fn transpose(from: *const f32, from_row: usize, to: *mut f32, to_row: usize);
}

/// Asks for the cache line at `at`, ahead of its use. A hint, which never faults.
#[inline(always)]
pub(super) fn prefetch(at: *const f32) {
    // SAFETY: a prefetch reads nothing that the program sees.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) };
}

impl Vector for __m512 {
    const LANES: usize = 16;

    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
        // SAFETY: by the trait's contract.
        unsafe {
            // As for eight lanes, with four groups of four rows and a column of either quarter in each 128 bits.
            let mut columns = [[_mm512_setzero_ps(); 4]; 4];
            for (group, columns) in columns.iter_mut().enumerate() {
                let row = |r: usize| _mm512_loadu_ps(from.add((4 * group + r) * from_row));
                let (a, b) = (
                    _mm512_unpacklo_ps(row(0), row(1)),
                    _mm512_unpackhi_ps(row(0), row(1)),
                );
                let (c, d) = (
                    _mm512_unpacklo_ps(row(2), row(3)),
                    _mm512_unpackhi_ps(row(2), row(3)),
                );
                let pairs =
                    [(a, c), (b, d)].map(|(p, q)| (_mm512_castps_pd(p), _mm512_castps_pd(q)));
                for (half, (p, q)) in pairs.into_iter().enumerate() {
                    columns[2 * half] = _mm512_castpd_ps(_mm512_unpacklo_pd(p, q));
                    columns[2 * half + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(p, q));
                }
            }
            // The quarters of a column come together, even columns of quarters and odd ones apart.
            for c in 0..4 {
                let quarters = columns.map(|columns| columns[c]);
                let even = |p, q| _mm512_shuffle_f32x4::<0x88>(p, q);
                let odd = |p, q| _mm512_shuffle_f32x4::<0xdd>(p, q);
                let evens = (
                    even(quarters[0], quarters[1]),
                    even(quarters[2], quarters[3]),
                );
                let odds = (odd(quarters[0], quarters[1]), odd(quarters[2], quarters[3]));
                let store = |column: usize, value| _mm512_storeu_ps(to.add(column * to_row), value);
                store(c, even(evens.0, evens.1));
                store(4 + c, even(odds.0, odds.1));
                store(8 + c, odd(evens.0, evens.1));
                store(12 + c, odd(odds.0, odds.1));
            }
        }
    }

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: by the trait's contract.
        unsafe { _mm512_setzero_ps() }
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: by the trait's contract.
        unsafe { _mm512_set1_ps(value) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: by the trait's contract.
        unsafe { _mm512_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: by the trait's contract.
        unsafe { _mm512_storeu_ps(to, self) }
    }

    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, term: Self) -> Self {
        // SAFETY: by the trait's contract.
        unsafe { _mm512_fmadd_ps(self, factor, term) }
    }

    #[inline(always)]
    unsafe fn flush(self) -> Self {
        // SAFETY: by the trait's contract.
        unsafe {
            let least = _mm512_set1_ps(f32::MIN_POSITIVE);
            let kept = _mm512_cmp_ps_mask::<_CMP_NLT_UQ>(_mm512_abs_ps(self), least);
            _mm512_maskz_mov_ps(kept, self)
        }
    }
}

impl Vector for __m256 {
    const LANES: usize = 8;

    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
        // SAFETY: by the trait's contract.
        unsafe {
            // Groups of four rows: pairs, then quadruples of one column, a column of either half in each 128 bits.
            let mut columns = [[_mm256_setzero_ps(); 4]; 2];
            for (group, columns) in columns.iter_mut().enumerate() {
                let row = |r: usize| _mm256_loadu_ps(from.add((4 * group + r) * from_row));
                let (a, b) = (
                    _mm256_unpacklo_ps(row(0), row(1)),
                    _mm256_unpackhi_ps(row(0), row(1)),
                );
                let (c, d) = (
                    _mm256_unpacklo_ps(row(2), row(3)),
                    _mm256_unpackhi_ps(row(2), row(3)),
                );
                let pairs =
                    [(a, c), (b, d)].map(|(p, q)| (_mm256_castps_pd(p), _mm256_castps_pd(q)));
                for (half, (p, q)) in pairs.into_iter().enumerate() {
                    columns[2 * half] = _mm256_castpd_ps(_mm256_unpacklo_pd(p, q));
                    columns[2 * half + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(p, q));
                }
            }
            // The halves of a column come together.
            let [upper, lower] = columns;
            for (c, (upper, lower)) in upper.into_iter().zip(lower).enumerate() {
                let store = |column: usize, value| _mm256_storeu_ps(to.add(column * to_row), value);
                store(c, _mm256_permute2f128_ps::<0x20>(upper, lower));
                store(4 + c, _mm256_permute2f128_ps::<0x31>(upper, lower));
            }
        }
    }

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: by the trait's contract.
        unsafe { _mm256_setzero_ps() }
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: by the trait's contract.
        unsafe { _mm256_set1_ps(value) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: by the trait's contract.
        unsafe { _mm256_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: by the trait's contract.
        unsafe { _mm256_storeu_ps(to, self) }
    }

    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, term: Self) -> Self {
        // SAFETY: by the trait's contract.
        unsafe { _mm256_fmadd_ps(self, factor, term) }
    }

    #[inline(always)]
    unsafe fn flush(self) -> Self {
        // SAFETY: by the trait's contract.
        unsafe {
            let magnitude = _mm256_andnot_ps(_mm256_set1_ps(-0.0), self);
            let least = _mm256_set1_ps(f32::MIN_POSITIVE);
            _mm256_and_ps(_mm256_cmp_ps::<_CMP_NLT_UQ>(magnitude, least), self)
        }
    }
}
