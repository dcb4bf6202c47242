//! Losses of regression: the squared error, Huber's, which grows linearly beyond some distance, and those that are linear
//! on each side: the absolute error and that of a quantile.

use multiversion::multiversion;

use super::replacement::{replace, replace_and_sum};
use crate::kernels::flush;

/// Returns `Σ (z − t)²`, each term times its unit, and replaces `z` by the gradient of the sum without units times `scale`.
///
/// Shapes: `z`, `t`, `units [outputs]`. Overwrites `z`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
pub(super) fn squared_backward(z: &mut [f32], t: &[f32], units: Option<&[f32]>, scale: f32) -> f64 {
    let twice = 2.0 * scale;
    replace_and_sum(z, t, units, |z, t| {
        let error = z - t;
        (flush(error * twice), error * error)
    })
}

/// Returns `Σ h(z − t)` with `h(e) = ½ e²` up to δ and `δ (|e| − ½ δ)` beyond, and replaces `z` by its gradient times
/// `scale`.
///
/// Shapes: `z`, `t [outputs]`. Overwrites `z`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
pub(super) fn huber_backward(z: &mut [f32], t: &[f32], delta: f32, scale: f32) -> f64 {
    replace_and_sum(z, t, None, |z, t| huber(z - t, delta, scale))
}

/// [`huber_backward`] with a distance δ for each output, and each term times its unit.
///
/// Shapes: `z`, `t`, `deltas`, `units [outputs]`. Overwrites `z`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
pub(super) fn huber_backward_in_units(
    z: &mut [f32],
    t: &[f32],
    (deltas, units): (&[f32], &[f32]),
    scale: f32,
) -> f64 {
    replace(z, t, [units, deltas], |z, t, [unit, delta]| {
        let (d, term) = huber(z - t, delta, scale);
        (d, term * unit)
    })
}

/// The slope of Huber's loss at an error times `scale`, and the loss.
#[inline(always)]
fn huber(error: f32, delta: f32, scale: f32) -> (f32, f32) {
    let distance = error.abs();
    if distance > delta {
        let slope = delta.copysign(error);
        (flush(slope * scale), delta * (distance - 0.5 * delta))
    } else {
        (flush(error * scale), 0.5 * error * error)
    }
}

/// Returns `Σ p(z − t)` with `p(e) = above · e` for errors above 0 and `−below · e` below, each term times its unit, where
/// `slopes` are `(below, above)`, and replaces `z` by the gradient of the sum without units times `scale`. It is 0 where `p`
/// has its kink.
///
/// Shapes: `z`, `t`, `units [outputs]`. Overwrites `z`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
pub(super) fn pinball_backward(
    z: &mut [f32],
    t: &[f32],
    units: Option<&[f32]>,
    (below, above): (f32, f32),
    scale: f32,
) -> f64 {
    replace_and_sum(z, t, units, |z, t| {
        let error = z - t;
        // An error of 0 or NaN is its own slope.
        let slope = if error > 0.0 { above } else { error };
        let slope = if error < 0.0 { -below } else { slope };
        (flush(slope * scale), slope * error)
    })
}
