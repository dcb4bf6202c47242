//! Micro-kernels: a tile of a product in registers, then what becomes of it.
//!
//! A tile is `MR` rows by `NV` registers of columns. For each `k` in order it loads `NV` registers of `b` and
//! multiplies them by `MR` single elements of `a`: `tile[r][..] += a[r, k] · b[k, ..]`. Every element is one chain
//! of fused multiply-adds over `k`, so its bits do not depend on the tile it falls into, on the register width, or
//! on who computes it. The shapes are those of K. Goto and R. van de Geijn, *Anatomy of High-Performance Matrix
//! Multiplication*, 2008, with the packing done once, in the layout of the weights.

use std::arch::x86_64::{__m256, __m512};

use super::simd::{Vector, prefetch};

/// Floats across the widest tile of any instruction set, and in the largest one.
pub(super) const MOST_WIDTH: usize = 48;
pub(super) const MOST_TILE: usize = 8 * MOST_WIDTH;

/// Where a strided operand lies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Operand {
    /// Element `[0, 0]`.
    pub start: *const f32,
    /// Floats from one row of the tile to the next (of `a`; unused in `b`).
    pub row: usize,
    /// Floats from one `k` to the next.
    pub k: usize,
}

/// What becomes of a finished tile `g`.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sink {
    /// `c = g`.
    Store {
        /// Element `[0, 0]` of the tile in `c`.
        c: *mut f32,
        /// Floats from one row of `c` to the next.
        row: usize,
    },
    /// `v = μ v + g`, flushed where denormal, and `w = w − η v`: the optimiser, while the gradient is in registers.
    Update {
        /// Element `[0, 0]` of the tile in the weights.
        w: *mut f32,
        /// Element `[0, 0]` of the tile in the velocity.
        v: *mut f32,
        /// Floats from one row of both to the next.
        row: usize,
        /// The momentum μ.
        momentum: f32,
        /// The learning rate η.
        learning_rate: f32,
    },
}

/// An instruction set that the kernels are compiled for, with the shape of its tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstructionSet {
    /// 16 lanes, 32 registers: tiles of 8 rows by 3 registers. With 2 across, the single elements of `a` would come
    /// no faster than the products they go into.
    Avx512,
    /// 8 lanes, 16 registers: tiles of 4 rows by 3 registers.
    Avx2,
}

impl InstructionSet {
    /// The widest one that this processor has.
    pub fn detect() -> Option<InstructionSet> {
        if is_x86_feature_detected!("avx512f") {
            Some(InstructionSet::Avx512)
        } else if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            Some(InstructionSet::Avx2)
        } else {
            None
        }
    }

    /// Its name in banners and records.
    pub fn name(self) -> &'static str {
        match self {
            InstructionSet::Avx512 => "AVX-512",
            InstructionSet::Avx2 => "AVX2",
        }
    }

    /// Rows of a full tile.
    pub(super) fn tile_rows(self) -> usize {
        match self {
            InstructionSet::Avx512 => 8,
            InstructionSet::Avx2 => 4,
        }
    }

    /// Lanes of a register.
    pub(super) fn lanes(self) -> usize {
        match self {
            InstructionSet::Avx512 => 16,
            InstructionSet::Avx2 => 8,
        }
    }

    /// Registers across a full tile.
    pub(super) fn tile_registers(self) -> usize {
        match self {
            InstructionSet::Avx512 | InstructionSet::Avx2 => 3,
        }
    }

    /// One tile of `rows` by `registers`, summed over `depth`.
    ///
    /// # Safety
    /// The processor has this instruction set. `a` is good for `rows` rows and `depth` steps, `b` for `depth`
    /// steps of `registers` registers, the sink for `rows` rows of `registers` registers, and nobody else touches
    /// what the sink writes.
    ///
    /// # Panics
    /// When the tile is larger than a full one, or empty.
    #[inline]
    pub(super) unsafe fn tile(
        self,
        (rows, registers): (usize, usize),
        depth: usize,
        a: Operand,
        b: Operand,
        sink: Sink,
    ) {
        // SAFETY: the caller's promises are those of the kernels.
        unsafe {
            match self {
                InstructionSet::Avx512 => avx512(rows, registers, depth, a, b, sink),
                InstructionSet::Avx2 => avx2(rows, registers, depth, a, b, sink),
            }
        }
    }
}

impl InstructionSet {
    /// Writes the transpose of a block of as many rows and columns as a register has lanes. Rows lie `from_row` and
    /// `to_row` floats apart.
    ///
    /// # Safety
    /// The processor has this instruction set, `from` and `to` are good for the block, and nobody else touches it.
    #[inline]
    pub(super) unsafe fn transpose(
        self,
        from: *const f32,
        from_row: usize,
        to: *mut f32,
        to_row: usize,
    ) {
        // SAFETY: the caller's promises are those of the functions.
        unsafe {
            match self {
                InstructionSet::Avx512 => transpose_avx512(from, from_row, to, to_row),
                InstructionSet::Avx2 => transpose_avx2(from, from_row, to, to_row),
            }
        }
    }
}

#[target_feature(enable = "avx512f")]
unsafe fn transpose_avx512(from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
    // SAFETY: as `InstructionSet::transpose`, and the instruction set is enabled here.
    unsafe { __m512::transpose(from, from_row, to, to_row) }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn transpose_avx2(from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
    // SAFETY: as `InstructionSet::transpose`, and the instruction set is enabled here.
    unsafe { __m256::transpose(from, from_row, to, to_row) }
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

#[target_feature(enable = "avx512f")]
unsafe fn avx512(rows: usize, registers: usize, depth: usize, a: Operand, b: Operand, sink: Sink) {
    // SAFETY: as `InstructionSet::tile`, and the instruction set is enabled here.
    unsafe { by_shape!(__m512, rows, registers, (depth, a, b, sink), [8 1 2 3 4 5 6 7], [3 2 1]) }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn avx2(rows: usize, registers: usize, depth: usize, a: Operand, b: Operand, sink: Sink) {
    // SAFETY: as `InstructionSet::tile`, and the instruction set is enabled here.
    unsafe { by_shape!(__m256, rows, registers, (depth, a, b, sink), [4 1 2 3], [3 2 1]) }
}

/// Does `$body` for each row `$r` of a tile of `$mr` rows, each time with a constant for `$r`. In a loop too long to be
/// unrolled the compiler would keep the tile in memory beside the registers, and write it there in every step of the sum.
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

/// The tile itself, and its sink.
///
/// # Safety
/// As [`InstructionSet::tile`], for the instruction set of `V`.
#[inline(always)]
unsafe fn kernel<V: Vector, const MR: usize, const NV: usize>(
    depth: usize,
    a: Operand,
    b: Operand,
    sink: Sink,
) {
    // SAFETY: every offset below is inside what the caller promised.
    unsafe {
        if let Sink::Update { w, v, row, .. } = sink {
            // The optimiser's operands come from far while the products are made.
            for at in (0..MR).flat_map(|r| (0..NV).map(move |j| r * row + j * V::LANES)) {
                prefetch(w.add(at));
                prefetch(v.add(at));
            }
        }
        let tile = product::<V, MR, NV>(depth, a, b);
        match sink {
            Sink::Store { c, row } => {
                for_rows!(MR, r, {
                    for (j, sum) in tile[r].iter().enumerate() {
                        sum.store(c.add(r * row + j * V::LANES));
                    }
                });
            }
            Sink::Update {
                w,
                v,
                row,
                momentum,
                learning_rate,
            } => {
                let momentum = V::splat(momentum);
                let rate = V::splat(-learning_rate);
                for_rows!(MR, r, {
                    for (j, sum) in tile[r].iter().enumerate() {
                        let at = r * row + j * V::LANES;
                        let velocity = momentum.mul_add(V::load(v.add(at)), *sum).flush();
                        velocity.store(v.add(at));
                        rate.mul_add(velocity, V::load(w.add(at))).store(w.add(at));
                    }
                });
            }
        }
    }
}

/// `Σ_k a[.., k] · b[k, ..]`, in registers.
///
/// # Safety
/// As [`InstructionSet::tile`].
#[inline(always)]
unsafe fn product<V: Vector, const MR: usize, const NV: usize>(
    depth: usize,
    a: Operand,
    b: Operand,
) -> [[V; NV]; MR] {
    // SAFETY: every offset is inside what the caller promised.
    unsafe {
        let mut tile = [[V::zero(); NV]; MR];
        let (mut a_k, mut b_k) = (a.start, b.start);
        for _ in 0..depth {
            let mut columns = [V::zero(); NV];
            for (j, column) in columns.iter_mut().enumerate() {
                *column = V::load(b_k.add(j * V::LANES));
            }
            for (r, row) in tile.iter_mut().enumerate() {
                let element = V::splat(*a_k.add(r * a.row));
                for (sum, column) in row.iter_mut().zip(columns) {
                    *sum = element.mul_add(column, *sum);
                }
            }
            a_k = a_k.wrapping_add(a.k);
            b_k = b_k.wrapping_add(b.k);
        }
        tile
    }
}

#[cfg(test)]
impl InstructionSet {
    /// Every one that this processor has, the widest first.
    pub(super) fn all_here() -> &'static [InstructionSet] {
        match InstructionSet::detect() {
            None => &[],
            Some(InstructionSet::Avx2) => &[InstructionSet::Avx2],
            Some(InstructionSet::Avx512) => &[InstructionSet::Avx512, InstructionSet::Avx2],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels;

    fn numbers(count: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let draw = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1u32 << 23) as f32 - 1.0
        };
        (0..count).map(draw).collect()
    }

    #[test]
    fn a_block_is_transposed() {
        for &set in InstructionSet::all_here() {
            let lanes = set.lanes();
            let (from_row, to_row) = (lanes + 3, lanes + 5);
            let from = numbers(lanes * from_row, 7);
            let mut to = vec![0.0; lanes * to_row];
            // SAFETY: the processor has `set`, and both buffers hold a block of such rows.
            unsafe { set.transpose(from.as_ptr(), from_row, to.as_mut_ptr(), to_row) };
            for (row, column) in (0..lanes).flat_map(|r| (0..lanes).map(move |c| (r, c))) {
                assert_eq!(
                    to[column * to_row + row],
                    from[row * from_row + column],
                    "{set:?}"
                );
            }
        }
    }

    #[test]
    fn denormal_lanes_are_flushed_and_no_others() {
        let least = f32::MIN_POSITIVE;
        let cases = [
            (least, least),
            (-least, -least),
            (least.next_down(), 0.0),
            (-1e-40, 0.0),
            (1.0, 1.0),
            (0.0, 0.0),
            (f32::INFINITY, f32::INFINITY),
        ];
        for &set in InstructionSet::all_here() {
            let columns = set.lanes();
            for (before, after) in cases {
                let (mut w, mut v) = (vec![0.0f32; columns], vec![before; columns]);
                let zeros = vec![0.0f32; columns];
                let operand = |k| Operand {
                    start: zeros.as_ptr(),
                    row: 0,
                    k,
                };
                let sink = Sink::Update {
                    w: w.as_mut_ptr(),
                    v: v.as_mut_ptr(),
                    row: columns,
                    momentum: 1.0,
                    learning_rate: 0.0,
                };
                // SAFETY: the processor has `set`, and all buffers have the tile's size.
                unsafe { set.tile((1, 1), 1, operand(1), operand(columns), sink) };
                assert!(v.iter().all(|&v| v == after), "{set:?}: {before}");
                assert_eq!(after, kernels::flush(before));
            }
        }
        assert!(kernels::flush(f32::NAN).is_nan());
    }

    #[test]
    fn what_is_no_number_stays_none_in_either_sink() {
        for &set in InstructionSet::all_here() {
            let columns = set.lanes();
            // One lane in the middle: its neighbours are not touched.
            let mut b = vec![1.0f32; columns];
            b[columns / 2 + 1] = f32::NAN;
            let one = 1.0f32;
            let a_at = Operand {
                start: &one,
                row: 0,
                k: 1,
            };
            let b_at = Operand {
                start: b.as_ptr(),
                row: 0,
                k: columns,
            };
            let (mut c, mut w, mut v) = (b.clone(), vec![0.0; columns], vec![0.0; columns]);
            let store = Sink::Store {
                c: c.as_mut_ptr(),
                row: columns,
            };
            let update = Sink::Update {
                w: w.as_mut_ptr(),
                v: v.as_mut_ptr(),
                row: columns,
                momentum: 0.5,
                learning_rate: 0.5,
            };
            for sink in [store, update] {
                // SAFETY: the processor has `set`, and all buffers have the tile's size.
                unsafe { set.tile((1, 1), 1, a_at, b_at, sink) };
            }
            for (lane, b) in b.iter().enumerate() {
                let found = [c[lane], v[lane], w[lane]].map(f32::is_nan);
                assert_eq!(found, [b.is_nan(); 3], "{set:?}, lane {lane}");
            }
        }
    }

    /// Runs every tile shape of every instruction set with both sinks, against a scalar chain of `f32::mul_add`.
    #[test]
    fn every_tile_has_the_bits_of_a_scalar_chain() {
        let depth = 37;
        for &set in InstructionSet::all_here() {
            for rows in 1..=set.tile_rows() {
                for registers in 1..=set.tile_registers() {
                    let columns = registers * set.lanes();
                    let (a, b) = (numbers(rows * depth, 1), numbers(depth * columns, 2));
                    let (w, v) = (numbers(rows * columns, 3), numbers(rows * columns, 4));
                    let (momentum, learning_rate) = (0.7f32, 0.3f32);
                    let (mut c, mut new_w, mut new_v) = (vec![0.0; w.len()], w.clone(), v.clone());
                    let a_at = Operand {
                        start: a.as_ptr(),
                        row: depth,
                        k: 1,
                    };
                    let b_at = Operand {
                        start: b.as_ptr(),
                        row: 0,
                        k: columns,
                    };
                    let store = Sink::Store {
                        c: c.as_mut_ptr(),
                        row: columns,
                    };
                    let (w_at, v_at) = (new_w.as_mut_ptr(), new_v.as_mut_ptr());
                    let update = Sink::Update {
                        w: w_at,
                        v: v_at,
                        row: columns,
                        momentum,
                        learning_rate,
                    };
                    for sink in [store, update] {
                        // SAFETY: the processor has `set`, and all buffers have the tile's size.
                        unsafe { set.tile((rows, registers), depth, a_at, b_at, sink) };
                    }
                    for at in 0..w.len() {
                        let (row, column) = (at / columns, at % columns);
                        let sum = (0..depth).fold(0.0f32, |sum, k| {
                            a[row * depth + k].mul_add(b[k * columns + column], sum)
                        });
                        let velocity = momentum.mul_add(v[at], sum);
                        let weight = (-learning_rate).mul_add(velocity, w[at]);
                        let found = [c[at], new_v[at], new_w[at]].map(f32::to_bits);
                        let expected = [sum, velocity, weight].map(f32::to_bits);
                        assert_eq!(found, expected, "{set:?} {rows}×{registers} at {at}");
                    }
                }
            }
        }
    }
}
