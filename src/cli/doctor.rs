//! `perceptor doctor`.

use std::io::{self, Write};

use clap::Args;
use perceptor::doctor::{Question, Verdict, diagnose};
use perceptor::report::doctor::DoctorReport;

use super::engine::ComputeArgs;
use super::source::cache_folder;
use super::spelling::Flags;
use super::{Failure, Format};

const EXAMPLES: &str = "\
Examples:
  perceptor doctor
  perceptor doctor --threads 16                       would that many workers do well here?
  perceptor doctor --format json > machine.json       for machines, and for reports of mistakes";

/// Show what this machine and this build are, and whether something is wrong with them
///
/// Every engine's gradient is held against a slow reference in double precision, and its bits for one worker
/// against those for several. Each finding that is not well comes with a cure. The exit code is 1 when something
/// is wrong: when results or times are not to be relied upon; warnings alone leave it at 0.
#[derive(Debug, Args)]
#[command(before_help = EXAMPLES)]
pub struct DoctorArgs {
    /// Text, or one JSON object
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    #[command(flatten)]
    compute: ComputeArgs,
}

impl DoctorArgs {
    pub fn run(&self) -> Result<(), Failure> {
        let diagnosis = diagnose(&Question {
            engine: self.compute.engine,
            threads: self.compute.threads.threads,
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
                serde_json::to_writer_pretty(&mut out, &report)?;
                writeln!(out)?;
                out.flush()?;
            }
        }
        match diagnosis.count(Verdict::Wrong) {
            0 => Ok(()),
            _ => Err(Failure::Told(1)),
        }
    }
}
