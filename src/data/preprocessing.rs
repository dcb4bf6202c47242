//! How an item becomes the inputs of a network: which features it sees, and how their elements are scaled.
//!
//! Fixed once by the training set, and used for every item of any set from then on.

use super::columns::Columns;
use super::idx::IdxFile;
use super::scaling::{Scale, Scaling};
use crate::compute::parallel::Workers;
use crate::config::TrainConfig;
use crate::error::Result;

/// What is done to an item before a network sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Preprocessing {
    /// How elements become inputs.
    pub scaling: Scaling,
    /// Which features are inputs at all.
    pub columns: Columns,
}

impl Preprocessing {
    /// Applies `scale` to `train`, the training images, and leaves out what is zero in all of them.
    ///
    /// # Errors
    /// As [`Scaling::fit`].
    pub fn fit(scale: Scale, train: &IdxFile, workers: &Workers) -> Result<Preprocessing> {
        let scaling = Scaling::fit(scale, train)?;
        Ok(Preprocessing {
            columns: Columns::of(train, scaling, workers),
            scaling,
        })
    }

    /// [`Preprocessing::fit`] for what `config` makes of `train`. A file that is read in windows, as it does not fit into
    /// memory, is not read through just to find what could be left out; and nothing may be left out whose weights move.
    ///
    /// # Errors
    /// As [`Scaling::fit`].
    pub fn for_run(
        config: &TrainConfig,
        train: &IdxFile,
        workers: &Workers,
    ) -> Result<Preprocessing> {
        let scaling = Scaling::fit(config.scale, train)?;
        Ok(Preprocessing::under(scaling, config, train, workers))
    }

    /// [`Preprocessing::for_run`] under a `scaling` that is known.
    pub fn under(
        scaling: Scaling,
        config: &TrainConfig,
        train: &IdxFile,
        workers: &Workers,
    ) -> Preprocessing {
        let windowed = config.window_for(train.header().items()).is_some();
        let columns = match windowed || config.moves_idle_weights() {
            true => Columns::all(train.header().features()),
            false => Columns::of(train, scaling, workers),
        };
        Preprocessing { scaling, columns }
    }

    /// All `features` as inputs under `scaling`: for a model, which no longer knows what it was trained on.
    pub fn whole(scaling: Scaling, features: usize) -> Preprocessing {
        Preprocessing {
            scaling,
            columns: Columns::all(features),
        }
    }
}
