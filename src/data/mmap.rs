//! The bytes of a file, mapped into memory or owned.
//!
//! A mapping needs no copy and shares the page cache with every other process that reads the same file. Bytes without
//! a file, such as a decoded gzip stream in a read-only folder, are owned.

use std::fs::Metadata;
use std::ops::{Deref, Range};
use std::path::Path;
use std::time::SystemTime;

use memmap2::Mmap;

use crate::error::{Error, Result};
use crate::regular_file::open_regular;

/// The metadata of a file that change when the file does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    length: u64,
    modified: Option<SystemTime>,
    /// Device and inode, on systems that have them.
    identity: Option<(u64, u64)>,
}

impl Stamp {
    /// Returns the stamp of a file with this metadata.
    pub fn of(metadata: &Metadata) -> Stamp {
        Stamp {
            length: metadata.len(),
            modified: metadata.modified().ok(),
            identity: identity(metadata),
        }
    }

    /// The length of the file, in bytes.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Describes how `now` differs from this stamp, or returns `None` if the file is unchanged.
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

#[cfg(unix)]
fn identity(metadata: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn identity(_: &Metadata) -> Option<(u64, u64)> {
    None
}

/// Read-only bytes, either mapped from a file or owned.
#[derive(Debug)]
pub enum Bytes {
    /// The pages of a file, and the stamp it had when it was mapped; `None` if it need not be watched.
    Mapped(Mapping, Option<Stamp>),
    /// Pages that were filled in memory.
    Filled(Mapping),
    /// Bytes on the heap.
    Owned(Vec<u8>),
}

/// Pages mapped into memory, read-only.
#[derive(Debug)]
pub struct Mapping(pub(super) Mmap);

impl Bytes {
    /// Maps the whole file at `path`, which is expected to be `expected`. An empty file becomes empty owned bytes.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the file cannot be opened or mapped, and [`Error::Data`] if `path` is a folder or a
    /// device.
    ///
    /// # Safety
    /// The mapping shows the file as it is now, not as it was when it was mapped: another process, or another part of
    /// this one, can change or truncate the file while the bytes are borrowed. The compiler cannot rule that out, so
    /// the caller keeps to the following for as long as the bytes live:
    ///
    /// - Nothing that memory safety depends on is derived from the bytes and trusted later: no length, no index, no
    ///   UTF-8 check. What must stay valid is copied first and checked in the copy.
    /// - The bytes are only read as plain numbers, for which every bit pattern is a value, so that a concurrent write
    ///   yields another number and nothing worse.
    /// - An access beyond the end of a truncated file raises SIGBUS, which ends the process. The caller accepts that,
    ///   or makes sure that no other process truncates the file.
    pub(crate) unsafe fn map(path: &Path, expected: &str) -> Result<Bytes> {
        let file = open_regular(path, expected)?;
        let metadata = file.metadata().map_err(Error::io(path, "read the size"))?;
        if metadata.len() == 0 {
            return Ok(Bytes::Owned(Vec::new()));
        }
        // SAFETY: the caller keeps to the conditions above while the mapping lives; nothing writes through it.
        let map = unsafe { Mmap::map(&file) }.map_err(Error::io(path, "map into memory"))?;
        Ok(Bytes::Mapped(Mapping(map), Some(Stamp::of(&metadata))))
    }

    /// The same bytes of a file that no other process writes to.
    pub(super) fn unwatched(self) -> Bytes {
        match self {
            Bytes::Mapped(mapping, _) => Bytes::Mapped(mapping, None),
            in_memory @ (Bytes::Filled(_) | Bytes::Owned(_)) => in_memory,
        }
    }

    /// Asks the system to read `range` in one go. This is only advice; owned bytes are in memory anyway.
    pub(super) fn read_ahead(&self, range: Range<usize>) {
        #[cfg(unix)]
        if let Bytes::Mapped(Mapping(map), _) = self {
            use memmap2::Advice;
            let advise = |advice| map.advise_range(advice, range.start, range.len());
            // WillNeed starts large reads; PopulateRead, on Linux 5.14 and later, waits for the pages.
            drop(advise(Advice::WillNeed));
            #[cfg(target_os = "linux")]
            drop(advise(Advice::PopulateRead));
        }
        #[cfg(not(unix))]
        let _ = range;
    }

    /// Tells the system that `range` of a mapped file is not needed for now. This is only advice.
    pub(crate) fn give_back(&self, range: Range<usize>) {
        #[cfg(unix)]
        if let Bytes::Mapped(Mapping(map), _) = self {
            let advice = memmap2::UncheckedAdvice::DontNeed;
            // SAFETY: the mapping is backed by a file and never written through, so pages that are given back are read
            // from the file again, with the same content, when they are next touched.
            drop(unsafe { map.unchecked_advise_range(advice, range.start, range.len()) });
        }
        #[cfg(not(unix))]
        let _ = range;
    }
}

/// Asks the processor to load `bytes` into its cache ahead of their use. The rows of a shuffled batch are spread over
/// the whole file, where no hardware prefetcher expects them.
#[inline]
pub(super) fn prefetch(bytes: &[u8]) {
    /// Bytes in a cache line.
    const LINE: usize = 64;
    #[cfg(target_arch = "x86_64")]
    for line in bytes.chunks(LINE) {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: a prefetch is a hint. It reads nothing that the program can see, and never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(line.as_ptr().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (bytes, LINE);
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Mapped(Mapping(map), _) | Bytes::Filled(Mapping(map)) => map,
            Bytes::Owned(vec) => vec,
        }
    }
}
