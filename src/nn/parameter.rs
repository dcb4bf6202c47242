//! A vector of parameters, such as the biases of a layer, with the optimiser's slots.

use std::ops::Range;

use crate::compute::affine::{Keeps, write_slots};
use crate::compute::phases::{OwnPiece, RowPhase};
use crate::compute::shared::{LINE, SharedBuffer};
use crate::error::Result;
use crate::optim::Step;

/// Parameters `[out]` with slots of the same length. They do not decay.
#[derive(Debug)]
pub(super) struct Parameter {
    /// The number of parameters; buffers have more.
    width: usize,
    values: SharedBuffer<f32>,
    slots: Vec<SharedBuffer<f32>>,
    /// `None` if the gradient is added to a velocity at once.
    gradient: Option<SharedBuffer<f32>>,
}

impl Parameter {
    pub(super) fn new(from: &[f32], keeps: Keeps) -> Result<Parameter> {
        // Whole cache lines, so that activations work on whole registers.
        let zeroed = || SharedBuffer::zeroed(from.len().next_multiple_of(LINE));
        let mut parameter = Parameter {
            width: from.len(),
            values: zeroed()?,
            slots: (0..keeps.slots).map(|_| zeroed()).collect::<Result<_>>()?,
            gradient: keeps.scratch.then(zeroed).transpose()?,
        };
        parameter.values.as_mut_slice()[..from.len()].copy_from_slice(from);
        if keeps.average {
            parameter.set_slot(keeps.slots - 1, from);
        }
        Ok(parameter)
    }

    /// The values, for as long as the row phase lasts.
    pub(super) fn values<'a>(&'a self, _phase: RowPhase<'a>) -> &'a [f32] {
        // SAFETY: (1) the phase proves that nobody writes parameters.
        unsafe { self.values.read(0..self.width) }
    }

    /// The values of some units, up to the end of the last cache line of theirs, for as long as the row phase lasts.
    pub(super) fn values_of<'a>(&'a self, units: Range<usize>, _phase: RowPhase<'a>) -> &'a [f32] {
        let range = units.start..units.end.next_multiple_of(LINE);
        // SAFETY: (1) the phase proves that nobody writes parameters.
        unsafe { self.values.read(range) }
    }

    /// The values, to write.
    ///
    /// # Safety
    /// 1. `piece` is the piece of the network that contains this parameter.
    /// 2. While the result is in use, no other reference to the values is.
    #[expect(
        clippy::mut_from_ref,
        reason = "the token gives the values to this worker, and precondition 2 excludes a second reference"
    )]
    pub(super) unsafe fn values_mut<'a>(&'a self, _piece: &'a OwnPiece) -> &'a mut [f32] {
        // SAFETY: (1) the parameter is part of the piece by precondition 1, so `OwnPiece` gives it to this worker,
        // which has no other reference by precondition 2.
        unsafe { self.values.write(0..self.width) }
    }

    /// The optimiser's step for the parameters of some units, against the gradient that `add_gradient` adds to its
    /// argument.
    ///
    /// # Safety
    /// 1. `piece` is the piece of the network that contains these units of this parameter.
    pub(super) unsafe fn update(
        &self,
        piece: &OwnPiece,
        units: Range<usize>,
        step: &Step,
        add_gradient: impl FnOnce(&mut [f32]),
    ) {
        let all = units.clone();
        match step.rule().plain_momentum() {
            Some(momentum) => {
                // SAFETY: (1) the parameter is part of the piece by precondition 1, so `OwnPiece` gives it to this
                // worker; the buffers are different ones.
                let (values, velocity) =
                    unsafe { (self.values.write(all.clone()), self.slots[0].write(all)) };
                velocity.iter_mut().for_each(|v| *v *= momentum);
                add_gradient(velocity);
                step.descend(values, velocity);
            }
            // SAFETY: (1) of both functions is precondition 1 of this function.
            None => unsafe {
                self.keep_gradient(piece, units.clone(), add_gradient);
                self.apply(piece, units, step);
            },
        }
    }

    /// Keeps the gradient of some units, which `add_gradient` adds to its argument, for [`Parameter::apply`]; returns
    /// it.
    ///
    /// # Safety
    /// 1. `piece` is the piece of the network that contains these units of this parameter.
    pub(super) unsafe fn keep_gradient<'a>(
        &'a self,
        _piece: &'a OwnPiece,
        units: Range<usize>,
        add_gradient: impl FnOnce(&mut [f32]),
    ) -> &'a [f32] {
        // SAFETY: (1) the units are part of the piece by precondition 1, so `OwnPiece` gives them to this worker.
        let gradient = unsafe { self.kept_gradient().write(units) };
        gradient.fill(0.0);
        add_gradient(gradient);
        gradient
    }

    /// The optimiser's step of some units against the gradient that was kept.
    ///
    /// # Safety
    /// 1. `piece` is the piece of the network that contains these units of this parameter.
    pub(super) unsafe fn apply(&self, _piece: &OwnPiece, units: Range<usize>, step: &Step) {
        let all = units;
        // SAFETY: (1) the parameter is part of the piece by precondition 1, so `OwnPiece` gives it to this worker; the
        // buffers are different ones.
        let (values, gradient, mut slots) = unsafe {
            (
                self.values.write(all.clone()),
                self.kept_gradient().write(all.clone()),
                write_slots(&self.slots, all),
            )
        };
        let step = step.without_decay();
        step.apply(values, &mut slots, gradient);
    }

    /// Updates the average of the values, if one is kept.
    ///
    /// # Safety
    /// 1. `piece` is the piece of the network that contains this parameter.
    pub(super) unsafe fn update_average(&self, _piece: &OwnPiece, step: &Step) {
        if let (Some(_), Some(average)) = (step.rule().average, self.slots.last()) {
            let all = 0..self.width;
            // SAFETY: (1) the parameter is part of the piece by precondition 1, so `OwnPiece` gives it to this worker;
            // the buffers are different ones.
            let (average, values) = unsafe { (average.write(all.clone()), self.values.read(all)) };
            step.update_average(average, values);
        }
    }

    fn kept_gradient(&self) -> &SharedBuffer<f32> {
        let gradient = self.gradient.as_ref();
        gradient.expect("parameters that keep their gradient")
    }

    /// Copies the values, or one of the slots, to `to [out]`.
    pub(super) fn copy(&mut self, slot: Option<usize>, to: &mut [f32]) {
        let from = match slot {
            None => &mut self.values,
            Some(slot) => &mut self.slots[slot],
        };
        to.copy_from_slice(&from.as_mut_slice()[..to.len()]);
    }

    /// The number of parameters.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    pub(super) fn set_slot(&mut self, slot: usize, from: &[f32]) {
        self.slots[slot].as_mut_slice()[..from.len()].copy_from_slice(from);
    }
}
