//! Micro-kernels: a tile of a product in registers, and what is done with it.
//!
//! A tile is `MR` rows by `NV` registers of columns. For each `k` in order it loads `NV` registers of `b` and
//! multiplies them by `MR` single elements of `a`: `tile[r][..] += a[r, k] · b[k, ..]`. Every element is one chain of
//! fused multiply-adds over `k`, so its bits do not depend on the tile it falls into, on the register width, or on the
//! worker that computes it. The shapes are those of K. Goto and R. van de Geijn, *Anatomy of High-Performance Matrix
//! Multiplication*, 2008, with the packing done once, in the layout of the weights.

mod sparse;

use super::shared::BlockMut;
use super::simd::{Avx2, Avx512, F32x8, F32x16, Vector, prefetch};
pub(super) use sparse::SparseColumns;

/// Floats across the widest panel of any instruction set.
pub(super) const MAX_WIDTH: usize = 64;
/// Floats in the largest dense tile of any instruction set.
pub(super) const MAX_TILE: usize = 8 * 48;

/// An operand of a product with its strides.
#[derive(Debug, Clone, Copy)]
pub(super) struct Operand<'a> {
    /// The elements, starting with `[0, 0]`.
    pub values: &'a [f32],
    /// Floats from one row of the tile to the next (of `a`; 0 for `b`).
    pub row: usize,
    /// Floats from one `k` to the next.
    pub k: usize,
}

impl<'a> Operand<'a> {
    /// The operand from row `row` on, which it has.
    fn from_row(self, row: usize) -> Operand<'a> {
        Operand {
            values: &self.values[row * self.row..],
            ..self
        }
    }
}

/// What is done with a finished tile `g`.
#[derive(Debug)]
pub(super) enum Sink<'a> {
    /// `c = g`.
    Store {
        /// The rows of `c` that the tile covers.
        c: BlockMut<'a>,
    },
    /// `c = c + g`, as if the sum went on from `c`.
    Add {
        /// The rows of `c` that the tile covers.
        c: BlockMut<'a>,
    },
    /// `v = μ v + g` with denormal results replaced by 0, then `w = w − η v`: gradient descent with momentum, applied
    /// while the gradient is in registers.
    Momentum {
        /// The sums so far, which the tile continues, in the rows that it covers; `None` for a sum from zero.
        sums: Option<BlockMut<'a>>,
        /// The rows of the weights that the tile covers.
        w: BlockMut<'a>,
        /// The rows of the velocity that the tile covers.
        v: BlockMut<'a>,
        /// The momentum μ.
        momentum: f32,
        /// The learning rate η.
        learning_rate: f32,
    },
}

impl Sink<'_> {
    /// Whether every block of the sink has at least `rows` rows of at least `width` floats.
    fn covers(&self, rows: usize, width: usize) -> bool {
        let fits = |block: &BlockMut| block.rows() >= rows && block.width() >= width;
        match self {
            Sink::Store { c } | Sink::Add { c } => fits(c),
            Sink::Momentum { sums, w, v, .. } => sums.iter().chain([w, v]).all(fits),
        }
    }
}

/// The end of what a strided access reaches: `rows` rows and `steps` steps, with `width` floats at each.
#[inline]
fn reach(
    (rows, row): (usize, usize),
    (steps, step): (usize, usize),
    width: usize,
) -> Option<usize> {
    let (Some(last_row), Some(last_step)) = (rows.checked_sub(1), steps.checked_sub(1)) else {
        return Some(0);
    };
    last_row
        .checked_mul(row)?
        .checked_add(last_step.checked_mul(step)?)?
        .checked_add(width)
}

/// An instruction set that the kernels are compiled for and that this processor has, with the shape of its tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstructionSet {
    /// 16 lanes, 32 registers: tiles of 8 rows by 3 registers. With 2 registers across, loading the single elements of
    /// `a` would take as long as their products.
    Avx512(Avx512),
    /// 8 lanes, 16 registers: tiles of 4 rows by 3 registers.
    Avx2(Avx2),
}

impl InstructionSet {
    /// The widest set that this processor has.
    pub fn detect() -> Option<InstructionSet> {
        let avx2 = || Avx2::detect().map(InstructionSet::Avx2);
        Avx512::detect().map(InstructionSet::Avx512).or_else(avx2)
    }

    /// The name in banners and records.
    pub fn name(self) -> &'static str {
        match self {
            InstructionSet::Avx512(_) => "AVX-512",
            InstructionSet::Avx2(_) => "AVX2",
        }
    }

    /// Rows of a full tile.
    pub(super) fn tile_rows(self) -> usize {
        match self {
            InstructionSet::Avx512(_) => 8,
            InstructionSet::Avx2(_) => 4,
        }
    }

    /// Lanes of a register.
    pub(super) fn lanes(self) -> usize {
        match self {
            InstructionSet::Avx512(_) => F32x16::LANES,
            InstructionSet::Avx2(_) => F32x8::LANES,
        }
    }

    /// Registers across a full tile.
    pub(super) fn tile_registers(self) -> usize {
        match self {
            InstructionSet::Avx512(_) | InstructionSet::Avx2(_) => 3,
        }
    }

    /// Computes one tile of `rows` rows by `registers` registers, summed over `depth`, and passes it to the sink.
    ///
    /// # Panics
    /// Panics if the tile is larger than a full one or empty, or reaches beyond an operand or the sink.
    #[inline]
    pub(super) fn tile(
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
                avx512(set, rows, registers, depth, a, b, sink);
            },
            // SAFETY: `set` proves that the processor has AVX2 and FMA. Preconditions 1 to 3 are the assertions above.
            InstructionSet::Avx2(set) => unsafe {
                avx2(set, rows, registers, depth, a, b, sink);
            },
        }
    }

    /// `c = a · b` for all rows of `c`, tile by tile, in one call: for narrow products the calls would take as long as
    /// the tiles.
    ///
    /// # Panics
    /// Panics if there are more registers than in a full tile, or if `c` reaches beyond an operand.
    #[inline]
    pub(super) fn rows_of_tiles(
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
    pub(super) unsafe fn transpose(
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
    // SAFETY: preconditions 1 to 3 are those of this function.
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
    // SAFETY: preconditions 1 to 3 are those of this function.
    unsafe { by_shape!(F32x8, rows, registers, (set, depth, a, b, sink), [4 1 2 3], [3 2 1]) }
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
    // SAFETY: preconditions 1 to 3 are those of this function.
    let row = unsafe { full_tiles::<F32x16, 8, NV>(set, depth, a, b, &mut c) };
    let rows = c.rows() - row;
    if rows > 0 {
        let sink = Sink::Store {
            c: c.rows_from(row),
        };
        // SAFETY: preconditions 1 to 3 are those of this function, for the rows from `row` on.
        unsafe { avx512(set, rows, NV, depth, a.from_row(row), b, sink) };
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
    // SAFETY: preconditions 1 to 3 are those of this function.
    let row = unsafe { full_tiles::<F32x8, 4, NV>(set, depth, a, b, &mut c) };
    let rows = c.rows() - row;
    if rows > 0 {
        let sink = Sink::Store {
            c: c.rows_from(row),
        };
        // SAFETY: preconditions 1 to 3 are those of this function, for the rows from `row` on.
        unsafe { avx2(set, rows, NV, depth, a.from_row(row), b, sink) };
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
        unsafe { kernel::<V, MR, NV>(set, depth, a.from_row(row), b, sink) };
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
            // SAFETY: preconditions 1 and 2 are those of this function.
            let tile = unsafe { product::<V, MR, NV>(set, depth, a, b, zeros) };
            // SAFETY: (1) is precondition 3 of this function.
            unsafe { store::<V, MR, NV>(&tile, c) };
        }
        Sink::Add { mut c } => {
            // SAFETY: (1) is precondition 3 of this function.
            let sums = unsafe { load::<V, MR, NV>(set, c.reborrow()) };
            // SAFETY: preconditions 1 and 2 are those of this function.
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
            // The optimiser's operands come from far away while the products are computed.
            prefetch_rows::<MR, NV>(V::LANES, &mut w);
            prefetch_rows::<MR, NV>(V::LANES, &mut v);
            let sums = match sums {
                None => [[V::zero(set); NV]; MR],
                // SAFETY: (1) is precondition 3 of this function.
                Some(sums) => unsafe { load::<V, MR, NV>(set, sums) },
            };
            // SAFETY: preconditions 1 and 2 are those of this function.
            let tile = unsafe { product::<V, MR, NV>(set, depth, a, b, sums) };
            let (w_row, v_row) = (w.stride(), v.stride());
            let (w, v) = (w.pointer(), v.pointer());
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
unsafe fn descend<V: Vector, const NV: usize>(
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

/// Prefetches the rows of a tile.
#[inline(always)]
fn prefetch_rows<const MR: usize, const NV: usize>(lanes: usize, block: &mut BlockMut) {
    let (start, row) = (block.pointer(), block.stride());
    for at in (0..MR).flat_map(|r| (0..NV).map(move |j| r * row + j * lanes)) {
        prefetch(start.wrapping_add(at));
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

/// `tile + Σ_k a[.., k] · b[k, ..]`, in registers.
///
/// # Safety
/// Preconditions 1 and 2 of [`kernel`].
#[inline(always)]
unsafe fn product<V: Vector, const MR: usize, const NV: usize>(
    set: V::Set,
    depth: usize,
    a: Operand,
    b: Operand,
    mut tile: [[V; NV]; MR],
) -> [[V; NV]; MR] {
    let (mut a_k, mut b_k) = (a.values.as_ptr(), b.values.as_ptr());
    for _ in 0..depth {
        let mut columns = [V::zero(set); NV];
        for (j, column) in columns.iter_mut().enumerate() {
            // SAFETY: `b_k` points to step `k < depth` of `b`, which has `NV` registers by precondition 2.
            *column = unsafe { V::load(set, b_k.add(j * V::LANES)) };
        }
        for (r, row) in tile.iter_mut().enumerate() {
            // SAFETY: `a_k` points to step `k < depth` of `a`, which has an element for row `r < MR` by precondition 1.
            let element = V::splat(set, unsafe { *a_k.add(r * a.row) });
            for (sum, column) in row.iter_mut().zip(columns) {
                *sum = element.mul_add(column, *sum);
            }
        }
        // Wrapping, as the last step leaves the operands.
        a_k = a_k.wrapping_add(a.k);
        b_k = b_k.wrapping_add(b.k);
    }
    tile
}

#[cfg(test)]
impl InstructionSet {
    /// Every set that this processor has, the widest first.
    pub(super) fn all_detected() -> Vec<InstructionSet> {
        let avx512 = Avx512::detect().map(InstructionSet::Avx512);
        let avx2 = Avx2::detect().map(InstructionSet::Avx2);
        avx512.into_iter().chain(avx2).collect()
    }
}

#[cfg(test)]
mod tests;
