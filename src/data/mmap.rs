//! The bytes of a file, mapped into memory: the only `unsafe` of the data path.
//!
//! A mapping costs no copy and is shared through the page cache with every other process that reads
//! the same file. Bytes that have no file (a decoded gzip stream in a read-only folder) are owned.

use std::fs::File;
use std::ops::Deref;
use std::path::Path;

use memmap2::Mmap;

use crate::error::{Error, Refusal, Result};

/// Read-only bytes: mapped from a file, or owned.
#[derive(Debug)]
pub enum Bytes {
    /// The pages of a file.
    Mapped(Mmap),
    /// Bytes on the heap.
    Owned(Vec<u8>),
}

impl Bytes {
    /// Maps the whole file at `path`, which should be `expected`. An empty file gives empty bytes.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be opened or mapped, [`Error::Data`] when `path` is a folder
    /// or a device.
    pub fn map(path: &Path, expected: &str) -> Result<Bytes> {
        let file = File::open(path).map_err(Error::io(path, "open"))?;
        let metadata = file.metadata().map_err(Error::io(path, "read the size"))?;
        if !metadata.is_file() {
            let found = if metadata.is_dir() {
                "a folder"
            } else {
                "no regular file"
            };
            return Err(Error::Data(Refusal::new(path.display(), found, expected)));
        }
        if metadata.len() == 0 {
            return Ok(Bytes::Owned(Vec::new()));
        }
        // SAFETY: the mapping is read-only and private to this value. What the compiler cannot rule
        // out is another process that writes to or truncates the file while we read: changed bytes
        // are still valid `u8`s and no index is ever taken from them after the check at opening
        // (labels are copied), and access past a truncated end is a SIGBUS, not undefined memory.
        let map = unsafe { Mmap::map(&file) }.map_err(Error::io(path, "map into memory"))?;
        Ok(Bytes::Mapped(map))
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Mapped(map) => map,
            Bytes::Owned(vec) => vec,
        }
    }
}
