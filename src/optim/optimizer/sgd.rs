//! Stochastic gradient descent with momentum, classical or Nesterov's.
//!
//! If nothing else is combined with it, the engines apply the momentum themselves, while the gradient is in registers
//! (`Sink::Momentum` of `compute/tile/mod.rs`) or as a part of the product (`compute/affine/gemm_layer.rs`).

use multiversion::multiversion;

use super::elementwise::descend;
use crate::kernels::flush;

/// `v = μ v + g`, `w = w − η v` (B. Polyak, *Some methods of speeding up the convergence of iteration methods*, 1964,
/// in the form in which the learning rate is outside the velocity); with `nesterov`, `w = w − η (g + μ v)` (I.
/// Sutskever and others, *On the importance of initialization and momentum in deep learning*, 2013).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sgd {
    /// The momentum μ; 0 is plain gradient descent.
    pub momentum: f32,
    /// Whether the gradient counts as taken at the point to which the velocity leads.
    pub nesterov: bool,
}

impl Sgd {
    pub(super) const SLOTS: &[&str] = &["velocity"];

    pub(super) fn step(
        &self,
        rate: f32,
        weights: &mut [f32],
        velocity: &mut [f32],
        gradient: &[f32],
    ) {
        accumulate(velocity, self.momentum, gradient);
        match self.nesterov {
            false => descend(rate, weights, velocity),
            true => descend_ahead(rate, self.momentum, weights, velocity, gradient),
        }
    }
}

/// `v = μ v + g`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn accumulate(velocity: &mut [f32], momentum: f32, gradient: &[f32]) {
    for (v, g) in velocity.iter_mut().zip(gradient) {
        *v = flush(momentum * *v + g);
    }
}

/// `w = w − η (g + μ v)`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn descend_ahead(
    rate: f32,
    momentum: f32,
    weights: &mut [f32],
    velocity: &[f32],
    gradient: &[f32],
) {
    for ((w, v), g) in weights.iter_mut().zip(velocity).zip(gradient) {
        *w -= rate * (g + momentum * v);
    }
}
