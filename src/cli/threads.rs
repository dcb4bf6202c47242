//! `--threads`, and the number of worker threads without it: all cores that this process may use.

use std::num::NonZeroUsize;

use clap::Args;
use perceptor::Result;
use perceptor::compute::parallel::Workers;

#[derive(Debug, Args)]
pub struct ThreadsArg {
    /// Worker threads [default: all cores this process may use]; the result does not depend on it
    #[arg(long, value_name = "N", help_heading = "Compute")]
    pub threads: Option<NonZeroUsize>,
}

impl ThreadsArg {
    /// Starts the workers.
    pub fn workers(&self) -> Result<Workers> {
        workers(self.threads)
    }
}

/// Starts `threads` workers or, for `None`, one for each core that this process may use.
pub fn workers(threads: Option<NonZeroUsize>) -> Result<Workers> {
    Workers::new(threads.unwrap_or_else(Workers::available))
}
