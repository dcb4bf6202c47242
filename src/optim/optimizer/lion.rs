//! Lion, with decoupled weight decay.

use multiversion::multiversion;

use super::elementwise::{average, sign};

/// `w = w − η sign(β₁ m + (1 − β₁) g)`, `m = β₂ m + (1 − β₂) g` (X. Chen and others, *Symbolic Discovery of
/// Optimization Algorithms*, 2023).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lion {
    /// The share β₁ of the momentum in the direction.
    pub beta1: f32,
    /// The share β₂ of the old momentum in the new.
    pub beta2: f32,
}

impl Lion {
    pub(super) const SLOTS: &[&str] = &["momentum"];

    pub(super) fn step(
        &self,
        rate: f32,
        weights: &mut [f32],
        momentum: &mut [f32],
        gradient: &[f32],
    ) {
        descend_by_sign([rate, self.beta1], weights, momentum, gradient);
        average(self.beta2, momentum, gradient);
    }
}

/// `w = w − η sign(β m + (1 − β) g)`, where `numbers` are η and β.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn descend_by_sign(numbers: [f32; 2], weights: &mut [f32], momentum: &[f32], gradient: &[f32]) {
    let [rate, share] = numbers;
    for ((w, m), g) in weights.iter_mut().zip(momentum).zip(gradient) {
        *w -= rate * sign(share * m + (1.0 - share) * g);
    }
}
