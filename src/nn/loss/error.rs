//! The losses of regression: the squared error, and Huber's, which grows linearly beyond some distance.

use multiversion::multiversion;

use super::replacement::replace_and_sum;
use crate::kernels::flush;

/// Returns `Σ (z − t)²`, and replaces `z` by its gradient times `scale`.
///
/// Shapes: `z`, `t [outputs]`. Overwrites `z`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
pub(super) fn squared_backward(z: &mut [f32], t: &[f32], scale: f32) -> f64 {
    let twice = 2.0 * scale;
    replace_and_sum(z, t, |z, t| {
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
    replace_and_sum(z, t, |z, t| {
        let error = z - t;
        let distance = error.abs();
        if distance > delta {
            let slope = delta.copysign(error);
            (flush(slope * scale), delta * (distance - 0.5 * delta))
        } else {
            (flush(error * scale), 0.5 * error * error)
        }
    })
}
