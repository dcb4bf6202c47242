//! The NPZ format: a ZIP archive of NPY files, stored or deflated.
//!
//! Members are read as streams, and checked against their size and checksum at their end. What takes an array's elements
//! out of order, as Fortran order does, gets them from a temporary file.

use std::collections::BTreeMap;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

use flate2::read::DeflateDecoder;
use rawzip::{
    CompressionMethod, FileReader, RECOMMENDED_BUFFER_SIZE, ZipArchive, ZipArchiveEntryWayfinder,
};

use super::npy::Header;
use crate::datasets::convert::source::reopen;
use crate::error::{Error, Refusal, Result};

/// Deflate never shrinks data by more than this (RFC 1951: a length of 258 in two bits).
const MAX_RATIO: u64 = 1032;

/// Members beyond which a file is no set of arrays.
const MAX_MEMBERS: usize = 10_000;

/// An archive with the arrays in it.
pub(super) struct Archive {
    path: PathBuf,
    zip: ZipArchive<FileReader>,
    members: BTreeMap<String, Member>,
}

/// An array in an archive.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member {
    entry: ZipArchiveEntryWayfinder,
    method: CompressionMethod,
}

impl Archive {
    /// Opens the archive at `path`, and lists its arrays.
    pub fn open(path: &Path) -> Result<Archive> {
        let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
        let damaged = |error| damaged(&path.display().to_string(), error);
        let zip = ZipArchive::from_file(reopen(path)?, &mut buffer).map_err(damaged)?;
        let mut members = BTreeMap::new();
        let mut entries = zip.entries(&mut buffer);
        while let Some(entry) = entries.next_entry().map_err(damaged)? {
            let name = String::from_utf8_lossy(entry.file_path().as_bytes()).into_owned();
            let Some(name) = name.strip_suffix(".npy") else {
                continue;
            };
            let encrypted = entry.flags().is_encrypted();
            let method = entry.compression_method();
            let readable = [CompressionMethod::STORE, CompressionMethod::DEFLATE].contains(&method);
            if encrypted || !readable || members.len() == MAX_MEMBERS {
                let found = match (encrypted, readable) {
                    (true, _) => format!("{name} is encrypted"),
                    (_, false) => format!("{name} is compressed by method {method}"),
                    _ => format!("more than {MAX_MEMBERS} arrays"),
                };
                let expected = "arrays as numpy.savez or savez_compressed writes them";
                return Err(Error::Data(Refusal::new(path.display(), found, expected)));
            }
            let member = Member {
                entry: entry.wayfinder(),
                method,
            };
            members.insert(name.to_owned(), member);
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
    pub fn member(&self, name: &str) -> Option<Member> {
        self.members.get(name).copied()
    }

    /// Where an array is, for messages.
    pub fn place(&self, name: &str) -> String {
        format!("{}: {name}", self.path.display())
    }

    /// A whole member, header and elements, as a stream that is checked at its end.
    pub fn stream(&self, place: &str, member: Member) -> Result<Box<dyn Read + '_>> {
        let entry = self
            .zip
            .get_entry(member.entry)
            .map_err(|error| damaged(place, error))?;
        let stored = entry.reader();
        Ok(match member.method == CompressionMethod::STORE {
            true => Box::new(entry.verifying_reader(stored)),
            false => Box::new(entry.verifying_reader(DeflateDecoder::new(stored))),
        })
    }

    /// Holds what the header of a member promises against its sizes in the archive.
    pub fn check_size(&self, place: &str, member: Member, header: &Header) -> Result<()> {
        let (packed, size) = (
            member.entry.compressed_size_hint(),
            member.entry.uncompressed_size_hint(),
        );
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
    pub fn spool(&self, place: &str, member: Member) -> Result<std::fs::File> {
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

fn damaged(place: &str, error: rawzip::Error) -> Error {
    let refusal = Refusal::new(
        place,
        format!("a ZIP archive with a fault: {error}"),
        "a whole one",
    );
    Error::Data(refusal.hint("fetch or copy the file again"))
}
