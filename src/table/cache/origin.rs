//! What a cache was made from.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::data::content_hash::hexadecimal;
use crate::error::{Error, Result};
use crate::table::options::{Decimal, Delimiter, MissingPolicy, TableOptions};
use crate::table::schema::Schema;

/// The bytes of a table that are read at a time.
const BUFFER: usize = 1 << 20;

/// What a table is read by.
#[derive(Debug, Clone, Copy)]
pub(in crate::table) struct Reading<'a> {
    pub schema: &'a Schema,
    pub options: &'a TableOptions,
    /// Whether rows without a target are left out.
    pub labelled: bool,
}

/// What of a file changes with it, as far as that is known without reading it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::table) struct Stamp {
    /// In bytes.
    length: u64,
    /// Seconds and nanoseconds since 1970.
    modified: Option<(u64, u32)>,
}

/// Where the rows of a cache are from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::table) struct Origin {
    /// The version and revision of the program.
    program: String,
    /// The table.
    path: String,
    #[serde(flatten)]
    stamp: Stamp,
    /// XXH3 of its bytes, in hexadecimal.
    pub(super) content: String,
    /// The schema and the options, as JSON.
    reading: String,
}

impl Stamp {
    /// # Errors
    /// Returns [`Error::Io`] if the system fails.
    pub fn of(path: &Path) -> Result<Stamp> {
        let metadata = path.metadata().map_err(Error::io(path, "read the size"))?;
        let modified = metadata.modified().ok();
        let modified = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        Ok(Stamp {
            length: metadata.len(),
            modified: modified.map(|since| (since.as_secs(), since.subsec_nanos())),
        })
    }

    /// Describes how `now` differs; `None` if it does not.
    pub fn change(&self, now: &Stamp) -> Option<String> {
        match () {
            () if self.length != now.length => Some(format!(
                "{} bytes where there were {}",
                now.length, self.length
            )),
            () if self.modified != now.modified => Some("a new time of modification".to_owned()),
            () => None,
        }
    }
}

impl Origin {
    pub fn new(source: &Path, stamp: &Stamp, reading: &Reading, content: String) -> Origin {
        Origin {
            program: program(),
            path: absolute(source),
            stamp: stamp.clone(),
            content,
            reading: reading.text(),
        }
    }

    /// Describes how a table differs from the one that this is about, except in its content; `None` if it does not.
    pub fn differs(&self, source: &Path, stamp: &Stamp, reading: &Reading) -> Option<String> {
        if self.program != program() {
            return Some(format!("perceptor {} wrote the earlier rows", self.program));
        }
        if self.path != absolute(source) {
            return Some(format!("the earlier rows are from {}", self.path));
        }
        if let Some(change) = self.stamp.change(stamp) {
            return Some(format!("the table has {change}"));
        }
        (self.reading != reading.text())
            .then(|| "the earlier rows have other columns or options".to_owned())
    }
}

impl Reading<'_> {
    /// Everything that decides how a table becomes rows, as JSON.
    fn text(&self) -> String {
        #[derive(Serialize)]
        struct Text<'a> {
            schema: &'a Schema,
            delimiter: Option<String>,
            decimal: Option<Decimal>,
            comment: Option<u8>,
            missing: MissingPolicy,
            labelled: bool,
        }
        let text = serde_json::to_string(&Text {
            schema: self.schema,
            delimiter: self.options.delimiter.map(Delimiter::name),
            decimal: self.options.decimal,
            comment: self.options.comment,
            missing: self.options.missing,
            labelled: self.labelled,
        });
        text.expect("plain data is always JSON")
    }
}

fn program() -> String {
    format!("{} ({})", crate::VERSION, crate::REVISION)
}

fn absolute(path: &Path) -> String {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    absolute.to_string_lossy().into_owned()
}

/// Returns XXH3 of the bytes of a file, in hexadecimal.
///
/// # Errors
/// Returns [`Error::Io`] if the file cannot be read.
pub(super) fn content(path: &Path) -> Result<String> {
    let mut file = File::open(path).map_err(Error::io(path, "open"))?;
    let (mut hash, mut buffer) = (Xxh3::new(), vec![0; BUFFER]);
    loop {
        let read = file.read(&mut buffer).map_err(Error::io(path, "read"))?;
        if read == 0 {
            return Ok(hexadecimal(hash.digest128()));
        }
        hash.update(&buffer[..read]);
    }
}
