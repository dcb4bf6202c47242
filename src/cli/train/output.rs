//! The flags of `perceptor train` about output: the folder of the run, and what is printed.

use std::path::PathBuf;

use clap::Args;

use crate::cli::engine::VerboseArg;
use crate::cli::values::Format;

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// Folder of the run [default: runs/train-N, N the next free number]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Write into the folder of --out although it has files of a run
    ///
    /// Its checkpoints and metrics are replaced at once, its model at the end.
    #[arg(long, requires = "out")]
    pub exist_ok: bool,
    /// Text, or one JSON object on stdout
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Print the time of each phase, compared with the peak of the cores; always part of --format json
    #[arg(long)]
    pub profile: bool,
    /// Print neither banner nor progress on stderr
    #[arg(long, short)]
    pub quiet: bool,
    #[command(flatten)]
    pub verbose: VerboseArg,
}
