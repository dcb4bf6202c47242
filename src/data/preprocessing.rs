//! How a row becomes the inputs of a network: which features are inputs, and how their elements are scaled.
//!
//! It is fitted once, to the training set, and used for every row of every set.

use std::borrow::Cow;

use super::fit_columns::fit_columns;
use super::fit_scaling::fit_scaling;
use super::rows::Rows;
use super::scaling::{GlobalScaling, Scale, Scaling};
use crate::compute::parallel::Workers;
use crate::error::Result;
use crate::nn::Columns;

/// The map from the rows of a data set to the inputs of a network.
#[derive(Debug, Clone, PartialEq)]
pub struct Preprocessing {
    /// How elements become inputs.
    pub scaling: Scaling,
    /// Which features are inputs.
    pub columns: Columns,
}

impl Preprocessing {
    /// Fits `scale` to the training rows, and leaves out the features whose inputs are zero in all of them.
    ///
    /// # Errors
    /// Returns the errors of [`fit_scaling`].
    pub fn fit(scale: Scale, train: &Rows, workers: &Workers) -> Result<Preprocessing> {
        let scaling = fit_scaling(scale, train, workers)?;
        Ok(Preprocessing {
            columns: fit_columns(train, &scaling, workers),
            scaling,
        })
    }

    /// How elements become the inputs that the first layer takes: without the offset if the layer subtracts it.
    ///
    /// # Panics
    /// Panics if the layer subtracts an offset and features have their own.
    pub fn input_scaling(&self) -> Cow<'_, Scaling> {
        if self.columns.sparsity().is_none() {
            return Cow::Borrowed(&self.scaling);
        }
        let pair = self.scaling.as_global();
        let GlobalScaling { factor, .. } = pair.expect("one offset, which the layer subtracts");
        Cow::Owned(Scaling::global(0.0, factor))
    }

    /// Uses all `features` as inputs under `scaling`, as for a model, which does not contain its training set.
    pub fn of_all_columns(scaling: Scaling, features: usize) -> Preprocessing {
        Preprocessing {
            scaling,
            columns: Columns::all(features),
        }
    }
}
