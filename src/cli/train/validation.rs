//! Flags of validation and of a run's early end.

use clap::Args;
use perceptor::config::ValidationConfig;

use super::settings::Given;

#[derive(Debug, Args)]
#[command(next_help_heading = "Validation")]
pub struct ValidationArgs {}

impl ValidationArgs {
    /// Puts the flags that were given over `config`.
    pub(super) fn over(&self, _config: &mut ValidationConfig, _given: Given) {}
}
