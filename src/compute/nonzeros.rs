//! Which inputs of a batch are not zero: a bit for each, by row and by feature.
//!
//! The forward product walks the bits of a row, and the gradient of a feature's weights walks the bits of the feature.
//! Both lists are of bits because they are found sixteen at a time, take little memory, and keep the inputs where they
//! are.

use super::phases::{OwnPiece, OwnRows};
use super::shared::{Matrix, Number, Rows, RowsMut};
#[cfg(target_arch = "x86_64")]
use super::simd::Avx512;
use crate::error::Result;

/// The most rows in a group: bits of a word of a feature.
pub const MAX_GROUP: usize = 32;
/// Features in a word of a row.
const WORD: usize = u64::BITS as usize;

/// The bits of the inputs of a batch, which may be there in several copies.
#[derive(Debug)]
pub struct Nonzeros {
    /// `[copies · rows, features / 64]`: bit b of word w is that of feature `64 w + b`.
    by_row: Matrix<u64>,
    /// `[copies · rows / group, features]`: bit r is that of row r of the group. `None` if only forward products are
    /// computed.
    by_feature: Option<Matrix<u32>>,
    group: usize,
    rows_of_copy: usize,
}

/// The bits of all rows of a batch by feature, to read.
#[derive(Debug, Clone, Copy)]
pub struct ByFeature<'a> {
    /// `[groups, features]`.
    pub words: Rows<'a, u32>,
    /// Rows of a group.
    pub group: usize,
}

impl Nonzeros {
    /// Room for `copies` copies of `rows_of_copy` rows, in groups of `group` rows; for the bits by feature only if
    /// there are `gradients` to compute.
    ///
    /// # Errors
    /// Returns [`crate::Error::Memory`] if the system does not grant the memory.
    ///
    /// # Panics
    /// Panics if a group has not 8, 16 or 32 rows, or a copy is not whole groups.
    pub fn zeroed(
        ((copies, rows_of_copy), features): ((usize, usize), usize),
        group: usize,
        gradients: bool,
    ) -> Result<Nonzeros> {
        assert!(matches!(group, 8 | 16 | MAX_GROUP), "groups of {group}");
        assert!(rows_of_copy.is_multiple_of(group), "{rows_of_copy} rows");
        let rows = copies * rows_of_copy;
        Ok(Nonzeros {
            by_row: Matrix::zeroed(rows, features.div_ceil(WORD))?,
            by_feature: gradients
                .then(|| Matrix::zeroed(rows / group, features))
                .transpose()?,
            group,
            rows_of_copy,
        })
    }

    /// Finds the bits of these rows, which start with a group, in this worker's copy of the inputs `x`, floats or
    /// bytes.
    ///
    /// # Panics
    /// Panics if the rows do not start with a group, or if `x` has another shape.
    pub fn find<T: Element>(&self, rows: &mut OwnRows, x: &Matrix<T>) {
        let range = rows.range();
        assert!(
            range.start.is_multiple_of(self.group),
            "rows {range:?} in groups of {}",
            self.group
        );
        let first = (rows.share().index * self.rows_of_copy + range.start) / self.group;
        let groups = first..first + range.len().div_ceil(self.group);
        let (x, by_row) = rows.own_copies((x, &self.by_row), self.rows_of_copy);
        let by_feature = self.by_feature.as_ref().map(|bits| {
            // SAFETY: (1) every other token that reaches these groups of this copy starts with one of them, as these
            // rows do, so that it would have some of these rows, which `OwnRows` excludes.
            unsafe { bits.rows_mut(groups) }
        });
        find(x, by_row, by_feature, self.group);
    }

    /// The bits by row, `[copies · rows, features / 64]`.
    pub(crate) fn words(&self) -> &Matrix<u64> {
        &self.by_row
    }

    /// Rows of a group.
    pub fn group(&self) -> usize {
        self.group
    }

    /// The bits of the first `rows` rows of copy `copy`, by feature.
    ///
    /// # Panics
    /// Panics if there is no room for them.
    pub(crate) fn by_feature<'a>(
        &'a self,
        piece: &'a OwnPiece,
        copy: usize,
        rows: usize,
    ) -> ByFeature<'a> {
        let first = copy * self.rows_of_copy / self.group;
        let groups = first..first + rows.div_ceil(self.group);
        let bits = self.by_feature.as_ref().expect("bits by feature");
        ByFeature {
            words: piece.rows(bits, groups),
            group: self.group,
        }
    }
}

/// Numbers of which zeros are found.
pub trait Element: Number + Default {
    /// Whether this is another number than zero. NaN is, −0 is not.
    fn is_nonzero(self) -> bool;

    /// The bits of 64 numbers, the first of them lowest.
    #[cfg(target_arch = "x86_64")]
    fn bits_of(set: Avx512, numbers: &[Self; WORD]) -> u64;
}

impl Element for f32 {
    fn is_nonzero(self) -> bool {
        self != 0.0
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn bits_of(set: Avx512, numbers: &[f32; WORD]) -> u64 {
        // SAFETY: `set` proves that the processor has AVX-512F.
        unsafe { avx512::bits_of_floats(set, numbers) }
    }
}

impl Element for u8 {
    fn is_nonzero(self) -> bool {
        self != 0
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn bits_of(set: Avx512, numbers: &[u8; WORD]) -> u64 {
        // SAFETY: `set` proves that the processor has AVX-512BW.
        unsafe { avx512::bits_of_bytes(set, numbers) }
    }
}

/// The bits of the rows `x`, by row and by feature.
fn find<T: Element>(
    x: Rows<T>,
    by_row: RowsMut<u64>,
    by_feature: Option<RowsMut<u32>>,
    group: usize,
) {
    #[cfg(target_arch = "x86_64")]
    if let Some(set) = Avx512::detect() {
        // SAFETY: `set` proves that the processor has AVX-512F and AVX-512BW.
        return unsafe { avx512::find(set, x, by_row, by_feature, group) };
    }
    find_portable(x, by_row, by_feature, group);
}

/// [`find`] for any processor.
fn find_portable<T: Element>(
    x: Rows<T>,
    mut by_row: RowsMut<u64>,
    mut by_feature: Option<RowsMut<u32>>,
    group: usize,
) {
    for (row, words) in by_row.iter_mut().enumerate() {
        let x = &x.values[row * x.stride..][..x.width];
        for (word, x) in words.iter_mut().zip(x.chunks(WORD)) {
            let bits = x
                .iter()
                .enumerate()
                .map(|(place, x)| u64::from(x.is_nonzero()) << place);
            *word = bits.sum();
        }
        if let Some(by_feature) = &mut by_feature {
            let of_group = &mut by_feature.values[row / group * by_feature.stride..][..x.len()];
            if row % group == 0 {
                of_group.fill(0);
            }
            for (of_feature, x) in of_group.iter_mut().zip(x) {
                *of_feature |= u32::from(x.is_nonzero()) << (row % group);
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::*;

    use super::super::shared::{LINE, Rows, RowsMut};
    use super::super::simd::Avx512;
    use super::{Element, MAX_GROUP, WORD};

    /// [`super::find`], as many features at a time as a register has.
    #[target_feature(enable = "avx512f,avx512bw")]
    pub(super) fn find<T: Element>(
        set: Avx512,
        x: Rows<T>,
        mut by_row: RowsMut<u64>,
        by_feature: Option<RowsMut<u32>>,
        group: usize,
    ) {
        for (x, out) in x.values.chunks_exact(x.stride).zip(by_row.iter_mut()) {
            // What is beyond the features is padding, whose bits nobody uses.
            let (whole, rest) = x[..x.len().min(out.len() * WORD)].as_chunks::<WORD>();
            for (bits, x) in out.iter_mut().zip(whole) {
                *bits = T::bits_of(set, x);
            }
            if let Some(bits) = out.get_mut(whole.len()) {
                let mut last = [T::default(); WORD];
                last[..rest.len()].copy_from_slice(rest);
                *bits = T::bits_of(set, &last);
            }
        }
        let words = by_row.stride;
        let of_rows: &[u16] = bytemuck::cast_slice(by_row.values);
        let Some(by_feature) = by_feature else {
            return;
        };
        let groups = by_feature.values.chunks_exact_mut(by_feature.stride);
        for (index, out) in groups.enumerate() {
            let rows = index * group..(x.rows()).min((index + 1) * group);
            for (sixteen, out) in out.as_chunks_mut::<LINE>().0.iter_mut().enumerate() {
                let mut column = [0u16; MAX_GROUP];
                let of_rows = of_rows.chunks_exact(4 * words).skip(rows.start);
                for (bits, of_row) in column[..rows.len()].iter_mut().zip(of_rows) {
                    *bits = of_row.get(sixteen).copied().unwrap_or(0);
                }
                transpose(&column, out);
            }
        }
    }

    /// [`Element::bits_of`] for floats.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn bits_of_floats(_set: Avx512, x: &[f32; WORD]) -> u64 {
        let mut all = 0;
        for (place, x) in x.as_chunks::<LINE>().0.iter().enumerate() {
            // SAFETY: `x` has the sixteen floats that are loaded.
            let x = unsafe { _mm512_loadu_ps(x.as_ptr()) };
            // Without the sign: −0 is zero, NaN is not.
            let bits = _mm512_test_epi32_mask(_mm512_castps_si512(x), _mm512_set1_epi32(i32::MAX));
            all |= u64::from(bits) << (place * LINE);
        }
        all
    }

    /// [`Element::bits_of`] for bytes.
    #[inline]
    #[target_feature(enable = "avx512bw")]
    pub(super) fn bits_of_bytes(_set: Avx512, x: &[u8; WORD]) -> u64 {
        // SAFETY: `x` has the 64 bytes that are loaded.
        let x = unsafe { _mm512_loadu_si512(x.as_ptr().cast()) };
        _mm512_test_epi8_mask(x, x)
    }

    /// Bit r of `out[f]` is bit f of `rows[r]`.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn transpose(rows: &[u16; MAX_GROUP], out: &mut [u32; LINE]) {
        // SAFETY: `rows` has the 64 bytes that are loaded.
        let mut bits = unsafe { _mm512_loadu_si512(rows.as_ptr().cast()) };
        for out in out.iter_mut().rev() {
            *out = _mm512_movepi16_mask(bits);
            bits = _mm512_slli_epi16::<1>(bits);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows whose elements are zero, −0, NaN or other numbers in an irregular order.
    fn sparse(rows: usize, features: usize) -> Matrix {
        let mut x = Matrix::zeroed(rows, features).expect("memory");
        let mut all = x.all_mut();
        for (row, values) in all.iter_mut().enumerate() {
            for (feature, value) in values.iter_mut().enumerate() {
                *value = [0.0, -0.0, 0.0, 1.5, f32::NAN, 0.0, 1e-40][(row * 31 + feature * 5) % 7];
            }
        }
        x
    }

    /// Checks both ways to find the bits of `x`.
    fn check<T: Element>(mut x: Matrix<T>, rows: usize, features: usize, group: usize) {
        let (all, groups) = (x.all_mut(), rows.div_ceil(group));
        for portable in [false, true] {
            let mut by_row = Matrix::<u64>::zeroed(rows, features.div_ceil(WORD)).expect("memory");
            let mut by_feature = Matrix::<u32>::zeroed(groups, features).expect("memory");
            let (of_rows, of_features) = (by_row.all_mut(), Some(by_feature.all_mut()));
            match portable {
                true => find_portable(all.as_rows(), of_rows, of_features, group),
                false => find(all.as_rows(), of_rows, of_features, group),
            }
            let (by_row, by_feature) = (by_row.all_mut(), by_feature.all_mut());
            for (row, feature) in (0..rows).flat_map(|r| (0..features).map(move |f| (r, f))) {
                let expected = all.values[row * all.stride + feature].is_nonzero();
                let word = by_row.values[row * by_row.stride + feature / WORD];
                assert_eq!(word >> (feature % WORD) & 1 == 1, expected);
                let word = by_feature.values[row / group * by_feature.stride + feature];
                assert_eq!(word >> (row % group) & 1 == 1, expected);
            }
        }
    }

    #[test]
    fn each_way_to_find_bits_agrees_with_the_elements() {
        for (rows, features, group) in [(1, 1, 8), (7, 64, 8), (33, 65, 32), (70, 100, 16)] {
            check(sparse(rows, features), rows, features, group);
            let mut bytes = Matrix::<u8>::zeroed(rows, features).expect("memory");
            for (row, values) in bytes.all_mut().iter_mut().enumerate() {
                for (feature, value) in values.iter_mut().enumerate() {
                    *value = [0, 1, 0, 128, 255][(row * 31 + feature * 3) % 5];
                }
            }
            check(bytes, rows, features, group);
        }
    }
}
