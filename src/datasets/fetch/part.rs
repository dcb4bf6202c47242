//! A partial file: the received bytes of a download, kept between attempts and between processes.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use super::checksum;
use crate::error::{Error, Refusal, Result};

/// Opens the partial file and locks it for this process.
pub(super) fn open(path: &Path) -> Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    let part = options.open(path).map_err(Error::io(path, "open"))?;
    match part.try_lock() {
        // On a file system without locks, two concurrent downloads may spoil the file, which the checksum detects.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(part),
        Err(TryLockError::WouldBlock) => Err(Error::Data(Refusal::new(
            path.display(),
            "another process is fetching it",
            "one at a time",
        ))),
    }
}

/// Returns the number of bytes so far.
pub(super) fn bytes(part: &File, path: &Path) -> Result<u64> {
    let metadata = part.metadata().map_err(Error::io(path, "read the size"))?;
    Ok(metadata.len())
}

/// Returns the checksum of the whole file.
pub(super) fn sum(part: &File, path: &Path) -> Result<String> {
    let sum = io::Seek::rewind(&mut &*part).and_then(|()| checksum::of_reader(part));
    sum.map_err(Error::io(path, "read"))
}
