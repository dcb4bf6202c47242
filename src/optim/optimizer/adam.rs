//! Adam, and AdamW with decoupled weight decay.

use super::elementwise::{average, average_squares, descend_scaled};

/// `m = β₁ m + (1 − β₁) g`, `s = β₂ s + (1 − β₂) g²`, `w = w − η m̂ / (√ŝ + ε)` with `m̂ = m / (1 − β₁ᵗ)`,
/// `ŝ = s / (1 − β₂ᵗ)` (D. Kingma and J. Ba, *Adam*, 2015).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adam {
    /// The share β₁ of the old first moment in the new.
    pub beta1: f32,
    /// The share β₂ of the old second moment in the new.
    pub beta2: f32,
    /// The ε that keeps the quotient finite.
    pub epsilon: f32,
    /// Whether weight decay is applied in addition to the step, and is not part of the gradient: AdamW.
    pub decoupled: bool,
}

impl Adam {
    pub(super) const SLOTS: &[&str] = &["first_moment", "second_moment"];

    /// `1 − β₁ᵗ` and `√(1 − β₂ᵗ)` at step `number`.
    pub(super) fn corrections(&self, number: u64) -> [f32; 2] {
        let rest = |beta: f32| 1.0 - f64::from(beta).powf(number as f64);
        [rest(self.beta1) as f32, rest(self.beta2).sqrt() as f32]
    }

    pub(super) fn step(
        &self,
        rate: f32,
        corrections: [f32; 2],
        weights: &mut [f32],
        [first, second]: [&mut [f32]; 2],
        gradient: &[f32],
    ) {
        let [first_rest, second_root] = corrections;
        average(self.beta1, first, gradient);
        average_squares(self.beta2, second, gradient);
        let numbers = [rate / first_rest, second_root, self.epsilon];
        descend_scaled(numbers, weights, first, second);
    }
}
