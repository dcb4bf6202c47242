//! A pass over all records of a table, on all workers.
//!
//! The text is divided at fixed places, whatever the number of workers, and a record belongs to the piece that it starts
//! in. Whether such a place is within quotes depends on everything before it; the number of quotes is a guess, which is
//! wrong if a cell has a single quote. So each piece is parsed from where its first record seems to start, and parsed again
//! if the piece before it ended elsewhere.

use std::path::Path;

use rayon::prelude::*;

use super::block::{self, Block, Fault, Mode, Parsed};
use super::blocks::refuse;
use super::dialect::Opening;
use super::syntax::Syntax;
use super::text::{self, Window, Windows};
use crate::compute::parallel::Workers;
use crate::error::Result;

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
    /// Calls `work` for each block of records on any worker, and `take`, on a worker, for the results of the next window in
    /// the order of the table. `work` is called again for a piece whose start was guessed wrongly.
    pub fn run<T: Send>(
        &self,
        workers: &Workers,
        work: impl Fn(Block) -> T + Sync,
        mut take: impl FnMut(Vec<T>) -> Result<()> + Send,
    ) -> Result<()> {
        let mut windows = Windows::open(self.path, self.opening.data)?;
        // The results of a window are taken while the next one is parsed.
        let mut results = Vec::new();
        while let Some(window) = windows.next()? {
            let before = std::mem::take(&mut results);
            let (parsed, taken) =
                workers.run(|| rayon::join(|| self.parse_window(window, &work), || take(before)));
            taken?;
            if let Some(fault) = parsed.iter().find_map(|piece| piece.fault) {
                let columns = self.modes.len();
                return Err(refuse(self.path, window.before, fault, columns));
            }
            let end = parsed.last().map_or(0, |piece| piece.end);
            results = parsed.into_iter().map(|piece| piece.result).collect();
            // The record at the end did not fit into the text.
            if window.is_endless(end) {
                return Err(text::endless(self.path, window.before + end as u64));
            }
            if window.is_complete && end == window.text.len() {
                break;
            }
            windows.advance(end);
        }
        workers.run(|| take(results))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::block::Cells;
    use crate::table::dialect::{Hints, detect};
    use std::num::NonZeroUsize;

    /// Returns the words of a column of one table by a pass, and how many pieces its text has.
    fn words(text: &[u8], threads: usize) -> Result<Vec<String>> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("t.csv");
        std::fs::write(&path, text).expect("writing");
        let opening = detect(&path, &Hints::default())?;
        let modes = vec![Mode::Text; opening.columns.count()];
        let pass = Pass {
            path: &path,
            opening: &opening,
            modes: &modes,
        };
        let workers = Workers::new(NonZeroUsize::new(threads).expect("not zero")).expect("workers");
        let mut all = Vec::new();
        pass.run(
            &workers,
            |block| block,
            |blocks| {
                for block in blocks {
                    let Cells::Text(words) = &block.columns[1] else {
                        panic!("words");
                    };
                    let word = |&code: &u32| {
                        String::from_utf8_lossy(words.dictionary.word(code)).into_owned()
                    };
                    all.extend(words.codes.iter().map(word));
                }
                Ok(())
            },
        )?;
        Ok(all)
    }

    #[test]
    fn quotes_across_pieces_are_read_as_if_there_was_one_piece() {
        // Long cells with line ends and delimiters, single quotes within cells, and records of all lengths.
        let mut text = b"number,cell\n".to_vec();
        let mut expected = Vec::new();
        let mut random = 1u32;
        for number in 0..120_000 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let length = (random >> 24) as usize / 4 + 1;
            let (written, cell) = match random >> 16 & 7 {
                0 => (
                    format!("\"{}\n, \"\"{number}\"\"\"", "x".repeat(length)),
                    format!("{}\n, \"{number}\"", "x".repeat(length)),
                ),
                1 if number > 30_000 => (format!("5\" {number}"), format!("5\" {number}")),
                _ => (format!("w{number}"), format!("w{number}")),
            };
            text.extend(format!("{number},{written}\n").bytes());
            expected.push(cell);
        }
        assert!(text.len() > 3 * PIECE, "{} bytes", text.len());
        for threads in [1, 3] {
            let found = words(&text, threads).expect("a table");
            assert_eq!(found.len(), expected.len());
            let different = found.iter().zip(&expected).position(|(a, b)| a != b);
            assert_eq!(different, None);
        }
    }

    #[test]
    fn a_row_of_another_length_is_refused_with_its_line() {
        let mut text = "a,b\n".to_owned();
        for number in 0..200_000 {
            text += &match number {
                150_000 => format!("{number}\n"),
                _ => format!("{number},\"x\"\n"),
            };
        }
        let message = words(text.as_bytes(), 2)
            .expect_err("a refusal")
            .to_string();
        assert!(
            message.ends_with("row 150002: 1 cell, expected 2, as in the first row"),
            "{message}"
        );
    }
}
