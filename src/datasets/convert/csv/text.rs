//! The text of a table, read record by record. Gzip is decoded on the way.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, Take};
use std::path::{Path, PathBuf};

use csv::{ByteRecord, ErrorKind, Reader, ReaderBuilder};
use flate2::read::MultiGzDecoder;

use crate::data::gzip;
use crate::datasets::convert::source::reopen;
use crate::error::{Error, Refusal, Result};

/// The size of the largest record, in bytes. A quote that is never closed turns the rest of the file into one record.
const MAX_RECORD: u64 = 1 << 26;

/// The buffer of the reader, in bytes, which is filled ahead of the record.
const BUFFER: usize = 1 << 16;

/// The number of bytes that are read to detect the dialect, if they contain two complete records.
pub(super) const SAMPLE: u64 = 1 << 20;

/// The largest number of bytes that are read to detect the dialect: two of the largest records.
pub(super) const MAX_SAMPLE: u64 = 2 * MAX_RECORD;

/// A table that is being read.
pub(super) struct Text {
    path: PathBuf,
    reader: Reader<Take<Box<dyn Read>>>,
    /// Shares its position with the file that is being read.
    file: File,
    size: u64,
}

impl Text {
    pub fn open(path: &Path, delimiter: u8) -> Result<Text> {
        let file = reopen(path)?;
        let metadata = file.metadata().map_err(Error::io(path, "read the size"))?;
        let shared = file.try_clone().map_err(Error::io(path, "open"))?;
        let reader = ReaderBuilder::new()
            .has_headers(false)
            // A record of another length is refused where its row can be named.
            .flexible(true)
            .delimiter(delimiter)
            .buffer_capacity(BUFFER)
            .from_reader(decoded(path, file)?.take(0));
        Ok(Text {
            path: path.to_owned(),
            reader,
            file: shared,
            size: metadata.len(),
        })
    }

    /// Reads the next record into `record`. Returns false after the last one.
    pub fn read(&mut self, record: &mut ByteRecord) -> Result<bool> {
        let start = self.reader.position().byte();
        // If this much is read, the record itself is larger than MAX_RECORD; the rest was in the buffer.
        let limit = MAX_RECORD + BUFFER as u64;
        self.reader.get_mut().set_limit(limit);
        let found = self.reader.read_byte_record(record);
        if self.reader.get_ref().limit() == 0 {
            return Err(endless(&self.path, start));
        }
        found.map_err(|error| match error.into_kind() {
            ErrorKind::Io(error) => unreadable(&self.path, error),
            other => Error::Data(Refusal::new(
                self.path.display(),
                format!("{other:?}"),
                "rows of cells",
            )),
        })
    }

    /// Returns how many bytes of the file have been read, and its size.
    pub fn progress(&self) -> (u64, u64) {
        let read = (&self.file).stream_position().unwrap_or(0);
        (read, self.size)
    }
}

/// The beginning of a table.
pub(super) struct Sample {
    pub bytes: Vec<u8>,
    /// Whether that is the whole table.
    pub is_complete: bool,
}

/// Reads the beginning of the table at `path`, at most `max_bytes`.
pub(super) fn sample(path: &Path, max_bytes: u64) -> Result<Sample> {
    let mut sample = Vec::new();
    let text = decoded(path, reopen(path)?)?;
    let read = text.take(max_bytes).read_to_end(&mut sample);
    read.map_err(|error| unreadable(path, error))?;
    Ok(Sample {
        is_complete: (sample.len() as u64) < max_bytes,
        bytes: sample,
    })
}

/// Returns the error for a record, after byte `start`, that is too large.
pub(super) fn endless(path: &Path, start: u64) -> Error {
    let place = match line_at(path, start) {
        Ok(line) => format!("{}: row {line}", path.display()),
        Err(_) => path.display().to_string(),
    };
    let refusal = Refusal::new(place, "a row that does not end", "at most 64 MiB");
    Error::Data(refusal.hint("a quote may not be closed"))
}

/// Returns the line number, from 1, of the record that starts at byte `at`, or after it if line ends are there.
pub(super) fn line_at(path: &Path, at: u64) -> Result<u64> {
    let text = BufReader::new(decoded(path, reopen(path)?)?);
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

/// Returns the contents of `file`, decoded if they are gzip.
fn decoded(path: &Path, file: File) -> Result<Box<dyn Read>> {
    let mut file = BufReader::with_capacity(BUFFER, file);
    let start = file.fill_buf().map_err(Error::io(path, "read"))?;
    Ok(match start.starts_with(&[0x1f, 0x8b]) {
        true => Box::new(MultiGzDecoder::new(file)),
        false => Box::new(file),
    })
}

/// Returns the error of a read: that of the system, or that of a damaged gzip stream.
fn unreadable(path: &Path, error: io::Error) -> Error {
    match error.raw_os_error() {
        Some(_) => Error::io(path, "read")(error),
        None => gzip::damaged(path, &error),
    }
}
