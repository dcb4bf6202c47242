//! The IDX format: bytes in, typed items out.
//!
//! A file is `00 00 TT NN`, NN big-endian `u32` dimensions, then the elements in row-major order,
//! multi-byte ones big-endian (format: <https://yann.lecun.org/exdb/mnist/>). The first dimension counts
//! items; the others are flattened into one row of features. Reading a header allocates nothing that
//! the header sizes, and a file whose length is not exactly what its header says is refused.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::columns::Columns;
use super::decode::{decode, decode_runs};
use super::mmap::Bytes;
use super::scaling::Scaling;
use super::{gzip, scaling};
use crate::error::{Error, Refusal, Result};

/// The longest header: magic and four dimensions.
pub(super) const MAX_HEADER_BYTES: usize = 4 + 4 * MAX_DIMENSIONS;
const MAX_DIMENSIONS: usize = 4;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// What an element of an IDX file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ElementType {
    /// Unsigned byte, code `08`.
    U8,
    /// Signed byte, code `09`.
    I8,
    /// 16-bit signed integer, code `0b`.
    I16,
    /// 32-bit signed integer, code `0c`.
    I32,
    /// 32-bit float, code `0d`.
    F32,
    /// 64-bit float, code `0e`.
    F64,
}

impl ElementType {
    /// Every type.
    pub const ALL: [ElementType; 6] = [
        ElementType::U8,
        ElementType::I8,
        ElementType::I16,
        ElementType::I32,
        ElementType::F32,
        ElementType::F64,
    ];

    /// The type with this code in the third byte of the magic number.
    pub fn from_code(code: u8) -> Option<ElementType> {
        Some(match code {
            0x08 => ElementType::U8,
            0x09 => ElementType::I8,
            0x0b => ElementType::I16,
            0x0c => ElementType::I32,
            0x0d => ElementType::F32,
            0x0e => ElementType::F64,
            _ => return None,
        })
    }

    /// The third byte of the magic number.
    pub fn code(self) -> u8 {
        match self {
            ElementType::U8 => 0x08,
            ElementType::I8 => 0x09,
            ElementType::I16 => 0x0b,
            ElementType::I32 => 0x0c,
            ElementType::F32 => 0x0d,
            ElementType::F64 => 0x0e,
        }
    }

    /// Bytes an element takes in the file.
    pub fn size(self) -> usize {
        match self {
            ElementType::U8 | ElementType::I8 => 1,
            ElementType::I16 => 2,
            ElementType::I32 | ElementType::F32 => 4,
            ElementType::F64 => 8,
        }
    }

    /// The name used in messages, as Rust spells it.
    pub fn name(self) -> &'static str {
        match self {
            ElementType::U8 => "u8",
            ElementType::I8 => "i8",
            ElementType::I16 => "i16",
            ElementType::I32 => "i32",
            ElementType::F32 => "f32",
            ElementType::F64 => "f64",
        }
    }
}

/// What the first bytes of an IDX file say. Dimensions are at least 1 and their product fits memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    element: ElementType,
    dimensions: Vec<usize>,
    payload_bytes: usize,
}

impl Header {
    /// A header for `dimensions`, the first of which counts the items.
    ///
    /// # Errors
    /// [`Error::Data`] when there is no dimension, more than four, a zero one, or their product
    /// overflows.
    pub fn new(place: &Path, element: ElementType, dimensions: &[usize]) -> Result<Header> {
        let refuse = |found: String, expected: &str| {
            Err(Error::Data(Refusal::new(place.display(), found, expected)))
        };
        if !(1..=MAX_DIMENSIONS).contains(&dimensions.len()) {
            return refuse(format!("{} dimensions", dimensions.len()), "1 to 4");
        }
        if let Some(at) = dimensions.iter().position(|&dimension| dimension == 0) {
            return refuse(format!("dimension {} is 0", at + 1), "at least 1");
        }
        let bytes = dimensions
            .iter()
            .try_fold(element.size(), |product, &size| product.checked_mul(size))
            .filter(|bytes| isize::try_from(*bytes).is_ok());
        match bytes {
            Some(payload_bytes) => Ok(Header {
                element,
                dimensions: dimensions.to_vec(),
                payload_bytes,
            }),
            None => refuse(
                format!(
                    "dimensions {dimensions:?} multiply to more bytes than a machine addresses"
                ),
                "a product that fits",
            ),
        }
    }

    /// Reads the header at the start of `bytes`; what follows it is not looked at.
    ///
    /// # Errors
    /// [`Error::Data`], naming `place`, when `bytes` do not start with a well-formed header.
    pub fn parse(place: &Path, bytes: &[u8]) -> Result<Header> {
        let refuse = |found: String, expected: &str| Refusal::new(place.display(), found, expected);
        if bytes.is_empty() {
            return Err(Error::Data(refuse("an empty file".into(), "an IDX file")));
        }
        if bytes.starts_with(&GZIP_MAGIC) {
            return Err(Error::Data(
                refuse("gzip data (1f 8b)".into(), "raw IDX data (00 00)")
                    .hint("give the file a name that ends in .gz, or gunzip it first"),
            ));
        }
        let Some((&[zero_a, zero_b, code, count], rest)) = bytes.split_first_chunk::<4>() else {
            return Err(Error::Data(refuse(
                format!("{} bytes", bytes.len()),
                "at least the 4 of the magic number",
            )));
        };
        if [zero_a, zero_b] != [0, 0] {
            return Err(Error::Data(refuse(
                format!("magic number {zero_a:02x} {zero_b:02x} {code:02x} {count:02x}"),
                "00 00, a type and a dimension count",
            )));
        }
        let Some(element) = ElementType::from_code(code) else {
            return Err(Error::Data(refuse(
                format!("element type {code:02x}"),
                "08 (u8), 09 (i8), 0b (i16), 0c (i32), 0d (f32) or 0e (f64)",
            )));
        };
        let count = usize::from(count);
        if count > MAX_DIMENSIONS {
            return Err(Error::Data(refuse(format!("{count} dimensions"), "1 to 4")));
        }
        if rest.len() < 4 * count {
            return Err(Error::Data(refuse(
                format!("{} bytes", bytes.len()),
                "the whole header",
            )));
        }
        let dimensions: Vec<usize> = rest[..4 * count]
            .as_chunks::<4>()
            .0
            .iter()
            .map(|&bytes| u32::from_be_bytes(bytes) as usize)
            .collect();
        Header::new(place, element, &dimensions)
    }

    /// The header as it stands in a file.
    ///
    /// # Panics
    /// When a dimension does not fit the format's 32 bits.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0, 0, self.element.code(), self.dimensions.len() as u8];
        for &dimension in &self.dimensions {
            let dimension = u32::try_from(dimension).expect("an IDX dimension has 32 bits");
            bytes.extend(dimension.to_be_bytes());
        }
        bytes
    }

    /// The type of the elements.
    pub fn element(&self) -> ElementType {
        self.element
    }

    /// All dimensions, items first.
    pub fn dimensions(&self) -> &[usize] {
        &self.dimensions
    }

    /// The first dimension.
    pub fn items(&self) -> usize {
        self.dimensions[0]
    }

    /// Elements in an item: the product of the dimensions after the first.
    pub fn features(&self) -> usize {
        self.dimensions[1..].iter().product()
    }

    /// Length of a file with this header, in bytes.
    pub fn file_bytes(&self) -> usize {
        self.header_bytes().saturating_add(self.payload_bytes)
    }

    fn header_bytes(&self) -> usize {
        4 + 4 * self.dimensions.len()
    }
}

/// An IDX file, checked and mapped, or some of the items of one.
#[derive(Debug)]
pub struct IdxFile {
    path: PathBuf,
    header: Header,
    bytes: Arc<Bytes>,
    /// Where in the file each item stands; none where all are there in the file's order.
    places: Option<Vec<u32>>,
}

impl IdxFile {
    /// Opens and checks `path`. A name that ends in `.gz` is decoded first: into a raw file beside it,
    /// which is used from then on, or into memory where the folder cannot be written.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be read, [`Error::Data`] when it is not exactly one IDX array.
    pub fn open(path: &Path) -> Result<IdxFile> {
        if path.extension().is_some_and(|extension| extension == "gz") {
            return gzip::open(path);
        }
        IdxFile::from_bytes(path, Bytes::map(path, "an IDX file")?)
    }

    /// Checks `bytes` as the content of the file `path`.
    ///
    /// # Errors
    /// [`Error::Data`] when they are not exactly one IDX array.
    pub fn from_bytes(path: &Path, bytes: Bytes) -> Result<IdxFile> {
        let header = Header::parse(path, &bytes)?;
        if bytes.len() != header.file_bytes() {
            let hint = if bytes.len() < header.file_bytes() {
                "the file was cut short; fetch or copy it again"
            } else {
                "something stands behind the data; fetch or copy the file again"
            };
            return Err(Error::Data(
                Refusal::new(
                    path.display(),
                    format!("{} bytes", bytes.len()),
                    format!(
                        "{} for dimensions {:?}",
                        header.file_bytes(),
                        header.dimensions
                    ),
                )
                .hint(hint),
            ));
        }
        Ok(IdxFile {
            path: path.to_owned(),
            header,
            bytes: Arc::new(bytes),
            places: None,
        })
    }

    /// The same file, copied into memory where it is mapped.
    ///
    /// # Errors
    /// [`Error::Config`] when memory for it is not granted.
    pub fn into_memory(self) -> Result<IdxFile> {
        match &*self.bytes {
            Bytes::Owned(_) => Ok(self),
            mapped => Ok(IdxFile {
                bytes: Arc::new(mapped.to_memory()?),
                ..self
            }),
        }
    }

    /// These `items` of the file, in this order, which from now on count from 0. Nothing of them is copied.
    ///
    /// # Panics
    /// When there are none, or one is out of range.
    pub fn select(&self, items: &[u32]) -> IdxFile {
        let mut dimensions = self.header.dimensions.clone();
        dimensions[0] = items.len();
        let places = items.iter().map(|&item| self.place(item as usize) as u32);
        let header = Header::new(&self.path, self.header.element, &dimensions);
        IdxFile {
            places: Some(places.collect()),
            header: header.expect("some items of a file"),
            path: self.path.clone(),
            bytes: Arc::clone(&self.bytes),
        }
    }

    /// Whether `other` is the same file in memory, or some other items of it.
    pub fn shares_bytes_with(&self, other: &IdxFile) -> bool {
        Arc::ptr_eq(&self.bytes, &other.bytes)
    }

    /// The whole file, header and elements, whichever items of it these are.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Decodes and checks `bytes` as the content of the gzip file `path`.
    ///
    /// # Errors
    /// [`Error::Data`] when they are no whole gzip stream, or not exactly one IDX array in it.
    pub fn from_gzip(path: &Path, bytes: &[u8]) -> Result<IdxFile> {
        gzip::from_bytes(path, bytes)
    }

    /// Where the file was found.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What its header says, or would say if there were no other items.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The elements of all items of the file, as they stand there.
    pub fn payload(&self) -> &[u8] {
        &self.bytes[self.header.header_bytes()..]
    }

    /// Where in the file an item stands.
    fn place(&self, item: usize) -> usize {
        match &self.places {
            None => item,
            Some(places) => places[item] as usize,
        }
    }

    /// The elements of one item, as they stand in the file.
    ///
    /// # Panics
    /// When `item` is not below `header().items()`.
    pub fn item(&self, item: usize) -> &[u8] {
        let size = self.header.features() * self.header.element.size();
        &self.payload()[self.place(item) * size..][..size]
    }

    /// Has the system read `items` into memory, in one go, ahead of their use; returns when that is done, where the
    /// system knows how. Only advice.
    ///
    /// # Panics
    /// When they are out of range.
    pub fn read_ahead(&self, items: Range<usize>) {
        self.bytes.read_ahead(self.bytes_of(items));
    }

    /// Tells the system that `items` are not needed for now: they no longer count as this process's memory. Only advice.
    ///
    /// # Panics
    /// When they are out of range.
    pub fn give_back(&self, items: Range<usize>) {
        self.bytes.give_back(self.bytes_of(items));
    }

    /// From the first to the last of `items` in the file, and what stands between them.
    fn bytes_of(&self, items: Range<usize>) -> Range<usize> {
        assert!(items.end <= self.header.items(), "items {items:?}");
        let places = match &self.places {
            None => items,
            Some(_) if items.is_empty() => 0..0,
            Some(places) => {
                let places = places[items].iter().map(|&place| place as usize);
                let (first, last) = places.fold((usize::MAX, 0), |(first, last), place| {
                    (first.min(place), last.max(place))
                });
                first..last + 1
            }
        };
        let size = self.header.features() * self.header.element.size();
        let start = self.header.header_bytes();
        start + places.start * size..start + places.end * size
    }

    /// Writes item `item` to `row`, scaled: `row[j] = (element_j − offset) · factor`.
    ///
    /// Shapes: `row [features]`. Overwrites `row`.
    ///
    /// # Panics
    /// When `item` is out of range or `row` has another length.
    pub fn read_scaled(&self, item: usize, scaling: Scaling, row: &mut [f32]) {
        assert_eq!(row.len(), self.header.features(), "row against features");
        decode(self.header.element, self.item(item), scaling, row);
    }

    /// Writes the active columns of item `item` to `row`, scaled, side by side in their order.
    ///
    /// Shapes: `row [columns.width()]`. Overwrites `row`.
    ///
    /// # Panics
    /// When `item` is out of range, `row` has another length, or `columns` are not of this file.
    pub fn read_active(&self, item: usize, scaling: Scaling, columns: &Columns, row: &mut [f32]) {
        assert_eq!(
            (columns.features(), row.len()),
            (self.header.features(), columns.width()),
            "features and row against columns"
        );
        decode_runs(self.header.element, self.item(item), scaling, columns, row);
    }

    /// Element `column` of item `item`, scaled.
    ///
    /// # Panics
    /// When either is out of range.
    pub fn read_one(&self, item: usize, column: usize, scaling: Scaling) -> f32 {
        let size = self.header.element.size();
        let bytes = &self.item(item)[column * size..][..size];
        let mut element = [0.0];
        decode(self.header.element, bytes, scaling, &mut element);
        element[0]
    }

    /// The elements of one item as they are, without scaling.
    ///
    /// # Panics
    /// As [`IdxFile::read_scaled`].
    pub fn read(&self, item: usize, row: &mut [f32]) {
        self.read_scaled(item, scaling::AS_IT_IS, row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::parallel::Workers;
    use proptest::prelude::*;
    use std::num::NonZeroUsize;

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

    #[test]
    fn scales_after_subtracting_the_offset() {
        let file = file(encode(ElementType::U8, &[1, 3], &[0, 10, 20])).expect("a good file");
        let mut row = [0.0; 3];
        let scaling = Scaling {
            offset: 10.0,
            factor: 0.5,
        };
        file.read_scaled(0, scaling, &mut row);
        assert_eq!(row, [-5.0, 0.0, 5.0]);
    }

    #[test]
    fn selected_items_are_those_of_the_file_and_a_selection_of_them_too() {
        let whole = file(encode(
            ElementType::U8,
            &[5, 2],
            &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        ));
        let whole = whole.expect("a good file");
        let some = whole.select(&[1, 3, 4]);
        assert_eq!(some.header().dimensions(), [3, 2]);
        let items = |file: &IdxFile| -> Vec<Vec<u8>> {
            let items = 0..file.header().items();
            items.map(|item| file.item(item).to_vec()).collect()
        };
        assert_eq!(items(&some), [[2, 3], [6, 7], [8, 9]]);
        assert_eq!(items(&some.select(&[2, 0])), [[8, 9], [2, 3]]);
        assert!(some.shares_bytes_with(&whole));
        // From the first to the last in the file, behind a header of 12 bytes.
        assert_eq!(some.bytes_of(0..2), 14..20);
        assert_eq!(some.bytes_of(1..1).len(), 0);
    }

    #[test]
    fn active_columns_stand_side_by_side() {
        // Runs shorter and longer than a register, at both ends and in the middle.
        let features = 70;
        for idle in [
            &[][..],
            &[0, 1],
            &[69],
            &[5, 6, 7, 40, 69],
            &[0, 2, 4, 66, 68],
        ] {
            for element in [ElementType::U8, ElementType::I16, ElementType::F64] {
                let size = element.size();
                let mut payload = vec![0; 2 * features * size];
                for (at, byte) in payload.iter_mut().enumerate() {
                    // Small enough that no f64 of these bytes overflows an f32.
                    *byte = if idle.contains(&(at / size % features)) {
                        0
                    } else {
                        (at % 50) as u8 + 1
                    };
                }
                let file = file(encode(element, &[2, features], &payload)).expect("a good file");
                let workers = Workers::new(NonZeroUsize::MIN).expect("a worker");
                let columns = Columns::of(&file, scaling::AS_IT_IS, &workers);
                assert_eq!(columns.idle(), idle);
                for item in 0..2 {
                    let (mut whole, mut active) =
                        (vec![0.0; features], vec![f32::NAN; columns.width()]);
                    file.read(item, &mut whole);
                    file.read_active(item, scaling::AS_IT_IS, &columns, &mut active);
                    let kept = (0..features).filter(|column| !idle.contains(column));
                    let expected: Vec<f32> = kept.map(|column| whole[column]).collect();
                    assert_eq!(active, expected, "{element:?} without {idle:?}");
                    assert_eq!(file.read_one(item, 3, scaling::AS_IT_IS), whole[3]);
                }
            }
        }
    }

    proptest! {
        /// Whatever the bytes, opening answers without a panic, and what is accepted is whole.
        #[test]
        fn hostile_bytes_are_refused_or_whole(
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
