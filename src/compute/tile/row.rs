//! A row of a panel in registers.

use super::dense::descend;
use crate::compute::simd::Vector;

/// `NV` registers, and then `NH` of half their width.
#[derive(Clone, Copy)]
pub(super) struct Row<V: Vector, const NV: usize, const NH: usize> {
    whole: [V; NV],
    halves: [V::Half; NH],
}

impl<V: Vector, const NV: usize, const NH: usize> Row<V, NV, NH> {
    /// Floats in the whole registers.
    const WHOLE: usize = NV * V::LANES;
    /// Floats in a row.
    pub(super) const WIDTH: usize = Self::WHOLE + NH * V::Half::LANES;

    /// The row that starts at `from`.
    ///
    /// # Safety
    /// 1. `from` is valid for reads of `WIDTH` floats.
    #[inline(always)]
    pub(super) unsafe fn load(set: V::Set, from: *const f32) -> Self {
        let half_set = V::half_set(set);
        let mut row = Row {
            whole: [V::zero(set); NV],
            halves: [V::Half::zero(half_set); NH],
        };
        // SAFETY: all lanes are below `WIDTH`, as the indices are below `NV` and `NH`: precondition 1.
        unsafe {
            for (j, register) in row.whole.iter_mut().enumerate() {
                *register = V::load(set, from.add(j * V::LANES));
            }
            for (j, register) in row.halves.iter_mut().enumerate() {
                let from = from.add(Self::WHOLE + j * V::Half::LANES);
                *register = V::Half::load(half_set, from);
            }
        }
        row
    }

    /// Writes the row from `to` on.
    ///
    /// # Safety
    /// 1. `to` is valid for writes of `WIDTH` floats.
    #[inline(always)]
    pub(super) unsafe fn store(&self, to: *mut f32) {
        // SAFETY: all lanes are below `WIDTH`, as the indices are below `NV` and `NH`: precondition 1.
        unsafe {
            for (j, register) in self.whole.iter().enumerate() {
                register.store(to.add(j * V::LANES));
            }
            for (j, register) in self.halves.iter().enumerate() {
                register.store(to.add(Self::WHOLE + j * V::Half::LANES));
            }
        }
    }

    /// Adds `a · b`, where b is the row that starts at `b`.
    ///
    /// # Safety
    /// 1. `b` is valid for reads of `WIDTH` floats.
    #[inline(always)]
    pub(super) unsafe fn add_product(&mut self, set: V::Set, a: f32, b: *const f32) {
        let a = V::splat(set, a);
        // SAFETY: all lanes are below `WIDTH`, as the indices are below `NV` and `NH`: precondition 1.
        unsafe {
            for (j, sum) in self.whole.iter_mut().enumerate() {
                *sum = a.mul_add(V::load(set, b.add(j * V::LANES)), *sum);
            }
            for (j, sum) in self.halves.iter_mut().enumerate() {
                let b = b.add(Self::WHOLE + j * V::Half::LANES);
                let b = V::Half::load(V::half_set(set), b);
                *sum = a.half().mul_add(b, *sum);
            }
        }
    }

    /// [`descend`] with this row as the gradient.
    ///
    /// # Safety
    /// 1. `w` and `v` are valid for reads and writes of `WIDTH` floats each.
    #[inline(always)]
    pub(super) unsafe fn descend(
        &self,
        set: V::Set,
        w: *mut f32,
        v: *mut f32,
        (momentum, learning_rate): (f32, f32),
    ) {
        let rates = (momentum, learning_rate);
        // SAFETY: (1) of both is precondition 1: the halves follow the whole registers.
        unsafe {
            descend(set, &self.whole, w, v, rates);
            let (w, v) = (w.add(Self::WHOLE), v.add(Self::WHOLE));
            descend(V::half_set(set), &self.halves, w, v, rates);
        }
    }
}
