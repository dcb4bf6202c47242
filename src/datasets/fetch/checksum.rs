//! SHA-256 sums of files, and the record of them in `SHA256SUMS`, which `sha256sum -c` reads too.
//!
//! The record tells what a verified download came to where the sum of a raw file is not known beforehand.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::durable;
use crate::error::{Error, Result};

/// The name of the record in the folder of a set.
pub(super) const RECORD: &str = "SHA256SUMS";

/// A record is a few lines; what is longer is none.
const LONGEST_RECORD: u64 = 1 << 16;

/// A sum that grows with what is written to it.
#[derive(Default)]
pub(super) struct Sum(Sha256);

impl Sum {
    /// The sum in hexadecimal.
    pub fn hex(self) -> String {
        let bytes = self.0.finalize();
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Write for Sum {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The sum of what `file` holds from where it stands.
pub(super) fn of_reader(mut file: impl Read) -> io::Result<String> {
    let mut sum = Sum::default();
    let mut chunk = vec![0; 1 << 18];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(sum.hex()),
            read => sum.write_all(&chunk[..read])?,
        }
    }
}

/// The sum of the file at `path`.
///
/// # Errors
/// [`Error::Io`] when it cannot be read.
pub(super) fn of_file(path: &Path) -> Result<String> {
    let sum = File::open(path).and_then(of_reader);
    sum.map_err(Error::io(path, "read"))
}

/// The sums that the record in `folder` has, by file name. A line that is none is passed over.
pub(super) fn recorded(folder: &Path) -> BTreeMap<String, String> {
    let mut text = String::new();
    let read = File::open(folder.join(RECORD))
        .and_then(|file| file.take(LONGEST_RECORD).read_to_string(&mut text));
    if read.is_err() {
        return BTreeMap::new();
    }
    let lines = text.lines().filter_map(|line| line.split_once("  "));
    lines
        .filter(|(sum, _)| sum.len() == 64)
        .map(|(sum, name)| (name.to_owned(), sum.to_owned()))
        .collect()
}

/// Notes in `folder` that the file `name` has this sum.
///
/// # Errors
/// [`Error::Io`] when the record cannot be written.
pub(super) fn record(folder: &Path, name: &str, sum: &str) -> Result<()> {
    let mut sums = recorded(folder);
    let old = sums.insert(name.to_owned(), sum.to_owned());
    if old.as_deref() == Some(sum) {
        return Ok(());
    }
    durable::write_whole(&folder.join(RECORD), |out| {
        for (name, sum) in &sums {
            writeln!(out, "{sum}  {name}")?;
        }
        Ok(())
    })
}

/// The length of the file at `path`, None where there is none.
///
/// # Errors
/// [`Error::Io`] when it cannot be told.
pub(super) fn length(path: &Path) -> Result<Option<u64>> {
    match fs::metadata(path) {
        Ok(about) => Ok(Some(about.len())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io(path, "read the size")(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_sha256() {
        // The sum of "abc" in FIPS 180-4's examples.
        let sum = of_reader(&b"abc"[..]).expect("memory");
        assert_eq!(
            sum,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn the_record_keeps_what_it_had() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (one, two) = ("1".repeat(64), "2".repeat(64));
        fs::write(folder.path().join(RECORD), format!("text\n{one}  other\n")).expect("writing");
        record(folder.path(), "images", &two).expect("writing");
        let text = fs::read_to_string(folder.path().join(RECORD)).expect("the record");
        assert_eq!(text, format!("{two}  images\n{one}  other\n"));
    }
}
