//! What happens during a run, as its event handler receives it.

use std::time::Duration;

use crate::scores::EpochMetrics;

/// What happens during a run.
///
/// ```
/// use perceptor::{Event, TrainConfig, Workers, train};
/// # use perceptor::ndarray::{arr1, arr2};
/// # use perceptor::{Dataset, Splits, Targets};
/// # let x = arr2(&[[0.0, 1.0], [1.0, 0.0], [0.2, 0.9], [0.9, 0.1]]);
/// # let y = Targets::classes(arr1(&[0u8, 1, 0, 1]).view(), 2)?;
/// # let data = Splits::new(Dataset::from_rows(x.view(), y)?, None, None)?;
/// # let workers = Workers::new(Workers::available())?;
/// let mut losses = Vec::new();
/// let config = TrainConfig { epochs: 3, ..TrainConfig::default() };
/// train(&config, &data, &workers, &mut |event| {
///     if let Event::Epoch(metrics) = event {
///         losses.push(metrics.train_loss);
///     }
/// })?;
/// assert_eq!(losses.len(), 3);
/// # Ok::<(), perceptor::Error>(())
/// ```
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
