//! The one error type of the library.
//!
//! Every refusal reads `<where>: <found>, expected <what>` and may carry a hint, which the command
//! line prints on a line of its own. Nothing here decides how a process ends: `main` maps the
//! variants to exit codes.

use std::io;
use std::path::{Path, PathBuf};

use crate::message::{Key, Message, message};

/// The result of everything in this library that can be refused.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong, by who has to mend it.
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
    /// A data file or a data set is not what it should be.
    #[error("{0}")]
    Data(Refusal),
    /// A setting is out of its range.
    #[error("{0}")]
    Config(Refusal),
    /// A model file is damaged, or does not fit the data.
    #[error("{0}")]
    Model(Refusal),
    /// A checkpoint is damaged; an older one may not be.
    #[error("{0}")]
    Checkpoint(Refusal),
    /// A run cannot go on from what its folder holds, or not on this machine or these data.
    #[error("{0}")]
    Run(Refusal),
    /// The linear algebra library does not keep to what it was told.
    #[error("{0}")]
    Blas(Refusal),
    /// The operating system did not grant memory for the network, a batch or a copy of the data.
    #[error("{0}")]
    Memory(Refusal),
    /// The operating system refused.
    #[error("{}: could not {action}: {source}", path.display())]
    Io {
        /// The file or folder concerned.
        path: PathBuf,
        /// What was tried, as a verb with its object: `read the header`.
        action: &'static str,
        /// The system's own words.
        source: io::Error,
    },
    /// A checkpoint could not be saved, and no older one stands.
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
    },
}

/// A refusal with its numbers: `<place>: <found>, expected <expected>`.
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
    /// What would have been accepted.
    pub expected: Message,
    /// What to do about it, if that is known.
    pub hint: Option<Message>,
}

impl Refusal {
    /// A refusal without a hint.
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

    /// What [`Display`](std::fmt::Display) writes, with the mentions of settings still to be spelled.
    fn message(&self) -> Message {
        message![
            &self.place,
            ": ",
            &self.found,
            ", expected ",
            &self.expected
        ]
    }

    /// The same refusal with a hint.
    pub fn hint(self, hint: impl Into<Message>) -> Refusal {
        Refusal {
            hint: Some(hint.into()),
            ..self
        }
    }
}

impl Error {
    /// For [`std::result::Result::map_err`] on calls of the operating system.
    pub(crate) fn io(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> Error {
        move |source| Error::Io {
            path: path.to_owned(),
            action,
            source,
        }
    }

    /// What [`Display`](std::fmt::Display) writes, with the mentions of settings still to be spelled.
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

    /// What the user can do about it, in one line, if that is known.
    pub fn hint(&self) -> Option<Message> {
        match self {
            Error::Data(refusal)
            | Error::Config(refusal)
            | Error::Model(refusal)
            | Error::Checkpoint(refusal)
            | Error::Run(refusal)
            | Error::Memory(refusal)
            | Error::Blas(refusal) => refusal.hint.clone(),
            Error::Diverged { learning_rate, .. } => Some(message![
                format!("the learning rate of {learning_rate:?} is probably too high; try "),
                Key("learning_rate").set_to(format!("{:?}", learning_rate / 10.0)),
            ]),
            Error::Unsaved(_) => Some(message![
                "training ended here, as all of it could be lost; give ",
                Key("checkpoint_every").set_to("never"),
                " to train all the same",
            ]),
            Error::Io { .. } => None,
        }
    }
}
