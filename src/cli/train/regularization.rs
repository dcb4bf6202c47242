//! Flags of regularisation.

use clap::Args;
use perceptor::config::RegularizationConfig;

use super::settings::Given;

#[derive(Debug, Args)]
#[command(next_help_heading = "Regularisation")]
pub struct RegularizationArgs {}

impl RegularizationArgs {
    /// Puts the flags that were given over `config`.
    pub(super) fn over(&self, _config: &mut RegularizationConfig, _given: Given) {}
}
