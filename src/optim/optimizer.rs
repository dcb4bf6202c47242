//! The optimisers by their formulas, with what each keeps and the numbers that change from step to step.
//!
//! `g` is the mean gradient of a batch, with weight decay in it where that is not decoupled; η is the learning rate; t
//! counts steps from 1. Each follows PyTorch's, Lion that of its paper.

/// What makes a step of a gradient.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Optimizer {
    /// `v = μ v + g`, `w = w − η v` (B. Polyak, *Some methods of speeding up the convergence of iteration methods*, 1964,
    /// in the form in which the learning rate stands outside the velocity); with `nesterov`, `w = w − η (g + μ v)` (I.
    /// Sutskever and others, *On the importance of initialization and momentum in deep learning*, 2013).
    Sgd {
        /// The momentum μ; 0 is plain gradient descent.
        momentum: f32,
        /// Whether the gradient is taken where the velocity leads.
        nesterov: bool,
    },
    /// `m = β₁ m + (1 − β₁) g`, `s = β₂ s + (1 − β₂) g²`, `w = w − η m̂ / (√ŝ + ε)` with `m̂ = m / (1 − β₁ᵗ)`,
    /// `ŝ = s / (1 − β₂ᵗ)` (D. Kingma and J. Ba, *Adam*, 2015).
    Adam {
        /// The share β₁ of the old first moment in the new.
        beta1: f32,
        /// The share β₂ of the old second moment in the new.
        beta2: f32,
        /// What keeps the quotient finite, ε.
        epsilon: f32,
        /// Whether weight decay stands beside the gradient and not in it: AdamW.
        decoupled: bool,
    },
    /// `s = α s + (1 − α) g²`, `v = μ v + g / (√s + ε)`, `w = w − η v` (T. Tieleman and G. Hinton, *Neural Networks for
    /// Machine Learning*, lecture 6.5, 2012).
    RmsProp {
        /// The share α of the old mean square in the new.
        alpha: f32,
        /// What keeps the quotient finite, ε.
        epsilon: f32,
        /// The momentum μ; with 0 there is no velocity.
        momentum: f32,
    },
    /// `w = w − η sign(β₁ m + (1 − β₁) g)`, `m = β₂ m + (1 − β₂) g`, with weight decay beside it (X. Chen and others,
    /// *Symbolic Discovery of Optimization Algorithms*, 2023).
    Lion {
        /// The share β₁ of the momentum in the direction.
        beta1: f32,
        /// The share β₂ of the old momentum in the new.
        beta2: f32,
    },
}

impl Optimizer {
    /// What it keeps for each parameter, by the names under which checkpoints hold it.
    pub fn slots(&self) -> &'static [&'static str] {
        match self {
            Optimizer::Sgd { .. } => &["velocity"],
            Optimizer::Adam { .. } => &["first_moment", "second_moment"],
            Optimizer::RmsProp { momentum: 0.0, .. } => &["mean_square"],
            Optimizer::RmsProp { .. } => &["mean_square", "velocity"],
            Optimizer::Lion { .. } => &["momentum"],
        }
    }

    /// Whether weight decay stands beside the step and not in the gradient.
    pub fn decouples_decay(&self) -> bool {
        match self {
            Optimizer::Adam { decoupled, .. } => *decoupled,
            Optimizer::Lion { .. } => true,
            Optimizer::Sgd { .. } | Optimizer::RmsProp { .. } => false,
        }
    }

    /// `1 − β₁ᵗ` and `√(1 − β₂ᵗ)` of Adam at step `number`; ones for the others.
    pub(super) fn corrections(&self, number: u64) -> [f32; 2] {
        match *self {
            Optimizer::Adam { beta1, beta2, .. } => {
                let rest = |beta: f32| 1.0 - f64::from(beta).powf(number as f64);
                [rest(beta1) as f32, rest(beta2).sqrt() as f32]
            }
            _ => [1.0; 2],
        }
    }
}
