//! Gzip streams as people have them, decoded as `gunzip` does: several members, zeros after the last one, and streams that
//! were compressed more than once.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::GzDecoder;

/// The first bytes of a gzip stream.
pub(crate) const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// How often data may have been compressed.
pub(super) const MAX_LAYERS: u32 = 3;

/// The buffer of a decoded stream, in bytes.
const BUFFER: usize = 1 << 16;

/// The content of a file, decoded as often as it was compressed.
pub(crate) struct Content {
    /// The content, from its start.
    pub reader: Box<dyn BufRead + Send>,
    /// How often it was compressed; zero if it is raw.
    pub layers: u32,
}

impl Content {
    /// Decodes `file` if it starts as a gzip stream does, whatever its name.
    ///
    /// # Errors
    /// Returns the errors of reading and decoding its first bytes.
    pub fn of(file: impl Read + Send + 'static) -> io::Result<Content> {
        let mut reader: Box<dyn BufRead + Send> = Box::new(BufReader::with_capacity(BUFFER, file));
        let mut layers = 0;
        while layers < MAX_LAYERS && reader.fill_buf()?.starts_with(&MAGIC) {
            reader = Box::new(BufReader::with_capacity(BUFFER, Members::new(reader)));
            layers += 1;
        }
        Ok(Content { reader, layers })
    }
}

/// Decodes the members of one gzip stream. Zeros may follow the last one, as on tapes and in blocks of a fixed size.
pub(crate) struct Members<R> {
    /// `None` after the last member.
    member: Option<GzDecoder<R>>,
}

impl<R: BufRead> Members<R> {
    /// Decodes `stream`, which starts with a member.
    pub fn new(stream: R) -> Members<R> {
        Members {
            member: Some(GzDecoder::new(stream)),
        }
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let read = member.read(out)?;
            if read > 0 || out.is_empty() {
                return Ok(read);
            }
            let ended = self.member.take().map(GzDecoder::into_inner);
            self.member = ended.map(next_member).transpose()?.flatten();
        }
        Ok(0)
    }
}

/// Returns the member that `rest` starts with, or `None` at the end, which zeros may fill up.
fn next_member<R: BufRead>(mut rest: R) -> io::Result<Option<GzDecoder<R>>> {
    let mut is_padded = false;
    loop {
        let bytes = rest.fill_buf()?;
        let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
        match bytes.get(zeros) {
            None if bytes.is_empty() => return Ok(None),
            None => is_padded = true,
            Some(0x1f) if zeros == 0 && !is_padded => return Ok(Some(GzDecoder::new(rest))),
            Some(_) => {
                let found = "other bytes after the end of the gzip stream";
                return Err(io::Error::new(io::ErrorKind::InvalidData, found));
            }
        }
        rest.consume(zeros);
    }
}

#[cfg(test)]
mod tests {
    use super::super::compressed;
    use super::*;

    fn content(bytes: &[u8]) -> io::Result<(Vec<u8>, u32)> {
        let Content { mut reader, layers } = Content::of(io::Cursor::new(bytes.to_vec()))?;
        let mut decoded = Vec::new();
        reader.read_to_end(&mut decoded)?;
        Ok((decoded, layers))
    }

    #[test]
    fn members_and_layers_are_decoded_and_zeros_after_them_are_not() {
        let (one, two) = (compressed(b"one"), compressed(b"two"));
        let zeros = |count| vec![0; count];
        for (bytes, decoded, layers) in [
            (b"raw".to_vec(), "raw", 0),
            (Vec::new(), "", 0),
            (one.clone(), "one", 1),
            ([&one[..], &two].concat(), "onetwo", 1),
            ([&one[..], &compressed(b""), &two].concat(), "onetwo", 1),
            ([&one[..], &zeros(1)].concat(), "one", 1),
            ([&one[..], &two, &zeros(1 << 18)].concat(), "onetwo", 1),
            (compressed(&one), "one", 2),
            (
                [compressed(&compressed(&one)), zeros(512)].concat(),
                "one",
                3,
            ),
        ] {
            let found = content(&bytes).expect("a complete stream");
            assert_eq!(found, (decoded.as_bytes().to_vec(), layers));
        }
    }

    #[test]
    fn other_bytes_after_a_member_are_refused() {
        let one = compressed(b"one");
        for rest in [
            &b"\n"[..],
            b"\0\0x",
            b"\0\x1f\x8b",
            b"\x1f",
            b"\x1f\x8b\x08",
        ] {
            assert!(content(&[&one[..], rest].concat()).is_err(), "{rest:?}");
        }
    }
}
