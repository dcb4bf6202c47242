//! The loop of losses that replace each logit by its gradient and sum up their terms.

/// The number of partial sums, which give the same bits in every instruction set.
const LANES: usize = 16;

/// `z = f(z, t)`, where `f` returns the new value and a term of a sum. Returns the sum, in which each term is multiplied
/// by its unit, if there are any.
///
/// Shapes: `z`, `t`, `units [n]`. Overwrites `z`.
#[inline(always)]
pub(super) fn replace_and_sum(
    z: &mut [f32],
    t: &[f32],
    units: Option<&[f32]>,
    f: impl Fn(f32, f32) -> (f32, f32),
) -> f64 {
    let Some(units) = units else {
        return replace(z, t, [], |z, t, []| f(z, t));
    };
    replace(z, t, [units], |z, t, [unit]| {
        let (new, term) = f(z, t);
        (new, term * unit)
    })
}

/// `z = f(z, t, of)`, where `of` are the numbers of this output, and `f` returns the new value and a term of a sum.
/// Returns the sum.
///
/// Shapes: `z`, `t` and each of `outputs [n]`. Overwrites `z`.
#[inline(always)]
pub(super) fn replace<const N: usize>(
    z: &mut [f32],
    t: &[f32],
    outputs: [&[f32]; N],
    f: impl Fn(f32, f32, [f32; N]) -> (f32, f32),
) -> f64 {
    let outputs = outputs.map(|of| &of[..z.len()]);
    let mut sums = [0.0f32; LANES];
    for (index, (z, t)) in z.chunks_mut(LANES).zip(t.chunks(LANES)).enumerate() {
        let start = index * LANES;
        let outputs = outputs.map(|of| &of[start..start + z.len()]);
        for (at, ((z, t), sum)) in z.iter_mut().zip(t).zip(&mut sums).enumerate() {
            let (new, term) = f(*z, *t, outputs.map(|of| of[at]));
            *z = new;
            *sum += term;
        }
    }
    sums.into_iter().map(f64::from).sum()
}
