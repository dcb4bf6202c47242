//! Micro-kernels over all elements of their operands.

use super::operand::{Operand, Sink, reach};
use super::product::{product, product_fetching};
use super::set::InstructionSet;
use crate::compute::shared::BlockMut;
use crate::compute::simd::{Avx2, Avx512, F32x8, F32x16, Vector, prefetch};

impl InstructionSet {
    /// Computes `rows` rows by `registers` registers, summed over `depth`, tile by tile, and passes each tile to its
    /// rows of the sink.
    ///
    /// # Panics
    /// Panics if there are more registers than in a full tile, or if the rows reach beyond an operand or the sink.
    #[inline]
    pub(in crate::compute) fn tiles(
        self,
        (rows, registers): (usize, usize),
        depth: usize,
        a: Operand,
        b: Operand,
        sink: Sink,
    ) {
        let width = registers * self.lanes();
        let fits = |end: Option<usize>, length: usize| end.is_some_and(|end| end <= length);
        let a_end = reach((rows, a.row), (depth, a.k), 1);
        assert!(fits(a_end, a.values.len()), "a tile beyond a");
        let b_end = reach((1, 0), (depth, b.k), width);
        assert!(fits(b_end, b.values.len()), "a tile beyond b");
        assert!(sink.covers(rows, width), "a tile beyond its sink");
        match self {
            // SAFETY: `set` proves that the processor has AVX-512F. Preconditions 1 to 3 are the assertions above.
            InstructionSet::Avx512(set) => unsafe {
                match registers {
                    1 => sunk_avx512::<1>(set, rows, depth, a, b, sink),
                    2 => sunk_avx512::<2>(set, rows, depth, a, b, sink),
                    3 => sunk_avx512::<3>(set, rows, depth, a, b, sink),
                    registers => unreachable!("tiles of {registers} registers"),
                }
            },
            // SAFETY: `set` proves that the processor has AVX2 and FMA. Preconditions 1 to 3 are the assertions above.
            InstructionSet::Avx2(set) => unsafe {
                match registers {
                    1 => sunk_avx2::<1>(set, rows, depth, a, b, sink),
                    2 => sunk_avx2::<2>(set, rows, depth, a, b, sink),
                    3 => sunk_avx2::<3>(set, rows, depth, a, b, sink),
                    registers => unreachable!("tiles of {registers} registers"),
                }
            },
        }
    }

    /// `c = a · b` for all rows of `c`, tile by tile, in one call: for narrow products the calls would take as long as
    /// the tiles.
    ///
    /// # Panics
    /// Panics if there are more registers than in a full tile, or if `c` reaches beyond an operand.
    #[inline]
    pub(in crate::compute) fn rows_of_tiles(
        self,
        registers: usize,
        depth: usize,
        a: Operand,
        b: Operand,
        c: BlockMut,
    ) {
        let width = registers * self.lanes();
        let fits = |end: Option<usize>, length: usize| end.is_some_and(|end| end <= length);
        let a_end = reach((c.rows(), a.row), (depth, a.k), 1);
        assert!(fits(a_end, a.values.len()), "tiles beyond a");
        let b_end = reach((1, 0), (depth, b.k), width);
        assert!(fits(b_end, b.values.len()), "tiles beyond b");
        assert!(c.width() >= width, "tiles beyond c");
        match self {
            // SAFETY: `set` proves that the processor has AVX-512F. Preconditions 1 to 3 are the assertions above.
            InstructionSet::Avx512(set) => unsafe {
                match registers {
                    1 => tiles_avx512::<1>(set, depth, a, b, c),
                    2 => tiles_avx512::<2>(set, depth, a, b, c),
                    3 => tiles_avx512::<3>(set, depth, a, b, c),
                    registers => unreachable!("tiles of {registers} registers"),
                }
            },
            // SAFETY: `set` proves that the processor has AVX2 and FMA. Preconditions 1 to 3 are the assertions above.
            InstructionSet::Avx2(set) => unsafe {
                match registers {
                    1 => tiles_avx2::<1>(set, depth, a, b, c),
                    2 => tiles_avx2::<2>(set, depth, a, b, c),
                    3 => tiles_avx2::<3>(set, depth, a, b, c),
                    registers => unreachable!("tiles of {registers} registers"),
                }
            },
        }
    }
}

/// Calls the kernel whose constants are the given numbers.
macro_rules! by_shape {
    ($vector:ty, $rows:expr, $registers:expr, $arguments:tt, [$($mr:literal)*], $nvs:tt) => {
        match $rows {
            $($mr => by_shape!(@registers $vector, $registers, $arguments, $mr, $nvs),)*
            rows => unreachable!("a tile of {rows} rows"),
        }
    };
    (@registers $vector:ty, $registers:expr, $arguments:tt, $mr:literal, [$($nv:literal)*]) => {
        match $registers {
            $($nv => kernel::<$vector, $mr, $nv> $arguments,)*
            registers => unreachable!("a tile of {registers} registers"),
        }
    };
}

/// [`kernel`] with constants for the shape, compiled for AVX-512.
///
/// # Safety
/// Preconditions 1 to 3 of [`kernel`], for `MR = rows` and `NV = registers`.
#[target_feature(enable = "avx512f")]
unsafe fn avx512(
    set: Avx512,
    rows: usize,
    registers: usize,
    depth: usize,
    a: Operand,
    b: Operand,
    sink: Sink,
) {
    // SAFETY: this function has the same preconditions 1 to 3.
    unsafe {
        by_shape!(F32x16, rows, registers, (set, depth, a, b, sink), [8 1 2 3 4 5 6 7], [3 2 1]);
    }
}

/// [`kernel`] with constants for the shape, compiled for AVX2.
///
/// # Safety
/// Preconditions 1 to 3 of [`kernel`], for `MR = rows` and `NV = registers`.
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2(
    set: Avx2,
    rows: usize,
    registers: usize,
    depth: usize,
    a: Operand,
    b: Operand,
    sink: Sink,
) {
    // SAFETY: this function has the same preconditions 1 to 3.
    unsafe { by_shape!(F32x8, rows, registers, (set, depth, a, b, sink), [4 1 2 3], [3 2 1]) }
}

/// All rows, in full tiles and one for the rest, compiled for AVX-512.
///
/// # Safety
/// Preconditions 1 to 3 of [`kernel`], for `rows` instead of `MR` rows.
#[target_feature(enable = "avx512f")]
unsafe fn sunk_avx512<const NV: usize>(
    set: Avx512,
    rows: usize,
    depth: usize,
    a: Operand,
    b: Operand,
    mut sink: Sink,
) {
    let mut row = 0;
    while row + 8 <= rows {
        let sink = sink.rows_from(row);
        // SAFETY: the rows from `row` on are some of the rows that preconditions 1 to 3 of this function cover.
        unsafe { kernel::<F32x16, 8, NV>(set, depth, a.starting_at(row), b, sink) };
        row += 8;
    }
    if row < rows {
        let sink = sink.rows_from(row);
        // SAFETY: the rows from `row` on are some of the rows that preconditions 1 to 3 of this function cover.
        unsafe { avx512(set, rows - row, NV, depth, a.starting_at(row), b, sink) };
    }
}

/// [`sunk_avx512`] for AVX2.
///
/// # Safety
/// Preconditions 1 to 3 of [`kernel`], for `rows` instead of `MR` rows.
#[target_feature(enable = "avx2,fma")]
unsafe fn sunk_avx2<const NV: usize>(
    set: Avx2,
    rows: usize,
    depth: usize,
    a: Operand,
    b: Operand,
    mut sink: Sink,
) {
    let mut row = 0;
    while row + 4 <= rows {
        let sink = sink.rows_from(row);
        // SAFETY: the rows from `row` on are some of the rows that preconditions 1 to 3 of this function cover.
        unsafe { kernel::<F32x8, 4, NV>(set, depth, a.starting_at(row), b, sink) };
        row += 4;
    }
    if row < rows {
        let sink = sink.rows_from(row);
        // SAFETY: the rows from `row` on are some of the rows that preconditions 1 to 3 of this function cover.
        unsafe { avx2(set, rows - row, NV, depth, a.starting_at(row), b, sink) };
    }
}

/// Rows of `NV` registers, in full tiles and one for the rest, compiled for AVX-512.
///
/// # Safety
/// 1. For each row `r` of `c` and `k < depth`, `a.values` contains element `r · a.row + k · a.k`.
/// 2. For `k < depth`, `b.values` contains `NV · LANES` elements from `k · b.k` on.
/// 3. Each row of `c` has `NV · LANES` elements.
#[target_feature(enable = "avx512f")]
unsafe fn tiles_avx512<const NV: usize>(
    set: Avx512,
    depth: usize,
    a: Operand,
    b: Operand,
    mut c: BlockMut,
) {
    // SAFETY: this function has the same preconditions 1 to 3.
    let row = unsafe { full_tiles::<F32x16, 8, NV>(set, depth, a, b, &mut c) };
    let rows = c.rows() - row;
    if rows > 0 {
        let sink = Sink::Store {
            c: c.rows_from(row),
        };
        // SAFETY: the rows from `row` on are some of the rows that preconditions 1 to 3 of this function cover.
        unsafe { avx512(set, rows, NV, depth, a.starting_at(row), b, sink) };
    }
}

/// [`tiles_avx512`] for AVX2.
///
/// # Safety
/// Preconditions 1 to 3 of [`tiles_avx512`].
#[target_feature(enable = "avx2,fma")]
unsafe fn tiles_avx2<const NV: usize>(
    set: Avx2,
    depth: usize,
    a: Operand,
    b: Operand,
    mut c: BlockMut,
) {
    // SAFETY: this function has the same preconditions 1 to 3.
    let row = unsafe { full_tiles::<F32x8, 4, NV>(set, depth, a, b, &mut c) };
    let rows = c.rows() - row;
    if rows > 0 {
        let sink = Sink::Store {
            c: c.rows_from(row),
        };
        // SAFETY: the rows from `row` on are some of the rows that preconditions 1 to 3 of this function cover.
        unsafe { avx2(set, rows, NV, depth, a.starting_at(row), b, sink) };
    }
}

/// Computes the full tiles of `MR` rows of `c`; returns the first row after them.
///
/// # Safety
/// Preconditions 1 to 3 of [`tiles_avx512`].
#[inline(always)]
unsafe fn full_tiles<V: Vector, const MR: usize, const NV: usize>(
    set: V::Set,
    depth: usize,
    a: Operand,
    b: Operand,
    c: &mut BlockMut,
) -> usize {
    let mut row = 0;
    while row + MR <= c.rows() {
        let sink = Sink::Store {
            c: c.rows_from(row),
        };
        // SAFETY: (1) to (3) follow from those of this function, as rows from `row` to `row + MR` are rows of `c`.
        unsafe { kernel::<V, MR, NV>(set, depth, a.starting_at(row), b, sink) };
        row += MR;
    }
    row
}

/// Runs `$body` for each row `$r` of a tile of `$mr` rows, each time with a constant for `$r`. In a loop too long to be
/// unrolled, the compiler would keep the tile in memory instead of registers, and write it there in every step of the
/// sum.
macro_rules! for_rows {
    ($mr:ident, $r:ident, $body:block) => {
        for_rows!(@ $mr, $r, $body, 0 1 2 3 4 5 6 7)
    };
    (@ $mr:ident, $r:ident, $body:block, $($row:literal)*) => {
        $(if $row < $mr {
            let $r: usize = $row;
            $body
        })*
    };
}

/// The tile, and its sink.
///
/// # Safety
/// 1. For `r < MR` and `k < depth`, `a.values` contains element `r · a.row + k · a.k`.
/// 2. For `k < depth`, `b.values` contains `NV · LANES` elements from `k · b.k` on.
/// 3. Each block of the sink has `MR` rows of `NV · LANES` elements.
#[inline(always)]
unsafe fn kernel<V: Vector, const MR: usize, const NV: usize>(
    set: V::Set,
    depth: usize,
    a: Operand,
    b: Operand,
    sink: Sink,
) {
    // Each arm has a product of its own, so that nothing is decided between the sum and what is done with it.
    match sink {
        Sink::Store { c } => {
            let zeros = [[V::zero(set); NV]; MR];
            // SAFETY: this function has the same preconditions 1 and 2.
            let tile = unsafe { product::<V, MR, NV>(set, depth, a, b, zeros) };
            // SAFETY: (1) is precondition 3 of this function.
            unsafe { store::<V, MR, NV>(&tile, c) };
        }
        Sink::Add { mut c } => {
            // SAFETY: (1) is precondition 3 of this function.
            let sums = unsafe { load::<V, MR, NV>(set, c.reborrow()) };
            // SAFETY: this function has the same preconditions 1 and 2.
            let tile = unsafe { product::<V, MR, NV>(set, depth, a, b, sums) };
            // SAFETY: (1) is precondition 3 of this function.
            unsafe { store::<V, MR, NV>(&tile, c) };
        }
        Sink::Momentum {
            sums,
            mut w,
            mut v,
            momentum,
            learning_rate,
        } => {
            let sums = match sums {
                None => [[V::zero(set); NV]; MR],
                // SAFETY: (1) is precondition 3 of this function.
                Some(sums) => unsafe { load::<V, MR, NV>(set, sums) },
            };
            let (w_row, v_row) = (w.stride(), v.stride());
            let (w, v) = (w.pointer(), v.pointer());
            // The optimiser's operands come from far away while the products are computed.
            let fetch = |r: usize, j: usize| {
                prefetch(w.wrapping_add(r * w_row + j * V::LANES));
                prefetch(v.wrapping_add(r * v_row + j * V::LANES));
            };
            // SAFETY: this function has the same preconditions 1 and 2.
            let tile = unsafe { product_fetching::<V, MR, NV>(set, depth, a, b, sums, fetch) };
            for_rows!(MR, r, {
                // SAFETY: `r < MR`, so row `r` of `v` and `w` has `NV` registers by precondition 3.
                unsafe {
                    let (w, v) = (w.add(r * w_row), v.add(r * v_row));
                    descend(set, &tile[r], w, v, (momentum, learning_rate));
                }
            });
        }
    }
}

/// `v = μ v + g` with denormal results replaced by 0, then `w = w − η v`, for one row.
///
/// # Safety
/// 1. `w` and `v` are valid for reads and writes of `NV · LANES` floats each.
#[inline(always)]
pub(super) unsafe fn descend<V: Vector, const NV: usize>(
    set: V::Set,
    gradient: &[V; NV],
    w: *mut f32,
    v: *mut f32,
    (momentum, learning_rate): (f32, f32),
) {
    let (momentum, rate) = (V::splat(set, momentum), V::splat(set, -learning_rate));
    for (j, g) in gradient.iter().enumerate() {
        let at = j * V::LANES;
        // SAFETY: `j < NV`, so these lanes are covered by precondition 1.
        unsafe {
            let velocity = momentum.mul_add(V::load(set, v.add(at)), *g).flush();
            velocity.store(v.add(at));
            let weights = V::load(set, w.add(at));
            rate.mul_add(velocity, weights).store(w.add(at));
        }
    }
}

/// The rows of a block, in registers.
///
/// # Safety
/// 1. The block has `MR` rows of `NV · LANES` floats.
#[inline(always)]
unsafe fn load<V: Vector, const MR: usize, const NV: usize>(
    set: V::Set,
    mut from: BlockMut,
) -> [[V; NV]; MR] {
    let (start, row) = (from.pointer(), from.stride());
    let mut tile = [[V::zero(set); NV]; MR];
    for_rows!(MR, r, {
        for (j, register) in tile[r].iter_mut().enumerate() {
            // SAFETY: `r < MR` and `j < NV`, so the block contains these lanes by precondition 1.
            *register = unsafe { V::load(set, start.add(r * row + j * V::LANES)) };
        }
    });
    tile
}

/// Writes the registers to the rows of a block.
///
/// # Safety
/// 1. The block has `MR` rows of `NV · LANES` floats.
#[inline(always)]
unsafe fn store<V: Vector, const MR: usize, const NV: usize>(
    tile: &[[V; NV]; MR],
    mut to: BlockMut,
) {
    let (start, row) = (to.pointer(), to.stride());
    for_rows!(MR, r, {
        for (j, register) in tile[r].iter().enumerate() {
            // SAFETY: `r < MR` and `j < NV`, so the block contains these lanes by precondition 1.
            unsafe { register.store(start.add(r * row + j * V::LANES)) };
        }
    });
}
