//! Who looks after a run while it trains: says when its state is to be kept and when to stop, and keeps it.
//!
//! The trainer knows nothing of files and signals, and of time only what a run may take; [`crate::run::RunSupervisor`] knows
//! the rest.

use super::state::{Place, State};
use crate::error::Result;
use crate::scores::EpochMetrics;

/// What a trainer does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Goes on.
    GoOn,
    /// Hands its state over and goes on.
    Save,
    /// Hands its state over and stops.
    Stop,
}

/// Looks after a run.
pub trait Supervisor: Send {
    /// Asked after every step, while the workers wait: must be quick and allocate nothing.
    fn after_step(&mut self, place: Place) -> Then;

    /// Asked after every epoch, with all that are done, and whether the run is over with it.
    ///
    /// # Errors
    /// Whatever must end the run before this epoch counts.
    fn after_epoch(&mut self, epochs: &[EpochMetrics], over: bool) -> Result<Then>;

    /// Keeps `state`. Asked for by [`Then::Save`] and [`Then::Stop`], and where the time of a run is over within an
    /// epoch.
    ///
    /// # Errors
    /// Whatever must end the run.
    fn save(&mut self, state: State) -> Result<()>;
}

/// Nobody looks after a run: it goes through to its end.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unsupervised;

impl Supervisor for Unsupervised {
    fn after_step(&mut self, _: Place) -> Then {
        Then::GoOn
    }

    fn after_epoch(&mut self, _: &[EpochMetrics], _: bool) -> Result<Then> {
        Ok(Then::GoOn)
    }

    fn save(&mut self, _: State) -> Result<()> {
        Ok(())
    }
}
