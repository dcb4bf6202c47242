//! Gzip to IDX: decoded once into a hidden file next to the compressed one, so that the next run can map it.
//!
//! The name of the hidden file has a hash of the compressed one, so that it is never used for other contents. If the folder
//! cannot be written, or if the array is small, the decoded bytes stay in memory. The IDX header at the start of the stream
//! gives the decoded length, and no byte beyond that is decoded. A header that promises more than deflate can hold is
//! refused before anything is allocated.

mod stream;

use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::content_hash::hash_of_file;
use super::idx::{Header, MAX_HEADER_BYTES};
use super::mmap::Stamp;

use crate::durable;
use crate::error::{Error, Refusal, Result};
use crate::regular_file::open_regular;

#[cfg(feature = "fetch")]
pub(crate) use self::stream::Members;
pub(crate) use self::stream::{Content, MAGIC};

/// The largest ratio by which deflate shrinks data (RFC 1951: a length of 258 in two bits).
const MAX_RATIO: u64 = 1032;

/// The size of the smallest array that is kept decoded, in bytes. A smaller one is decoded in less than a millisecond.
const SMALLEST_KEPT: u64 = 1 << 18;

/// The end of the names of decoded files.
const DECODED: &str = ".decoded";

/// Where the IDX array of a gzip file is after decoding.
#[derive(Debug)]
pub(super) enum Decoded {
    /// In the hidden file at this path.
    File(PathBuf),
    /// In memory, as it is small, or as the folder cannot be written.
    Memory(Vec<u8>),
}

/// Decodes the IDX array inside the gzip file `path`, unless that was done before.
///
/// # Errors
/// Returns [`Error::Io`] if the file cannot be read, and [`Error::Data`] if it is damaged or not an IDX array.
pub(super) fn decode_file(path: &Path) -> Result<Decoded> {
    let file = open_regular(path, "a gzip file")?;
    let before = stamp(path, &file)?;
    let rewound = || -> Result<File> {
        (&file).rewind().map_err(Error::io(path, "read"))?;
        file.try_clone().map_err(Error::io(path, "open"))
    };
    let file_bytes = promised_bytes(path, rewound()?, before.length())?;
    if file_bytes < SMALLEST_KEPT {
        return in_memory(path, rewound()?, file_bytes).map(Decoded::Memory);
    }
    let kept = kept_path(path, &hash_of_file(path, rewound()?)?);
    let is_kept = |about: fs::Metadata| about.is_file() && about.len() == file_bytes;
    if kept.metadata().is_ok_and(is_kept) {
        return Ok(Decoded::File(kept));
    }
    let stream = rewound()?;
    let mut decoding = Ok(());
    let written = durable::write_atomically(&kept, |out| {
        copy_exactly(path, stream, file_bytes, out, &mut decoding)?;
        // The name must have the hash of what was decoded.
        match stamp(path, &file) {
            Ok(after) if after == before => Ok(()),
            _ => Err(io::Error::other("the file changed while it was decoded")),
        }
    });
    decoding?;
    if written.is_ok() {
        remove_earlier(path, &kept);
        return Ok(Decoded::File(kept));
    }
    // The hidden file only saves time for the next run; without it, this run keeps the bytes.
    in_memory(path, rewound()?, file_bytes).map(Decoded::Memory)
}

fn stamp(path: &Path, file: &File) -> Result<Stamp> {
    let metadata = file.metadata().map_err(Error::io(path, "read the size"))?;
    Ok(Stamp::of(&metadata))
}

/// Returns where the array of a compressed file with this hash is kept.
fn kept_path(path: &Path, hash: &str) -> PathBuf {
    let mut name = kept_prefix(path);
    name.push(hash);
    name.push(DECODED);
    path.with_file_name(name)
}

/// Returns what the names of all arrays start with that were decoded from files of the name of `path`.
fn kept_prefix(path: &Path) -> std::ffi::OsString {
    let mut prefix = std::ffi::OsString::from(".");
    prefix.push(path.file_name().unwrap_or_default());
    prefix.push(".");
    prefix
}

/// Removes what was decoded from earlier contents of `path`, and what killed processes left. Whoever has it mapped keeps it.
fn remove_earlier(path: &Path, kept: &Path) {
    let prefix = kept_prefix(path);
    // Best effort: what is left only takes space.
    let Ok(entries) = fs::read_dir(durable::folder_of(path)) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let hash = name.as_encoded_bytes();
        let hash = hash.strip_prefix(prefix.as_encoded_bytes());
        let hash = hash.and_then(|rest| rest.strip_suffix(DECODED.as_bytes()));
        let is_earlier = hash.is_some_and(|hash| {
            hash.len() == 32
                && hash.iter().all(u8::is_ascii_hexdigit)
                && kept.file_name() != Some(&name)
        });
        if is_earlier {
            drop(fs::remove_file(entry.path()));
        }
    }
    let prefix = prefix.to_string_lossy();
    // The names of its temporary files start with the same.
    drop(durable::remove_leftovers(
        durable::folder_of(path),
        &[&prefix],
    ));
}

/// Decodes the IDX array inside `bytes`, the content of the file `path`.
///
/// # Errors
/// Returns [`Error::Data`] if the stream is damaged or not an IDX array.
pub(super) fn decode_bytes(path: &Path, bytes: &[u8]) -> Result<Vec<u8>> {
    let stream = || io::Cursor::new(bytes.to_vec());
    let file_bytes = promised_bytes(path, stream(), bytes.len() as u64)?;
    in_memory(path, stream(), file_bytes)
}

fn in_memory(
    path: &Path,
    compressed: impl Read + Send + 'static,
    file_bytes: u64,
) -> Result<Vec<u8>> {
    let mut decoded = Memory(Vec::new());
    let mut decoding = Ok(());
    let copied = copy_exactly(path, compressed, file_bytes, &mut decoded, &mut decoding);
    decoding?;
    copied.map_err(Error::io(path, "decode into memory"))?;
    Ok(decoded.0)
}

/// Bytes that grow as long as the system grants the memory.
struct Memory(Vec<u8>);

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.0.try_reserve(bytes.len());
        room.map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns the length of the decoded file according to its header, after checking it against `length`, that of the
/// compressed one.
fn promised_bytes(path: &Path, compressed: impl Read + Send + 'static, length: u64) -> Result<u64> {
    let mut start = Vec::new();
    let content = Content::of(compressed).map_err(|error| unreadable(path, error))?;
    if content.layers == 0 {
        let refusal = Refusal::new(path.display(), "no gzip data", "a complete gzip stream");
        return Err(Error::Data(refusal.hint("download or copy the file again")));
    }
    let first = content.reader.take(MAX_HEADER_BYTES as u64);
    let read = { first }.read_to_end(&mut start);
    read.map_err(|error| unreadable(path, error))?;
    let promised = Header::parse(path, &start)?.file_bytes() as u64;
    let most = length.saturating_mul(MAX_RATIO.saturating_pow(content.layers));
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
    compressed: impl Read + Send + 'static,
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
    compressed: impl Read + Send + 'static,
    file_bytes: u64,
    out: &mut dyn Write,
) -> Result<io::Result<()>> {
    let mut stream = match Content::of(compressed) {
        Ok(content) => content.reader,
        Err(error) => return Err(unreadable(path, error)),
    };
    let mut chunk = vec![0; 1 << 18];
    let mut copied = 0;
    loop {
        let read = stream.read(&mut chunk);
        let read = read.map_err(|error| unreadable(path, error))?;
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

/// Returns the error of a read of the gzip file `path`: that of the system, or that of a damaged stream.
pub(crate) fn unreadable(path: &Path, error: io::Error) -> Error {
    if error.raw_os_error().is_some() {
        return Error::io(path, "read")(error);
    }
    let found = match error.kind() {
        io::ErrorKind::UnexpectedEof => "a stream that was cut short".to_owned(),
        _ => error.to_string(),
    };
    Error::Data(
        Refusal::new(path.display(), found, "a complete gzip stream")
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
        fs::write(&path, bytes).expect("writing");
        let decoded = decode_file(&path);
        (folder, decoded)
    }

    /// An array that is large enough to be kept.
    fn large(fill: u8) -> Vec<u8> {
        let mut bytes = idx(SMALLEST_KEPT as u32, SMALLEST_KEPT as usize);
        bytes[8..].fill(fill);
        bytes
    }

    fn names(folder: &Path) -> Vec<std::ffi::OsString> {
        let entries = fs::read_dir(folder).expect("a folder");
        entries
            .map(|entry| entry.expect("an entry").file_name())
            .collect()
    }

    #[test]
    fn an_array_is_kept_until_the_compressed_file_changes() {
        let (folder, decoded) = decode_in_new_folder(&compressed(&large(3)));
        let Decoded::File(kept) = decoded.expect("a good file") else {
            panic!("not kept");
        };
        assert_eq!(fs::read(&kept).expect("the kept file"), large(3));
        let path = folder.path().join("labels.gz");
        // A second call uses it: only the length is compared.
        fs::write(&kept, large(9)).expect("writing");
        assert!(matches!(decode_file(&path), Ok(Decoded::File(file)) if file == kept));
        // A kept file that was cut short, and another compressed file, are decoded again.
        fs::write(&kept, b"").expect("writing");
        assert!(matches!(decode_file(&path), Ok(Decoded::File(_))));
        assert_eq!(fs::read(&kept).expect("the kept file"), large(3));
        fs::write(folder.path().join(".labels.gz.x.decoded"), b"").expect("another file");
        fs::write(&path, compressed(&large(5))).expect("writing");
        let Ok(Decoded::File(other)) = decode_file(&path) else {
            panic!("not kept");
        };
        assert_eq!(fs::read(&other).expect("the kept file"), large(5));
        assert!(!kept.exists(), "{:?}", names(folder.path()));
        assert_eq!(names(folder.path()).len(), 3, "{:?}", names(folder.path()));
    }

    #[test]
    fn a_small_array_stays_in_memory() {
        let (folder, decoded) = decode_in_new_folder(&compressed(&idx(5, 5)));
        assert!(matches!(decoded, Ok(Decoded::Memory(bytes)) if bytes == idx(5, 5)));
        assert_eq!(names(folder.path()).len(), 1);
    }

    #[test]
    fn a_damaged_stream_is_refused_and_leaves_no_file() {
        let whole = compressed(&large(3));
        let cut = |by| [&idx(SMALLEST_KEPT as u32, 0)[..], &large(3)[8..][by..]].concat();
        for (bytes, words) in [
            (whole[..whole.len() - 9].to_vec(), "complete gzip stream"),
            (compressed(&cut(1)), "262151 decoded bytes"),
            (
                compressed(&[large(3), vec![0]].concat()),
                "more than 262152",
            ),
            (compressed(&idx(500, 499)), "507 decoded bytes"),
            (compressed(&idx(500, 501)), "more than 508"),
            (compressed(&idx(u32::MAX, 9)), "can hold"),
            (b"not gzip at all".to_vec(), "complete gzip stream"),
        ] {
            let (folder, decoded) = decode_in_new_folder(&bytes);
            let message = decoded.expect_err("a refusal").to_string();
            assert!(message.contains(words), "{message}");
            assert_eq!(names(folder.path()).len(), 1);
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
