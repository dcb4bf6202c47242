//! The learning rate of every step, as a pure function of the progress of a run.
//!
//! Progress is the number of steps since the start of the run, so a resumed run needs no state of its schedule. Only
//! `plateau` also depends on the losses of the previous epochs. Warm-up comes first: the learning rate rises linearly
//! from one step's share to its full value. The schedule itself is counted from the end of the warm-up.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use crate::named::named;

named! {
    /// The form of a schedule.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
    pub enum ScheduleName {
        /// The same learning rate in every step.
        #[default]
        Constant = "constant",
        /// The learning rate is multiplied by a factor after every few epochs.
        Step = "step",
        /// The learning rate is multiplied by a factor per epoch, evenly over its steps.
        Exponential = "exponential",
        /// The learning rate falls to the lowest one along half a cosine (I. Loshchilov and F. Hutter, *SGDR*, 2017, without
        /// restarts).
        Cosine = "cosine",
        /// The learning rate rises from a 25th, then falls to a 250,000th, each along half a cosine (L. Smith and N. Topin,
        /// *Super-Convergence*, 2018, with PyTorch's numbers for the learning rate and a constant momentum).
        OneCycle = "one-cycle",
        /// The learning rate is multiplied by a factor if the loss has not decreased for several epochs.
        Plateau = "plateau",
        /// The learning rate is `η / (1 + t)ᵖ`, with t in epochs.
        InverseScaling = "inverse-scaling",
    }
}

impl ScheduleName {
    /// Returns whether the schedule is stretched over all epochs, so that the first epoch depends on their number.
    pub fn spans_the_run(self) -> bool {
        matches!(self, ScheduleName::Cosine | ScheduleName::OneCycle)
    }
}

/// A schedule for a run of a known length.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    /// The form.
    pub name: ScheduleName,
    /// The highest learning rate.
    pub learning_rate: f32,
    /// The lowest learning rate, for `cosine` and `plateau`.
    pub min_learning_rate: f32,
    /// The factor of the learning rate, for `step`, `exponential` and `plateau`.
    pub factor: f32,
    /// The number of epochs between two multiplications, for `step`.
    pub every: f64,
    /// The number of epochs without a lower loss before a multiplication, for `plateau`.
    pub patience: usize,
    /// The exponent p, for `inverse-scaling`.
    pub power: f32,
    /// The number of epochs of warm-up, which may be fractional. `None` is 0.3 of all epochs for `one-cycle`, and no warm-up
    /// for all others.
    pub warmup: Option<f64>,
    /// The number of epochs of the run.
    pub epochs: usize,
    /// The number of steps per epoch.
    pub steps_per_epoch: u64,
}

impl Schedule {
    /// Returns a schedule with a constant learning rate.
    pub fn constant(learning_rate: f32) -> Schedule {
        Schedule {
            name: ScheduleName::Constant,
            learning_rate,
            min_learning_rate: 0.0,
            factor: 1.0,
            every: 1.0,
            patience: 0,
            power: 0.0,
            warmup: None,
            epochs: 1,
            steps_per_epoch: 1,
        }
    }

    /// Returns the learning rate of step `step`, counted from 0 at the start of the run. `plateau` is the result of
    /// [`Schedule::plateau_factor`].
    pub fn at(&self, step: u64, plateau: f32) -> f32 {
        let warmup = self
            .warmup
            .map(|epochs| epochs * self.steps_per_epoch as f64);
        let highest = f64::from(self.learning_rate);
        if self.name == ScheduleName::OneCycle {
            return self.one_cycle(step, warmup) as f32;
        }
        let warmup = warmup.unwrap_or(0.0);
        let (step, steps) = (
            step as f64,
            (self.epochs as u64 * self.steps_per_epoch) as f64,
        );
        if step + 1.0 < warmup {
            return (highest * (step + 1.0) / warmup) as f32;
        }
        let step = (step - warmup).max(0.0);
        let epochs = step / self.steps_per_epoch as f64;
        let (factor, lowest) = (f64::from(self.factor), f64::from(self.min_learning_rate));
        let rate = match self.name {
            ScheduleName::Constant => highest,
            ScheduleName::Step => highest * factor.powf((epochs / self.every).floor()),
            ScheduleName::Exponential => highest * factor.powf(epochs),
            ScheduleName::Cosine => half_cosine(highest, lowest, step / (steps - warmup).max(1.0)),
            ScheduleName::Plateau => (highest * f64::from(plateau)).max(lowest.min(highest)),
            ScheduleName::InverseScaling => highest * (1.0 + epochs).powf(-f64::from(self.power)),
            ScheduleName::OneCycle => unreachable!("it has returned"),
        };
        rate as f32
    }

    /// Returns the learning rate of PyTorch's `OneCycleLR`, which rises for 0.3 of the steps unless a warm-up is given.
    fn one_cycle(&self, step: u64, warmup: Option<f64>) -> f64 {
        const RISE: f64 = 0.3;
        const FIRST: f64 = 1.0 / 25.0;
        const LAST: f64 = 1e-4;
        let highest = f64::from(self.learning_rate);
        let steps = (self.epochs as u64 * self.steps_per_epoch) as f64;
        let rise = warmup.unwrap_or(RISE * steps);
        let (top, end) = ((rise - 1.0).max(0.0), steps - 1.0);
        let step = step as f64;
        if step < top {
            half_cosine(highest * FIRST, highest, step / top)
        } else {
            let fall = (end - top).max(1.0);
            half_cosine(highest, highest * FIRST * LAST, (step - top) / fall)
        }
    }

    /// Returns the multiplier of the learning rate after epochs with these `losses`: the factor, once for each time that the
    /// loss was not lower than the lowest previous one by at least a ten-thousandth of it for more than
    /// [`Schedule::patience`] epochs. PyTorch's `ReduceLROnPlateau` does the same. Any schedule except `plateau` returns 1.
    pub fn plateau_factor(&self, losses: impl Iterator<Item = f64>) -> f32 {
        const BELOW: f64 = 1.0 - 1e-4;
        if self.name != ScheduleName::Plateau {
            return 1.0;
        }
        let (mut lowest, mut waited, mut factor) = (f64::INFINITY, 0, 1.0);
        for loss in losses {
            if loss < lowest * BELOW {
                (lowest, waited) = (loss, 0);
            } else {
                waited += 1;
            }
            if waited > self.patience {
                (factor, waited) = (factor * self.factor, 0);
            }
        }
        factor
    }
}

/// Returns the value at `share` of the way from `from` to `to` along half a cosine.
fn half_cosine(from: f64, to: f64, share: f64) -> f64 {
    to + (from - to) / 2.0 * (1.0 + (PI * share.min(1.0)).cos())
}
