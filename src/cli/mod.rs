//! The command line: what is typed becomes settings of the library here and nowhere else.
//!
//! One file a subcommand; `source` finds the data and `engine` who computes for several of them, `time_to` starts
//! processes, `signals` hears the system, `progress` and `downloads` move the `bar` on stderr.
//! Results go to stdout, everything else to stderr.

mod bar;
mod bench;
mod convert;
mod digits;
mod doctor;
mod downloads;
mod engine;
mod eval;
mod export;
mod fetch;
mod import;
mod inspect;
mod or_none;
mod predict;
mod progress;
mod signals;
mod source;
mod spelling;
mod time_to;
mod train;
mod tune;

use std::io;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use perceptor::Error;
use perceptor::message::Message;

use self::spelling::Flags;

const EXAMPLES: &str = "\
Examples:
  perceptor train                                     train on data/mnist, or on generated digits
  perceptor train --data DIR --hidden 512,256 --activation relu --batch-size 128 --lr 0.05
  perceptor train --resume runs/train-1               go on with a run that was stopped
  perceptor tune --data DIR --time 10m                search for settings that suit the data
  perceptor eval runs/train-1/model.safetensors       measure a model, class by class
  perceptor predict runs/train-1/model.safetensors IMAGES --format csv
  perceptor export runs/train-1/model.safetensors --to onnx
  perceptor data inspect DIR                          look at what is in a data set
  perceptor doctor                                    see whether machine and build are as they should be";

const DATA_EXAMPLES: &str = "\
Examples:
  perceptor data fetch mnist               real MNIST into data/mnist; without a name, what there is
  perceptor data convert table.csv --labels species --out DIR    CSV, NPY, NPZ or PNG to IDX
  perceptor data inspect DIR               what is in a folder or a file, with a few items drawn
  perceptor data digits --out digits       write a data set of generated digits";

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  a file, a data set, a model or the machine is not as it should be
  2  a flag or setting is wrong
  3  training diverged: the loss is no longer finite; no model is written
  4  trained, but a checkpoint or another record of the run could not be written
  5  a mapped file was cut short while it was read
  70 a mistake in perceptor itself
  129, 130, 143  stopped by SIGHUP, SIGINT or SIGTERM, the run saved";

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
    Train(Box<train::TrainArgs>),
    Tune(Box<tune::TuneArgs>),
    Eval(eval::EvalArgs),
    Predict(predict::PredictArgs),
    Export(export::ExportArgs),
    Import(import::ImportArgs),
    Bench(bench::BenchArgs),
    /// Fetch, make, convert and look at data sets
    #[command(subcommand, before_help = DATA_EXAMPLES)]
    Data(DataCommand),
    Doctor(doctor::DoctorArgs),
}

#[derive(Debug, Subcommand)]
enum DataCommand {
    Fetch(fetch::FetchArgs),
    Convert(Box<convert::ConvertArgs>),
    Digits(digits::DigitsArgs),
    Inspect(inspect::InspectArgs),
}

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
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
    /// Something is wrong, and all is said about it but this exit code.
    Told(u8),
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
    signals::heed_cut_files();
    let command = Cli::command().mut_subcommand("train", train::common_first);
    let matches = command.get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    // What was typed after the command's name, with whether it was typed at all.
    let (_, typed) = matches.subcommand().expect("the parser asks for a command");
    let done = match cli.command {
        Command::Train(args) => args.run(typed),
        Command::Tune(args) => args.run(typed),
        Command::Eval(args) => args.run(),
        Command::Predict(args) => args.run(),
        Command::Export(args) => args.run(),
        Command::Import(args) => args.run(),
        Command::Bench(args) => args.run(),
        Command::Data(DataCommand::Fetch(args)) => args.run(),
        Command::Data(DataCommand::Convert(args)) => args.run(),
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
            let message = format!("stdout: {error}, expected to write the results there");
            complain(&message.into(), None);
            ExitCode::from(1)
        }
        Err(Failure::Told(code)) => ExitCode::from(code),
        Err(Failure::Refused(error)) => ExitCode::from(refuse(&error)),
    }
}

/// Says why the library refused, and gives the exit code for it.
fn refuse(error: &Error) -> u8 {
    complain(&error.message(), error.hint().as_ref());
    match error {
        Error::Config(_) => 2,
        Error::Diverged { .. } => 3,
        _ => 1,
    }
}

/// Prints an error and its hint to stderr, in colour where that is a terminal that wants it.
fn complain(message: &Message, hint: Option<&Message>) {
    let (error, cure) = (bold(AnsiColor::Red), bold(AnsiColor::Cyan));
    let message = message.spelled(&Flags);
    anstream::eprintln!("{error}error{error:#}: {message}");
    if let Some(hint) = hint {
        let hint = hint.spelled(&Flags);
        anstream::eprintln!("{cure}hint{cure:#}: {hint}");
    }
}

fn bold(color: AnsiColor) -> Style {
    Style::new().bold().fg_color(Some(color.into()))
}
