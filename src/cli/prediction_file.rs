//! Where predictions are written: standard output, or a file that appears when it is complete.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use perceptor::durable;

use super::export::{check_free, refuse_existing};
use super::failure::Failure;
use super::stdin::is_stdin;

/// Where predictions are written.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// File to write, or - for stdout [default: -]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace an existing file
    #[arg(long, requires = "out")]
    force: bool,
}

impl OutputArgs {
    /// Returns the file; `None` for standard output.
    pub fn path(&self) -> Option<&Path> {
        self.out.as_deref().filter(|path| !is_stdin(path))
    }

    /// Checks that the file can be written, which is not one of `sources`.
    ///
    /// # Errors
    /// Returns an error if it exists and need not be replaced.
    pub fn check(&self, sources: &[&Path]) -> Result<(), Failure> {
        for source in sources {
            if let Some(path) = self.path() {
                check_free(path, self.force, source)?;
            }
        }
        Ok(())
    }

    /// Writes what `fill` writes.
    ///
    /// # Errors
    /// Returns the errors of `fill` and of the file. No file is left then.
    pub fn write(
        &self,
        fill: impl FnOnce(&mut dyn Write) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let Some(path) = self.path() else {
            let mut out = BufWriter::new(io::stdout().lock());
            fill(&mut out)?;
            return Ok(out.flush()?);
        };
        let mut refused = None;
        let fill = |out: &mut dyn Write| match fill(out) {
            Ok(()) => Ok(()),
            Err(Failure::Output(error)) => Err(error),
            Err(other) => {
                refused = Some(other);
                Err(io::Error::other("the predictions failed"))
            }
        };
        let written = match self.force {
            true => durable::write_atomically(path, fill),
            false => durable::write_new(path, fill).map_err(|error| refuse_existing(path, error)),
        };
        match refused {
            Some(refused) => Err(refused),
            None => Ok(written?),
        }
    }
}
