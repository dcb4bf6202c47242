//! A vector of parameters, as the biases of a layer, with the optimiser's slots.

use crate::compute::affine::{Keeps, write_slots};
use crate::compute::shared::SharedBuffer;
use crate::error::Result;
use crate::kernels::sum_of_squares;
use crate::optim::Step;

/// Values `[out]` with slots of the same length. They do not decay.
#[derive(Debug)]
pub(super) struct Parameter {
    values: SharedBuffer<f32>,
    slots: Vec<SharedBuffer<f32>>,
    /// None where the gradient goes straight into a velocity.
    gradient: Option<SharedBuffer<f32>>,
}

impl Parameter {
    pub(super) fn new(from: &[f32], keeps: Keeps) -> Result<Parameter> {
        let zeroed = || SharedBuffer::zeroed(from.len());
        let mut parameter = Parameter {
            values: zeroed()?,
            slots: (0..keeps.slots).map(|_| zeroed()).collect::<Result<_>>()?,
            gradient: keeps.scratch.then(zeroed).transpose()?,
        };
        parameter.values.as_mut_slice().copy_from_slice(from);
        if keeps.average {
            parameter.set_slot(keeps.slots - 1, from);
        }
        Ok(parameter)
    }

    /// The values.
    ///
    /// # Safety
    /// Until the next barrier nobody updates them.
    pub(super) unsafe fn values(&self) -> &[f32] {
        // SAFETY: the caller's promise.
        unsafe { self.values.read(0..self.values.len()) }
    }

    /// The values, to write.
    ///
    /// # Safety
    /// Until the next barrier no other worker reads or updates them.
    #[expect(
        clippy::mut_from_ref,
        reason = "they are the caller's alone; see the promise"
    )]
    pub(super) unsafe fn values_mut(&self) -> &mut [f32] {
        // SAFETY: the caller's promise.
        unsafe { self.values.write(0..self.values.len()) }
    }

    /// Lets the average follow the values, where one is kept.
    ///
    /// # Safety
    /// As [`Parameter::update`].
    pub(super) unsafe fn follow(&self, step: &Step) {
        if let (Some(_), Some(average)) = (step.rule().average, self.slots.last()) {
            // SAFETY: the caller's promise.
            unsafe { step.follow(average.write(0..self.values.len()), self.values()) };
        }
    }

    /// A slot.
    ///
    /// # Safety
    /// As [`Parameter::values`].
    pub(super) unsafe fn slot(&self, slot: usize) -> &[f32] {
        // SAFETY: the caller's promise.
        unsafe { self.slots[slot].read(0..self.values.len()) }
    }

    pub(super) fn set_slot(&mut self, slot: usize, from: &[f32]) {
        self.slots[slot].as_mut_slice().copy_from_slice(from);
    }

    /// The optimiser's step against the gradient that `add_gradient` adds to what it is given.
    ///
    /// # Safety
    /// Until the next barrier no other worker reads or updates these parameters.
    pub(super) unsafe fn update(&self, step: &Step, add_gradient: impl FnOnce(&mut [f32])) {
        let all = 0..self.values.len();
        match step.rule().plain_momentum() {
            // SAFETY: the caller's promise.
            Some(momentum) => unsafe {
                let velocity = self.slots[0].write(all.clone());
                velocity.iter_mut().for_each(|v| *v *= momentum);
                add_gradient(velocity);
                step.descend(self.values.write(all), velocity);
            },
            // SAFETY: the caller's promise.
            None => unsafe {
                self.keep_gradient(add_gradient);
                self.apply(step);
            },
        }
    }

    /// Keeps the gradient for [`Parameter::apply`]; gives `Σ g²`.
    ///
    /// # Safety
    /// As [`Parameter::update`].
    pub(super) unsafe fn keep_gradient(&self, add_gradient: impl FnOnce(&mut [f32])) -> f64 {
        // SAFETY: the caller's promise.
        let gradient = unsafe { self.kept_gradient().write(0..self.values.len()) };
        gradient.fill(0.0);
        add_gradient(gradient);
        sum_of_squares(gradient)
    }

    /// The optimiser's step against the gradient that was kept.
    ///
    /// # Safety
    /// As [`Parameter::update`].
    pub(super) unsafe fn apply(&self, step: &Step) {
        let all = 0..self.values.len();
        // SAFETY: the caller's promise.
        unsafe {
            let gradient = self.kept_gradient().write(all.clone());
            let mut slots = write_slots(&self.slots, all.clone());
            let step = step.without_decay();
            step.apply(self.values.write(all), &mut slots, gradient);
        }
    }

    fn kept_gradient(&self) -> &SharedBuffer<f32> {
        let gradient = self.gradient.as_ref();
        gradient.expect("parameters that keep their gradient")
    }
}
