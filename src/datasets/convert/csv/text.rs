//! The bytes of a table: as they are in the file, or decoded from gzip, record by record and never more than one.

use std::cell::Cell;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use csv::{ByteRecord, ErrorKind, Reader, ReaderBuilder};
use flate2::read::MultiGzDecoder;

use crate::data::gzip;
use crate::datasets::convert::source::reopen;
use crate::error::{Error, Refusal, Result};

/// Bytes of the longest record: a quote that is never closed makes one of the rest of the file.
const MAX_RECORD: u64 = 1 << 26;

/// Bytes that are looked at to find out how a table is written, where it has two whole records in them.
pub(super) const SAMPLE: u64 = 1 << 20;

/// The most that are: two records of the longest.
pub(super) const MAX_SAMPLE: u64 = 2 * MAX_RECORD;

/// A table while it is read.
pub(super) struct Text {
    path: PathBuf,
    reader: Reader<Bounded<Box<dyn Read>>>,
    /// Bytes that may be read before the next record ends.
    left: Rc<Cell<u64>>,
    /// Bytes of the file that were read.
    read: Rc<Cell<u64>>,
    of: u64,
}

impl Text {
    pub fn open(path: &Path, delimiter: u8) -> Result<Text> {
        let read = Rc::new(Cell::new(0));
        let (bytes, of) = open(path, &read)?;
        let left = Rc::new(Cell::new(MAX_RECORD));
        let bounded = Bounded {
            inner: bytes,
            left: Rc::clone(&left),
        };
        let reader = ReaderBuilder::new()
            .has_headers(false)
            // Told with its row by whoever knows the columns.
            .flexible(true)
            .delimiter(delimiter)
            .buffer_capacity(1 << 16)
            .from_reader(bounded);
        Ok(Text {
            path: path.to_owned(),
            reader,
            left,
            read,
            of,
        })
    }

    /// Puts the next record into `record`; false behind the last one.
    pub fn read(&mut self, record: &mut ByteRecord) -> Result<bool> {
        self.left.set(MAX_RECORD);
        let start = self.reader.position().byte();
        self.reader.read_byte_record(record).map_err(|error| {
            if self.left.get() == 0 {
                return endless(&self.path, start);
            }
            match error.into_kind() {
                ErrorKind::Io(error) => unreadable(&self.path, error),
                other => Error::Data(Refusal::new(
                    self.path.display(),
                    format!("{other:?}"),
                    "rows of cells",
                )),
            }
        })
    }

    /// Bytes of the file that were read, and how many there are.
    pub fn progress(&self) -> (u64, u64) {
        (self.read.get(), self.of)
    }
}

/// The beginning of a table.
pub(super) struct Sample {
    pub bytes: Vec<u8>,
    /// Whether that is all of it.
    pub whole: bool,
}

/// Reads the beginning of the table at `path`, at most so many bytes.
pub(super) fn sample(path: &Path, most: u64) -> Result<Sample> {
    let (bytes, _) = open(path, &Rc::default())?;
    let mut sample = Vec::new();
    let read = bytes.take(most).read_to_end(&mut sample);
    read.map_err(|error| unreadable(path, error))?;
    Ok(Sample {
        whole: (sample.len() as u64) < most,
        bytes: sample,
    })
}

/// The error for a record, behind byte `start`, that is longer than any.
pub(super) fn endless(path: &Path, start: u64) -> Error {
    let place = match line_at(path, start) {
        Ok(line) => format!("{}: row {line}", path.display()),
        Err(_) => path.display().to_string(),
    };
    let refusal = Refusal::new(place, "a row that does not end", "at most 64 MiB");
    Error::Data(refusal.hint("a quote may not be closed"))
}

/// The line, from 1, of the record that starts at byte `at` or, where that is the end of a line, behind it.
pub(super) fn line_at(path: &Path, at: u64) -> Result<u64> {
    let (bytes, _) = open(path, &Rc::default())?;
    let (mut line, mut after_return) = (1, false);
    for (position, byte) in (0..).zip(BufReader::new(bytes).bytes()) {
        let byte = byte.map_err(|error| unreadable(path, error))?;
        if position >= at && !matches!(byte, b'\n' | b'\r') {
            break;
        }
        // A return and a line feed are one end of a line.
        line += u64::from(byte == b'\r' || (byte == b'\n' && !after_return));
        after_return = byte == b'\r';
    }
    Ok(line)
}

/// The bytes of the table at `path`, how many of the file's were read being counted in `read`; and those of the file.
fn open(path: &Path, read: &Rc<Cell<u64>>) -> Result<(Box<dyn Read>, u64)> {
    let file = reopen(path)?;
    let of = file.metadata().map_err(Error::io(path, "read the size"))?;
    let mut file = BufReader::with_capacity(
        1 << 16,
        Counted {
            inner: file,
            read: Rc::clone(read),
        },
    );
    let start = io::BufRead::fill_buf(&mut file).map_err(Error::io(path, "read"))?;
    let packed = start.starts_with(&[0x1f, 0x8b]);
    let bytes: Box<dyn Read> = match packed {
        true => Box::new(MultiGzDecoder::new(file)),
        false => Box::new(file),
    };
    Ok((bytes, of.len()))
}

/// What is wrong with the bytes themselves is not what is wrong with the system.
fn unreadable(path: &Path, error: io::Error) -> Error {
    match error.raw_os_error() {
        Some(_) => Error::io(path, "read")(error),
        None => gzip::damaged(path, &error),
    }
}

/// A reader that counts.
struct Counted<R> {
    inner: R,
    read: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.read.set(self.read.get() + read as u64);
        Ok(read)
    }
}

/// A reader that fails when more is read than is left.
struct Bounded<R> {
    inner: R,
    left: Rc<Cell<u64>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.left.get();
        if left == 0 {
            return Err(io::Error::other("a record that does not end"));
        }
        let most = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let read = self.inner.read(&mut buffer[..most])?;
        self.left.set(left - read as u64);
        Ok(read)
    }
}
