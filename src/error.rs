//! The one error type of the library.
//!
//! Every refusal reads `<where>: <found>, expected <what>` and may carry a hint, which the command
//! line prints on a line of its own. Nothing here decides how a process ends: `main` maps the
//! variants to exit codes.

use std::io;
use std::path::{Path, PathBuf};

use crate::message::{Key, Message, message};

/// The result of every fallible function of this library.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The errors of this library, by what the user has to change.
///
/// ```
/// use perceptor::{Error, Model};
///
/// let missing = Model::load("no/such/file".as_ref());
/// assert!(matches!(missing, Err(Error::Io { .. })));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A data file or a data set is malformed, or does not fit the rest of the data.
    #[error("{0}")]
    Data(Refusal),
    /// A setting is out of its range.
    #[error("{0}")]
    Config(Refusal),
    /// A model file is damaged, or does not fit the data.
    #[error("{0}")]
    Model(Refusal),
    /// A checkpoint is damaged; an older one may be intact.
    #[error("{0}")]
    Checkpoint(Refusal),
    /// A run cannot be resumed from its folder, on this machine or on these data.
    #[error("{0}")]
    Run(Refusal),
    /// The linear algebra library does not follow its settings.
    #[error("{0}")]
    Blas(Refusal),
    /// The operating system did not grant memory for the network, a batch or a copy of the data.
    #[error("{0}")]
    Memory(Refusal),
    /// A call of the operating system failed.
    #[error("{}: could not {action}: {source}", path.display())]
    Io {
        /// The file or folder concerned.
        path: PathBuf,
        /// What was attempted, as a verb with its object: `read the header`.
        action: &'static str,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A checkpoint could not be saved, and there is no older one.
    #[error("{0}, and no older checkpoint stands")]
    Unsaved(Box<Error>),
    /// The loss, or a weight, is no longer a finite number.
    #[error("epoch {epoch}, step {step}: {what} is {value}, expected a finite number")]
    Diverged {
        /// The epoch, counted from 1.
        epoch: usize,
        /// The step within the epoch, counted from 1.
        step: usize,
        /// What is not finite: the training loss, the test loss or a weight.
        what: &'static str,
        /// Its value.
        value: f64,
        /// The learning rate in force.
        learning_rate: f32,
        /// What probably made it so.
        suspect: Suspect,
    },
}

/// What probably made a loss or a weight infinite.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Suspect {
    /// The learning rate.
    LearningRate,
    /// Numbers to predict of about this size, which are not standardised.
    Targets(f64),
    /// Inputs of about this size, which are not scaled.
    Inputs(f64),
}

impl Suspect {
    /// What to do about it, in one line; `lower` is how to lower the learning rate.
    pub(crate) fn hint(self, lower: Message) -> Message {
        let size = |size: f64| match size {
            ..1e7 => format!("{size:.0}"),
            _ => format!("{size:.1e}"),
        };
        match self {
            Suspect::LearningRate => lower,
            Suspect::Targets(of) => message![
                format!(
                    "the numbers to predict are about {} in size: standardise them with ",
                    size(of)
                ),
                Key("target_scale").set_to("standard")
            ],
            Suspect::Inputs(of) => message![
                format!(
                    "the inputs are about {} in size: scale them with ",
                    size(of)
                ),
                Key("scale").set_to("standard")
            ],
        }
    }
}

/// Why an input was refused: `<place>: <found>, expected <expected>`.
///
/// ```
/// use perceptor::Refusal;
///
/// let refusal = Refusal::new("epochs", "0", "1 to 4294967295").hint("leave it out for 10");
/// assert_eq!(refusal.to_string(), "epochs: 0, expected 1 to 4294967295");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {found}, expected {expected}")]
pub struct Refusal {
    /// The file, setting or tensor concerned.
    pub place: Message,
    /// What was found there.
    pub found: Message,
    /// What is accepted.
    pub expected: Message,
    /// What to do about it, if known.
    pub hint: Option<Message>,
}

impl Refusal {
    /// Creates a refusal without a hint.
    pub fn new(
        place: impl Into<Message>,
        found: impl Into<Message>,
        expected: impl Into<Message>,
    ) -> Refusal {
        Refusal {
            place: place.into(),
            found: found.into(),
            expected: expected.into(),
            hint: None,
        }
    }

    /// Returns the text of [`Display`](std::fmt::Display), in which the names of settings are not spelled yet.
    fn message(&self) -> Message {
        message![
            &self.place,
            ": ",
            &self.found,
            ", expected ",
            &self.expected
        ]
    }

    /// Returns the same refusal with a hint.
    pub fn hint(self, hint: impl Into<Message>) -> Refusal {
        Refusal {
            hint: Some(hint.into()),
            ..self
        }
    }
}

impl Error {
    /// Returns a function for [`std::result::Result::map_err`] on calls of the operating system.
    pub(crate) fn io(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> Error {
        move |source| Error::Io {
            path: path.to_owned(),
            action,
            source,
        }
    }

    /// Returns the text of [`Display`](std::fmt::Display), in which the names of settings are not spelled yet.
    pub fn message(&self) -> Message {
        match self {
            Error::Data(refusal)
            | Error::Config(refusal)
            | Error::Model(refusal)
            | Error::Checkpoint(refusal)
            | Error::Run(refusal)
            | Error::Memory(refusal)
            | Error::Blas(refusal) => refusal.message(),
            Error::Unsaved(error) => {
                message![error.message(), ", and no older checkpoint stands"]
            }
            Error::Io { .. } | Error::Diverged { .. } => Message::from(self.to_string()),
        }
    }

    /// Returns the same error with another refusal, if it has one.
    pub fn map_refusal(self, map: impl FnOnce(Refusal) -> Refusal) -> Error {
        match self {
            Error::Data(refusal) => Error::Data(map(refusal)),
            Error::Config(refusal) => Error::Config(map(refusal)),
            Error::Model(refusal) => Error::Model(map(refusal)),
            Error::Checkpoint(refusal) => Error::Checkpoint(map(refusal)),
            Error::Run(refusal) => Error::Run(map(refusal)),
            Error::Memory(refusal) => Error::Memory(map(refusal)),
            Error::Blas(refusal) => Error::Blas(map(refusal)),
            error @ (Error::Io { .. } | Error::Unsaved(_) | Error::Diverged { .. }) => error,
        }
    }

    /// Returns the same error about a file that the user knows as `name`, and not as `path`.
    #[must_use]
    pub fn renamed(self, path: &Path, name: &str) -> Error {
        let text = path.display().to_string();
        let replaced = |message: &Message| message.replaced(&text, name);
        match self {
            Error::Io {
                path: found,
                action,
                source,
            } => Error::Io {
                path: if found == path { name.into() } else { found },
                action,
                source,
            },
            other => other.map_refusal(|refusal| Refusal {
                place: replaced(&refusal.place),
                found: replaced(&refusal.found),
                expected: replaced(&refusal.expected),
                hint: refusal.hint.as_ref().map(replaced),
            }),
        }
    }

    /// Returns the same error with what probably made a loss or a weight infinite, if it is that error.
    pub(crate) fn suspecting(self, find: impl FnOnce() -> Suspect) -> Error {
        match self {
            Error::Diverged {
                epoch,
                step,
                what,
                value,
                learning_rate,
                ..
            } => Error::Diverged {
                epoch,
                step,
                what,
                value,
                learning_rate,
                suspect: find(),
            },
            other => other,
        }
    }

    /// Returns what the user can do about it, in one line, if known.
    pub fn hint(&self) -> Option<Message> {
        match self {
            Error::Data(refusal)
            | Error::Config(refusal)
            | Error::Model(refusal)
            | Error::Checkpoint(refusal)
            | Error::Run(refusal)
            | Error::Memory(refusal)
            | Error::Blas(refusal) => refusal.hint.clone(),
            Error::Diverged {
                learning_rate,
                suspect,
                ..
            } => {
                let rate = f64::from(*learning_rate);
                Some(suspect.hint(message![
                    format!(
                        "the learning rate of {} is probably too high; try ",
                        short(rate)
                    ),
                    Key("learning_rate").set_to(short(rate / 10.0)),
                ]))
            }
            Error::Unsaved(_) => Some(message![
                "training ended here, as all of it could be lost; give ",
                Key("checkpoint_every").set_to("never"),
                " to train all the same",
            ]),
            Error::Io { source, .. } => limit_hint(source).map(Message::from),
        }
    }
}

/// A number to three digits, as the quotient of 32-bit numbers has more than anyone typed.
fn short(number: f64) -> String {
    let short: f64 = format!("{number:.2e}").parse().unwrap_or(number);
    format!("{short:?}")
}

/// Returns how to raise the limit that an error of the system is about.
fn limit_hint(error: &io::Error) -> Option<&'static str> {
    /// EMFILE: too many open files in this process.
    const TOO_MANY_FILES: i32 = 24;
    let all = || std::iter::successors(Some(error), |error| inner(error));
    if all().any(|error| error.kind() == io::ErrorKind::FileTooLarge) {
        return Some("raise the limit on the size of files (`ulimit -f`), or write elsewhere");
    }
    (cfg!(unix) && all().any(|error| error.raw_os_error() == Some(TOO_MANY_FILES)))
        .then_some("raise the limit on open files (`ulimit -n`)")
}

/// Returns the error that `error` wraps, as libraries do, if it is one of input or output.
fn inner(error: &io::Error) -> Option<&io::Error> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error.get_ref()?);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}
