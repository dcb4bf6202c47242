//! Opening and reading regular files.
//!
//! The kind of a file is checked before it is opened, as opening a pipe would block until somebody writes to it.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::error::{Error, Refusal, Result};

/// Opens `path`, which is expected to be `expected`, if it is a regular file.
///
/// # Errors
/// Returns [`Error::Io`] if the file cannot be opened, and [`Error::Data`] if `path` is a folder or a device.
pub(crate) fn open_regular(path: &Path, expected: &str) -> Result<File> {
    let metadata = path.metadata().map_err(Error::io(path, "open"))?;
    if !metadata.is_file() {
        let found = if metadata.is_dir() {
            "a folder"
        } else {
            "not a regular file"
        };
        return Err(Error::Data(Refusal::new(path.display(), found, expected)));
    }
    File::open(path).map_err(Error::io(path, "open"))
}

/// Reads the whole file at `path`, which is expected to be `expected`.
///
/// # Errors
/// Returns the errors of [`open_regular`], [`Error::Io`] if the file cannot be read, and [`Error::Memory`] if the
/// system refuses the memory.
pub(crate) fn read_regular(path: &Path, expected: &str) -> Result<Vec<u8>> {
    let mut file = open_regular(path, expected)?;
    let length = file.metadata().map_err(Error::io(path, "read the size"))?;
    let mut bytes = with_capacity(length.len())?;
    file.read_to_end(&mut bytes)
        .map_err(Error::io(path, "read"))?;
    Ok(bytes)
}

/// Returns an empty buffer with room for `length` bytes.
fn with_capacity(length: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let reserved = usize::try_from(length).map(|length| bytes.try_reserve_exact(length));
    match reserved {
        Ok(Ok(())) => Ok(bytes),
        _ => {
            let found = format!("{length} bytes were refused");
            Err(Error::Memory(Refusal::new(
                "memory",
                found,
                "room for a copy of the file",
            )))
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_pipe_is_refused_without_waiting_for_a_writer() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let pipe = folder.path().join("pipe");
        let made = Command::new("mkfifo").arg(&pipe).status();
        assert!(made.is_ok_and(|status| status.success()), "mkfifo");
        let refused = open_regular(&pipe, "an IDX file").expect_err("a refusal");
        let expected = "not a regular file, expected an IDX file";
        assert!(refused.to_string().ends_with(expected), "{refused}");
    }
}
