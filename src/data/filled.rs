//! Bytes that this process writes once and then only reads: pages in memory, or a file without a name.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};

use memmap2::{Mmap, MmapMut};

use super::mmap::{Bytes, Mapping};
use crate::error::{Error, Result};

/// Pages of zeros to fill. The system takes memory for a page when it is first written, a huge page where it can: this is
/// what makes large buffers fast to fill.
#[derive(Debug)]
pub(crate) struct Pages(MmapMut);

impl Pages {
    /// Returns at least this many bytes of zeros.
    ///
    /// # Errors
    /// Returns the error of the system if it does not grant them.
    pub fn zeroed(bytes: usize) -> io::Result<Pages> {
        let map = MmapMut::map_anon(bytes.max(1))?;
        // Only advice: without huge pages everything works, only slower.
        #[cfg(target_os = "linux")]
        drop(map.advise(memmap2::Advice::HugePage));
        Ok(Pages(map))
    }

    /// Returns the bytes, which do not change any more.
    ///
    /// # Errors
    /// Returns the error of the system if it cannot protect them.
    pub fn finish(self) -> io::Result<Bytes> {
        Ok(Bytes::Filled(Mapping(self.0.make_read_only()?)))
    }
}

impl Deref for Pages {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for Pages {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

/// A file without a name that is written once and then mapped. The system removes it with the process.
#[derive(Debug)]
pub struct Scratch {
    file: BufWriter<File>,
    folder: PathBuf,
}

impl Scratch {
    /// Creates an empty file in `folder`.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the system refuses it.
    pub fn create_in(folder: &Path) -> Result<Scratch> {
        let file = tempfile::tempfile_in(folder);
        let file = file.map_err(Error::io(folder, "create a file for rows"))?;
        Ok(Scratch {
            file: BufWriter::with_capacity(1 << 20, file),
            folder: folder.to_owned(),
        })
    }

    /// Appends `bytes`.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the system refuses it, as for a full disk.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.file.write_all(bytes);
        written.map_err(Error::io(&self.folder, "write rows"))
    }

    /// Maps everything that was written.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the system refuses it.
    pub fn map(self) -> Result<Bytes> {
        let file = self.file.into_inner().map_err(|error| error.into_error());
        let file = file.map_err(Error::io(&self.folder, "write rows"))?;
        let metadata = file
            .metadata()
            .map_err(Error::io(&self.folder, "read the size of rows"))?;
        if metadata.len() == 0 {
            return Ok(Bytes::Owned(Vec::new()));
        }
        // SAFETY: the file has no name, so no other process opens it, and its only handle is closed below: nothing writes
        // to it or truncates it while the mapping lives.
        let map = unsafe { Mmap::map(&file) }.map_err(Error::io(&self.folder, "map rows"))?;
        Ok(Bytes::Mapped(Mapping(map), None))
    }
}
