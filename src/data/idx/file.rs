//! An IDX file: checked when it is opened, then only read.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::super::decode::{Encoding, decode, decode_wide};
use super::super::gzip::{self, Decoded as Raw};
use super::super::mmap::Bytes;
use super::super::replacement;
use super::super::scaling::GlobalScaling;
use super::header::Header;
use crate::durable::folder_of;
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};
use crate::regular_file::{open_regular, read_regular};

/// What a path is expected to be, in messages.
const EXPECTED: &str = "an IDX file";

/// An IDX file that was checked when it was opened.
#[derive(Debug)]
pub struct IdxFile {
    path: PathBuf,
    header: Header,
    bytes: Bytes,
}

impl IdxFile {
    /// Maps and checks the file at `path`. A gzip file, whatever its name, is first decoded: into a hidden file in the
    /// same folder, which is used until the gzip file changes, or into memory if it is small or the folder cannot be
    /// written.
    ///
    /// The file must not change while it is mapped. If another process writes to it, other numbers are read; if it is
    /// truncated, an access beyond its end raises SIGBUS, which ends this process. [`crate::data::Watch`] reports
    /// changes, and [`IdxFile::open_in_memory`] needs no mapping.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the file cannot be read, and [`Error::Data`] if it is not exactly one IDX array.
    pub fn open(path: &Path) -> Result<IdxFile> {
        match raw_file(path)? {
            Raw::File(raw) => {
                // SAFETY: nothing derived from the bytes is trusted later. The header is copied and checked, and no
                // byte is read as text. Elements are only decoded as numbers; labels, which do become indices, are
                // copied first and checked in the copy. SIGBUS by truncation is accepted and documented above.
                let bytes = unsafe { Bytes::map(&raw, EXPECTED) }?;
                // A decoded file is ours: nobody writes to it, and its name may change to another one.
                let is_watched = raw == path;
                IdxFile::from_bytes(path, if is_watched { bytes } else { bytes.unwatched() })
            }
            Raw::Memory(bytes) => IdxFile::from_bytes(path, Bytes::Owned(bytes)),
        }
    }

    /// Reads and checks the file at `path` as [`IdxFile::open`] does, but copies it into memory, so that it may change
    /// afterwards.
    ///
    /// # Errors
    /// Returns the errors of [`IdxFile::open`], and [`Error::Memory`] if the system refuses the memory.
    pub fn open_in_memory(path: &Path) -> Result<IdxFile> {
        match raw_file(path)? {
            Raw::File(raw) => {
                let bytes = read_regular(&raw, EXPECTED).map_err(|error| match error {
                    Error::Memory(refusal) => Error::Memory(
                        refusal.hint(message!["use ", Key("data_mode").set_to("map")]),
                    ),
                    error => error,
                })?;
                IdxFile::from_bytes(path, Bytes::Owned(bytes))
            }
            Raw::Memory(bytes) => IdxFile::from_bytes(path, Bytes::Owned(bytes)),
        }
    }

    /// Checks `bytes` as the content of the file `path`.
    ///
    /// # Errors
    /// Returns [`Error::Data`] if they are not exactly one IDX array.
    pub fn from_bytes(path: &Path, bytes: Bytes) -> Result<IdxFile> {
        let header = Header::parse(path, &bytes)?;
        if bytes.len() != header.file_bytes() {
            let hint = if bytes.len() < header.file_bytes() {
                "the file was cut short; download or copy it again"
            } else {
                "the file has additional bytes after the data; download or copy it again"
            };
            return Err(Error::Data(
                Refusal::new(
                    path.display(),
                    format!("{} bytes", bytes.len()),
                    format!(
                        "{} for dimensions {:?}",
                        header.file_bytes(),
                        header.dimensions()
                    ),
                )
                .hint(hint),
            ));
        }
        Ok(IdxFile {
            path: path.to_owned(),
            header,
            bytes,
        })
    }

    /// Decodes and checks `bytes` as the content of the gzip file `path`.
    ///
    /// # Errors
    /// Returns [`Error::Data`] if they are not a complete gzip stream of exactly one IDX array.
    pub fn from_gzip(path: &Path, bytes: &[u8]) -> Result<IdxFile> {
        IdxFile::from_bytes(path, Bytes::Owned(gzip::decode_bytes(path, bytes)?))
    }

    /// Returns the path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the header of the file.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Returns the whole file, header and elements.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Returns the elements of all items, as stored.
    pub fn payload(&self) -> &[u8] {
        &self.bytes[self.header.header_bytes()..]
    }

    /// Returns the elements of one item, as stored.
    ///
    /// # Panics
    /// Panics if `item` is out of range.
    pub fn item(&self, item: usize) -> &[u8] {
        let size = self.header.features() * self.header.element().size();
        &self.payload()[item * size..][..size]
    }

    /// Writes the elements of one item to `row`, unscaled.
    ///
    /// Shapes: `row [features]`. Overwrites `row`.
    ///
    /// # Panics
    /// Panics if `item` is out of range or `row` has another length.
    pub fn read(&self, item: usize, row: &mut [f32]) {
        assert_eq!(row.len(), self.header.features(), "row against features");
        let encoding = Encoding::BigEndian(self.header.element());
        decode(encoding, self.item(item), GlobalScaling::IDENTITY, row);
    }

    /// Writes the elements of an item to `row`, not rounded to 32 bits.
    ///
    /// # Panics
    /// Panics if `item` is out of range or `row` has another length.
    pub(in crate::data) fn read_wide(&self, item: usize, row: &mut [f64]) {
        assert_eq!(row.len(), self.header.features(), "row against features");
        let encoding = Encoding::BigEndian(self.header.element());
        decode_wide(encoding, self.item(item), row);
    }
}

/// Returns the raw IDX array of `path`: the file itself, or what it decodes to if it is a gzip file. The content decides;
/// of a name that ends in `.gz`, gzip is expected unless an IDX header is found.
fn raw_file(path: &Path) -> Result<Raw> {
    replacement::recover(folder_of(path))?;
    let mut start = Vec::new();
    let first = open_regular(path, EXPECTED)?.take(2);
    { first }
        .read_to_end(&mut start)
        .map_err(Error::io(path, "read"))?;
    let is_named_gzip = path.extension().is_some_and(|extension| extension == "gz");
    match start == gzip::MAGIC || (is_named_gzip && start != [0, 0]) {
        true => gzip::decode_file(path),
        false => Ok(Raw::File(path.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::idx::ElementType;
    use proptest::prelude::*;

    fn file(bytes: Vec<u8>) -> Result<IdxFile> {
        IdxFile::from_bytes(Path::new("some-file"), Bytes::Owned(bytes))
    }

    fn encode(element: ElementType, dimensions: &[usize], payload: &[u8]) -> Vec<u8> {
        let header = Header::new(Path::new("some-file"), element, dimensions).expect("a header");
        [header.to_bytes(), payload.to_vec()].concat()
    }

    #[test]
    fn reads_every_element_type_big_endian() {
        let cases: [(ElementType, Vec<u8>); 6] = [
            (ElementType::U8, vec![7, 250]),
            (ElementType::I8, vec![7, (-6i8) as u8]),
            (ElementType::I16, [7i16, -6].map(i16::to_be_bytes).concat()),
            (ElementType::I32, [7i32, -6].map(i32::to_be_bytes).concat()),
            (
                ElementType::F32,
                [7f32, -6.0].map(f32::to_be_bytes).concat(),
            ),
            (
                ElementType::F64,
                [7f64, -6.0].map(f64::to_be_bytes).concat(),
            ),
        ];
        for (element, payload) in cases {
            let file = file(encode(element, &[1, 2], &payload)).expect("a good file");
            let mut row = [0.0; 2];
            file.read(0, &mut row);
            let second = if element == ElementType::U8 {
                250.0
            } else {
                -6.0
            };
            assert_eq!(row, [7.0, second], "{element:?}");
        }
    }

    #[test]
    fn flattens_one_to_four_dimensions_into_rows() {
        for (dimensions, features) in [
            (&[6][..], 1),
            (&[3, 2][..], 2),
            (&[1, 3, 2][..], 6),
            (&[1, 1, 3, 2][..], 6),
        ] {
            let file = file(encode(ElementType::U8, dimensions, &[0; 6])).expect("a good file");
            assert_eq!(file.header().features(), features);
            assert_eq!(file.header().items() * features, 6);
        }
    }

    proptest! {
        /// Any bytes are accepted or refused without a panic, and what is accepted can be read completely.
        #[test]
        fn arbitrary_bytes_are_refused_or_readable(
            magic in prop_oneof![Just(vec![0, 0]), proptest::collection::vec(any::<u8>(), 2)],
            tail in proptest::collection::vec(prop_oneof![Just(0), Just(1), Just(8), any::<u8>()], 0..64),
        ) {
            let bytes = [magic, tail].concat();
            let length = bytes.len();
            if let Ok(file) = file(bytes) {
                prop_assert_eq!(file.header().file_bytes(), length);
                let mut row = vec![0.0; file.header().features()];
                for item in 0..file.header().items() {
                    file.read(item, &mut row);
                }
            }
        }
    }
}
