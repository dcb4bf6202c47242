//! Writing entries of ZIP archives.

use std::io::Write;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use rawzip::path::EntryPath;
use rawzip::{CompressionMethod, ZipArchiveWriter};

/// Adds a file with these contents to an archive in memory.
pub fn add_entry(
    archive: &mut ZipArchiveWriter<Vec<u8>>,
    path: EntryPath,
    method: CompressionMethod,
    bytes: &[u8],
) {
    let file = archive.new_file(path).compression_method(method);
    let (mut entry, config) = file.start().expect("an entry");
    let descriptor = if method == CompressionMethod::DEFLATE {
        let mut writer = config.wrap(DeflateEncoder::new(&mut entry, Compression::fast()));
        writer.write_all(bytes).expect("writing to memory");
        let (encoder, descriptor) = writer.finish().expect("writing to memory");
        encoder.finish().expect("writing to memory");
        descriptor
    } else {
        let mut writer = config.wrap(&mut entry);
        writer.write_all(bytes).expect("writing to memory");
        writer.finish().expect("writing to memory").1
    };
    entry.finish(descriptor).expect("writing to memory");
}
