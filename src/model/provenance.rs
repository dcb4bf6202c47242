//! What is recorded of the training of a model, and of the model that it started from.

use serde::{Deserialize, Serialize};

use crate::config::TrainConfig;
use crate::data::{Extent, Scaling};
use crate::scores::SetScores;

/// How a model was trained. Nothing in it depends on the number of threads, on time or on paths, so that the same run
/// writes the same file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// The version of the program.
    pub version: String,
    /// The revision of its source.
    pub revision: String,
    /// The engine that trained it: native with its instruction set, or a library with version and kernels.
    pub engine: String,
    /// The settings of the run.
    pub config: TrainConfig,
    /// Number of training samples.
    pub train_items: usize,
    /// What the elements of the training samples were; `None` for a table, and in files of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elements: Option<Extent>,
    /// XXH3 of the parameters of the model that training started from, in hexadecimal; `None` for drawn weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init_from: Option<String>,
    /// The epoch that the model is from, counted from 1, if validation data selected it; `None` for the last epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_epoch: Option<usize>,
    /// Mean training loss over its epoch.
    pub train_loss: f64,
    /// Loss and accuracy on the validation set and on the test set after that epoch.
    #[serde(flatten)]
    pub scores: SetScores,
}

/// The model that a run started from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    /// How elements became its inputs, for [`crate::data::Scale::Model`].
    pub scaling: Scaling,
    /// XXH3 of its parameters as little-endian `f32`s, in hexadecimal.
    pub parameters: String,
}
