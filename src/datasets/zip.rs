//! ZIP archives, whose entries are read as streams that are verified at their end.

use std::fs::File;
use std::io::Read;

use flate2::read::DeflateDecoder;
use rawzip::{
    CompressionMethod, Error, FileReader, RECOMMENDED_BUFFER_SIZE, ZipArchive,
    ZipArchiveEntryWayfinder,
};

/// An open archive.
pub(super) struct Zip(ZipArchive<FileReader>);

/// The location of an entry in its archive, and its form there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    location: ZipArchiveEntryWayfinder,
    pub method: CompressionMethod,
    pub encrypted: bool,
}

impl Entry {
    /// Returns whether [`Zip::stream`] can decode it.
    pub fn is_readable(self) -> bool {
        let decoded = [CompressionMethod::STORE, CompressionMethod::DEFLATE];
        !self.encrypted && decoded.contains(&self.method)
    }

    /// Returns the compressed size in the directory of the archive.
    #[cfg(feature = "convert")]
    pub fn compressed_size(self) -> u64 {
        self.location.compressed_size_hint()
    }

    /// Returns the uncompressed size in the directory of the archive.
    #[cfg(feature = "convert")]
    pub fn size(self) -> u64 {
        self.location.uncompressed_size_hint()
    }
}

impl Zip {
    /// Opens the archive in `file`.
    pub fn open(file: File) -> Result<Zip, Error> {
        let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
        ZipArchive::from_file(file, &mut buffer).map(Zip)
    }

    /// Calls `on_entry` with each entry's name and location, until it returns false.
    pub fn list(&self, mut on_entry: impl FnMut(&str, Entry) -> bool) -> Result<(), Error> {
        let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
        let mut entries = self.0.entries(&mut buffer);
        while let Some(entry) = entries.next_entry()? {
            let path = entry.file_path();
            let name = String::from_utf8_lossy(path.as_bytes());
            let entry = Entry {
                location: entry.wayfinder(),
                method: entry.compression_method(),
                encrypted: entry.flags().is_encrypted(),
            };
            if !on_entry(&name, entry) {
                break;
            }
        }
        Ok(())
    }

    /// Returns the contents of a readable entry. The last read fails if their size or checksum is wrong.
    pub fn stream(&self, entry: Entry) -> Result<Box<dyn Read + '_>, Error> {
        let content = self.0.get_entry(entry.location)?;
        let stored = content.reader();
        Ok(match entry.method == CompressionMethod::STORE {
            true => Box::new(content.verifying_reader(stored)),
            false => Box::new(content.verifying_reader(DeflateDecoder::new(stored))),
        })
    }
}
