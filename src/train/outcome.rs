//! How a run ends, and what it results in.

use super::profile::Profile;
use super::state::Position;
use super::stopping::{self, Cause};
use crate::compute::Engine;
use crate::config::CheckedConfig;
use crate::data::{Extent, Splits};
use crate::model::{Model, Origin, Provenance};
use crate::scores::{EpochMetrics, Score, SetScores};

/// How a run ends.
///
/// [`crate::SavedRun`] shows one.
///
/// ```
/// use perceptor::Ending;
///
/// fn describe(ending: &Ending) -> String {
///     match ending {
///         Ending::Finished(outcome) => format!("{} epochs", outcome.epochs.len()),
///         Ending::Stopped(place) => format!("stopped at {place}"),
///     }
/// }
/// ```
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one a run")]
pub enum Ending {
    /// The run is over, for one of the reasons of [`Cause`].
    Finished(Outcome),
    /// The supervisor stopped the run here, and has its state.
    Stopped(Position),
}

/// What a run results in.
///
/// ```
/// use perceptor::{TrainConfig, Workers, train};
/// # use perceptor::ndarray::{arr1, arr2};
/// # use perceptor::{Dataset, Splits, Targets};
/// # let x = arr2(&[[0.0, 1.0], [1.0, 0.0], [0.2, 0.9], [0.9, 0.1]]);
/// # let y = Targets::classes(arr1(&[0u8, 1, 0, 1]).view(), 2)?;
/// # let data = Splits::new(Dataset::from_rows(x.view(), y)?, None, None)?;
/// # let workers = Workers::new(Workers::available())?;
/// let config = TrainConfig { epochs: 3, ..TrainConfig::default() };
/// let outcome = train(&config, &data, &workers, &mut |_| {})?;
/// assert_eq!(outcome.epochs.len(), 3);
/// assert!(outcome.last().train_loss < 1.0);
/// # Ok::<(), perceptor::Error>(())
/// ```
#[derive(Debug)]
pub struct Outcome {
    /// The network after the epoch [`Outcome::kept`].
    pub model: Model,
    /// The epochs in order, at least one. The last may be a part of one.
    pub epochs: Vec<EpochMetrics>,
    /// The epoch that the model is from, counted from 0.
    pub kept: usize,
    /// Whether that is the best epoch on the validation set rather than the last one.
    pub picked: bool,
    /// Why there are no more epochs.
    pub cause: Cause,
    /// The score of the model on the test set; `None` without a test set.
    pub test: Option<Score>,
    /// The engine that computed.
    pub engine: Engine,
    /// How all workers together spent their time; `None` unless asked for.
    pub profile: Option<Profile>,
    /// Hidden layers, counted from 1, whose units are copies of each other: see
    /// [`crate::nn::symmetry`].
    pub identical_layers: Vec<usize>,
}

impl Outcome {
    /// Time spent training in all epochs, without evaluation, in seconds.
    pub fn train_seconds(&self) -> f64 {
        self.epochs.iter().map(|epoch| epoch.train_seconds).sum()
    }

    /// Samples trained on per second of [`Outcome::train_seconds`].
    pub fn samples_per_second(&self) -> f64 {
        let samples: f64 = self
            .epochs
            .iter()
            .map(|epoch| epoch.samples_per_second * epoch.train_seconds)
            .sum();
        samples / self.train_seconds()
    }

    /// 10⁹ floating point operations of the matrix products per second of training.
    pub fn gflops(&self) -> f64 {
        let done = self.epochs.iter();
        let done = done.map(|epoch| epoch.gflops * epoch.train_seconds);
        done.sum::<f64>() / self.train_seconds()
    }

    /// The last epoch.
    pub fn last(&self) -> &EpochMetrics {
        &self.epochs[self.epochs.len() - 1]
    }

    /// The epoch that the model is from.
    pub fn kept(&self) -> &EpochMetrics {
        &self.epochs[self.kept]
    }

    /// The best epoch by [`stopping::best`]; `None` if nothing was evaluated.
    pub fn best(&self) -> Option<&EpochMetrics> {
        stopping::best(&self.epochs).map(|at| &self.epochs[at])
    }
}

/// How the model of a run came to be, with the scores of the epoch that its parameters are from, and its score on the
/// test set.
pub(super) fn provenance(
    config: &CheckedConfig,
    data: &Splits,
    engine: &str,
    (epoch, test): (&EpochMetrics, Option<Score>),
    origin: Option<Origin>,
) -> Provenance {
    let picked = config.validation.early_stop.is_some();
    let scores = SetScores {
        validation: epoch.scores.validation,
        test,
    };
    Provenance {
        version: crate::VERSION.to_owned(),
        revision: crate::REVISION.to_owned(),
        engine: engine.to_owned(),
        config: config.clone().into_inner(),
        train_items: data.train.samples(),
        elements: Extent::of(data.train.rows()),
        init_from: origin.map(|origin| origin.parameters),
        best_epoch: picked.then_some(epoch.epoch),
        train_loss: epoch.train_loss,
        scores: scores.losses_and_accuracies(),
    }
}
