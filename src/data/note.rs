//! Notes: what was guessed, left out or changed while data were read.

use std::fmt;
use std::path::Path;

use crate::message::{Message, message};

/// One thing that was guessed, left out or changed, in a line that starts with the name of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note(Message);

impl Note {
    /// Makes a note about the file at `path`.
    pub fn new(path: &Path, about: impl Into<Message>) -> Note {
        Note(message![path.display(), ": ", about.into()])
    }

    /// Returns the text, in which the names of settings are not spelled yet.
    pub fn message(&self) -> &Message {
        &self.0
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
