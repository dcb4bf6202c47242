//! From what was downloaded to the raw file: gzip, or gzip inside zip, decoded up to the size that is known.
//!
//! The bytes go to whatever is lent; what is wrong with them is told apart from what is wrong with the disk.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, Write};

use flate2::read::MultiGzDecoder;

use super::catalogue::SIDE;
use crate::datasets::zip::Zip;

/// Why a download cannot be unpacked.
#[derive(Debug)]
pub(super) enum Fault {
    /// It is not what it should be; in words.
    Content(String),
    /// It cannot be read, or its content not written.
    Disk(io::Error),
}

/// A downloaded file with one raw file in it.
pub(super) enum Packed<'a> {
    /// A gzip file.
    Gzip(&'a File),
    /// A gzip file that is an entry of a zip archive. Its images lie on their sides.
    Entry(&'a File, &'a str),
}

impl Packed<'_> {
    /// Writes the raw file of `bytes` bytes into `out`; images of an archive upright.
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
                let entry = found.ok_or_else(|| content("a zip archive without this entry"))?;
                if !entry.is_readable() {
                    return Err(content("an entry that is encrypted or not deflated"));
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
        other => Fault::Content(format!("a zip archive with a fault: {other}")),
    }
}

/// Decodes exactly `bytes` bytes, image by image.
fn decode(packed: impl Read, bytes: u64, turn: bool, out: &mut dyn Write) -> Result<(), Fault> {
    let mut stream = MultiGzDecoder::new(packed);
    let mut chunk = vec![0; 256 * SIDE * SIDE];
    let mut left = bytes;
    // The header of a file of images, which must not shift them within a chunk.
    let mut want = left.min(16) as usize;
    let mut in_header = true;
    while left > 0 {
        let piece = &mut chunk[..want];
        stream.read_exact(piece).map_err(fault)?;
        if turn && !in_header {
            piece.as_chunks_mut().0.iter_mut().for_each(transpose);
        }
        out.write_all(piece).map_err(Fault::Disk)?;
        left -= want as u64;
        want = left.min(chunk.len() as u64) as usize;
        in_header = false;
    }
    // The stream must end here; its own check sum is read on the way.
    match stream.read(&mut [0]).map_err(fault)? {
        0 => Ok(()),
        _ => Err(Fault::Content(format!("more than {bytes} bytes unpacked"))),
    }
}

fn fault(error: io::Error) -> Fault {
    Fault::Content(format!("no whole gzip stream ({error})"))
}

/// Exchanges rows and columns.
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
    fn images_are_turned_and_the_header_is_not() {
        let items = 300;
        let header: Vec<u8> = (100..116).collect();
        let pixel = |item: usize, row: usize, column: usize| (item + 3 * row + 7 * column) as u8;
        let images = |turned: bool| {
            let mut bytes = header.clone();
            for item in 0..items {
                for (row, column) in (0..SIDE * SIDE).map(|at| (at / SIDE, at % SIDE)) {
                    bytes.push(match turned {
                        true => pixel(item, column, row),
                        false => pixel(item, row, column),
                    });
                }
            }
            bytes
        };
        let packed = compressed(&images(true));
        for turn in [true, false] {
            let mut out = Vec::new();
            let bytes = 16 + items * SIDE * SIDE;
            decode(&packed[..], bytes as u64, turn, &mut out).expect("a whole stream");
            assert!(out == images(!turn), "turned: {turn}");
        }
    }

    #[test]
    fn refuses_streams_that_are_too_long_too_short_or_none() {
        let packed = compressed(&[7; 100]);
        let told = |packed: &[u8], bytes| {
            let mut out = Vec::new();
            let fault = decode(packed, bytes, false, &mut out).expect_err("a fault");
            assert!(out.len() as u64 <= bytes);
            fault
        };
        assert!(matches!(told(&packed, 99), Fault::Content(why) if why.contains("more than 99")));
        let damaged = |fault| matches!(fault, Fault::Content(why) if why.contains("no whole gzip"));
        assert!(damaged(told(&packed, 101)));
        assert!(damaged(told(&packed[..packed.len() - 3], 100)));
        assert!(damaged(told(b"<html>none</html>", 100)));
    }
}
