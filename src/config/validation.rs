//! What is held out of the training set, and when a run ends before its last epoch.

use serde::{Deserialize, Serialize};

use super::Demand;

/// The settings of validation; by default nothing is held out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ValidationConfig {}

impl ValidationConfig {
    /// One with a value in every option that may be none, for the list of keys.
    pub(super) fn full() -> ValidationConfig {
        ValidationConfig {}
    }

    pub(super) fn demands(&self) -> Vec<Demand> {
        Vec::new()
    }
}
