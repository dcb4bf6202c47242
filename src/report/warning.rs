//! Warnings: what a result suggests is wrong, and what to do about it.

use std::io::{self, Write};

use serde::Serialize;

/// Something the user should know about a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// What was found.
    pub what: String,
    /// What to do about it.
    pub cure: String,
}

impl Warning {
    /// Writes two lines.
    pub(super) fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "warning: {}", self.what)?;
        writeln!(out, "hint: {}", self.cure)
    }
}
