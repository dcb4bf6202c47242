//! The NPZ format: a ZIP archive of NPY files, stored or deflated.
//!
//! Members are read as streams, and their sizes and checksums are verified at the end. Arrays in Fortran order, whose
//! elements are read out of order, are first copied to a temporary file.

use std::collections::BTreeMap;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

use super::npy::Header;
use crate::data::Note;
use crate::datasets::convert::source::reopen;
use crate::datasets::zip::{Entry, Zip};
use crate::error::{Error, Refusal, Result};

/// The largest ratio of deflate (RFC 1951: two bits for 258 bytes).
const MAX_RATIO: u64 = 1032;

/// The largest number of members.
const MAX_MEMBERS: usize = 10_000;

/// An archive of arrays.
pub(super) struct Archive {
    path: PathBuf,
    zip: Zip,
    members: BTreeMap<String, Entry>,
}

impl Archive {
    /// Opens the archive at `path` and lists its arrays.
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
            let found = "a ZIP archive without arrays";
            return Err(Error::Data(Refusal::new(path.display(), found, expected)));
        }
        Ok(Archive {
            path: path.to_owned(),
            zip,
            members,
        })
    }

    /// Returns the path of the archive.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns whether there is an array of this name.
    pub fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// Lists the names of the first arrays, for messages.
    pub fn summary(&self) -> String {
        let names = self.members.keys().take(20).map(String::as_str);
        names.collect::<Vec<_>>().join(", ")
    }

    /// Returns a note about the arrays that are not among the `used` ones, if there are any.
    pub fn unused(&self, used: &[&str]) -> Option<Note> {
        const SHOWN: usize = 8;
        let names = self.members.keys().map(String::as_str);
        let names: Vec<&str> = names.filter(|name| !used.contains(name)).collect();
        let shown = names[..names.len().min(SHOWN)].join(", ");
        let about = match names.len() {
            0 => return None,
            1 => format!("the array {shown} is not used"),
            2..=SHOWN => format!("the arrays {shown} are not used"),
            count => format!("the arrays {shown} and {} more are not used", count - SHOWN),
        };
        Some(Note::new(self.path.display(), about))
    }

    /// Returns the names of all arrays.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.members.keys().map(String::as_str)
    }

    /// Returns the name of the array if there is only one.
    pub fn sole(&self) -> Option<String> {
        match self.members.len() {
            1 => self.members.keys().next().cloned(),
            _ => None,
        }
    }

    /// Returns the array of this name.
    pub fn member(&self, name: &str) -> Option<Entry> {
        self.members.get(name).copied()
    }

    /// Returns the place of an array, for messages.
    pub fn place(&self, name: &str) -> String {
        format!("{}: {name}", self.path.display())
    }

    /// Returns a member, header and elements, as a stream that is verified at its end.
    pub fn stream(&self, place: &str, member: Entry) -> Result<Box<dyn Read + '_>> {
        let stream = self.zip.stream(member);
        stream.map_err(|error| damaged(place, error))
    }

    /// Checks that a member has the size in the archive that its header declares, and that it can be compressed so well.
    pub fn check_size(&self, place: &str, member: Entry, header: &Header) -> Result<()> {
        let (size, compressed) = (member.size(), member.compressed_size());
        let refuse = |found: String, expected: String| {
            Err(Error::Data(Refusal::new(place, found, expected)))
        };
        if header.total_bytes() != Some(size) {
            return refuse(
                format!("{size} bytes in the archive"),
                header.expected_size(),
            );
        }
        if size > compressed.saturating_mul(MAX_RATIO) {
            return refuse(
                format!("{size} bytes compressed to {compressed}"),
                format!("at most {MAX_RATIO} times as many"),
            );
        }
        Ok(())
    }

    /// Copies a member to a temporary file that has no name.
    pub fn spool(&self, place: &str, member: Entry) -> Result<std::fs::File> {
        let folder = std::env::temp_dir();
        let mut file =
            tempfile::tempfile().map_err(Error::io(&folder, "create a file in this folder"))?;
        let mut stream = self.stream(place, member)?;
        let mut chunk = vec![0; 1 << 18];
        loop {
            // A damaged member is another error than a full disk.
            let read = stream.read(&mut chunk).map_err(|error| {
                Error::Data(Refusal::new(
                    place,
                    error.to_string(),
                    "an intact member of a ZIP archive",
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

/// Returns why a member that follows `before` others cannot be read, if that is so.
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
        format!("a damaged ZIP archive: {error}"),
        "an intact one",
    );
    Error::Data(refusal.hint("fetch or copy the file again"))
}
