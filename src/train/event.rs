//! What happens during a run, as its event handler receives it.

use std::time::Duration;

use crate::scores::EpochMetrics;

/// What happens during a run.
#[derive(Debug)]
pub enum Event<'a> {
    /// Some batches of an epoch are done.
    Progress {
        /// The epoch, counted from 1.
        epoch: usize,
        /// Samples of this epoch done.
        samples: usize,
        /// Samples in an epoch.
        of: usize,
        /// Mean loss over the epoch so far.
        loss: f64,
        /// Time spent training since the epoch began.
        elapsed: Duration,
    },
    /// An epoch is done and evaluated.
    Epoch(&'a EpochMetrics),
}

/// Receives the events of a run. It must not use the workers of the run, which are busy.
pub type EventHandler<'a> = dyn FnMut(Event) + Send + 'a;
