//! The text of a table: a mapped file, or a gzip stream that is decoded on the way.
//!
//! Text is handed out in windows. A window of a mapped file is a part of it; a window of a stream is a buffer, which starts
//! with what the records of the window before it left.

use std::fs::File;
use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};

use super::ahead::Ahead;
use crate::data::gzip::{self, unreadable};
use crate::data::mmap::Bytes;
use crate::error::{Error, Refusal, Result};
use crate::regular_file::open_regular;

/// The size of the largest record, in bytes. A quote that is never closed turns the rest of the file into one record.
pub(super) const MAX_RECORD: usize = 1 << 26;

/// The number of bytes of a window.
pub(super) const WINDOW: usize = 1 << 25;

/// The number of bytes that are read to detect the dialect, if they contain two complete records.
pub(super) const SAMPLE: usize = 1 << 20;

/// How many times larger than its gzip file a table is assumed to be.
const GZIP_RATIO: u64 = 6;

/// What a path is expected to be, in messages.
const EXPECTED: &str = "a table";

/// The beginning of a table.
#[derive(Debug)]
pub(crate) struct Sample {
    pub bytes: Vec<u8>,
    /// Whether that is the whole table.
    pub is_complete: bool,
}

/// Text of which some records are to be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window<'a> {
    /// The text from the start of the window on.
    pub text: &'a [u8],
    /// Records that start before this place belong to the window.
    pub end: usize,
    /// Whether nothing follows the text.
    pub is_complete: bool,
    /// How many bytes of the table come before the window.
    pub before: u64,
}

impl Window<'_> {
    /// Returns whether the record that starts at `text[at]` is too large, if it is the first one that is incomplete.
    /// A record that starts behind the window belongs to the next one, whatever its length.
    pub fn is_endless(&self, at: usize) -> bool {
        !self.is_complete && at < self.end && self.text.len() - at > MAX_RECORD
    }
}

/// Reads the windows of a table one after another.
#[derive(Debug)]
pub(super) struct Windows {
    path: PathBuf,
    source: Source,
    /// The bytes of a window.
    size: usize,
    /// Where the next window starts in the table.
    before: u64,
    /// Whether no record of the last window was complete.
    is_starved: bool,
}

enum Source {
    Mapped(Bytes),
    Stream {
        decoder: Box<dyn Read + Send>,
        buffer: Vec<u8>,
        is_complete: bool,
        /// Shares its position with the file that is decoded.
        file: File,
        size: u64,
    },
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Source::Mapped(_) => "Mapped",
            Source::Stream { .. } => "Stream",
        })
    }
}

impl Windows {
    /// Opens the table at `path` and skips this many bytes. A file that is no gzip stream is mapped.
    pub fn open(path: &Path, skipped: u64) -> Result<Windows> {
        let file = open_regular(path, EXPECTED)?;
        if is_gzip(path, &file)? {
            return Windows::of_stream(path, file, skipped, WINDOW);
        }
        // SAFETY: the bytes are only read as numbers and compared with each other. No length or index is taken from them and
        // trusted later: positions of delimiters are found anew in each pass and checked by slicing, and words are copied
        // before they are checked as UTF-8. A file that another process truncates raises SIGBUS, which is accepted as for
        // IDX files.
        let bytes = unsafe { Bytes::map(path, EXPECTED) }?;
        Ok(Windows {
            path: path.to_owned(),
            source: Source::Mapped(bytes),
            size: WINDOW,
            before: skipped,
            is_starved: false,
        })
    }

    /// Opens a table as [`Windows::open`] does, in windows of `size` bytes that are never mapped.
    pub fn stream(path: &Path, skipped: u64, size: usize) -> Result<Windows> {
        Windows::of_stream(path, open_regular(path, EXPECTED)?, skipped, size)
    }

    fn of_stream(path: &Path, file: File, skipped: u64, size: usize) -> Result<Windows> {
        let metadata = file.metadata().map_err(Error::io(path, "read the size"))?;
        let shared = file.try_clone().map_err(Error::io(path, "open"))?;
        let mut decoder = decoded_ahead(path, file)?;
        let skip = io::copy(&mut decoder.by_ref().take(skipped), &mut io::sink());
        skip.map_err(|error| unreadable(path, error))?;
        Ok(Windows {
            path: path.to_owned(),
            source: Source::Stream {
                decoder,
                buffer: Vec::new(),
                is_complete: false,
                file: shared,
                size: metadata.len(),
            },
            size,
            before: skipped,
            is_starved: false,
        })
    }

    /// Returns the next window; `None` after the last one.
    pub fn next(&mut self) -> Result<Option<Window<'_>>> {
        let before = self.before;
        match &mut self.source {
            Source::Mapped(bytes) => {
                let start = usize::try_from(before).map_or(bytes.len(), |at| at.min(bytes.len()));
                let end = bytes.len().min(start + self.size + MAX_RECORD + 1);
                let text = &bytes[start..end];
                Ok((!text.is_empty()).then_some(Window {
                    text,
                    end: text.len().min(self.size),
                    is_complete: end == bytes.len(),
                    before,
                }))
            }
            Source::Stream {
                decoder,
                buffer,
                is_complete,
                ..
            } => {
                let is_short = buffer.len() < self.size / 2 || self.is_starved;
                if !*is_complete && is_short {
                    let room = self.size.saturating_sub(buffer.len()).max(self.size / 2);
                    buffer.reserve_exact(room);
                    let read = decoder.by_ref().take(room as u64).read_to_end(buffer);
                    let read = read.map_err(|error| unreadable(&self.path, error))?;
                    *is_complete = read < room;
                }
                Ok((!buffer.is_empty()).then_some(Window {
                    text: buffer,
                    end: buffer.len(),
                    is_complete: *is_complete,
                    before,
                }))
            }
        }
    }

    /// Returns how many bytes of the file have been read, and its size.
    pub fn progress(&self) -> (u64, u64) {
        match &self.source {
            Source::Mapped(bytes) => (self.before.min(bytes.len() as u64), bytes.len() as u64),
            Source::Stream { file, size, .. } => {
                (io::Seek::stream_position(&mut &*file).unwrap_or(0), *size)
            }
        }
    }

    /// Continues after this many bytes of the last window. A record that did not fit is given more room.
    pub fn advance(&mut self, by: usize) {
        match &mut self.source {
            Source::Mapped(bytes) => {
                // What is behind the window need not count as memory of this process.
                let start = self.before as usize;
                bytes.give_back(start..start + by);
            }
            Source::Stream { buffer, .. } => drop(buffer.drain(..by)),
        }
        self.before += by as u64;
        self.is_starved = by == 0;
    }
}

/// Reads the beginning of the table at `path`, at most `max_bytes`.
pub(crate) fn sample(path: &Path, max_bytes: usize) -> Result<Sample> {
    let mut bytes = Vec::new();
    let text = decoded(path, open_regular(path, EXPECTED)?)?;
    let read = text.take(max_bytes as u64).read_to_end(&mut bytes);
    read.map_err(|error| unreadable(path, error))?;
    Ok(Sample {
        is_complete: bytes.len() < max_bytes,
        bytes,
    })
}

/// Estimates the number of bytes of the text of the table at `path`: its length, or a multiple if it is gzip.
pub(super) fn estimated_length(path: &Path) -> Result<u64> {
    let file = open_regular(path, EXPECTED)?;
    let length = file
        .metadata()
        .map_err(Error::io(path, "read the size"))?
        .len();
    Ok(match is_gzip(path, &file)? {
        true => GZIP_RATIO.saturating_mul(length),
        false => length,
    })
}

/// Returns whether the file at `path` is a table: text, or gzip of text. Anything that is no regular file is none.
///
/// # Errors
/// Returns [`Error::Io`] if the file cannot be read.
pub fn is_table(path: &Path) -> Result<bool> {
    if !path.metadata().map_err(Error::io(path, "open"))?.is_file() {
        return Ok(false);
    }
    // A damaged gzip stream is no table; whoever reads it reports the damage.
    let start = sample(path, 1 << 12).map(|sample| sample.bytes);
    let is_text = |byte: &u8| !byte.is_ascii_control() || byte.is_ascii_whitespace();
    Ok(start.is_ok_and(|start| !start.is_empty() && start.iter().all(is_text)))
}

/// Returns the error for a record, after byte `start`, that is too large.
pub(crate) fn endless(path: &Path, start: u64) -> Error {
    let refusal = Refusal::new(
        row(path, start),
        "a row that does not end",
        "at most 64 MiB",
    );
    Error::Data(refusal.hint("a quote may not be closed"))
}

/// Returns the place of the record that starts at byte `at`, for messages. Rows are counted as an editor counts lines.
pub(crate) fn row(path: &Path, at: u64) -> String {
    match line_at(path, at) {
        Ok(line) => format!("{}: row {line}", path.display()),
        Err(_) => format!("{}: the row after byte {at}", path.display()),
    }
}

/// Returns the line number, from 1, of the record that starts at byte `at`, or after it if line ends are there.
fn line_at(path: &Path, at: u64) -> Result<u64> {
    let text = decoded(path, open_regular(path, EXPECTED)?)?;
    let (mut line, mut after_return) = (1, false);
    for (position, byte) in (0..).zip(text.bytes()) {
        let byte = byte.map_err(|error| unreadable(path, error))?;
        if position >= at && !matches!(byte, b'\n' | b'\r') {
            break;
        }
        // A carriage return and a line feed are one line end.
        line += u64::from(byte == b'\r' || (byte == b'\n' && !after_return));
        after_return = byte == b'\r';
    }
    Ok(line)
}

fn is_gzip(path: &Path, file: &File) -> Result<bool> {
    let mut start = Vec::new();
    let read = file
        .try_clone()
        .and_then(|file| file.take(2).read_to_end(&mut start));
    read.map_err(Error::io(path, "read"))?;
    let rewound = io::Seek::rewind(&mut &*file);
    rewound.map_err(Error::io(path, "read"))?;
    Ok(start == gzip::MAGIC)
}

/// Returns the contents of `file`, decoded if they are gzip.
fn decoded(path: &Path, file: File) -> Result<Box<dyn BufRead + Send>> {
    let content = gzip::Content::of(file).map_err(|error| unreadable(path, error))?;
    Ok(content.reader)
}

/// Returns the contents of `file` as [`decoded`] does, but decodes gzip ahead in a thread of its own.
fn decoded_ahead(path: &Path, file: File) -> Result<Box<dyn Read + Send>> {
    let is_gzip = is_gzip(path, &file)?;
    let decoder = decoded(path, file)?;
    Ok(match is_gzip {
        true => Box::new(Ahead::new(decoder).map_err(Error::io(path, "start a thread to decode"))?),
        false => Box::new(decoder),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_starts_where_a_window_ends_is_not_endless() {
        let text = vec![0; WINDOW + MAX_RECORD + 1];
        let window = Window {
            text: &text,
            end: WINDOW,
            is_complete: false,
            before: 0,
        };
        assert!(window.is_endless(WINDOW - 1));
        assert!(!window.is_endless(WINDOW));
        assert!(!window.is_endless(WINDOW + 1));
    }
}
