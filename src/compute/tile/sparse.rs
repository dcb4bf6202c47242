//! Micro-kernels that skip the zeros of an operand.
//!
//! They walk the set bits of masks instead of all elements, so the sum of an element of the result is the chain of
//! fused multiply-adds of the dense kernels without the terms that are zero. Leaving out `0 · b` changes no bit of a
//! sum, except that a sum that was −0 stays −0 instead of becoming +0, and that an infinite or NaN `b` is not noticed.

use super::operand::{MAX_WIDTH, Operand, Sink, reach};
use super::row::Row;
use super::set::InstructionSet;
use super::sparse_operand::{Bytes, Floats, Read, SparseColumns};
use crate::compute::elements::Elements;
use crate::compute::shared::{BlockMut, LINE, Rows};
use crate::compute::simd::{Avx2, Avx512, F32x8, F32x16, Vector, prefetch};

/// Bits of a word of a mask.
const BITS: usize = u64::BITS as usize;
/// Words of a row's mask that are done for all rows before the next: as many rows of weights stay in the nearest cache.
const WORDS: usize = 2;
/// The widths of panels are multiples of it: the floats of the narrowest register.
pub(in crate::compute) const SPARSE_STEP: usize = 8;
/// The most rows of an update with panels of eight wide registers.
const WIDE_ROWS: usize = 64;
/// How many rows ahead the optimiser's operands are prefetched.
const AHEAD: usize = 2;

impl InstructionSet {
    /// Registers across the widest panel of the sparse kernels, for updates from so many rows: few enough that a
    /// panel's part of the gradients stays in the nearest cache.
    pub(in crate::compute) fn sparse_registers(self, rows: usize) -> usize {
        match self {
            InstructionSet::Avx512(_) if rows > WIDE_ROWS => 4,
            InstructionSet::Avx512(_) | InstructionSet::Avx2(_) => 8,
        }
    }

    /// `z[r, ..] = start + Σ_f x[r, f] · w[f, ..]` over the features f whose bit is set in the mask of row r.
    ///
    /// Shapes: `x [rows, features]`, `masks [rows, words]` with a bit for each feature, `w [features · width]`,
    /// `start [width]`, `z [rows, width]`. Overwrites `z`.
    ///
    /// # Panics
    /// Panics if the shapes do not match, or if the width is not a multiple of [`SPARSE_STEP`] up to [`MAX_WIDTH`].
    pub(in crate::compute) fn sparse_rows(
        self,
        width: usize,
        x: Elements,
        masks: Rows<u64>,
        w: &[f32],
        start: &[f32],
        z: BlockMut,
    ) {
        assert_width(width);
        assert_eq!(w.len(), x.width() * width, "weights of a panel");
        assert_eq!(masks.width, x.width().div_ceil(BITS), "words of a mask");
        assert_eq!((x.rows(), masks.rows()), (z.rows(), z.rows()), "rows");
        assert!(
            z.width() >= width && start.len() >= width,
            "width of a panel"
        );
        match self {
            // SAFETY: `set` proves that the processor has AVX-512F and BMI1. Preconditions 1 to 3 are the assertions
            // above.
            InstructionSet::Avx512(set) => unsafe {
                rows_avx512(set, width, x, masks, w, start, z);
            },
            // SAFETY: `set` proves that the processor has AVX2, FMA and BMI1. Preconditions 1 to 3 are the assertions
            // above.
            InstructionSet::Avx2(set) => unsafe {
                rows_avx2(set, width, x, masks, w, start, z);
            },
        }
    }

    /// `g[f, ..] = start + Σ_r x[r, f] · dz[r, ..]` for each of `features` columns f of `x`, over the rows r whose bit
    /// is set in the mask of f, passed to the sink: row f of the sink takes `g[f, ..]`. A sink that continues sums
    /// leaves out `start`.
    ///
    /// Shapes: `start [width]`, `dz [rows, width]`.
    ///
    /// # Panics
    /// Panics if the shapes do not match, or if the width is not a multiple of [`SPARSE_STEP`] up to [`MAX_WIDTH`].
    pub(in crate::compute) fn sparse_columns(
        self,
        (features, width): (usize, usize),
        x: SparseColumns,
        dz: Operand,
        start: &[f32],
        sink: Sink,
    ) {
        assert_width(width);
        let fits = |end: Option<usize>, length: usize| end.is_some_and(|end| end <= length);
        let ((row, feature), of) = (x.first, x.elements);
        assert!(
            row + x.rows <= of.rows() && feature + features <= of.width(),
            "columns beyond x"
        );
        let end = reach((x.groups(), x.mask_row), (1, 0), features);
        assert!(fits(end, x.masks.len()), "columns beyond the masks");
        assert!(matches!(x.group, 8 | 16 | 32), "groups of {}", x.group);
        let end = reach((x.rows, dz.k), (1, 0), width);
        assert!(fits(end, dz.values.len()), "columns beyond dz");
        assert!(start.len() >= width, "width of a panel");
        assert!(sink.covers(features, width), "columns beyond their sink");
        match self {
            // SAFETY: `set` proves that the processor has AVX-512F and BMI1. Preconditions 1 to 4 are the assertions
            // above.
            InstructionSet::Avx512(set) => unsafe {
                columns_avx512(set, features, width, x, dz, start, sink);
            },
            // SAFETY: `set` proves that the processor has AVX2, FMA and BMI1. Preconditions 1 to 4 are the assertions
            // above.
            InstructionSet::Avx2(set) => unsafe {
                columns_avx2(set, features, width, x, dz, start, sink);
            },
        }
    }
}

/// Panics if no kernel is as wide.
fn assert_width(width: usize) {
    let fits = width.is_multiple_of(SPARSE_STEP) && (1..=MAX_WIDTH).contains(&width);
    assert!(fits, "a panel of {width} floats");
}

/// Calls a kernel for the kind of the elements, which it gets as `$x`, and the width of a panel.
macro_rules! by_kind {
    ($kernel:ident::<$vector:ty>, $x:ident = $elements:expr, $width:expr, $arguments:tt, $all:tt) => {
        match $elements {
            Elements::Floats(floats) => {
                let $x = Floats::of(floats);
                by_width!($kernel::<$vector>, $width, $arguments, $all)
            }
            Elements::Bytes(bytes, values) => {
                let $x = Bytes::of(bytes, values);
                by_width!($kernel::<$vector>, $width, $arguments, $all)
            }
        }
    };
}

/// Calls a kernel with constants for the registers across a panel: whole ones, and then ones of half their width.
macro_rules! by_width {
    ($kernel:ident::<$vector:ty>, $width:expr, $arguments:tt, [$(($nv:literal $nh:literal))*]) => {
        match ($width / <$vector>::LANES, $width % <$vector>::LANES / SPARSE_STEP) {
            $(($nv, $nh) => $kernel::<$vector, _, $nv, $nh> $arguments,)*
            registers => unreachable!("a panel of {registers:?} registers"),
        }
    };
}

/// [`rows`] with constants for the width, compiled for AVX-512.
///
/// # Safety
/// Preconditions 1 to 3 of [`rows`], for a row of `width` floats.
#[target_feature(enable = "avx512f,avx2,fma,bmi1")]
unsafe fn rows_avx512(
    set: Avx512,
    width: usize,
    x: Elements,
    masks: Rows<u64>,
    w: &[f32],
    start: &[f32],
    z: BlockMut,
) {
    // SAFETY: this function has the same preconditions 1 to 3.
    unsafe {
        by_kind!(
            rows::<F32x16>, elements = x, width,
            (set, elements, x.width(), masks, w, start, z),
            [
                (0 1) (1 0) (1 1) (2 0) (2 1) (3 0) (3 1) (4 0)
                (4 1) (5 0) (5 1) (6 0) (6 1) (7 0) (7 1) (8 0)
            ]
        );
    }
}

/// [`rows`] with constants for the width, compiled for AVX2.
///
/// # Safety
/// Preconditions 1 to 3 of [`rows`], for a row of `width` floats.
#[target_feature(enable = "avx2,fma,bmi1")]
unsafe fn rows_avx2(
    set: Avx2,
    width: usize,
    x: Elements,
    masks: Rows<u64>,
    w: &[f32],
    start: &[f32],
    z: BlockMut,
) {
    // SAFETY: this function has the same preconditions 1 to 3.
    unsafe {
        by_kind!(
            rows::<F32x8>, elements = x, width,
            (set, elements, x.width(), masks, w, start, z),
            [(1 0) (2 0) (3 0) (4 0) (5 0) (6 0) (7 0) (8 0)]
        );
    }
}

/// [`columns`] with constants for the width, compiled for AVX-512.
///
/// # Safety
/// Preconditions 1 to 4 of [`columns`], for a row of `width` floats.
#[target_feature(enable = "avx512f,avx2,fma,bmi1")]
unsafe fn columns_avx512(
    set: Avx512,
    features: usize,
    width: usize,
    x: SparseColumns,
    dz: Operand,
    start: &[f32],
    sink: Sink,
) {
    // SAFETY: this function has the same preconditions 1 to 4.
    unsafe {
        by_kind!(
            columns::<F32x16>, elements = x.elements, width,
            (set, elements, features, x, dz, start, sink),
            [
                (0 1) (1 0) (1 1) (2 0) (2 1) (3 0) (3 1) (4 0)
                (4 1) (5 0) (5 1) (6 0) (6 1) (7 0) (7 1) (8 0)
            ]
        );
    }
}

/// [`columns`] with constants for the width, compiled for AVX2.
///
/// # Safety
/// Preconditions 1 to 4 of [`columns`], for a row of `width` floats.
#[target_feature(enable = "avx2,fma,bmi1")]
unsafe fn columns_avx2(
    set: Avx2,
    features: usize,
    width: usize,
    x: SparseColumns,
    dz: Operand,
    start: &[f32],
    sink: Sink,
) {
    // SAFETY: this function has the same preconditions 1 to 4.
    unsafe {
        by_kind!(
            columns::<F32x8>, elements = x.elements, width,
            (set, elements, features, x, dz, start, sink),
            [(1 0) (2 0) (3 0) (4 0) (5 0) (6 0) (7 0) (8 0)]
        );
    }
}

/// The lowest `count` bits, or all of a word.
#[inline(always)]
fn lowest(count: usize) -> u64 {
    if count >= BITS {
        u64::MAX
    } else {
        (1 << count) - 1
    }
}

/// `sums + Σ_i a(i) · b[i · b_step ..]` over the set bits i of `bits`, the lowest first.
///
/// # Safety
/// 1. For each set bit i, `b + i · b_step` is valid for reads of a row.
#[inline(always)]
unsafe fn add_set<V: Vector, const NV: usize, const NH: usize>(
    set: V::Set,
    mut bits: u64,
    a: impl Fn(usize) -> f32,
    (b, b_step): (*const f32, usize),
    mut sums: Row<V, NV, NH>,
) -> Row<V, NV, NH> {
    while bits != 0 {
        let i = bits.trailing_zeros() as usize;
        bits &= bits - 1;
        // SAFETY: i is a set bit: (1) is precondition 1.
        unsafe { sums.add_product(set, a(i), b.add(i * b_step)) };
    }
    sums
}

/// [`InstructionSet::sparse_rows`].
///
/// # Safety
/// 1. `x` and `masks` have as many rows as `z`; a row of `x` has `features` elements, and a row of `masks` a bit for
///    each of them.
/// 2. `w` has `features` rows of as many floats as a [`Row`] has.
/// 3. `start` has as many, and so has each row of `z`.
#[inline(always)]
unsafe fn rows<V: Vector, X: Read, const NV: usize, const NH: usize>(
    set: V::Set,
    x: X,
    features: usize,
    masks: Rows<u64>,
    w: &[f32],
    start: &[f32],
    mut z: BlockMut,
) {
    let width = Row::<V, NV, NH>::WIDTH;
    let (words, count, z_row) = (masks.width, z.rows(), z.stride());
    let z = z.pointer();
    for first in (0..words).step_by(WORDS) {
        for row in 0..count {
            // SAFETY: `row` is a row of `z`, and `start` has as many floats: precondition 3.
            let (out, mut sums) = unsafe {
                let out = z.add(row * z_row);
                let from = if first == 0 { start.as_ptr() } else { out };
                (out, Row::<V, NV, NH>::load(set, from))
            };
            for word in first..words.min(first + WORDS) {
                let feature = word * BITS;
                let bits = masks.values[row * masks.stride + word] & lowest(features - feature);
                let x = x.starting_at(row, feature);
                // SAFETY: a set bit i is below `features - feature`, so `feature + i` is a feature: an element of the
                // row of `x` by precondition 1, and (1) a row of `w` by precondition 2.
                sums = unsafe {
                    let w = w.as_ptr().add(feature * width);
                    add_set(set, bits, |i| x.read(0, i), (w, width), sums)
                };
            }
            // SAFETY: (1) is precondition 3: `out` is a row of `z`.
            unsafe { sums.store(out) };
        }
    }
}

/// [`InstructionSet::sparse_columns`].
///
/// # Safety
/// 1. From `columns.first` on, `x` has an element for each of `columns.rows` rows and `features` features, and
///    `columns.masks` contains a word `g · columns.mask_row + f` for each group g of rows and feature f.
/// 2. For `r < columns.rows`, `dz.values` contains as many elements as a [`Row`] has from `r · dz.k` on.
/// 3. `start` has as many floats.
/// 4. Each block of the sink has `features` rows of as many floats.
#[inline(always)]
unsafe fn columns<V: Vector, X: Read, const NV: usize, const NH: usize>(
    set: V::Set,
    x: X,
    features: usize,
    columns: SparseColumns,
    dz: Operand,
    start: &[f32],
    sink: Sink,
) {
    // SAFETY: (1) is precondition 3.
    let start = unsafe { Row::<V, NV, NH>::load(set, start.as_ptr()) };
    let x = x.starting_at(columns.first.0, columns.first.1);
    // SAFETY: this function has the same preconditions 1 and 2.
    let sum = |feature, sums| unsafe { column(set, x, feature, &columns, dz, sums) };
    match sink {
        Sink::Store { mut c } => {
            let (c, row) = (c.pointer(), c.stride());
            for feature in 0..features {
                let gradient = sum(feature, start);
                // SAFETY: (1) is precondition 4: this is a row of `c`.
                unsafe { gradient.store(c.add(feature * row)) };
            }
        }
        Sink::Add { mut c } => {
            let (c, row) = (c.pointer(), c.stride());
            for feature in 0..features {
                // SAFETY: (1) of both functions is precondition 4: this is a row of `c`.
                unsafe {
                    let c = c.add(feature * row);
                    sum(feature, Row::load(set, c)).store(c);
                }
            }
        }
        Sink::Momentum {
            sums,
            mut w,
            mut v,
            momentum,
            learning_rate,
        } => {
            let (w_row, v_row) = (w.stride(), v.stride());
            let (w, v) = (w.pointer(), v.pointer());
            let sums = sums.map(|mut sums| (sums.pointer(), sums.stride()));
            for feature in 0..features {
                for j in (0..Row::<V, NV, NH>::WIDTH).step_by(LINE) {
                    prefetch(w.wrapping_add((feature + AHEAD) * w_row + j));
                    prefetch(v.wrapping_add((feature + AHEAD) * v_row + j));
                }
                let before = match sums {
                    None => start,
                    // SAFETY: (1) is precondition 4: this is a row of the sums.
                    Some((sums, row)) => unsafe { Row::load(set, sums.add(feature * row)) },
                };
                let gradient = sum(feature, before);
                // SAFETY: (1) is precondition 4: these are a row of `w` and a row of `v`.
                unsafe {
                    let (w, v) = (w.add(feature * w_row), v.add(feature * v_row));
                    gradient.descend(set, w, v, (momentum, learning_rate));
                }
            }
        }
    }
}

/// `sums + Σ_r x[r, feature] · dz[r, ..]` over the rows r that are not zero there.
///
/// # Safety
/// Preconditions 1 and 2 of [`columns`], for an `x` that starts at `columns.first` and a `feature` below `features`.
#[inline(always)]
unsafe fn column<V: Vector, X: Read, const NV: usize, const NH: usize>(
    set: V::Set,
    x: X,
    feature: usize,
    columns: &SparseColumns,
    dz: Operand,
    mut sums: Row<V, NV, NH>,
) -> Row<V, NV, NH> {
    let (groups, together) = (columns.groups(), BITS / columns.group);
    for first in (0..groups).step_by(together) {
        let mut bits = 0;
        for (place, group) in (first..groups.min(first + together)).enumerate() {
            // SAFETY: the group and the feature have a word by precondition 1.
            let word = unsafe {
                *columns
                    .masks
                    .get_unchecked(group * columns.mask_row + feature)
            };
            bits |= u64::from(word) << (place * columns.group);
        }
        let row = first * columns.group;
        bits &= lowest(columns.rows - row);
        let x = x.starting_at(row, feature);
        // SAFETY: a set bit i is below `columns.rows - row`, so `row + i` is a row: its element of the feature is in
        // `x` by precondition 1, and (1) its registers are in `dz` by precondition 2.
        sums = unsafe {
            let dz_rows = dz.values.as_ptr().add(row * dz.k);
            add_set(set, bits, |i| x.read(i, 0), (dz_rows, dz.k), sums)
        };
    }
    sums
}
