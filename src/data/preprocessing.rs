//! How an item becomes the inputs of a network: which features it sees, and how their elements are scaled.
//!
//! Fixed once by the training set, and used for every item of any set from then on.

use super::columns;
use super::idx::IdxFile;
use super::scaling::{Scale, Scaling};
use crate::compute::parallel::Workers;
use crate::error::Result;
use crate::nn::Columns;

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
            columns: columns::fit(train, scaling, workers),
            scaling,
        })
    }

    /// All `features` as inputs under `scaling`: for a model, which no longer knows what it was trained on.
    pub fn whole(scaling: Scaling, features: usize) -> Preprocessing {
        Preprocessing {
            scaling,
            columns: Columns::all(features),
        }
    }
}
