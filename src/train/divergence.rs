//! Where a run stops because a loss or a weight is NaN or infinite.
//!
//! The loss of every step is checked, every loss of an evaluation, and the weights before they are saved: an infinite
//! weight can still give finite losses.

use std::ops::ControlFlow;

use crate::error::{Error, Result, Suspect};
use crate::scores::Score;

/// Where in a run values are checked; errors name it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FiniteCheck {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// The step within the epoch, counted from 1.
    pub step: usize,
    /// The learning rate of the last step.
    pub learning_rate: f32,
}

impl FiniteCheck {
    /// Returns `score` if its loss, called `what`, is finite.
    ///
    /// # Errors
    /// Returns [`Error::Diverged`] if the loss is NaN or infinite.
    pub(super) fn score(self, what: &'static str, score: Score) -> Result<Score> {
        match score.loss.is_finite() {
            true => Ok(score),
            false => Err(self.diverged(what, score.loss)),
        }
    }

    /// Returns `parameters` if all are finite.
    ///
    /// # Errors
    /// Returns [`Error::Diverged`] if one is NaN or infinite.
    pub(super) fn parameters(self, parameters: Vec<f32>) -> Result<Vec<f32>> {
        match parameters.iter().find(|weight| !weight.is_finite()) {
            None => Ok(parameters),
            Some(&weight) => Err(self.diverged("a weight", weight.into())),
        }
    }

    fn diverged(self, what: &'static str, value: f64) -> Error {
        Error::Diverged {
            epoch: self.epoch,
            step: self.step,
            what,
            value,
            learning_rate: self.learning_rate,
            suspect: Suspect::LearningRate,
        }
    }
}

/// Watches the losses of the steps of a pass, and ends the pass at the first that is NaN or infinite.
#[derive(Debug, Default)]
pub(crate) struct LossWatch {
    /// The step with that loss, counted from 0, and the loss.
    diverged: Option<(usize, f64)>,
}

impl LossWatch {
    /// Looks at the summed loss of a step, counted from 0.
    pub(crate) fn step(&mut self, step: usize, loss: f64) -> ControlFlow<()> {
        if loss.is_finite() {
            return ControlFlow::Continue(());
        }
        self.diverged = Some((step, loss));
        ControlFlow::Break(())
    }

    /// Reports the loss that ended the pass, if one did; `first` are the steps of the epoch before the pass.
    ///
    /// # Errors
    /// Returns [`Error::Diverged`] if a loss was NaN or infinite.
    pub(crate) fn check(&self, epoch: usize, first: usize, learning_rate: f32) -> Result<()> {
        let Some((step, loss)) = self.diverged else {
            return Ok(());
        };
        let check = FiniteCheck {
            epoch,
            step: first + step + 1,
            learning_rate,
        };
        Err(check.diverged("training loss", loss))
    }
}
