//! Encoded rows in a file that a later process may use again: which table they are from, and whether they still fit it.
//!
//! A cache is written under a temporary name and renamed when it is complete, so a process that is killed leaves none. It
//! names the table that it was made from by its path, size, time of modification and content, together with the schema and
//! the options that the table was read by and the version of the program. If any of that differs, or the file is damaged,
//! the table is encoded again.

mod file;
mod origin;

use std::path::{Path, PathBuf};

pub(super) use self::file::CacheWriter;
use self::file::{DAMAGED, Damage, read, size};
pub(super) use self::origin::Reading;
use self::origin::{Origin, Stamp};
use super::collected::Collected;
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, Message, message};

/// The cache of one table.
#[derive(Debug)]
pub(super) struct TableCache<'a> {
    /// The file of encoded rows.
    path: PathBuf,
    /// The table.
    source: &'a Path,
    /// What the table is read by.
    reading: Reading<'a>,
    /// The table when reading began.
    stamp: Stamp,
}

/// What an earlier process left.
#[derive(Debug)]
pub(super) enum Earlier {
    /// No file.
    Absent,
    /// Rows that fit the table.
    Fits(Box<Collected>),
    /// Rows that do not, and why.
    Differs(String),
}

impl<'a> TableCache<'a> {
    /// The cache at `path` of the table `source`, which is about to be read.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the system refuses to describe the table.
    pub fn new(path: &Path, source: &'a Path, reading: Reading<'a>) -> Result<TableCache<'a>> {
        Ok(TableCache {
            path: path.to_owned(),
            source,
            stamp: Stamp::of(source)?,
            reading,
        })
    }

    /// Returns the rows that an earlier process encoded, if there are any and they fit.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the table cannot be read.
    pub fn earlier(&self) -> Result<Earlier> {
        if !self.path.is_file() {
            return Ok(Earlier::Absent);
        }
        let (origin, rows) = match read(&self.path) {
            Ok(found) => found,
            Err(Damage(why)) => return Ok(Earlier::Differs(why)),
        };
        if let Some(why) = origin.differs(self.source, &self.stamp, &self.reading) {
            return Ok(Earlier::Differs(why));
        }
        // The content last, as all of it must be read.
        if origin.content != origin::content(self.source)? {
            return Ok(Earlier::Differs("the content is another one".to_owned()));
        }
        Ok(match rows.checked() {
            Ok(rows) if !rows.fits(self.reading.schema) => Earlier::Differs(DAMAGED.to_owned()),
            Ok(rows) => Earlier::Fits(Box::new(rows)),
            Err(Damage(why)) => Earlier::Differs(why),
        })
    }

    /// Returns the note about rows of an earlier process that are used again.
    pub fn used(&self) -> Message {
        format!("used the rows in {} again", self.path.display()).into()
    }

    /// Starts the file anew.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the folder cannot be written.
    pub fn create(&self) -> Result<CacheWriter> {
        CacheWriter::create(&self.path)
    }

    /// Returns where the rows are from, after all of them were encoded.
    ///
    /// # Errors
    /// Returns [`Error::Data`] if the table changed meanwhile, and [`Error::Io`] if it cannot be read.
    pub fn origin(&self) -> Result<Origin> {
        let content = origin::content(self.source)?;
        if let Some(change) = self.stamp.change(&Stamp::of(self.source)?) {
            let found = format!("{change}, while it was read");
            let refusal = Refusal::new(self.source.display(), found, "an unchanged file");
            return Err(Error::Data(refusal));
        }
        Ok(Origin::new(
            self.source,
            &self.stamp,
            &self.reading,
            content,
        ))
    }
}

/// Returns the note about rows that were written to the file at `path`, and why those of an earlier process were not used.
pub(super) fn about(path: &Path, bytes: u64, limit: u64, differs: Option<&String>) -> Message {
    let again = match differs {
        None => String::new(),
        Some(why) => format!(" again, as {why}"),
    };
    message![
        format!(
            "encoded {} of rows to {}{again}: more than the {} of ",
            size(bytes),
            path.display(),
            size(limit)
        ),
        Key("table_memory"),
    ]
}
