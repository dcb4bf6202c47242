//! How the outputs of a network are read: as predictions, and as losses in the units of the targets.

use crate::data::TargetScaling;
use crate::nn::Spec;
use crate::nn::loss::{Loss, Units, finish};

/// What turns outputs into predictions and losses.
#[derive(Debug, Clone)]
pub(super) struct Readout {
    loss: Loss,
    /// How the targets that the network has learned are standardised, and their units, if they are.
    targets: Option<(TargetScaling, Units)>,
}

impl Readout {
    /// The default loss of the network `spec`, for targets that are not standardised.
    pub(super) fn new(spec: &Spec) -> Readout {
        Readout {
            loss: Loss::with_link(spec.task(), spec.link()),
            targets: None,
        }
    }

    /// Measures `loss` from now on.
    ///
    /// # Panics
    /// Panics if it is for another task or link.
    pub(super) fn set_loss(&mut self, loss: Loss) {
        let of = |loss: &Loss| (loss.task(), loss.link());
        assert_eq!(of(&loss), of(&self.loss), "the loss of a task");
        self.loss = loss;
        let scaling = self.targets.take().map(|(scaling, _)| scaling);
        self.set_target_scaling(scaling);
    }

    /// Undoes `scaling` from now on.
    pub(super) fn set_target_scaling(&mut self, scaling: Option<TargetScaling>) {
        self.targets = scaling.map(|scaling| {
            let units = self.loss.units(&scaling.deviations());
            (scaling, units)
        });
    }

    /// Turns logits into predictions, in place.
    ///
    /// Shapes: `logits [outputs]`.
    pub(super) fn finish(&self, logits: &mut [f32]) {
        finish(self.loss.task(), self.loss.link(), logits);
        if let Some((scaling, _)) = &self.targets {
            scaling.undo(logits);
        }
    }

    /// Returns the loss of a sample. Overwrites its logits, and standardises its targets in place.
    ///
    /// Shapes: `logits`, `targets [outputs]`.
    pub(super) fn loss_of(&self, logits: &mut [f32], targets: &mut [f32]) -> f64 {
        if let Some((scaling, _)) = &self.targets {
            scaling.apply(targets);
        }
        let units = self.targets.as_ref().map(|(_, units)| units);
        self.loss.backward(logits, targets, units, 1.0)
    }
}
