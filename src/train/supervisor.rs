//! Decides when a run is saved and when it stops, and saves it.
//!
//! Training knows neither files nor signals, and of time only its limit; [`crate::run::RunSupervisor`] knows them.

use super::state::{Position, State};
use crate::error::Result;
use crate::scores::EpochMetrics;

/// What a run does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Continues.
    Continue,
    /// Hands its state to the supervisor and continues.
    Save,
    /// Hands its state to the supervisor and stops.
    Stop,
}

/// Decides when a run is saved and when it stops, and saves it.
pub trait Supervisor: Send {
    /// Called after every step while the workers wait, so it must be quick and allocate nothing.
    fn after_step(&mut self, place: Position) -> Next;

    /// Called after every epoch, with all epochs that are done, and whether the run is over.
    ///
    /// # Errors
    /// An error ends the run before this epoch counts.
    fn after_epoch(&mut self, epochs: &[EpochMetrics], over: bool) -> Result<Next>;

    /// Saves `state`. Called for [`Next::Save`] and [`Next::Stop`], and if the time of a run is over within an epoch.
    ///
    /// # Errors
    /// An error ends the run.
    fn save(&mut self, state: State) -> Result<()>;
}

/// The supervisor of a run that is never saved or stopped.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unsupervised;

impl Supervisor for Unsupervised {
    fn after_step(&mut self, _: Position) -> Next {
        Next::Continue
    }

    fn after_epoch(&mut self, _: &[EpochMetrics], _: bool) -> Result<Next> {
        Ok(Next::Continue)
    }

    fn save(&mut self, _: State) -> Result<()> {
        Ok(())
    }
}
