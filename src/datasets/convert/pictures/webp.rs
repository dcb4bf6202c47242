//! The chunks of a WebP file, checked before its decoder allocates what their headers declare.

use std::io::{self, Read, Seek, SeekFrom};

/// The chunks that a decoder reads.
const KNOWN: [&[u8; 4]; 8] = [
    b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ICCP", b"EXIF", b"XMP ", b"ANIM",
];

/// Walks the chunks of `file`, which has `length` bytes, and returns to its start. Returns whether it is an animation, or
/// what is wrong. Metadata have at most `max_metadata` bytes.
///
/// A chunk that the decoder reads must end within the file. A picture must have the size of its canvas, because only that
/// size is compared with what a picture may have.
pub(super) fn is_animation(
    file: &mut (impl Read + Seek),
    length: u64,
    max_metadata: u64,
) -> Result<bool, String> {
    let text = |error: io::Error| error.to_string();
    let mut position = 12;
    let mut canvas = None;
    let mut is_animation = false;
    while !is_animation && position + 8 <= length {
        file.seek(SeekFrom::Start(position)).map_err(text)?;
        let mut start = [0; 18];
        let read = (length - position).min(18) as usize;
        file.read_exact(&mut start[..read]).map_err(text)?;
        let [a, b, c, d, size @ ..] = *start.first_chunk::<8>().unwrap_or(&[0; 8]);
        let (name, size) = ([a, b, c, d], u64::from(u32::from_le_bytes(size)));
        check_size(name, size, length - position - 8, max_metadata)?;
        let contents = &start[8..];
        match &name {
            b"ANMF" => is_animation = true,
            b"VP8X" => {
                const ANIMATION: u8 = 2;
                is_animation = contents[0] & ANIMATION != 0;
                let side = |at| {
                    1 + u32::from_le_bytes([contents[at], contents[at + 1], contents[at + 2], 0])
                };
                canvas = canvas.or(Some((side(4), side(7))));
            }
            b"VP8 " => {
                let side =
                    |at| u32::from(u16::from_le_bytes([contents[at], contents[at + 1]]) & 0x3fff);
                let (width, height) = (side(6), side(8));
                if let Some((across, down)) = canvas.filter(|&canvas| canvas != (width, height)) {
                    return Err(format!(
                        "{width}×{height} pixels on a canvas of {across}×{down}"
                    ));
                }
            }
            _ => {}
        }
        // Only an extended file has more chunks than the first one.
        if canvas.is_none() {
            break;
        }
        position += 8 + size + size % 2;
    }
    file.rewind().map_err(text)?;
    Ok(is_animation)
}

/// Checks the size of a chunk, of which the file has `left` bytes.
fn check_size(name: [u8; 4], size: u64, left: u64, max_metadata: u64) -> Result<(), String> {
    if !KNOWN.contains(&&name) {
        return Ok(());
    }
    let shown = name.escape_ascii();
    let is_metadata = matches!(&name, b"EXIF" | b"ICCP" | b"XMP " | b"ANIM");
    match size {
        _ if size > left => Err(format!(
            "a chunk {shown} of {size} bytes, of which {left} are there"
        )),
        _ if is_metadata && size > max_metadata => Err(format!(
            "a chunk {shown} of {size} bytes, more than {max_metadata}"
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// Returns a WebP file of these chunks, with the sizes that they declare.
    fn file(chunks: &[(&[u8; 4], u32, &[u8])]) -> Vec<u8> {
        let chunk = |&(name, size, bytes): &(&[u8; 4], u32, &[u8])| {
            [&name[..], &size.to_le_bytes(), bytes].concat()
        };
        let chunks: Vec<u8> = chunks.iter().flat_map(chunk).collect();
        let size = (chunks.len() as u32 + 4).to_le_bytes();
        [b"RIFF", &size[..], b"WEBP", &chunks].concat()
    }

    #[test]
    fn chunks_that_would_be_allocated_are_checked_first() {
        // A canvas of 1×1, and a frame of 16383×16383.
        let extended: (&[u8; 4], u32, &[u8]) = (b"VP8X", 10, &[8, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let large: (&[u8; 4], u32, &[u8]) = (
            b"VP8 ",
            10,
            &[0, 0, 0, 0x9d, 1, 0x2a, 0xff, 0x3f, 0xff, 0x3f],
        );
        let small: (&[u8; 4], u32, &[u8]) = (b"VP8 ", 10, &[0, 0, 0, 0x9d, 1, 0x2a, 1, 0, 1, 0]);
        let animated: (&[u8; 4], u32, &[u8]) = (b"VP8X", 10, &[2, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let check = |chunks: &[(&[u8; 4], u32, &[u8])]| {
            let file = file(chunks);
            is_animation(&mut Cursor::new(&file), file.len() as u64, 64)
        };
        assert_eq!(check(&[large]), Ok(false), "the size of the picture itself");
        assert_eq!(check(&[extended, small, (b"EXIF", 2, b"ab")]), Ok(false));
        assert_eq!(check(&[animated]), Ok(true));
        assert_eq!(check(&[extended, (b"ANMF", u32::MAX, b"")]), Ok(true));
        assert_eq!(
            check(&[extended, small, (b"junk", u32::MAX, b"")]),
            Ok(false)
        );
        let refused = [
            (
                check(&[extended, large]),
                "16383×16383 pixels on a canvas of 1×1",
            ),
            (
                check(&[extended, small, (b"EXIF", 0xffff_ff00, b"ab")]),
                "a chunk EXIF of 4294967040 bytes, of which 2 are there",
            ),
            (
                check(&[extended, (b"ALPH", 3, b"ab")]),
                "a chunk ALPH of 3 bytes, of which 2 are there",
            ),
        ];
        for (found, expected) in refused {
            assert_eq!(found, Err(expected.to_owned()));
        }
        let metadata = [0; 66];
        let found = check(&[extended, (b"EXIF", metadata.len() as u32, &metadata)]);
        found.expect_err("too large");
    }
}
