//! The blocks of a table one after another, for those who read it row by row.

use std::path::{Path, PathBuf};

use super::block::{self, Block, Fault, FaultKind, Mode};
use super::dialect::Opening;
use super::syntax::Syntax;
use super::text::{self, Windows};
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};

/// The bytes of text that become a block.
const PIECE: usize = 1 << 18;

/// The bytes of text that are read at a time.
const WINDOW: usize = 1 << 20;

/// Reads a table block by block.
#[derive(Debug)]
pub(crate) struct Blocks {
    path: PathBuf,
    syntax: Syntax,
    modes: Vec<Mode>,
    windows: Windows,
}

impl Blocks {
    /// Starts behind the header. `modes` are what the columns are expected to have.
    pub fn open(path: &Path, opening: &Opening, modes: Vec<Mode>) -> Result<Blocks> {
        Ok(Blocks {
            path: path.to_owned(),
            syntax: opening.syntax.clone(),
            modes,
            windows: Windows::stream(path, opening.data, WINDOW)?,
        })
    }

    /// Returns the next block; `None` after the last one.
    pub fn next(&mut self) -> Result<Option<Block>> {
        loop {
            let Some(window) = self.windows.next()? else {
                return Ok(None);
            };
            let (text, kinds) = (window.text, (&self.syntax, &self.modes[..]));
            let end = window.end.min(PIECE);
            let parsed = block::parse(text, 0..end, window.is_complete, window.before, kinds);
            // The records before it come first.
            if let Some(fault) = parsed.fault.filter(|_| parsed.block.rows() == 0) {
                return Err(refuse(&self.path, window.before, fault, self.modes.len()));
            }
            let left = text.len() - parsed.end;
            if parsed.end < end && left > text::MAX_RECORD {
                return Err(text::endless(&self.path, window.before + parsed.end as u64));
            }
            let is_over = window.is_complete && left == 0;
            self.windows.advance(parsed.end);
            if parsed.block.rows() > 0 || is_over {
                return Ok((parsed.block.rows() > 0).then_some(parsed.block));
            }
        }
    }

    /// Returns how many bytes of the file have been read, and its size.
    pub fn progress(&self) -> (u64, u64) {
        self.windows.progress()
    }
}

/// Returns the error for a record that cannot be read, in text that starts at byte `before` of the table.
pub(super) fn refuse(path: &Path, before: u64, fault: Fault, columns: usize) -> Error {
    let start = before + fault.at as u64;
    let found = match fault.kind {
        FaultKind::Endless => return text::endless(path, start),
        FaultKind::Cells(found) => found,
    };
    let refusal = Refusal::new(
        text::row(path, start),
        match found {
            1 => "1 cell".to_owned(),
            _ => format!("{found} cells"),
        },
        format!("{columns}, as in the first row"),
    );
    Error::Data(refusal.hint(match found < columns {
        true => message![
            "the row may be truncated, or the delimiter is another one: ",
            Key("delimiter")
        ],
        false => "quote cells that contain the delimiter".into(),
    }))
}
