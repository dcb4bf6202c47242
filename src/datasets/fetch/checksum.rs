//! SHA-256 checksums of files, and their record in `SHA256SUMS`, which `sha256sum -c` also reads.
//!
//! The record is needed for raw files whose checksums are not in the catalogue.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use digest_io::HashWriter;
use sha2::Sha256;

use crate::data::names;
use crate::durable::Finished;
use crate::error::{Error, Result};

/// The name of the record in the folder of a data set.
pub(super) const RECORD: &str = names::CHECKSUMS;

/// The largest record that is read, in bytes. It has a line for each of four files.
const MAX_RECORD: u64 = 1 << 16;

/// A writer that passes everything on and hashes it.
pub(super) type Hashing<W> = HashWriter<Sha256, W>;

/// Returns the checksum in hexadecimal.
pub(super) fn hex(hashing: Hashing<impl Write>) -> String {
    let bytes = hashing.finalize();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the checksum of the rest of `file`.
pub(super) fn of_reader(file: impl Read) -> io::Result<String> {
    let mut hashing = Hashing::new(io::sink());
    io::copy(&mut BufReader::with_capacity(1 << 18, file), &mut hashing)?;
    Ok(hex(hashing))
}

/// Returns the checksum of the file at `path`.
///
/// # Errors
/// Returns [`Error::Io`] if the file cannot be read.
pub(super) fn of_file(path: &Path) -> Result<String> {
    let sum = File::open(path).and_then(of_reader);
    sum.map_err(Error::io(path, "read"))
}

/// Returns the checksums recorded in `folder` by file name. Malformed lines are ignored.
pub(super) fn recorded(folder: &Path) -> BTreeMap<String, String> {
    let mut text = String::new();
    let read = File::open(folder.join(RECORD))
        .and_then(|file| file.take(MAX_RECORD).read_to_string(&mut text));
    if read.is_err() {
        return BTreeMap::new();
    }
    let lines = text.lines().filter_map(|line| line.split_once("  "));
    lines
        .filter(|(sum, _)| sum.len() == 64)
        .map(|(sum, name)| (name.to_owned(), sum.to_owned()))
        .collect()
}

/// Writes a record for `folder` that has these files and checksums in addition to those recorded before, under a temporary
/// name. Returns `None` if they are recorded already.
///
/// # Errors
/// Returns [`Error::Io`] if the record cannot be written.
pub(super) fn record(folder: &Path, new: &[(&str, String)]) -> Result<Option<Finished>> {
    let before = recorded(folder);
    let mut sums = before.clone();
    sums.extend(
        new.iter()
            .map(|(name, sum)| ((*name).to_owned(), sum.clone())),
    );
    if sums == before {
        return Ok(None);
    }
    let finished = Finished::fill(&folder.join(RECORD), |out| {
        for (name, sum) in &sums {
            writeln!(out, "{sum}  {name}")?;
        }
        Ok(())
    });
    finished.map(Some)
}

/// Checks that two checksums in hexadecimal are equal. Otherwise returns both, abbreviated.
pub(super) fn check(found: &str, expected: &str) -> Result<(), String> {
    match found == expected {
        true => Ok(()),
        false => Err(format!(
            "SHA-256 {}…, expected {}…",
            &found[..12],
            &expected[..12]
        )),
    }
}

/// Returns the size of the file at `path`, or `None` if it does not exist.
///
/// # Errors
/// Returns [`Error::Io`] if the size cannot be read.
pub(super) fn length(path: &Path) -> Result<Option<u64>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata.len())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io(path, "read the size")(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_sha256() {
        // The example "abc" of FIPS 180-4.
        let sum = of_reader(&b"abc"[..]).expect("memory");
        assert_eq!(
            sum,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn the_record_keeps_its_other_lines() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (one, two) = ("1".repeat(64), "2".repeat(64));
        fs::write(folder.path().join(RECORD), format!("text\n{one}  other\n")).expect("writing");
        let new = [("images", two.clone())];
        let record = || record(folder.path(), &new).expect("writing");
        record().expect("a new record").put().expect("renaming");
        assert!(record().is_none());
        let text = fs::read_to_string(folder.path().join(RECORD)).expect("the record");
        assert_eq!(text, format!("{two}  images\n{one}  other\n"));
    }
}
