//! The syntax of a table: where cells and records end.
//!
//! A record ends with a line feed, a carriage return or both, and empty lines between records do not count. A cell in
//! quotes may contain delimiters and line ends, and a quote when it is doubled. A quote within a cell that does not start
//! with one is a character like any other.

use memchr::memchr;

use super::options::{Decimal, Delimiter};

/// What the bytes of a table mean.
#[derive(Debug, Clone)]
pub(crate) struct Syntax {
    pub delimiter: Delimiter,
    pub decimal: Decimal,
    /// The first byte of a comment line.
    pub comment: Option<u8>,
    /// Whether each byte ends a cell that is not in quotes.
    ends: [bool; 256],
    /// Eight times each byte that does so.
    marks: [u64; 4],
}

/// What comes behind a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The next cell of the record.
    Cell,
    /// The end of the record.
    Record,
    /// The text that there is ends within the cell.
    Text,
}

/// A cell of a record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cell<'a> {
    /// The content, without quotes and surrounding white space.
    pub text: &'a [u8],
    /// Where the next cell or record starts.
    pub next: usize,
    pub end: End,
}

impl Syntax {
    pub fn new(delimiter: Delimiter, decimal: Decimal, comment: Option<u8>) -> Syntax {
        let [first, second] = match delimiter {
            Delimiter::Byte(byte) => [byte, byte],
            Delimiter::WhiteSpace => [b' ', b'\t'],
        };
        let bytes = [b'\n', b'\r', first, second];
        let mut ends = [false; 256];
        for byte in bytes {
            ends[usize::from(byte)] = true;
        }
        Syntax {
            delimiter,
            decimal,
            comment,
            ends,
            marks: bytes.map(|byte| u64::from_le_bytes([byte; 8])),
        }
    }

    /// Returns whether a byte ends a cell that is not in quotes.
    #[inline]
    pub fn ends_cell(&self, byte: u8) -> bool {
        self.ends[usize::from(byte)]
    }

    /// Returns the first place from `at` on that ends a cell that is not in quotes, if there is one.
    ///
    /// Eight bytes are compared at a time, which mispredicts less often than a loop over bytes.
    #[inline]
    fn cell_end(&self, text: &[u8], mut at: usize) -> Option<usize> {
        while let Some(bytes) = text.get(at..).and_then(<[u8]>::first_chunk) {
            let bytes = u64::from_le_bytes(*bytes);
            let found = self
                .marks
                .iter()
                .fold(0, |found, mark| found | zero_bytes(bytes ^ mark));
            if found != 0 {
                return Some(at + found.trailing_zeros() as usize / 8);
            }
            at += 8;
        }
        let rest = text
            .get(at..)?
            .iter()
            .position(|&byte| self.ends_cell(byte));
        rest.map(|length| at + length)
    }

    /// Returns where the next record starts: `at`, or behind empty lines, comments and, if white space is the delimiter,
    /// indentation.
    pub fn record_start(&self, text: &[u8], mut at: usize) -> usize {
        loop {
            at = skip_lines(text, at);
            let first = self.skip_blanks(text, at);
            match text.get(first) {
                Some(&byte) if Some(byte) == self.comment => at = line_end(text, first),
                Some(b'\n' | b'\r') => at = first,
                _ if self.delimiter == Delimiter::WhiteSpace => return first,
                // A single-column table may have blanks in a cell, but a line of blanks at the end is not a record.
                None => return first,
                _ => return at,
            }
        }
    }

    /// Reads the cell that starts at `text[at]`. A cell with doubled quotes is put together in `scratch`. `is_complete`
    /// says that nothing follows `text`.
    #[inline]
    pub fn cell<'a>(
        &self,
        text: &'a [u8],
        at: usize,
        is_complete: bool,
        scratch: &'a mut Vec<u8>,
    ) -> Cell<'a> {
        let first = self.skip_blanks(text, at);
        if text.get(first) == Some(&b'"') {
            return self.quoted(text, first, is_complete, scratch);
        }
        match self.cell_end(text, at) {
            Some(close) => {
                let (next, end) = self.behind(text, close, is_complete);
                Cell {
                    text: text[at..close].trim_ascii(),
                    next,
                    end,
                }
            }
            None => Cell {
                text: text[at..].trim_ascii(),
                next: text.len(),
                end: last(is_complete),
            },
        }
    }

    /// Reads a cell whose opening quote is at `text[open]`.
    fn quoted<'a>(
        &self,
        text: &'a [u8],
        open: usize,
        is_complete: bool,
        scratch: &'a mut Vec<u8>,
    ) -> Cell<'a> {
        let (mut start, mut is_whole) = (open + 1, true);
        scratch.clear();
        let close = loop {
            let Some(length) = memchr(b'"', &text[start..]) else {
                return Cell {
                    text: &text[start..],
                    next: text.len(),
                    end: last(is_complete),
                };
            };
            let quote = start + length;
            if text.get(quote + 1) != Some(&b'"') {
                break quote;
            }
            is_whole = false;
            scratch.extend_from_slice(&text[start..=quote]);
            start = quote + 2;
        };
        // Whatever stands between the closing quote and the end of the cell belongs to the cell.
        let (behind, next, end) = match self.cell_end(text, close + 1) {
            Some(behind) => {
                let (next, end) = self.behind(text, behind, is_complete);
                (behind, next, end)
            }
            None => (text.len(), text.len(), last(is_complete)),
        };
        let after = text[close + 1..behind].trim_ascii();
        let content = match is_whole && after.is_empty() {
            true => &text[open + 1..close],
            false => {
                scratch.extend_from_slice(&text[start..close]);
                scratch.extend_from_slice(after);
                &scratch[..]
            }
        };
        Cell {
            text: content.trim_ascii(),
            next,
            end,
        }
    }

    /// Returns the first place from `at` on that is neither a space nor a tab, or that is a delimiter.
    #[inline]
    fn skip_blanks(&self, text: &[u8], mut at: usize) -> usize {
        while let Some(byte @ (b' ' | b'\t')) = text.get(at) {
            if self.delimiter == Delimiter::Byte(*byte) {
                break;
            }
            at += 1;
        }
        at
    }

    /// Returns where the next cell starts if one ends at `text[at]`, and what it is.
    #[inline]
    pub fn behind(&self, text: &[u8], at: usize, is_complete: bool) -> (usize, End) {
        let Some(&byte) = text.get(at) else {
            return (at, last(is_complete));
        };
        if matches!(byte, b'\n' | b'\r') {
            return (at + 1, End::Record);
        }
        if self.delimiter != Delimiter::WhiteSpace {
            return (at + 1, End::Cell);
        }
        let next = self.skip_blanks(text, at);
        match text.get(next) {
            Some(b'\n' | b'\r') => (next + 1, End::Record),
            Some(_) => (next, End::Cell),
            None => (next, last(is_complete)),
        }
    }
}

/// Returns a word whose lowest byte that is not zero is at the lowest byte of `bytes` that is zero.
#[inline]
fn zero_bytes(bytes: u64) -> u64 {
    bytes.wrapping_sub(0x0101_0101_0101_0101) & !bytes & 0x8080_8080_8080_8080
}

/// Returns what the end of the text is.
fn last(is_complete: bool) -> End {
    match is_complete {
        true => End::Record,
        false => End::Text,
    }
}

/// Returns the first place from `at` on that is no line end.
pub(super) fn skip_lines(text: &[u8], mut at: usize) -> usize {
    while matches!(text.get(at), Some(b'\n' | b'\r')) {
        at += 1;
    }
    at
}

/// Returns the end of the line that contains `text[at]`.
pub(super) fn line_end(text: &[u8], at: usize) -> usize {
    let end = memchr::memchr2(b'\n', b'\r', &text[at..]);
    end.map_or(text.len(), |length| at + length)
}
