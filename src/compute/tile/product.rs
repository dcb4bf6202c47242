//! Sums of products in registers.

use super::operand::Operand;
use crate::compute::simd::Vector;

/// `tile + Σ_k a[.., k] · b[k, ..]`, in registers.
///
/// # Safety
/// 1. For `r < MR` and `k < depth`, `a.values` contains element `r · a.row + k · a.k`.
/// 2. For `k < depth`, `b.values` contains `NV · LANES` elements from `k · b.k` on.
#[inline(always)]
pub(super) unsafe fn product<V: Vector, const MR: usize, const NV: usize>(
    set: V::Set,
    depth: usize,
    a: Operand,
    b: Operand,
    mut tile: [[V; NV]; MR],
) -> [[V; NV]; MR] {
    let (mut a_k, mut b_k) = (a.values.as_ptr(), b.values.as_ptr());
    for _ in 0..depth {
        // SAFETY: `a_k` and `b_k` point to step `k < depth` of `a` and `b`; this function also requires (1) and (2).
        unsafe { add_step(set, &mut tile, (a_k, a.row), b_k) };
        // Wrapping, as the last step leaves the operands.
        a_k = a_k.wrapping_add(a.k);
        b_k = b_k.wrapping_add(b.k);
    }
    tile
}

/// [`product`], which calls `fetch` with the row and the register across it for each register of the tile, one in each
/// of the first steps, if there are as many.
///
/// # Safety
/// 1. For `r < MR` and `k < depth`, `a.values` contains element `r · a.row + k · a.k`.
/// 2. For `k < depth`, `b.values` contains `NV · LANES` elements from `k · b.k` on.
#[inline(always)]
pub(super) unsafe fn product_fetching<V: Vector, const MR: usize, const NV: usize>(
    set: V::Set,
    depth: usize,
    a: Operand,
    b: Operand,
    mut tile: [[V; NV]; MR],
    fetch: impl Fn(usize, usize),
) -> [[V; NV]; MR] {
    let (mut a_k, mut b_k) = (a.values.as_ptr(), b.values.as_ptr());
    let mut left = depth;
    if depth >= MR * NV {
        left -= MR * NV;
        for r in 0..MR {
            for j in 0..NV {
                fetch(r, j);
                // SAFETY: as many steps as the tile has registers are at most `depth`; this function also
                // requires (1) and (2).
                unsafe { add_step(set, &mut tile, (a_k, a.row), b_k) };
                a_k = a_k.wrapping_add(a.k);
                b_k = b_k.wrapping_add(b.k);
            }
        }
    }
    for _ in 0..left {
        // SAFETY: `a_k` and `b_k` point to step `k < depth` of `a` and `b`; this function also requires (1) and (2).
        unsafe { add_step(set, &mut tile, (a_k, a.row), b_k) };
        // Wrapping, as the last step leaves the operands.
        a_k = a_k.wrapping_add(a.k);
        b_k = b_k.wrapping_add(b.k);
    }
    tile
}

/// `tile + a[.., k] · b[k, ..]` for one step, with `a[0, k]` and the floats to the next row.
///
/// # Safety
/// 1. For `r < MR`, element `r` rows after `a` is valid for reads.
/// 2. `NV · LANES` elements from `b` on are valid for reads.
#[inline(always)]
unsafe fn add_step<V: Vector, const MR: usize, const NV: usize>(
    set: V::Set,
    tile: &mut [[V; NV]; MR],
    (a, a_row): (*const f32, usize),
    b: *const f32,
) {
    let mut columns = [V::zero(set); NV];
    for (j, column) in columns.iter_mut().enumerate() {
        // SAFETY: `j < NV`, so these lanes are covered by precondition 2.
        *column = unsafe { V::load(set, b.add(j * V::LANES)) };
    }
    for (r, row) in tile.iter_mut().enumerate() {
        // SAFETY: `r < MR`, so this is precondition 1.
        let element = V::splat(set, unsafe { *a.add(r * a_row) });
        for (sum, column) in row.iter_mut().zip(columns) {
            *sum = element.mul_add(column, *sum);
        }
    }
}
