//! The cross-entropy of sigmoids, one for each label, from the logits: `max(z, 0) − z t + ln(1 + e^−|z|)`, which is
//! finite for all logits. The terms before the logarithm are exact if t is 0 or 1, so that small losses are accurate.

use multiversion::multiversion;

use super::replacement::replace_and_sum;
use crate::kernels::{flush, sigmoid, softplus};

/// Returns `−Σ (t ln p + (1 − t) ln(1 − p))` with `p = 1 / (1 + e⁻ᶻ)` in nats, and replaces `z` by the gradient `p − t`
/// times `scale`.
///
/// Shapes: `z`, `t [labels]`. Overwrites `z`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
pub(super) fn backward(z: &mut [f32], t: &[f32], scale: f32) -> f64 {
    replace_and_sum(z, t, None, |z, t| {
        // A comparison with NaN is false, so NaN is kept.
        let above = if z < 0.0 { 0.0 } else { z };
        let loss = (above - z * t) + softplus(-z.abs());
        (flush((sigmoid(z) - t) * scale), loss)
    })
}

/// `z = 1 / (1 + e⁻ᶻ)`, in place.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
pub(super) fn sigmoids(z: &mut [f32]) {
    for z in z {
        *z = sigmoid(*z);
    }
}
