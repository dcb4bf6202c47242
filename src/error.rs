//! The one error type of the library.
//!
//! Every refusal reads `<where>: <found>, expected <what>` and may carry a hint, which the command
//! line prints on a line of its own. Nothing here decides how a process ends: `main` maps the
//! variants to exit codes.

use std::io;
use std::path::{Path, PathBuf};

/// The result of everything in this library that can be refused.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong, by who has to mend it.
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
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {found}, expected {expected}")]
pub struct Refusal {
    /// The file, flag or tensor concerned.
    pub place: String,
    /// What stands there.
    pub found: String,
    /// What would have been accepted.
    pub expected: String,
    /// What to do about it, where that is known.
    pub hint: Option<String>,
}

impl Refusal {
    /// A refusal without a hint.
    pub fn new(
        place: impl ToString,
        found: impl Into<String>,
        expected: impl Into<String>,
    ) -> Refusal {
        Refusal {
            place: place.to_string(),
            found: found.into(),
            expected: expected.into(),
            hint: None,
        }
    }

    /// The same refusal with a hint.
    pub fn hint(self, hint: impl Into<String>) -> Refusal {
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

    /// What the user can do about it, in one line, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Data(refusal)
            | Error::Config(refusal)
            | Error::Model(refusal)
            | Error::Checkpoint(refusal)
            | Error::Run(refusal)
            | Error::Blas(refusal) => refusal.hint.clone(),
            Error::Diverged { learning_rate, .. } => Some(format!(
                "the learning rate of {learning_rate:?} is probably too high; try --lr {:?}",
                learning_rate / 10.0
            )),
            Error::Unsaved(_) => Some(
                "training ended here, as all of it could be lost; \
                 give --checkpoint-every never to train all the same"
                    .to_owned(),
            ),
            Error::Io { .. } => None,
        }
    }
}
