//! What a file on the disk is, or what is compressed in it.

use std::io::Read;
use std::path::Path;

use super::file_kind::{FileKind, START};
use super::gzip::{Content, unreadable};
use crate::error::Result;
use crate::regular_file::open_regular;

/// Recognises the file at `path`, or what is compressed in it.
///
/// # Errors
/// Returns [`Error::Io`](crate::Error::Io) if it cannot be read, and [`Error::Data`](crate::Error::Data) if it is a folder or a damaged gzip stream.
pub fn kind_of_file(path: &Path) -> Result<FileKind> {
    let content = Content::of(open_regular(path, "a file with data")?);
    let content = content.map_err(|error| unreadable(path, error))?;
    let mut start = Vec::new();
    let read = content.reader.take(START as u64).read_to_end(&mut start);
    read.map_err(|error| unreadable(path, error))?;
    Ok(FileKind::of(&start))
}
