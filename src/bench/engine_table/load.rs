//! What an engine would compute.

use crate::config::CheckedConfig;
use crate::data::Dataset;
use crate::data::fit_sparsity::BREAK_EVEN;
use crate::nn::Spec;
use crate::train::prepare::density_if_skipped;

/// A network that an engine trains or runs.
#[derive(Debug, Clone, Copy)]
pub struct Load<'a> {
    /// The network.
    pub spec: &'a Spec,
    /// The number of samples in a batch.
    pub batch_size: usize,
    /// The time of the first layer with the native engine, as a share of its time without zeros among the inputs.
    pub first_layer: f64,
}

impl<'a> Load<'a> {
    /// A network on inputs without zeros.
    pub fn dense(spec: &'a Spec, batch_size: usize) -> Load<'a> {
        Load {
            spec,
            batch_size,
            first_layer: 1.0,
        }
    }

    /// The training of `spec` on `train`, some of whose rows are read to see whether zeros are skipped. A
    /// run that starts from a model is taken to have one pair of numbers for all features.
    pub fn training(config: &CheckedConfig, spec: &'a Spec, train: &Dataset) -> Load<'a> {
        let batch_size = config.batch_for(train.samples());
        let density = density_if_skipped(config, train, None);
        Load {
            // As fast as without skipping at the density from which on zeros are skipped, and in proportion below.
            first_layer: density.map_or(1.0, |density| density / BREAK_EVEN),
            ..Load::dense(spec, batch_size)
        }
    }
}
