//! Whether two files have the same contents, if gzip files are decoded first.

use std::fs::File;
use std::io::{self, BufRead, Read, Seek, SeekFrom};
use std::path::Path;

use flate2::Crc;

use super::gzip::{Content, unreadable};
use crate::error::{Error, Result};
use crate::regular_file::open_regular;

/// What a path is expected to be, in messages.
const EXPECTED: &str = "a file of the data set";

/// Returns whether the files have the same contents. A raw file is compared with a gzip file by the checksum in the latter,
/// if that is the checksum of all of it.
///
/// # Errors
/// Returns [`Error::Io`] if a file cannot be read, and [`Error::Data`] if a gzip stream is damaged.
pub(crate) fn have_same_contents(one: &Path, other: &Path) -> Result<bool> {
    let [mut first, mut second] = [content(one)?, content(other)?];
    let has_checksum = match (first.layers, second.layers) {
        (0, 1) => has_checksum_of(other, one)?,
        (1, 0) => has_checksum_of(one, other)?,
        (0, 0) if length(one)? != length(other)? => return Ok(false),
        _ => false,
    };
    if has_checksum {
        return Ok(true);
    }
    loop {
        let left = first
            .reader
            .fill_buf()
            .map_err(|error| unreadable(one, error))?;
        let right = second
            .reader
            .fill_buf()
            .map_err(|error| unreadable(other, error))?;
        let both = left.len().min(right.len());
        if both == 0 {
            return Ok(left.is_empty() && right.is_empty());
        }
        if left[..both] != right[..both] {
            return Ok(false);
        }
        first.reader.consume(both);
        second.reader.consume(both);
    }
}

fn content(path: &Path) -> Result<Content> {
    Content::of(open_regular(path, EXPECTED)?).map_err(|error| unreadable(path, error))
}

fn length(path: &Path) -> Result<u64> {
    let metadata = path.metadata().map_err(Error::io(path, "read the size"))?;
    Ok(metadata.len())
}

/// Returns whether the gzip file `packed` ends with the checksum and the length of the file `raw`. It need not if it has
/// several members, or zeros behind the last one.
fn has_checksum_of(packed: &Path, raw: &Path) -> Result<bool> {
    let trailer = trailer_of(open_regular(packed, EXPECTED)?);
    let trailer @ [crc @ .., a, b, c, d] = trailer.map_err(Error::io(packed, "read"))?;
    // Zeros behind the last member look like the trailer of an empty one. The length is modulo 2^32.
    if trailer == [0; 8] || u32::from_le_bytes([a, b, c, d]) != length(raw)? as u32 {
        return Ok(false);
    }
    let found = checksum(open_regular(raw, EXPECTED)?).map_err(Error::io(raw, "read"))?;
    Ok(found == u32::from_le_bytes(crc))
}

fn trailer_of(mut file: File) -> io::Result<[u8; 8]> {
    let mut trailer = [0; 8];
    file.seek(SeekFrom::End(-8))?;
    file.read_exact(&mut trailer)?;
    Ok(trailer)
}

fn checksum(mut file: File) -> io::Result<u32> {
    let (mut crc, mut chunk) = (Crc::new(), vec![0; 1 << 18]);
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(crc.sum()),
            read => crc.update(&chunk[..read]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::gzip::compressed;
    use super::*;

    #[test]
    fn raw_and_compressed_files_are_compared() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let [one, other] = ["one", "other"].map(|name| folder.path().join(name));
        let long = b"abc".repeat(100_000);
        let twice = compressed(&compressed(&long));
        let halves = [
            compressed(&long[..1000]),
            compressed(&long[1000..]),
            vec![0; 9],
        ]
        .concat();
        let mut changed = long.clone();
        changed[299_999] = b'x';
        let variants = [&long, &compressed(&long), &twice, &halves];
        for (left, right, expected) in variants.iter().flat_map(|left| {
            let same = variants
                .iter()
                .map(move |right| (left.to_vec(), right.to_vec(), true));
            let others = [
                changed.clone(),
                compressed(&changed),
                long[..299_999].to_vec(),
                Vec::new(),
            ];
            same.chain(others.map(|other| (left.to_vec(), other, false)))
        }) {
            std::fs::write(&one, &left).expect("writing");
            std::fs::write(&other, &right).expect("writing");
            let found = have_same_contents(&one, &other).expect("whole files");
            assert_eq!(found, expected, "{} and {} bytes", left.len(), right.len());
        }
    }
}
