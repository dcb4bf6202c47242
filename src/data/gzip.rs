//! Gzip to IDX: decoded once into a raw file beside the compressed one, so that the next run can map it.
//!
//! If the folder cannot be written, the decoded bytes stay in memory. The IDX header at the start of the stream gives
//! the decoded length, and no byte beyond that is decoded. A header that promises more than deflate can hold is refused
//! before anything is allocated.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::idx::{Header, MAX_HEADER_BYTES};

use crate::durable;
use crate::error::{Error, Refusal, Result};
use crate::regular_file::open_regular;

/// The largest ratio by which deflate shrinks data (RFC 1951: a length of 258 in two bits).
const MAX_RATIO: u64 = 1032;

/// Where the IDX array of a gzip file is after decoding.
#[derive(Debug)]
pub(super) enum Decoded {
    /// In the raw file at this path.
    File(PathBuf),
    /// In memory, as the folder cannot be written.
    Memory(Vec<u8>),
}

/// Decodes the IDX array inside `path`, which ends in `.gz`, unless the raw file exists already.
///
/// # Errors
/// Returns [`Error::Io`] if the file cannot be read, and [`Error::Data`] if it is damaged or not an IDX array.
pub(super) fn decode_file(path: &Path) -> Result<Decoded> {
    let raw = path.with_extension("");
    if raw.is_file() {
        return Ok(Decoded::File(raw));
    }
    let compressed = || open_regular(path, "a gzip file");
    let length = path.metadata().map_err(Error::io(path, "read the size"))?;
    let file_bytes = promised_bytes(path, compressed()?, length.len())?;
    let stream = compressed()?;
    let mut decoding = Ok(());
    // Another process may decode the same file at this moment, and map the result.
    let written = durable::write_if_absent(&raw, |out| {
        copy_exactly(path, stream, file_bytes, out, &mut decoding)
    });
    decoding?;
    if written.is_ok() {
        return Ok(Decoded::File(raw));
    }
    // The raw file only saves time for the next run; without it, this run keeps the bytes.
    in_memory(path, compressed()?, file_bytes).map(Decoded::Memory)
}

/// Decodes the IDX array inside `bytes`, the content of the file `path`.
///
/// # Errors
/// Returns [`Error::Data`] if the stream is damaged or not an IDX array.
pub(super) fn decode_bytes(path: &Path, bytes: &[u8]) -> Result<Vec<u8>> {
    let file_bytes = promised_bytes(path, bytes, bytes.len() as u64)?;
    in_memory(path, bytes, file_bytes)
}

fn in_memory(path: &Path, compressed: impl Read, file_bytes: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut decoding = Ok(());
    let copied = copy_exactly(path, compressed, file_bytes, &mut bytes, &mut decoding);
    decoding?;
    copied.map_err(Error::io(path, "decode into memory"))?;
    Ok(bytes)
}

/// Returns the length of the decoded file according to its header, after checking it against `length`, that of the
/// compressed one.
fn promised_bytes(path: &Path, compressed: impl Read, length: u64) -> Result<u64> {
    let mut start = Vec::new();
    MultiGzDecoder::new(compressed)
        .take(MAX_HEADER_BYTES as u64)
        .read_to_end(&mut start)
        .map_err(|error| damaged(path, &error))?;
    let promised = Header::parse(path, &start)?.file_bytes() as u64;
    let most = length.saturating_mul(MAX_RATIO);
    if promised > most {
        return Err(Error::Data(Refusal::new(
            path.display(),
            format!("a header for {promised} bytes"),
            format!("at most the {most} that {length} compressed bytes can hold"),
        )));
    }
    Ok(promised)
}

/// Decodes `compressed`, the content of `path`, into `out`. An error of the stream goes to `decoding`, so that the
/// caller can tell it from an error of `out`.
fn copy_exactly(
    path: &Path,
    compressed: impl Read,
    file_bytes: u64,
    out: &mut dyn Write,
    decoding: &mut Result<()>,
) -> io::Result<()> {
    match decode(path, compressed, file_bytes, out) {
        Ok(written) => written,
        Err(error) => {
            *decoding = Err(error);
            Err(io::Error::other("the gzip stream is damaged"))
        }
    }
}

/// Decodes as [`copy_exactly`] does. The outer result is an error of the stream, the inner one an error of `out`.
fn decode(
    path: &Path,
    compressed: impl Read,
    file_bytes: u64,
    out: &mut dyn Write,
) -> Result<io::Result<()>> {
    let mut stream = MultiGzDecoder::new(compressed);
    let mut chunk = vec![0; 1 << 18];
    let mut copied = 0;
    loop {
        let read = stream
            .read(&mut chunk)
            .map_err(|error| damaged(path, &error))?;
        copied += read as u64;
        if copied > file_bytes || (read == 0 && copied < file_bytes) {
            let found = if read == 0 {
                format!("{copied} decoded bytes")
            } else {
                format!("more than {file_bytes} decoded bytes")
            };
            let refusal = Refusal::new(path.display(), found, format!("{file_bytes}"));
            return Err(Error::Data(refusal));
        }
        if read == 0 {
            return Ok(Ok(()));
        }
        if let Err(error) = out.write_all(&chunk[..read]) {
            return Ok(Err(error));
        }
    }
}

/// Returns the error for an incomplete or damaged stream in `path`.
pub(crate) fn damaged(path: &Path, error: &io::Error) -> Error {
    Error::Data(
        Refusal::new(path.display(), error.to_string(), "a complete gzip stream")
            .hint("download or copy the file again"),
    )
}

/// Compresses `bytes` to a gzip stream.
#[cfg(test)]
pub(crate) fn compressed(bytes: &[u8]) -> Vec<u8> {
    use flate2::{Compression, write::GzEncoder};
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("writing to memory");
    encoder.finish().expect("writing to memory")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn idx(items: u32, payload: usize) -> Vec<u8> {
        let mut bytes = vec![0, 0, 8, 1];
        bytes.extend(items.to_be_bytes());
        bytes.resize(8 + payload, 3);
        bytes
    }

    fn decode_in_new_folder(bytes: &[u8]) -> (tempfile::TempDir, Result<Decoded>) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("labels.gz");
        std::fs::write(&path, bytes).expect("writing");
        let decoded = decode_file(&path);
        (folder, decoded)
    }

    #[test]
    fn decodes_into_a_raw_file_in_the_same_folder() {
        let (folder, decoded) = decode_in_new_folder(&compressed(&idx(5, 5)));
        let raw = folder.path().join("labels");
        assert!(matches!(decoded.expect("a good file"), Decoded::File(path) if path == raw));
        assert_eq!(std::fs::read(raw).expect("the raw file"), idx(5, 5));
    }

    #[test]
    fn a_damaged_stream_is_refused_and_leaves_no_file() {
        let whole = compressed(&idx(500, 500));
        for (bytes, words) in [
            (whole[..whole.len() - 9].to_vec(), "complete gzip stream"),
            (compressed(&idx(500, 499)), "507 decoded bytes"),
            (compressed(&idx(500, 501)), "more than 508"),
            (compressed(&idx(u32::MAX, 9)), "can hold"),
            (b"not gzip at all".to_vec(), "complete gzip stream"),
        ] {
            let (folder, decoded) = decode_in_new_folder(&bytes);
            let message = decoded.expect_err("a refusal").to_string();
            assert!(message.contains(words), "{message}");
            assert_eq!(std::fs::read_dir(folder.path()).expect("folder").count(), 1);
        }
    }

    proptest! {
        /// A damaged stream is refused or decodes to a complete array, and never panics.
        #[test]
        fn a_damaged_stream_never_panics(at in 0usize..100, with in any::<u8>(), cut in 0usize..200) {
            let mut bytes = compressed(&idx(500, 500));
            let length = bytes.len();
            bytes[at % length] = with;
            bytes.truncate(cut);
            let path = Path::new("labels.gz");
            if let Ok(decoded) = decode_bytes(path, &bytes) {
                let header = Header::parse(path, &decoded).expect("it was read for the length");
                prop_assert_eq!(header.file_bytes(), decoded.len());
            }
        }
    }
}
