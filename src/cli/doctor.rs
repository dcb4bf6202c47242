//! `perceptor doctor`.

use std::io::{self, Write};

use clap::Args;
use perceptor::doctor::{Question, Verdict, diagnose};
use perceptor::report::doctor::DoctorReport;

use super::cache_folder::cache_folder;
use super::engine::ComputeArgs;
use super::failure::Failure;
use super::spelling::Flags;
use super::values::Format;

const EXAMPLES: &str = "\
Examples:
  perceptor doctor
  perceptor doctor --threads 16                    check this number of workers
  perceptor doctor --format json > machine.json    for scripts and bug reports";

/// Describe this machine and this build, and check both for problems
///
/// The gradient of each engine is compared with a slow reference in double precision, and its bits for one worker
/// with those for several. Each problem comes with a remedy. The exit code is 1 if results or times cannot be
/// relied upon, and 0 if there are only warnings.
#[derive(Debug, Args)]
#[command(before_help = EXAMPLES)]
pub struct DoctorArgs {
    /// Output format: text, or one JSON object
    #[arg(long, help_heading = "Output", value_enum, default_value_t = Format::Text)]
    format: Format,
    #[command(flatten)]
    compute: ComputeArgs,
}

impl DoctorArgs {
    pub fn run(&self) -> Result<(), Failure> {
        let diagnosis = diagnose(&Question {
            engine: self.compute.engine,
            threads: self.compute.threads.threads.count(),
            cache_folder: cache_folder(),
        })
        .settled(&Flags);
        let report = DoctorReport::new(&diagnosis);
        match self.format {
            Format::Text => {
                let mut out = anstream::stdout().lock();
                report.write_text(&mut out)?;
                out.flush()?;
            }
            Format::Json => {
                let mut out = io::stdout().lock();
                report.write_json(&mut out)?;
                out.flush()?;
            }
        }
        match diagnosis.count(Verdict::Wrong) {
            0 => Ok(()),
            _ => Err(Failure::Reported(1)),
        }
    }
}
