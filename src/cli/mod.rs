//! The command line: parses arguments into settings of the library, and prints results.
//!
//! Each subcommand has a file. Several of them share `presets` (recipes and files of settings), `source` (where the
//! data are), `table` and `opening` (the data of commands that train), `threads` and `engine` (what computes),
//! `foreign` (data to convert), `stdin`, `signals` (Ctrl-C and other signals), and `progress` and `downloads` (the
//! `bar` on stderr); `time_to` starts processes. Results go to stdout, everything else to stderr.

mod bar;
mod bench;
mod cache_folder;
mod completions;
mod convert;
mod converted;
mod digits;
mod doctor;
mod downloads;
mod engine;
mod eval;
mod export;
mod failure;
mod fetch;
mod foreign;
mod import;
mod inspect;
mod man;
mod model;
mod opening;
mod origin;
mod predict;
mod prediction_file;
mod presets;
mod progress;
mod reading;
mod samples;
mod setting_flags;
mod shell;
mod short_help;
mod signals;
mod source;
mod spelling;
mod stdin;
mod table;
mod team;
mod threads;
mod time_to;
mod train;
mod tune;
mod values;

use std::error;
use std::io;
use std::num::{IntErrorKind, ParseFloatError, ParseIntError};
use std::process::ExitCode;

use clap::error::ContextKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use self::failure::{Failure, print_error, report};

const EXAMPLES: &str = "\
Examples:
  perceptor data fetch mnist                        download MNIST
  perceptor train                                   train on it
  perceptor train --data DIR --hidden 512,256 --activation relu --batch-size 128
  perceptor train --data houses.csv --target price  train on a table
  perceptor train --resume runs/train-1             resume a stopped run
  perceptor eval runs/train-1/model.safetensors     measure a model
  perceptor predict runs/train-1/model.safetensors IMAGES --format csv
  perceptor export runs/train-1/model.safetensors --to onnx";

const DATA_EXAMPLES: &str = "\
Examples:
  perceptor data fetch                            list data sets to download
  perceptor data fetch mnist                      download real MNIST into data/mnist
  perceptor data convert table.csv --labels species --out DIR
  perceptor data inspect DIR                      describe a data set, draw some samples
  perceptor data digits --out digits              generate handwritten digits";

const MODEL_EXAMPLES: &str = "\
Examples:
  perceptor model show runs/train-1/model.safetensors    network, inputs, outputs, training";

const EXIT_CODES: &str = "\
Exit codes:
  0  success
  1  a problem with a file, a data set, a model or the machine
  2  a wrong flag or setting
  3  training diverged: the loss is no longer finite; no model is written
  4  trained, but a checkpoint or another record of the run could not be written
  5  a mapped file was truncated while it was read
  70 a bug in perceptor
  128 + N  stopped by signal N, and the run is saved:
     129 SIGHUP, 130 SIGINT, 138 SIGUSR1, 140 SIGUSR2, 142 SIGALRM, 143 SIGTERM, 152 SIGXCPU";

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

/// Train dense neural networks on CPUs, fast: tables or IDX files in; model, accuracy and throughput out.
#[derive(Debug, Parser)]
#[command(version = VERSION, before_help = EXAMPLES, after_long_help = EXIT_CODES, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Train(Box<train::TrainArgs>),
    Tune(Box<tune::TuneArgs>),
    Eval(eval::EvalArgs),
    Predict(predict::PredictArgs),
    Export(export::ExportArgs),
    Import(import::ImportArgs),
    /// Show model files
    #[command(subcommand, before_help = MODEL_EXAMPLES)]
    Model(ModelCommand),
    Bench(bench::BenchArgs),
    /// Download, generate, convert and inspect data sets
    #[command(subcommand, before_help = DATA_EXAMPLES)]
    Data(DataCommand),
    Doctor(doctor::DoctorArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

#[derive(Debug, Subcommand)]
enum ModelCommand {
    Show(model::ShowArgs),
}

#[derive(Debug, Subcommand)]
enum DataCommand {
    Fetch(fetch::FetchArgs),
    Convert(Box<convert::ConvertArgs>),
    Digits(digits::DigitsArgs),
    Inspect(inspect::InspectArgs),
}

/// The parser of the whole command line.
fn command_line() -> clap::Command {
    Cli::command()
        .mut_subcommand("train", |command| {
            short_help::shorten(command, &short_help::TRAIN)
        })
        .mut_subcommand("tune", |command| {
            short_help::shorten(command, &short_help::TUNE)
        })
        .mut_subcommand("bench", |command| {
            short_help::shorten(command, &short_help::BENCH)
        })
}

/// Adds what a number may be to errors that only say what is wrong with it.
fn with_expectation(error: clap::Error) -> clap::Error {
    let source = error::Error::source(&error);
    let integer = source.and_then(|source| source.downcast_ref::<ParseIntError>());
    let expected = match integer.map(ParseIntError::kind) {
        Some(IntErrorKind::Zero) => "a whole number of at least 1",
        Some(IntErrorKind::PosOverflow) => "a smaller whole number",
        Some(_) => "a whole number",
        None if source.is_some_and(|source| source.is::<ParseFloatError>()) => "a number",
        None => return error,
    };
    let text = |kind| error.get(kind).map(ToString::to_string).unwrap_or_default();
    let (value, flag) = (
        text(ContextKind::InvalidValue),
        text(ContextKind::InvalidArg),
    );
    let message = format!("invalid value '{value}' for '{flag}': expected {expected}\n");
    clap::Error::raw(error.kind(), message).with_cmd(&command_line())
}

/// Parses the command line, runs the command, and returns its exit code.
pub fn run() -> ExitCode {
    let code = run_command();
    signals::end_soon(code);
    ExitCode::from(code)
}

fn run_command() -> u8 {
    signals::prepare();
    let matches = command_line()
        .try_get_matches()
        .unwrap_or_else(|error| with_expectation(error).exit());
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    // The arguments after the command's name; they also know which of them were typed.
    let (_, typed) = matches.subcommand().expect("the parser asks for a command");
    let done = match cli.command {
        Command::Train(args) => args.run(typed),
        Command::Tune(args) => args.run(typed),
        Command::Eval(args) => args.run(),
        Command::Predict(args) => args.run(),
        Command::Export(args) => args.run(),
        Command::Import(args) => args.run(),
        Command::Model(ModelCommand::Show(args)) => args.run(),
        Command::Bench(args) => args.run(),
        Command::Data(DataCommand::Fetch(args)) => args.run(),
        Command::Data(DataCommand::Convert(args)) => args.run(),
        Command::Data(DataCommand::Digits(args)) => args.run(),
        Command::Data(DataCommand::Inspect(args)) => args.run(),
        Command::Doctor(args) => args.run(),
        Command::Completions(args) => args.run(command_line()),
        Command::Man(args) => args.run(command_line()),
    };
    match done {
        Ok(()) => 0,
        // The reader has closed the pipe, as in `perceptor predict … | head`.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => 0,
        Err(Failure::Output(error)) => {
            let message = format!("stdout: {error}, expected to write the results there");
            print_error(&message.into(), None);
            1
        }
        Err(Failure::Reported(code)) => code,
        Err(Failure::Refused(error)) => report(&error),
    }
}
