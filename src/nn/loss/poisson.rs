//! The Poisson deviance of counts t, from the logarithms z of the predicted means: `2 (t ln t − t z − t + eᶻ)`.
//!
//! With `x = z − ln t` it is `2 t (eˣ − 1 − x)`, which is summed as a series near 0, where the terms cancel.

use multiversion::multiversion;

use super::replacement::replace_and_sum;
use crate::kernels::{exp, flush, ln};

/// Magnitudes of x below which the series is used.
const NEAR: f32 = 0.5;

/// Returns the sum of the deviances, each term times its unit, and replaces `z` by the gradient `2 (eᶻ − t)` of the sum
/// without units times `scale`.
///
/// Shapes: `z`, `t`, `units [outputs]`. Overwrites `z`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
pub(super) fn backward(z: &mut [f32], t: &[f32], units: Option<&[f32]>, scale: f32) -> f64 {
    let twice = 2.0 * scale;
    replace_and_sum(z, t, units, |z, t| {
        let mean = exp(z);
        // The logarithm of 0 counts 0 times.
        let is_zero = t < f32::MIN_POSITIVE;
        let x = z - ln(if is_zero { 1.0 } else { t });
        let half = if !is_zero && x.abs() < NEAR {
            t * exp_minus_tangent(x)
        } else {
            (mean - t) - t * x
        };
        (flush((mean - t) * twice), 2.0 * half)
    })
}

/// `z = eᶻ`, in place.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
pub(super) fn exponentials(z: &mut [f32]) {
    for z in z {
        *z = exp(*z);
    }
}

/// `eˣ − 1 − x` for magnitudes below [`NEAR`], by its series.
#[inline(always)]
fn exp_minus_tangent(x: f32) -> f32 {
    let p = 1.0 / 362_880.0;
    let p = p * x + 1.0 / 40_320.0;
    let p = p * x + 1.0 / 5_040.0;
    let p = p * x + 1.0 / 720.0;
    let p = p * x + 1.0 / 120.0;
    let p = p * x + 1.0 / 24.0;
    let p = p * x + 1.0 / 6.0;
    let p = p * x + 0.5;
    p * (x * x)
}
