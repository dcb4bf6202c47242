//! A pass over all records of a table, on all workers.
//!
//! The text is divided at fixed places, whatever the number of workers, and a record belongs to the piece that it starts
//! in. Whether such a place is within quotes depends on everything before it; the number of quotes is a guess, which is
//! wrong if a cell has a single quote. So each piece is parsed from where its first record seems to start, and parsed again
//! if the piece before it ended elsewhere.

use std::path::Path;

use rayon::prelude::*;

use super::block::{self, Block, Fault, FaultKind, Mode, Parsed};
use super::dialect::Opening;
use super::syntax::Syntax;
use super::text::{self, Window, Windows};
use crate::compute::parallel::Workers;
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};

/// The bytes of a piece of the text.
const PIECE: usize = 1 << 19;

/// A table of which a pass is made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pass<'a> {
    pub path: &'a Path,
    pub opening: &'a Opening,
    /// What each column is expected to have.
    pub modes: &'a [Mode],
}

impl Pass<'_> {
    /// Calls `work` for each block of records on any worker, and `take` for the results in the order of the table.
    /// `work` is called again for a piece whose start was guessed wrongly.
    pub fn run<T: Send>(
        &self,
        workers: &Workers,
        work: impl Fn(Block) -> T + Sync,
        mut take: impl FnMut(T) -> Result<()>,
    ) -> Result<()> {
        let mut windows = Windows::open(self.path, self.opening.data)?;
        while let Some(window) = windows.next()? {
            let parsed = workers.run(|| self.parse_window(window, &work));
            let mut end = 0;
            for piece in parsed {
                if let Some(fault) = piece.fault {
                    return Err(self.refuse(window.before, fault));
                }
                end = piece.end;
                take(piece.result)?;
            }
            // The record at the end did not fit into the text.
            let left = window.text.len() - end;
            match window.is_complete {
                true if left == 0 => break,
                false if left > text::MAX_RECORD => {
                    return Err(text::endless(self.path, window.before + end as u64));
                }
                _ => windows.advance(end),
            }
        }
        Ok(())
    }

    fn parse_window<T: Send>(
        &self,
        window: Window,
        work: &(impl Fn(Block) -> T + Sync),
    ) -> Vec<Piece<T>> {
        let (syntax, bounds) = (&self.opening.syntax, bounds(window.end));
        let parse = |start: usize, end: usize| {
            let kinds = (syntax, self.modes);
            let parsed = block::parse(
                window.text,
                start..end,
                window.is_complete,
                window.before,
                kinds,
            );
            Piece::of(parsed, work)
        };
        let quotes: Vec<usize> = bounds
            .par_iter()
            .map(|&(start, end)| memchr::memchr_iter(b'"', &window.text[start..end]).count())
            .collect();
        let before = quotes.iter().scan(0, |sum, count| {
            let before = *sum;
            *sum += count;
            Some(before)
        });
        let before: Vec<usize> = before.collect();
        let mut pieces: Vec<Piece<T>> = bounds
            .par_iter()
            .zip(before)
            .map(|(&(start, end), quotes)| {
                let start = first_record(window.text, start, quotes % 2 == 1, syntax);
                parse(start, end)
            })
            .collect();
        let mut at = pieces[0].end;
        for (piece, &(_, end)) in pieces.iter_mut().zip(&bounds).skip(1) {
            if piece.start != at {
                *piece = parse(at, end);
            }
            at = piece.end;
        }
        pieces
    }

    /// Returns the error for a record that cannot be read.
    fn refuse(&self, before: u64, fault: Fault) -> Error {
        let start = before + fault.at as u64;
        let found = match fault.kind {
            FaultKind::Endless => return text::endless(self.path, start),
            FaultKind::Cells(found) => found,
        };
        let columns = self.modes.len();
        let refusal = Refusal::new(
            text::row(self.path, start),
            format!("{found} cells"),
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
}

/// The records of a piece.
struct Piece<T> {
    start: usize,
    end: usize,
    fault: Option<Fault>,
    result: T,
}

impl<T> Piece<T> {
    fn of(parsed: Parsed, work: &impl Fn(Block) -> T) -> Piece<T> {
        Piece {
            start: parsed.start,
            end: parsed.end,
            fault: parsed.fault,
            result: work(parsed.block),
        }
    }
}

/// Returns where the pieces of a window start and end.
fn bounds(end: usize) -> Vec<(usize, usize)> {
    let starts = (0..end).step_by(PIECE);
    starts
        .map(|start| (start, end.min(start + PIECE)))
        .collect()
}

/// Returns where the first record at or behind `text[start]` starts, if `quoted` says whether that place is in quotes.
fn first_record(text: &[u8], start: usize, mut quoted: bool, syntax: &Syntax) -> usize {
    if start == 0 {
        return 0;
    }
    // A record starts at this very place if a line ends before it.
    let mut at = start - 1;
    if matches!(text[at], b'\n' | b'\r') && !quoted {
        return syntax.record_start(text, start);
    }
    at = start;
    while at < text.len() {
        let next = match quoted {
            true => memchr::memchr(b'"', &text[at..]),
            false => memchr::memchr3(b'"', b'\n', b'\r', &text[at..]),
        };
        let Some(length) = next else {
            break;
        };
        at += length + 1;
        if text[at - 1] != b'"' {
            return syntax.record_start(text, at);
        }
        quoted = !quoted;
    }
    text.len()
}
