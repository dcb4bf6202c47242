//! A partial file: what has come of a download, kept from one attempt and one process to the next.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use super::checksum;
use crate::error::{Error, Refusal, Result};

/// Opens the partial file for this process alone.
pub(super) fn open(path: &Path) -> Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    let part = options.open(path).map_err(Error::io(path, "open"))?;
    match part.try_lock() {
        // Where a file system has no locks, two fetches at once may spoil a part, which the sum would tell.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(part),
        Err(TryLockError::WouldBlock) => Err(Error::Data(Refusal::new(
            path.display(),
            "another process is fetching it",
            "one at a time",
        ))),
    }
}

/// Its bytes so far.
pub(super) fn bytes(part: &File, path: &Path) -> Result<u64> {
    let about = part.metadata().map_err(Error::io(path, "read the size"))?;
    Ok(about.len())
}

/// The sum of all of it.
pub(super) fn sum(part: &File, path: &Path) -> Result<String> {
    let found = io::Seek::rewind(&mut &*part).and_then(|()| checksum::of_reader(part));
    found.map_err(Error::io(path, "read"))
}
