//! The scores of a network on one data set.

use serde::{Deserialize, Serialize};

/// What a network scores on a data set: its loss, and the metrics of its task. Metrics of other tasks are `None`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Mean loss over the samples, without class weights and label smoothing. Cross-entropies are in nats.
    pub loss: f64,
    /// Share of samples that are predicted correctly, 0 to 1: their class, or every one of their labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// F1 over all labels of all samples, 0 to 1: the harmonic mean of precision and recall.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub f1: Option<f64>,
    /// Mean absolute error, averaged over the outputs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mae: Option<f64>,
    /// R², the share of the variance that the predictions explain, averaged over the outputs whose true
    /// numbers differ; `None` if no output has such. It is at most 1, and 0 for a network that always predicts the mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r2: Option<f64>,
}

impl Score {
    /// A score that has only a loss.
    pub fn of_loss(loss: f64) -> Score {
        Score {
            loss,
            accuracy: None,
            f1: None,
            mae: None,
            r2: None,
        }
    }
}
