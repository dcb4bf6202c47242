//! The NPZ format: a ZIP archive of NPY files, stored or deflated.
//!
//! Members are read as streams, and checked against their size and checksum at their end. What takes an array's elements
//! out of order, as Fortran order does, gets them from a temporary file.

use std::collections::BTreeMap;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

use super::npy::Header;
use crate::datasets::convert::source::reopen;
use crate::datasets::zip::{Entry, Zip};
use crate::error::{Error, Refusal, Result};

/// Deflate never shrinks data by more than this (RFC 1951: a length of 258 in two bits).
const MAX_RATIO: u64 = 1032;

/// Members beyond which a file is no set of arrays.
const MAX_MEMBERS: usize = 10_000;

/// An archive with the arrays in it.
pub(super) struct Archive {
    path: PathBuf,
    zip: Zip,
    members: BTreeMap<String, Entry>,
}

impl Archive {
    /// Opens the archive at `path`, and lists its arrays.
    pub fn open(path: &Path) -> Result<Archive> {
        let damaged = |error| damaged(&path.display().to_string(), error);
        let zip = Zip::open(reopen(path)?).map_err(damaged)?;
        let (mut members, mut fault) = (BTreeMap::new(), None);
        let listed = zip.list(|name, entry| {
            if let Some(name) = name.strip_suffix(".npy") {
                fault = refusal_of(name, entry, members.len());
                members.insert(name.to_owned(), entry);
            }
            fault.is_none()
        });
        listed.map_err(damaged)?;
        if let Some(found) = fault {
            let expected = "arrays as numpy.savez or savez_compressed writes them";
            return Err(Error::Data(Refusal::new(path.display(), found, expected)));
        }
        if members.is_empty() {
            let expected = "arrays as numpy.savez writes them";
            return Err(Error::Data(Refusal::new(
                path.display(),
                "a ZIP archive without arrays",
                expected,
            )));
        }
        Ok(Archive {
            path: path.to_owned(),
            zip,
            members,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The arrays' names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.members.keys().map(String::as_str)
    }

    /// The array of this name.
    pub fn member(&self, name: &str) -> Option<Entry> {
        self.members.get(name).copied()
    }

    /// Where an array is, for messages.
    pub fn place(&self, name: &str) -> String {
        format!("{}: {name}", self.path.display())
    }

    /// A whole member, header and elements, as a stream that is checked at its end.
    pub fn stream(&self, place: &str, member: Entry) -> Result<Box<dyn Read + '_>> {
        let stream = self.zip.stream(member);
        stream.map_err(|error| damaged(place, error))
    }

    /// Holds what the header of a member promises against its sizes in the archive.
    pub fn check_size(&self, place: &str, member: Entry, header: &Header) -> Result<()> {
        let (packed, size) = (member.compressed_size(), member.size());
        let promised = header
            .data_bytes()
            .and_then(|bytes| bytes.checked_add(header.bytes));
        let most = packed.saturating_mul(MAX_RATIO);
        let found = match promised {
            Some(bytes) if bytes == size && size <= most => return Ok(()),
            Some(bytes) => {
                format!("{size} bytes in the archive, {packed} of them packed, for {bytes}")
            }
            None => "more elements than a machine addresses".to_owned(),
        };
        let expected = format!("as many as {} takes", header.about());
        Err(Error::Data(Refusal::new(place, found, expected)))
    }

    /// All of a member in a temporary file that has no name.
    pub fn spool(&self, place: &str, member: Entry) -> Result<std::fs::File> {
        let folder = std::env::temp_dir();
        let mut file =
            tempfile::tempfile().map_err(Error::io(&folder, "create a file in this folder"))?;
        let mut stream = self.stream(place, member)?;
        let mut chunk = vec![0; 1 << 18];
        loop {
            // What is wrong with the member is not what is wrong with the disk.
            let read = stream.read(&mut chunk).map_err(|error| {
                Error::Data(Refusal::new(
                    place,
                    error.to_string(),
                    "a whole member of a ZIP archive",
                ))
            })?;
            if read == 0 {
                break;
            }
            std::io::Write::write_all(&mut file, &chunk[..read])
                .map_err(Error::io(&folder, "write a temporary file"))?;
        }
        file.rewind()
            .map_err(Error::io(&folder, "read a temporary file"))?;
        Ok(file)
    }
}

/// What is wrong with a member that follows `before` others, if anything is.
fn refusal_of(name: &str, entry: Entry, before: usize) -> Option<String> {
    match entry.encrypted {
        true => Some(format!("{name} is encrypted")),
        false if !entry.is_readable() => {
            Some(format!("{name} is compressed by method {}", entry.method))
        }
        false => (before == MAX_MEMBERS).then(|| format!("more than {MAX_MEMBERS} arrays")),
    }
}

fn damaged(place: &str, error: rawzip::Error) -> Error {
    let refusal = Refusal::new(
        place,
        format!("a ZIP archive with a fault: {error}"),
        "a whole one",
    );
    Error::Data(refusal.hint("fetch or copy the file again"))
}
