//! Passes over parameters that several optimisers share.
//!
//! Every instruction set gives the same bits. Numbers that are kept from step to step become 0 if they are denormal.

use multiversion::multiversion;

use crate::kernels::flush;

/// `sign x`, with `sign 0 = 0` and `sign NaN = NaN`.
#[inline(always)]
pub(in crate::optim) fn sign(x: f32) -> f32 {
    if x == 0.0 { x } else { x.signum() }
}

/// `w = w − η v`. Denormal velocities become 0 first.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
pub(in crate::optim) fn descend(learning_rate: f32, weights: &mut [f32], velocity: &mut [f32]) {
    for (w, v) in weights.iter_mut().zip(velocity) {
        *v = flush(*v);
        *w -= learning_rate * *v;
    }
}

/// The moving average `a = a + (1 − β) (x − a)`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
pub(in crate::optim) fn average(share: f32, average: &mut [f32], numbers: &[f32]) {
    let rest = 1.0 - share;
    for (a, x) in average.iter_mut().zip(numbers) {
        *a = flush(*a + rest * (x - *a));
    }
}

/// The moving average of squares `s = β s + (1 − β) g²`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
pub(super) fn average_squares(share: f32, squares: &mut [f32], gradient: &[f32]) {
    let rest = 1.0 - share;
    for (s, g) in squares.iter_mut().zip(gradient) {
        *s = flush(share * *s + rest * g * g);
    }
}

/// `w = w − η m / (√s / r + ε)`, where `numbers` are η, r and ε.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
pub(super) fn descend_scaled(
    numbers: [f32; 3],
    weights: &mut [f32],
    direction: &[f32],
    squares: &[f32],
) {
    let [rate, root, epsilon] = numbers;
    for ((w, m), s) in weights.iter_mut().zip(direction).zip(squares) {
        *w -= rate * m / (s.sqrt() / root + epsilon);
    }
}
