//! What is done with every gradient of a run.

use super::optimizer::{Optimizer, Sgd};

/// The name of the moving average among the slots.
pub const AVERAGE: &str = "average";

/// What is done with every gradient of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// The optimiser.
    pub optimizer: Optimizer,
    /// Weight decay λ: `g + λ w` as the gradient, or `w − η λ w` in addition to the step if the optimiser decouples it
    /// (I. Loshchilov and F. Hutter, *Decoupled Weight Decay Regularization*, 2019). It applies to weights; unlike in
    /// PyTorch's optimisers, biases and the scales γ of batch normalisation do not decay.
    pub weight_decay: f32,
    /// L1 penalty: `g + λ₁ sign w`, of weights and not of biases.
    pub l1: f32,
    /// The largest Euclidean norm of the weights into a hidden unit; they are scaled down to it after a step
    /// (N. Srivastava and others, *Dropout*, 2014, section 5.1).
    pub max_norm: Option<f32>,
    /// The largest Euclidean norm of the whole gradient, which is scaled down to it (R. Pascanu and others, *On the
    /// difficulty of training recurrent neural networks*, 2013).
    pub clip_norm: Option<f32>,
    /// The largest magnitude of an element of the gradient.
    pub clip_value: Option<f32>,
    /// The share δ of the old average in the new, `a = δ a + (1 − δ) w`; `None` if no average is kept (B. Polyak and A.
    /// Juditsky, *Acceleration of stochastic approximation by averaging*, 1992, in its exponential form).
    pub average: Option<f32>,
}

impl Rule {
    /// Stochastic gradient descent with momentum and nothing else.
    pub fn sgd(momentum: f32) -> Rule {
        Rule::from(Optimizer::Sgd(Sgd {
            momentum,
            nesterov: false,
        }))
    }

    /// The names of what is kept for every parameter from one step to the next: first the optimiser's own slots, then
    /// the average. Each slot is as long as the parameters.
    pub fn slots(&self) -> Vec<&'static str> {
        let average = self.average.map(|_| AVERAGE);
        let own = self.optimizer.slots().iter().copied();
        own.chain(average).collect()
    }

    /// The momentum, if the update is exactly `v = μ v + g` and `w = w − η v`. An engine can then do it while the
    /// gradient is still in registers.
    pub fn plain_momentum(&self) -> Option<f32> {
        let nothing_else = self.weight_decay == 0.0
            && self.l1 == 0.0
            && self.clip_norm.is_none()
            && self.clip_value.is_none()
            && self.average.is_none();
        match self.optimizer {
            Optimizer::Sgd(Sgd {
                momentum,
                nesterov: false,
            }) if nothing_else => Some(momentum),
            _ => None,
        }
    }

    /// Whether a weight moves although its gradient is 0 and always was.
    pub fn moves_idle_weights(&self) -> bool {
        self.weight_decay != 0.0 || self.l1 != 0.0 || self.max_norm.is_some()
    }
}

impl From<Optimizer> for Rule {
    /// The optimiser and nothing else.
    fn from(optimizer: Optimizer) -> Rule {
        Rule {
            optimizer,
            weight_decay: 0.0,
            l1: 0.0,
            max_norm: None,
            clip_norm: None,
            clip_value: None,
            average: None,
        }
    }
}
