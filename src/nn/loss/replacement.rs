//! The loop of losses that replace each logit by its gradient and sum up their terms.

/// The number of partial sums, which give the same bits in every instruction set.
const LANES: usize = 16;

/// `z = f(z, t)`, where `f` returns the new value and a term of a sum; returns the sum.
///
/// Shapes: `z`, `t [n]`. Overwrites `z`.
#[inline(always)]
pub(super) fn replace_and_sum(z: &mut [f32], t: &[f32], f: impl Fn(f32, f32) -> (f32, f32)) -> f64 {
    let mut sums = [0.0f32; LANES];
    for (z, t) in z.chunks_mut(LANES).zip(t.chunks(LANES)) {
        for ((z, t), sum) in z.iter_mut().zip(t).zip(&mut sums) {
            let (new, term) = f(*z, *t);
            *z = new;
            *sum += term;
        }
    }
    sums.into_iter().map(f64::from).sum()
}
