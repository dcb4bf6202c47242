//! What keeps a network from learning its training set by heart.

use serde::{Deserialize, Serialize};

use super::Demand;

/// The settings of regularisation; by default there is none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RegularizationConfig {}

impl RegularizationConfig {
    /// One with a value in every option that may be none, for the list of keys.
    pub(super) fn full() -> RegularizationConfig {
        RegularizationConfig {}
    }

    pub(super) fn demands(&self) -> Vec<Demand> {
        Vec::new()
    }
}
