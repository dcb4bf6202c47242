//! The optimisers, each with its formula in a file of its own.
//!
//! `g` is the mean gradient of a batch, with weight decay in it unless that is decoupled; η is the learning rate; t
//! counts steps from 1. All follow PyTorch except Lion, which follows its paper.
//!
//! A new optimiser is a file here, a variant of [`Optimizer`], and a name with its settings in `config/optimizer.rs`.

mod adam;
pub(super) mod elementwise;
mod lion;
mod rmsprop;
mod sgd;

pub use adam::Adam;
pub use lion::Lion;
pub use rmsprop::RmsProp;
pub use sgd::Sgd;

/// An optimiser: how a gradient becomes a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Optimizer {
    /// Stochastic gradient descent with momentum.
    Sgd(Sgd),
    /// Adam and AdamW.
    Adam(Adam),
    /// RMSprop.
    RmsProp(RmsProp),
    /// Lion.
    Lion(Lion),
}

impl Optimizer {
    /// The names of what the optimiser keeps for each parameter, as checkpoints use them.
    pub fn slots(&self) -> &'static [&'static str] {
        match self {
            Optimizer::Sgd(_) => Sgd::SLOTS,
            Optimizer::Adam(_) => Adam::SLOTS,
            Optimizer::RmsProp(rmsprop) => rmsprop.slots(),
            Optimizer::Lion(_) => Lion::SLOTS,
        }
    }

    /// Whether weight decay is applied in addition to the step, and is not part of the gradient.
    pub fn decouples_decay(&self) -> bool {
        match self {
            Optimizer::Adam(adam) => adam.decoupled,
            Optimizer::Lion(_) => true,
            Optimizer::Sgd(_) | Optimizer::RmsProp(_) => false,
        }
    }

    /// The numbers of the optimiser that change from step to step.
    pub(super) fn corrections(&self, number: u64) -> [f32; 2] {
        match self {
            Optimizer::Adam(adam) => adam.corrections(number),
            Optimizer::Sgd(_) | Optimizer::RmsProp(_) | Optimizer::Lion(_) => [1.0; 2],
        }
    }

    /// The optimiser's own step at the learning rate `rate`, with the slots in the order of [`Optimizer::slots`].
    ///
    /// Shapes: all `[n]`. Overwrites `weights` and the slots.
    pub(super) fn step(
        &self,
        rate: f32,
        corrections: [f32; 2],
        weights: &mut [f32],
        slots: &mut [&mut [f32]],
        gradient: &[f32],
    ) {
        let [first, second, ..] = slots else {
            unreachable!("room for two slots");
        };
        match self {
            Optimizer::Sgd(sgd) => sgd.step(rate, weights, first, gradient),
            Optimizer::Adam(adam) => {
                adam.step(rate, corrections, weights, [first, second], gradient);
            }
            Optimizer::RmsProp(rmsprop) => {
                rmsprop.step(rate, weights, [first, second], gradient);
            }
            Optimizer::Lion(lion) => lion.step(rate, weights, first, gradient),
        }
    }
}
