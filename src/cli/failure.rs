//! Why a command failed, and how that is printed.

use std::io;

use anstyle::{AnsiColor, Style};
use perceptor::Error;
use perceptor::message::Message;

use super::spelling::Flags;

/// Why a command failed.
#[derive(Debug)]
pub enum Failure {
    /// The library returned an error.
    Refused(Error),
    /// Results could not be written to stdout.
    Output(io::Error),
    /// The error is reported already; only the exit code is left.
    Reported(u8),
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

/// Prints an error of the library, and returns its exit code.
pub fn report(error: &Error) -> u8 {
    print_error(&error.message(), error.hint().as_ref());
    match error {
        Error::Config(_) => 2,
        Error::Diverged { .. } => 3,
        _ => 1,
    }
}

/// Prints an error and its hint to stderr, in colour if that is a terminal.
pub fn print_error(message: &Message, hint: Option<&Message>) {
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
