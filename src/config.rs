//! The settings of a training run: checked once, then trusted.
//!
//! Not here are the data, which have their own checks, and the number of threads, which is an argument of
//! the workers and changes no bit of the result.

use serde::{Deserialize, Serialize};

use crate::compute::Engine;
use crate::data::Scale;
use crate::error::{Error, Refusal, Result};
use crate::nn::{Activation, Init};

/// Everything that decides what a run computes, beside the data. The default is the network of the classic
/// tutorial: one hidden layer of 100 sigmoid units.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrainConfig {
    /// Widths of the hidden layers; empty for softmax regression.
    pub hidden: Vec<usize>,
    /// The activation of every hidden layer.
    pub activation: Activation,
    /// How weights start.
    pub init: Init,
    /// What every bias starts at.
    pub bias_init: f32,
    /// How elements become inputs.
    pub scale: Scale,
    /// Passes over the training set.
    pub epochs: usize,
    /// Items that are shuffled among themselves, for files larger than memory; none for a full permutation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shuffle_window: Option<usize>,
    /// Samples a step; a larger one than the training set is the whole set.
    pub batch_size: usize,
    /// The learning rate η (`--lr`), on the mean gradient of a batch.
    #[serde(alias = "lr")]
    pub learning_rate: f32,
    /// The momentum μ, 0 to below 1.
    pub momentum: f32,
    /// Where all randomness comes from.
    pub seed: u64,
    /// Who computes the products. Engines differ in the last bits.
    pub engine: Engine,
}

impl Default for TrainConfig {
    fn default() -> TrainConfig {
        TrainConfig {
            hidden: vec![100],
            activation: Activation::default(),
            init: Init::default(),
            bias_init: 0.0,
            scale: Scale::default(),
            epochs: 10,
            shuffle_window: None,
            batch_size: 32,
            learning_rate: 0.1,
            momentum: 0.9,
            seed: 1,
            engine: Engine::default(),
        }
    }
}

impl TrainConfig {
    /// The window to shuffle `items` in; none where that would hold them all.
    pub fn window_for(&self, items: usize) -> Option<usize> {
        self.shuffle_window.filter(|&window| window < items)
    }

    /// Holds every setting against its range.
    ///
    /// # Errors
    /// [`Error::Config`], naming the flag of the first setting that is out of range.
    pub fn check(&self) -> Result<()> {
        let rate = self.learning_rate;
        let window = self.shuffle_window.unwrap_or(1);
        let demands = [
            (
                !self.hidden.contains(&0),
                "--hidden",
                format!("{:?}", self.hidden),
                "widths of at least 1",
            ),
            (
                self.bias_init.is_finite(),
                "--bias-init",
                self.bias_init.to_string(),
                "a finite number",
            ),
            (
                (1..=u32::MAX as usize).contains(&self.epochs),
                "--epochs",
                self.epochs.to_string(),
                "1 to 4294967295",
            ),
            (
                (1..=u32::MAX as usize).contains(&self.batch_size),
                "--batch-size",
                self.batch_size.to_string(),
                "1 to 4294967295",
            ),
            (
                (1..=u32::MAX as usize).contains(&window),
                "--shuffle-window",
                window.to_string(),
                "1 to 4294967295",
            ),
            (
                rate.is_finite() && rate > 0.0,
                "--lr",
                rate.to_string(),
                "a finite number above 0",
            ),
            (
                (0.0..1.0).contains(&self.momentum),
                "--momentum",
                self.momentum.to_string(),
                "0 to below 1",
            ),
        ];
        match demands.into_iter().find(|(met, ..)| !met) {
            None => Ok(()),
            Some((_, flag, found, expected)) => {
                Err(Error::Config(Refusal::new(flag, found, expected)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_that_holds_the_whole_set_is_none() {
        let with = |shuffle_window| TrainConfig {
            shuffle_window,
            ..TrainConfig::default()
        };
        assert_eq!(with(Some(99)).window_for(100), Some(99));
        assert_eq!(with(Some(100)).window_for(100), None);
        assert_eq!(with(None).window_for(100), None);
    }
}
