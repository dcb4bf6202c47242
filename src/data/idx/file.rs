//! The items of a file, whole or selected, and how they are read into rows.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::decode::{decode, decode_runs};
use super::super::mmap::Bytes;
use super::super::scaling::Scaling;
use super::super::{gzip, scaling};
use super::header::Header;
use crate::error::{Error, Refusal, Result};
use crate::nn::columns::Columns;

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
                        header.dimensions()
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
    /// [`Error::Memory`] when memory for it is not granted.
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
        let mut dimensions = self.header.dimensions().to_vec();
        dimensions[0] = items.len();
        let places = items.iter().map(|&item| self.place(item as usize) as u32);
        let header = Header::new(&self.path, self.header.element(), &dimensions);
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
        let size = self.header.features() * self.header.element().size();
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
        let size = self.header.features() * self.header.element().size();
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
        decode(self.header.element(), self.item(item), scaling, row);
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
        decode_runs(
            self.header.element(),
            self.item(item),
            scaling,
            columns,
            row,
        );
    }

    /// Element `column` of item `item`, scaled.
    ///
    /// # Panics
    /// When either is out of range.
    pub fn read_one(&self, item: usize, column: usize, scaling: Scaling) -> f32 {
        let size = self.header.element().size();
        let bytes = &self.item(item)[column * size..][..size];
        let mut element = [0.0];
        decode(self.header.element(), bytes, scaling, &mut element);
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
    use crate::data::idx::ElementType;
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
                let columns = crate::data::columns::fit(&file, scaling::AS_IT_IS, &workers);
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
