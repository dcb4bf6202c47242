//! Unpacking of a download: gzip, or gzip in a ZIP archive, decoded up to the known size.
//!
//! Errors distinguish damaged contents from a failing disk.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, Write};

use super::catalogue::SIDE;
use crate::data::gzip::Members;
use crate::datasets::zip::Zip;

/// A failure to unpack a download.
#[derive(Debug)]
pub(super) enum Fault {
    /// Its contents are wrong, with a description.
    Content(String),
    /// It cannot be read, or its contents cannot be written.
    Disk(io::Error),
}

/// A raw file in a download.
pub(super) enum Packed<'a> {
    /// The contents of a gzip file.
    Gzip(&'a File),
    /// The contents of a gzip file that is an entry of a ZIP archive, with rows and columns of images exchanged.
    Entry(&'a File, &'a str),
}

impl Packed<'_> {
    /// Writes the raw file of `bytes` bytes to `out`, with upright images.
    pub fn unpack(&self, bytes: u64, out: &mut dyn Write) -> Result<(), Fault> {
        match *self {
            Packed::Gzip(file) => {
                let mut file = file;
                file.rewind().map_err(Fault::Disk)?;
                decode(BufReader::new(file), bytes, false, out)
            }
            Packed::Entry(file, name) => {
                let zip = Zip::open(file.try_clone().map_err(Fault::Disk)?).map_err(damaged)?;
                let mut found = None;
                let listed = zip.list(|entry_name, entry| {
                    found = (entry_name == name).then_some(entry);
                    found.is_none()
                });
                listed.map_err(damaged)?;
                let entry = found.ok_or_else(|| content("a ZIP archive without this entry"))?;
                if !entry.is_readable() {
                    return Err(content(
                        "an entry that is encrypted or compressed by another method",
                    ));
                }
                let stream = BufReader::new(zip.stream(entry).map_err(damaged)?);
                decode(stream, bytes, name.contains("-images-"), out)
            }
        }
    }
}

fn content(fault: &str) -> Fault {
    Fault::Content(fault.to_owned())
}

fn damaged(error: rawzip::Error) -> Fault {
    match error.into_kind() {
        rawzip::ErrorKind::IO(error) => Fault::Disk(error),
        other => Fault::Content(format!("a damaged ZIP archive: {other}")),
    }
}

/// Decodes exactly `bytes` bytes, image by image. If images are transposed, they are turned upright.
fn decode(
    packed: impl BufRead,
    bytes: u64,
    transposed: bool,
    out: &mut dyn Write,
) -> Result<(), Fault> {
    let mut stream = Members::new(packed);
    let mut chunk = vec![0; 256 * SIDE * SIDE];
    let mut left = bytes;
    // The header is read on its own, so that every chunk starts with an image.
    let mut want = left.min(16) as usize;
    let mut in_header = true;
    while left > 0 {
        let piece = &mut chunk[..want];
        stream.read_exact(piece).map_err(fault)?;
        if transposed && !in_header {
            piece.as_chunks_mut().0.iter_mut().for_each(transpose);
        }
        out.write_all(piece).map_err(Fault::Disk)?;
        left -= want as u64;
        want = left.min(chunk.len() as u64) as usize;
        in_header = false;
    }
    // The stream must end here. Reading its end also verifies its checksum.
    match stream.read(&mut [0]).map_err(fault)? {
        0 => Ok(()),
        _ => Err(Fault::Content(format!("more than {bytes} bytes unpacked"))),
    }
}

fn fault(error: io::Error) -> Fault {
    Fault::Content(format!("not a complete gzip stream ({error})"))
}

/// Exchanges rows and columns of an image.
fn transpose(image: &mut [u8; SIDE * SIDE]) {
    for row in 0..SIDE {
        for column in 0..row {
            image.swap(row * SIDE + column, column * SIDE + row);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::gzip::compressed;

    #[test]
    fn images_are_transposed_and_the_header_is_not() {
        let items = 300;
        let header: Vec<u8> = (100..116).collect();
        let pixel = |item: usize, row: usize, column: usize| (item + 3 * row + 7 * column) as u8;
        let images = |transposed: bool| {
            let mut bytes = header.clone();
            for item in 0..items {
                for (row, column) in (0..SIDE * SIDE).map(|at| (at / SIDE, at % SIDE)) {
                    bytes.push(match transposed {
                        true => pixel(item, column, row),
                        false => pixel(item, row, column),
                    });
                }
            }
            bytes
        };
        let packed = compressed(&images(true));
        for transposed in [true, false] {
            let mut out = Vec::new();
            let bytes = 16 + items * SIDE * SIDE;
            decode(&packed[..], bytes as u64, transposed, &mut out).expect("a complete stream");
            assert!(out == images(!transposed), "transposed: {transposed}");
        }
    }

    #[test]
    fn too_long_truncated_and_other_streams_are_refused() {
        let packed = compressed(&[7; 100]);
        let fault = |packed: &[u8], bytes| {
            let mut out = Vec::new();
            let fault = decode(packed, bytes, false, &mut out).expect_err("a fault");
            assert!(out.len() as u64 <= bytes);
            fault
        };
        assert!(matches!(fault(&packed, 99), Fault::Content(why) if why.contains("more than 99")));
        let damaged =
            |fault| matches!(fault, Fault::Content(why) if why.contains("not a complete gzip"));
        assert!(damaged(fault(&packed, 101)));
        assert!(damaged(fault(&packed[..packed.len() - 3], 100)));
        assert!(damaged(fault(b"<html>none</html>", 100)));
    }
}
