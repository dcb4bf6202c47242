//! `--threads` of commands that do not train, and the workers of all commands.

use clap::Args;
use perceptor::Result;
use perceptor::compute::parallel::Workers;
use perceptor::config::Threads;

#[derive(Debug, Args)]
pub struct ThreadsArg {
    /// Worker threads, or auto for all cores this process may use; the result does not depend on it
    #[arg(long, value_name = "N", help_heading = "Compute", default_value_t, value_parser = parse)]
    pub threads: Threads,
}

impl ThreadsArg {
    /// Starts the workers.
    pub fn workers(&self) -> Result<Workers> {
        workers(self.threads)
    }
}

/// Starts this number of workers or, for `auto`, one for each core that this process may use.
pub fn workers(threads: Threads) -> Result<Workers> {
    Workers::new(threads.count().unwrap_or_else(Workers::available))
}

fn parse(text: &str) -> std::result::Result<Threads, String> {
    text.parse()
}
