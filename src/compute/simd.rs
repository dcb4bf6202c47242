//! Vector registers of the processor behind one trait, and the proof that the processor has them.
//!
//! A kernel is written once over [`Vector`] and compiled for each instruction set, inside a function that enables the
//! set. Every lane does the same fused multiply-adds in the same order whatever the width, so AVX-512 and AVX2 give
//! the same bits.

use std::arch::x86_64::*;

/// Proof that this processor has AVX-512F, AVX-512BW and what [`Avx2`] proves, as every one with AVX-512 since 2017:
/// only [`Avx512::detect`] creates it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Avx512(());

impl Avx512 {
    /// The proof, if this processor has AVX-512F, AVX-512BW and what [`Avx2`] proves.
    pub fn detect() -> Option<Avx512> {
        let has = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && Avx2::detect().is_some();
        has.then_some(Avx512(()))
    }
}

/// Proof that this processor has AVX2, FMA and BMI1, as every one with AVX2: only [`Avx2::detect`] creates it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Avx2(());

impl Avx2 {
    /// The proof, if this processor has AVX2, FMA and BMI1.
    pub fn detect() -> Option<Avx2> {
        let has = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("bmi1");
        has.then_some(Avx2(()))
    }
}

/// A register of `f32` lanes. A value contains the proof that the processor has such registers.
pub(super) trait Vector: Copy {
    /// The proof of the instruction set.
    type Set: Copy;
    /// A register of half the width, or this one if there is no narrower one.
    type Half: Vector;
    /// Floats in a register.
    const LANES: usize;

    /// The lower half.
    fn half(self) -> Self::Half;
    /// The proof for a register of half the width.
    fn half_set(set: Self::Set) -> <Self::Half as Vector>::Set;

    /// A register with all lanes 0.
    fn zero(set: Self::Set) -> Self;
    /// A register with all lanes `value`.
    fn splat(set: Self::Set, value: f32) -> Self;
    /// `self · factor + term`, rounded once.
    fn mul_add(self, factor: Self, term: Self) -> Self;
    /// The lanes, with denormal ones replaced by 0: [`crate::kernels::flush`].
    fn flush(self) -> Self;

    /// The `LANES` floats at `from`.
    ///
    /// # Safety
    /// 1. `from` is valid for reads of `LANES` floats; it need not be aligned.
    unsafe fn load(set: Self::Set, from: *const f32) -> Self;

    /// Stores the lanes at `to`.
    ///
    /// # Safety
    /// 1. `to` is valid for writes of `LANES` floats; it need not be aligned.
    unsafe fn store(self, to: *mut f32);

    /// Writes the transpose of a block of at most `LANES` rows and columns, whose rows start `from_row` and `to_row`
    /// floats apart. Zeros take the place of rows that are missing to `LANES`. If `STREAMING`, the transpose goes to
    /// memory past the caches.
    ///
    /// # Safety
    /// 1. For each `r < rows`, `from + r · from_row` is valid for reads of `LANES` floats.
    /// 2. For each `c < columns`, `to + c · to_row` is valid for writes of `LANES` floats.
    /// 3. If `STREAMING`, each of these addresses is a multiple of the size of a register, and the caller calls
    ///    [`finish_streaming`] before any thread reads the transpose.
    unsafe fn transpose<const STREAMING: bool>(
        set: Self::Set,
        from: (*const f32, usize),
        shape: (usize, usize),
        to: (*mut f32, usize),
    );
}

/// Asks for the cache line at `at`, ahead of its use. This is a hint, which never faults.
#[inline(always)]
pub(super) fn prefetch(at: *const f32) {
    // SAFETY: every x86-64 processor has the instruction, and it accepts any address.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) };
}

/// Orders all streaming stores of this thread before its later stores, as no other store or barrier does.
#[inline(always)]
pub(super) fn finish_streaming() {
    // SAFETY: every x86-64 processor has the instruction, which has no operands.
    unsafe { _mm_sfence() };
}

/// A register of 16 floats.
#[derive(Clone, Copy)]
pub(super) struct F32x16 {
    lanes: __m512,
    _set: Avx512,
}

impl Vector for F32x16 {
    type Set = Avx512;
    type Half = F32x8;
    const LANES: usize = 16;

    #[inline(always)]
    fn half(self) -> F32x8 {
        // SAFETY: `self._set` proves that the processor has AVX-512F.
        let lanes = unsafe { _mm512_castps512_ps256(self.lanes) };
        let _set = F32x16::half_set(self._set);
        F32x8 { lanes, _set }
    }

    #[inline(always)]
    fn half_set(_set: Avx512) -> Avx2 {
        // `_set` proves that the processor has what this proves.
        Avx2(())
    }

    #[inline(always)]
    fn zero(set: Avx512) -> Self {
        // SAFETY: `set` proves that the processor has AVX-512F.
        let lanes = unsafe { _mm512_setzero_ps() };
        F32x16 { lanes, _set: set }
    }

    #[inline(always)]
    fn splat(set: Avx512, value: f32) -> Self {
        // SAFETY: `set` proves that the processor has AVX-512F.
        let lanes = unsafe { _mm512_set1_ps(value) };
        F32x16 { lanes, _set: set }
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, term: Self) -> Self {
        // SAFETY: `self._set` proves that the processor has AVX-512F.
        let lanes = unsafe { _mm512_fmadd_ps(self.lanes, factor.lanes, term.lanes) };
        F32x16 { lanes, ..self }
    }

    #[inline(always)]
    fn flush(self) -> Self {
        // SAFETY: `self._set` proves that the processor has AVX-512F.
        let lanes = unsafe {
            let least = _mm512_set1_ps(f32::MIN_POSITIVE);
            let kept = _mm512_cmp_ps_mask::<_CMP_NLT_UQ>(_mm512_abs_ps(self.lanes), least);
            _mm512_maskz_mov_ps(kept, self.lanes)
        };
        F32x16 { lanes, ..self }
    }

    #[inline(always)]
    unsafe fn load(set: Avx512, from: *const f32) -> Self {
        // SAFETY: `set` proves that the processor has AVX-512F, and `from` is valid for 16 floats by precondition 1.
        let lanes = unsafe { _mm512_loadu_ps(from) };
        F32x16 { lanes, _set: set }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: `self._set` proves that the processor has AVX-512F, and `to` is valid for 16 floats by precondition
        // 1.
        unsafe { _mm512_storeu_ps(to, self.lanes) }
    }

    #[inline(always)]
    unsafe fn transpose<const STREAMING: bool>(
        _set: Avx512,
        (from, from_row): (*const f32, usize),
        (rows, width): (usize, usize),
        (to, to_row): (*mut f32, usize),
    ) {
        // SAFETY: `_set` proves that the processor has AVX-512F. Precondition 1 covers the loads, of rows below `rows`,
        // and preconditions 2 and 3 the stores, of columns below `width`.
        unsafe {
            // As for eight lanes, with four groups of four rows, and a column of one quarter in each 128 bits.
            let mut columns = [[_mm512_setzero_ps(); 4]; 4];
            for (group, columns) in columns.iter_mut().enumerate() {
                let row = |r: usize| match 4 * group + r < rows {
                    true => _mm512_loadu_ps(from.add((4 * group + r) * from_row)),
                    false => _mm512_setzero_ps(),
                };
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
            // Joins the quarters of each column: first even and odd quarters, then all four.
            for c in 0..4 {
                let quarters = columns.map(|columns| columns[c]);
                let even = |p, q| _mm512_shuffle_f32x4::<0x88>(p, q);
                let odd = |p, q| _mm512_shuffle_f32x4::<0xdd>(p, q);
                let evens = (
                    even(quarters[0], quarters[1]),
                    even(quarters[2], quarters[3]),
                );
                let odds = (odd(quarters[0], quarters[1]), odd(quarters[2], quarters[3]));
                let store = |column: usize, value| match column < width {
                    true if STREAMING => _mm512_stream_ps(to.add(column * to_row), value),
                    true => _mm512_storeu_ps(to.add(column * to_row), value),
                    false => (),
                };
                store(c, even(evens.0, evens.1));
                store(4 + c, even(odds.0, odds.1));
                store(8 + c, odd(evens.0, evens.1));
                store(12 + c, odd(odds.0, odds.1));
            }
        }
    }
}

/// A register of 8 floats.
#[derive(Clone, Copy)]
pub(super) struct F32x8 {
    lanes: __m256,
    _set: Avx2,
}

impl Vector for F32x8 {
    type Set = Avx2;
    type Half = F32x8;
    const LANES: usize = 8;

    #[inline(always)]
    fn half(self) -> F32x8 {
        self
    }

    #[inline(always)]
    fn half_set(set: Avx2) -> Avx2 {
        set
    }

    #[inline(always)]
    fn zero(set: Avx2) -> Self {
        // SAFETY: `set` proves that the processor has AVX2.
        let lanes = unsafe { _mm256_setzero_ps() };
        F32x8 { lanes, _set: set }
    }

    #[inline(always)]
    fn splat(set: Avx2, value: f32) -> Self {
        // SAFETY: `set` proves that the processor has AVX2.
        let lanes = unsafe { _mm256_set1_ps(value) };
        F32x8 { lanes, _set: set }
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, term: Self) -> Self {
        // SAFETY: `self._set` proves that the processor has FMA.
        let lanes = unsafe { _mm256_fmadd_ps(self.lanes, factor.lanes, term.lanes) };
        F32x8 { lanes, ..self }
    }

    #[inline(always)]
    fn flush(self) -> Self {
        // SAFETY: `self._set` proves that the processor has AVX2.
        let lanes = unsafe {
            let magnitude = _mm256_andnot_ps(_mm256_set1_ps(-0.0), self.lanes);
            let least = _mm256_set1_ps(f32::MIN_POSITIVE);
            _mm256_and_ps(_mm256_cmp_ps::<_CMP_NLT_UQ>(magnitude, least), self.lanes)
        };
        F32x8 { lanes, ..self }
    }

    #[inline(always)]
    unsafe fn load(set: Avx2, from: *const f32) -> Self {
        // SAFETY: `set` proves that the processor has AVX2, and `from` is valid for 8 floats by precondition 1.
        let lanes = unsafe { _mm256_loadu_ps(from) };
        F32x8 { lanes, _set: set }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: `self._set` proves that the processor has AVX2, and `to` is valid for 8 floats by precondition 1.
        unsafe { _mm256_storeu_ps(to, self.lanes) }
    }

    #[inline(always)]
    unsafe fn transpose<const STREAMING: bool>(
        _set: Avx2,
        (from, from_row): (*const f32, usize),
        (rows, width): (usize, usize),
        (to, to_row): (*mut f32, usize),
    ) {
        // SAFETY: `_set` proves that the processor has AVX2. Precondition 1 covers the loads, of rows below `rows`, and
        // preconditions 2 and 3 the stores, of columns below `width`.
        unsafe {
            // Groups of four rows: first pairs, then four rows of one column, with a column of one half in each 128
            // bits.
            let mut columns = [[_mm256_setzero_ps(); 4]; 2];
            for (group, columns) in columns.iter_mut().enumerate() {
                let row = |r: usize| match 4 * group + r < rows {
                    true => _mm256_loadu_ps(from.add((4 * group + r) * from_row)),
                    false => _mm256_setzero_ps(),
                };
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
            // Joins the halves of each column.
            let [upper, lower] = columns;
            for (c, (upper, lower)) in upper.into_iter().zip(lower).enumerate() {
                let store = |column: usize, value| match column < width {
                    true if STREAMING => _mm256_stream_ps(to.add(column * to_row), value),
                    true => _mm256_storeu_ps(to.add(column * to_row), value),
                    false => (),
                };
                store(c, _mm256_permute2f128_ps::<0x20>(upper, lower));
                store(4 + c, _mm256_permute2f128_ps::<0x31>(upper, lower));
            }
        }
    }
}
