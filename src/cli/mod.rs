//! The command line: what is typed becomes settings of the library here and nowhere else.
//!
//! One file a subcommand; `source` finds the data that several of them take, `progress` owns the bar on stderr.
//! Results go to stdout, everything else to stderr.

mod bench;
mod digits;
mod doctor;
mod eval;
mod export;
mod import;
mod inspect;
mod predict;
mod progress;
mod source;
mod train;

use std::io;
use std::num::NonZeroUsize;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use perceptor::Error;
use perceptor::compute::Engine;
use perceptor::compute::parallel::Workers;

const EXAMPLES: &str = "\
Examples:
  perceptor train                                     train on data/mnist, or on generated digits
  perceptor train --data DIR --hidden 512,256 --activation relu --batch-size 128 --lr 0.05
  perceptor eval runs/train-1/model.safetensors       measure a model, class by class
  perceptor predict runs/train-1/model.safetensors IMAGES --format csv
  perceptor export runs/train-1/model.safetensors --to onnx
  perceptor data inspect DIR                          look at what is in a data set
  perceptor doctor                                    see whether machine and build are as they should be";

const DATA_EXAMPLES: &str = "\
Examples:
  perceptor data inspect DIR               what is in a folder or a file, with a few items drawn
  perceptor data digits --out digits       write a data set of generated digits";

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  a file, a data set, a model or the machine is not as it should be
  2  a flag or setting is wrong
  3  training diverged: the loss is no longer finite; no model is written
  70 a mistake in perceptor itself";

const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (",
    env!("PERCEPTOR_REVISION"),
    ", ",
    env!("PERCEPTOR_TARGET"),
    ", ",
    env!("PERCEPTOR_FEATURES"),
    ")"
);

/// Train dense neural networks on CPUs, fast: IDX files in; model, accuracy and throughput out.
#[derive(Debug, Parser)]
#[command(version = VERSION, before_help = EXAMPLES, after_help = EXIT_CODES, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Train(train::TrainArgs),
    Eval(eval::EvalArgs),
    Predict(predict::PredictArgs),
    Export(export::ExportArgs),
    Import(import::ImportArgs),
    Bench(bench::BenchArgs),
    /// Make and look at data sets
    #[command(subcommand, before_help = DATA_EXAMPLES)]
    Data(DataCommand),
    Doctor(doctor::DoctorArgs),
}

#[derive(Debug, Subcommand)]
enum DataCommand {
    Digits(digits::DigitsArgs),
    Inspect(inspect::InspectArgs),
}

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

#[derive(Debug, Args)]
struct ThreadsArg {
    /// Worker threads [default: all cores this process may use]. The result does not depend on it
    #[arg(long, value_name = "N", help_heading = "Compute")]
    threads: Option<NonZeroUsize>,
}

impl ThreadsArg {
    fn workers(&self) -> perceptor::Result<Workers> {
        Workers::new(self.threads.unwrap_or_else(Workers::available))
    }
}

#[derive(Debug, Args)]
struct ComputeArgs {
    #[command(flatten)]
    threads: ThreadsArg,
    /// Who computes: our own kernels (native), OpenBLAS, or portable Rust; auto takes native where the
    /// processor has AVX-512 or AVX2, else OpenBLAS where it is built in
    #[arg(long, help_heading = "Compute", default_value = Engine::default().name(), value_parser = named(Engine::ALL, Engine::name))]
    engine: Engine,
}

/// A parser that takes the names of `values`.
fn named<T: Copy + Send + Sync + 'static, const N: usize>(
    values: [T; N],
    name: fn(T) -> &'static str,
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(values.map(name)).try_map(move |text| {
        let found = values.into_iter().find(|&value| name(value) == text);
        found.ok_or("no such value")
    })
}

/// The widths of the hidden layers, as one value of one flag.
#[derive(Debug, Clone)]
struct Hidden(Vec<usize>);

fn parse_hidden(text: &str) -> Result<Hidden, String> {
    if text == "none" {
        return Ok(Hidden(Vec::new()));
    }
    let widths = text.split(',').map(|width| width.trim().parse());
    let widths: Result<Vec<usize>, _> = widths.collect();
    widths
        .map(Hidden)
        .map_err(|_| "expected widths joined by commas, as 512,256, or none".to_owned())
}

/// What ends a command early.
#[derive(Debug)]
enum Failure {
    /// The library refused.
    Refused(Error),
    /// Results could not be written to stdout.
    Output(io::Error),
    /// Something is wrong, and the results say so themselves.
    Told,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Refused(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Output(error)
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Failure {
        Failure::Output(error.into())
    }
}

/// Parses the command line, runs the command, and says how it ended.
pub fn run() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Train(args) => args.run(),
        Command::Eval(args) => args.run(),
        Command::Predict(args) => args.run(),
        Command::Export(args) => args.run(),
        Command::Import(args) => args.run(),
        Command::Bench(args) => args.run(),
        Command::Data(DataCommand::Digits(args)) => args.run(),
        Command::Data(DataCommand::Inspect(args)) => args.run(),
        Command::Doctor(args) => args.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read our output has seen enough: `perceptor predict … | head`.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(Failure::Output(error)) => {
            complain(
                &format!("stdout: {error}, expected to write the results there"),
                None,
            );
            ExitCode::from(1)
        }
        Err(Failure::Told) => ExitCode::from(1),
        Err(Failure::Refused(error)) => {
            complain(&error.to_string(), error.hint().as_deref());
            ExitCode::from(match error {
                Error::Config(_) => 2,
                Error::Diverged { .. } => 3,
                _ => 1,
            })
        }
    }
}

/// Prints an error and its hint to stderr, in colour where that is a terminal that wants it.
fn complain(message: &str, hint: Option<&str>) {
    let (error, cure) = (bold(AnsiColor::Red), bold(AnsiColor::Cyan));
    anstream::eprintln!("{error}error{error:#}: {message}");
    if let Some(hint) = hint {
        anstream::eprintln!("{cure}hint{cure:#}: {hint}");
    }
}

fn bold(color: AnsiColor) -> Style {
    Style::new().bold().fg_color(Some(color.into()))
}
