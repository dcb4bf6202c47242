//! RMSprop, with or without momentum.

use multiversion::multiversion;

use super::elementwise::{average_squares, descend, descend_scaled};

/// `s = α s + (1 − α) g²`, `v = μ v + g / (√s + ε)`, `w = w − η v` (T. Tieleman and G. Hinton, *Neural Networks for
/// Machine Learning*, lecture 6.5, 2012).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RmsProp {
    /// The share α of the old mean square in the new.
    pub alpha: f32,
    /// The ε that keeps the quotient finite.
    pub epsilon: f32,
    /// The momentum μ; with 0 no velocity is kept.
    pub momentum: f32,
}

impl RmsProp {
    pub(super) fn slots(&self) -> &'static [&'static str] {
        match self.momentum {
            0.0 => &["mean_square"],
            _ => &["mean_square", "velocity"],
        }
    }

    pub(super) fn step(
        &self,
        rate: f32,
        weights: &mut [f32],
        [squares, velocity]: [&mut [f32]; 2],
        gradient: &[f32],
    ) {
        average_squares(self.alpha, squares, gradient);
        if self.momentum == 0.0 {
            descend_scaled([rate, 1.0, self.epsilon], weights, gradient, squares);
        } else {
            accumulate_scaled([self.momentum, self.epsilon], velocity, gradient, squares);
            descend(rate, weights, velocity);
        }
    }
}

/// `v = μ v + g / (√s + ε)`, where `numbers` are μ and ε.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn accumulate_scaled(numbers: [f32; 2], velocity: &mut [f32], gradient: &[f32], squares: &[f32]) {
    let [momentum, epsilon] = numbers;
    for ((v, g), s) in velocity.iter_mut().zip(gradient).zip(squares) {
        *v = momentum * *v + g / (s.sqrt() + epsilon);
    }
}
