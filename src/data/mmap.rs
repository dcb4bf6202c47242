//! The bytes of a file, mapped into memory and prefetched: the only `unsafe` of the data path.
//!
//! A mapping costs no copy and is shared through the page cache with every other process that reads
//! the same file. Bytes that have no file (a decoded gzip stream in a read-only folder) are owned.

use std::fs::{File, Metadata};
use std::ops::{Deref, Range};
use std::path::Path;
use std::time::SystemTime;

use memmap2::Mmap;

use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};

/// What the system says of a file, as far as it changes when the file does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    length: u64,
    modified: Option<SystemTime>,
    /// Device and inode, where the system has them.
    identity: Option<(u64, u64)>,
}

impl Stamp {
    /// By the system's words about a file.
    pub fn of(metadata: &Metadata) -> Stamp {
        Stamp {
            length: metadata.len(),
            modified: metadata.modified().ok(),
            identity: identity(metadata),
        }
    }
}

#[cfg(unix)]
fn identity(metadata: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn identity(_: &Metadata) -> Option<(u64, u64)> {
    None
}

impl Stamp {
    /// What makes `now` another file.
    pub(super) fn change(&self, now: &Stamp) -> Option<String> {
        if self == now {
            return None;
        }
        let what = match () {
            () if self.length != now.length => {
                format!("{} bytes where there were {}", now.length, self.length)
            }
            () if self.identity != now.identity => "another file under this name".to_owned(),
            () => "a new time of modification".to_owned(),
        };
        Some(format!("{what}, while training read it"))
    }
}

/// Read-only bytes: mapped from a file, or owned.
#[derive(Debug)]
pub enum Bytes {
    /// The pages of a file, and what that was when they were mapped.
    Mapped(Mmap, Stamp),
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
        let file = open_regular(path, expected)?;
        let metadata = file.metadata().map_err(Error::io(path, "read the size"))?;
        if metadata.len() == 0 {
            return Ok(Bytes::Owned(Vec::new()));
        }
        // SAFETY: the mapping is read-only and private to this value. What the compiler cannot rule
        // out is another process that writes to or truncates the file while we read: changed bytes
        // are still valid `u8`s and no index is ever taken from them after the check at opening
        // (labels are copied), and access past a truncated end is a SIGBUS, not undefined memory.
        let map = unsafe { Mmap::map(&file) }.map_err(Error::io(path, "map into memory"))?;
        Ok(Bytes::Mapped(map, Stamp::of(&metadata)))
    }

    /// The same bytes with nothing behind them that others can change.
    ///
    /// # Errors
    /// [`Error::Memory`] when memory for them is not granted.
    pub fn to_memory(&self) -> Result<Bytes> {
        let mut owned = Vec::new();
        owned.try_reserve_exact(self.len()).map_err(|_| {
            let found = format!("{} bytes were not granted", self.len());
            Error::Memory(
                Refusal::new("memory", found, "room for a copy of the data")
                    .hint(message!["use ", Key("data_mode").set_to("map")]),
            )
        })?;
        owned.extend_from_slice(self);
        Ok(Bytes::Owned(owned))
    }

    /// Has the system read `range` in one go. Only advice; owned bytes are in memory anyway.
    pub(super) fn read_ahead(&self, range: Range<usize>) {
        #[cfg(unix)]
        if let Bytes::Mapped(map, _) = self {
            use memmap2::Advice;
            let advise = |advice| map.advise_range(advice, range.start, range.len());
            // Large reads are on their way before the pages are waited for, which Linux does from 5.14 on.
            drop(advise(Advice::WillNeed));
            #[cfg(target_os = "linux")]
            drop(advise(Advice::PopulateRead));
        }
        #[cfg(not(unix))]
        let _ = range;
    }

    /// Tells the system that `range` of a mapped file is not needed for now. Only advice.
    pub(super) fn give_back(&self, range: Range<usize>) {
        #[cfg(unix)]
        if let Bytes::Mapped(map, _) = self {
            let advice = memmap2::UncheckedAdvice::DontNeed;
            // SAFETY: the mapping is of a file and never written through: pages that are given back are read from the
            // file again when they are next touched, with the same content.
            drop(unsafe { map.unchecked_advise_range(advice, range.start, range.len()) });
        }
        #[cfg(not(unix))]
        let _ = range;
    }
}

/// Opens `path`, which should be `expected`, if it is a regular file. What it is is asked first: opening a pipe would
/// wait for someone to write.
///
/// # Errors
/// As [`Bytes::map`].
pub(crate) fn open_regular(path: &Path, expected: &str) -> Result<File> {
    let metadata = path.metadata().map_err(Error::io(path, "open"))?;
    if !metadata.is_file() {
        let found = if metadata.is_dir() {
            "a folder"
        } else {
            "no regular file"
        };
        return Err(Error::Data(Refusal::new(path.display(), found, expected)));
    }
    File::open(path).map_err(Error::io(path, "open"))
}

/// Asks the processor to bring `bytes` closer, ahead of their use. Items of a shuffled batch lie all over the file,
/// where no prefetcher of the processor's own expects them.
#[inline]
pub(super) fn prefetch(bytes: &[u8]) {
    /// Bytes in a cache line.
    const LINE: usize = 64;
    #[cfg(target_arch = "x86_64")]
    for line in bytes.chunks(LINE) {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: a prefetch is a hint; it reads nothing that the program sees and never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(line.as_ptr().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (bytes, LINE);
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Mapped(map, _) => map,
            Bytes::Owned(vec) => vec,
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_pipe_is_refused_and_not_waited_for() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let pipe = folder.path().join("pipe");
        let made = Command::new("mkfifo").arg(&pipe).status();
        assert!(made.is_ok_and(|status| status.success()), "mkfifo");
        let refused = Bytes::map(&pipe, "an IDX file").expect_err("a refusal");
        assert!(refused.to_string().contains("no regular file"), "{refused}");
    }
}
