//! XXH3 of contents, in hexadecimal.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use xxhash_rust::xxh3::Xxh3;

use crate::error::{Error, Result};

/// Computes XXH3 of the rest of `file`, whose path is `path`, in hexadecimal.
///
/// # Errors
/// Returns [`Error::Io`] if it cannot be read.
pub(super) fn hash_of_file(path: &Path, mut file: File) -> Result<String> {
    let (mut hash, mut chunk) = (Xxh3::new(), vec![0; 1 << 18]);
    loop {
        match file.read(&mut chunk).map_err(Error::io(path, "read"))? {
            0 => return Ok(hexadecimal(hash.digest128())),
            read => hash.update(&chunk[..read]),
        }
    }
}

/// Formats a hash as 32 hexadecimal digits.
pub(crate) fn hexadecimal(hash: u128) -> String {
    format!("{hash:032x}")
}
