//! Gzip to IDX: decoded once into a raw file beside the compressed one, so that the next run maps it.
//!
//! Where the folder cannot be written the decoded bytes stay in memory. The IDX header at the start of
//! the stream says how long it must be, and no byte beyond that is decoded; a header that promises more
//! than deflate can hold is refused before anything is allocated.

use std::io::{self, Read, Write};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::idx::{Header, IdxFile, MAX_HEADER_BYTES};
use super::mmap::{Bytes, open_regular};
use crate::durable;
use crate::error::{Error, Refusal, Result};

/// Deflate never shrinks data by more than this (RFC 1951: a length of 258 in two bits).
const MAX_RATIO: u64 = 1032;

/// Opens the IDX array inside `path`, which ends in `.gz`.
///
/// # Errors
/// As [`IdxFile::open`].
pub(super) fn open(path: &Path) -> Result<IdxFile> {
    let raw = path.with_extension("");
    if raw.is_file() {
        return IdxFile::open(&raw);
    }
    let compressed = || open_regular(path, "a gzip file");
    let length = path.metadata().map_err(Error::io(path, "read the size"))?;
    let file_bytes = promised_bytes(path, compressed()?, length.len())?;
    let stream = compressed()?;
    let mut decoding = Ok(());
    // Others may decode the same file at this moment, and map what they get.
    let written = durable::write_new(&raw, |out| {
        copy_exactly(path, stream, file_bytes, out, &mut decoding)
    });
    decoding?;
    if written.is_ok() {
        return IdxFile::open(&raw);
    }
    // The raw file is only a shortcut for the next run: without it, this run keeps the bytes.
    in_memory(path, compressed()?, file_bytes)
}

/// Decodes the IDX array inside `bytes`, the content of the file `path`.
///
/// # Errors
/// As [`IdxFile::from_gzip`].
pub(super) fn from_bytes(path: &Path, bytes: &[u8]) -> Result<IdxFile> {
    let file_bytes = promised_bytes(path, bytes, bytes.len() as u64)?;
    in_memory(path, bytes, file_bytes)
}

fn in_memory(path: &Path, compressed: impl Read, file_bytes: u64) -> Result<IdxFile> {
    let mut bytes = Vec::new();
    let mut decoding = Ok(());
    let copied = copy_exactly(path, compressed, file_bytes, &mut bytes, &mut decoding);
    decoding?;
    copied.map_err(Error::io(path, "decode into memory"))?;
    IdxFile::from_bytes(path, Bytes::Owned(bytes))
}

/// The length of the decoded file by its header, held against `length`, that of the compressed one.
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

/// Decodes `compressed`, the content of `path`, into `out`. What is wrong with the stream goes to `decoding`, so that
/// the caller can tell it from what is wrong with `out`.
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

/// As [`copy_exactly`]: what is wrong with the stream outside, what is wrong with `out` inside.
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

/// The error for a stream in `path` that is not whole.
pub(crate) fn damaged(path: &Path, error: &io::Error) -> Error {
    Error::Data(
        Refusal::new(path.display(), error.to_string(), "a whole gzip stream")
            .hint("fetch or copy the file again"),
    )
}

/// A gzip stream of `bytes`.
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

    fn open_in_new_folder(bytes: &[u8]) -> (tempfile::TempDir, Result<IdxFile>) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("labels.gz");
        std::fs::write(&path, bytes).expect("writing");
        let opened = open(&path);
        (folder, opened)
    }

    #[test]
    fn decodes_into_a_raw_file_beside() {
        let (folder, opened) = open_in_new_folder(&compressed(&idx(5, 5)));
        assert_eq!(opened.expect("a good file").payload(), [3; 5]);
        let raw = std::fs::read(folder.path().join("labels")).expect("the raw file");
        assert_eq!(raw, idx(5, 5));
    }

    #[test]
    fn refuses_what_is_damaged_and_leaves_nothing_behind() {
        let whole = compressed(&idx(500, 500));
        for (bytes, words) in [
            (whole[..whole.len() - 9].to_vec(), "whole gzip stream"),
            (compressed(&idx(500, 499)), "507 decoded bytes"),
            (compressed(&idx(500, 501)), "more than 508"),
            (compressed(&idx(u32::MAX, 9)), "can hold"),
            (b"not gzip at all".to_vec(), "whole gzip stream"),
        ] {
            let (folder, opened) = open_in_new_folder(&bytes);
            let message = opened.expect_err("a refusal").to_string();
            assert!(message.contains(words), "{message}");
            assert_eq!(std::fs::read_dir(folder.path()).expect("folder").count(), 1);
        }
    }

    proptest! {
        /// A damaged stream is refused or decodes to a whole array, and never panics.
        #[test]
        fn a_damaged_stream_never_panics(at in 0usize..100, with in any::<u8>(), cut in 0usize..200) {
            let mut bytes = compressed(&idx(500, 500));
            let length = bytes.len();
            bytes[at % length] = with;
            bytes.truncate(cut);
            if let Ok(file) = from_bytes(Path::new("labels.gz"), &bytes) {
                prop_assert_eq!(file.header().file_bytes(), file.payload().len() + 8);
            }
        }
    }
}
