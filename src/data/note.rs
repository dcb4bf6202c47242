//! Notes: what was guessed, left out or changed while data were read, and warnings about them.

use std::fmt;
use std::path::Path;

use crate::message::{Message, message};

/// One thing that was guessed, left out or changed, or that is probably wrong, in a line that starts with the name of the
/// file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: Message,
    is_warning: bool,
}

impl Note {
    /// Makes a note about the file or set `place`.
    pub fn new(place: impl Into<Message>, about: impl Into<Message>) -> Note {
        Note {
            text: message![place.into(), ": ", about.into()],
            is_warning: false,
        }
    }

    /// Makes a warning about the file or set `place`.
    pub fn warning(place: impl Into<Message>, about: impl Into<Message>) -> Note {
        Note {
            is_warning: true,
            ..Note::new(place, about)
        }
    }

    /// Returns the same note about a file that the user knows as `name`, and not as `path`.
    #[must_use]
    pub fn renamed(&self, path: &Path, name: &str) -> Note {
        Note {
            text: self.text.replaced(&path.display().to_string(), name),
            ..*self
        }
    }

    /// Returns the text, in which the names of settings are not spelled yet.
    pub fn message(&self) -> &Message {
        &self.text
    }

    /// Whether something is probably wrong.
    pub fn is_warning(&self) -> bool {
        self.is_warning
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}
