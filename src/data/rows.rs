//! Rows of features: the input half of a data set, whether it comes from an IDX file or from an array in memory.
//!
//! A selection of rows shares its source with the rows it was taken from. The kind of source is looked up once a row,
//! never once an element.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use ndarray::ArrayView2;

use super::decode::{Encoding, decode, decode_each, decode_runs, decode_wide};
use super::idx::{ElementType, IdxFile};
use super::mmap::{self, Bytes, Stamp};
use super::scaling::{GlobalScaling, Scaling};
use crate::compute::elements::{BYTES, ByteValues};
use crate::error::{Error, Refusal, Result};
use crate::nn::columns::Columns;

/// The name of an array in messages, until it belongs to a set: that of the argument.
const UNNAMED: &str = "x";

/// Rows of features, all of the same length.
#[derive(Debug)]
pub struct Rows {
    source: Arc<Source>,
    name: String,
    /// The shape, rows first: `[60000, 28, 28]`.
    dimensions: Vec<usize>,
    encoding: Encoding,
    /// Bytes of a row.
    row_size: usize,
    /// For a selection, the position of each row in the source.
    positions: Option<Vec<u32>>,
    /// Whether the elements are inputs of a network already.
    are_inputs: bool,
}

/// Where the elements are.
#[derive(Debug)]
enum Source {
    Idx(IdxFile),
    /// Row by row, `[rows, features]`.
    Array(Vec<f32>),
}

impl From<IdxFile> for Rows {
    /// Takes the items of an IDX file as rows, each flattened into one row of features.
    fn from(file: IdxFile) -> Rows {
        let header = file.header();
        let encoding = Encoding::BigEndian(header.element());
        Rows {
            name: file.path().display().to_string(),
            dimensions: header.dimensions().to_vec(),
            encoding,
            row_size: header.features() * encoding.size(),
            positions: None,
            are_inputs: false,
            source: Arc::new(Source::Idx(file)),
        }
    }
}

impl Rows {
    /// Copies the rows of `x`.
    ///
    /// Shapes: `x [rows, features]`.
    ///
    /// # Errors
    /// Returns [`Error::Data`] if there are no rows, more than 2³² − 1 of them, or no features, and [`Error::Memory`]
    /// if the system refuses the memory. NaN and infinite elements are refused by what uses the rows, as for files.
    pub fn from_array(x: ArrayView2<f32>) -> Result<Rows> {
        let (rows, features) = x.dim();
        if rows == 0 || features == 0 || u32::try_from(rows).is_err() {
            let found = format!("an array of shape {:?}", x.shape());
            let expected = "at least one row and one feature, and at most 4294967295 rows";
            return Err(Error::Data(Refusal::new(UNNAMED, found, expected)));
        }
        let mut elements = Vec::new();
        elements.try_reserve_exact(x.len()).map_err(|_| {
            let found = format!("{} bytes were refused", 4 * x.len());
            Error::Memory(Refusal::new("memory", found, "room for a copy of the rows"))
        })?;
        elements.extend(x.iter().copied());
        Ok(Rows {
            source: Arc::new(Source::Array(elements)),
            name: UNNAMED.to_owned(),
            dimensions: vec![rows, features],
            encoding: Encoding::NativeF32,
            row_size: features * Encoding::NativeF32.size(),
            positions: None,
            are_inputs: false,
        })
    }

    /// Takes rows that are encoded as inputs of a network, such as those of a table, which need no further scaling.
    /// Messages call them `name`.
    ///
    /// Shapes: `elements [rows, features]`.
    ///
    /// # Errors
    /// Returns [`Error::Data`] if there are no rows, more than 2³² − 1 of them, or no features.
    ///
    /// # Panics
    /// Panics if the elements are no whole rows.
    pub fn of_inputs(name: String, elements: Vec<f32>, features: usize) -> Result<Rows> {
        let rows = elements.len().checked_div(features).unwrap_or(0);
        if rows == 0 || u32::try_from(rows).is_err() {
            let found = format!("{rows} rows of {features} features");
            let expected = "at least one row and one feature, and at most 4294967295 rows";
            return Err(Error::Data(Refusal::new(name, found, expected)));
        }
        assert_eq!(elements.len(), rows * features, "elements against features");
        Ok(Rows {
            source: Arc::new(Source::Array(elements)),
            name,
            dimensions: vec![rows, features],
            encoding: Encoding::NativeF32,
            row_size: features * Encoding::NativeF32.size(),
            positions: None,
            are_inputs: true,
        })
    }

    /// Returns whether the elements are inputs of a network already, which are used unscaled.
    pub fn are_inputs(&self) -> bool {
        self.are_inputs
    }

    /// Selects these `rows`, in this order, which are then numbered from 0. Elements are not copied.
    ///
    /// # Panics
    /// Panics if a row is out of range.
    pub fn select(&self, rows: &[u32]) -> Rows {
        let mut dimensions = self.dimensions.clone();
        dimensions[0] = rows.len();
        let positions = rows.iter().map(|&row| {
            assert!((row as usize) < self.len(), "row {row} of {}", self.len());
            self.position(row as usize) as u32
        });
        Rows {
            positions: Some(positions.collect()),
            dimensions,
            name: self.name.clone(),
            source: Arc::clone(&self.source),
            ..*self
        }
    }

    /// Returns whether `other` has the same source, or is a selection from it.
    pub fn shares_source_with(&self, other: &Rows) -> bool {
        Arc::ptr_eq(&self.source, &other.source)
    }

    /// Returns the name used in messages: the path of the file, or what an array in memory is used as.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Names an array in memory; a file keeps its path, as do the rows of a table.
    pub(super) fn set_name(&mut self, name: &str) {
        if matches!(*self.source, Source::Array(_)) && !self.are_inputs {
            name.clone_into(&mut self.name);
        }
    }

    /// Returns the number of rows.
    pub fn len(&self) -> usize {
        self.dimensions[0]
    }

    /// Returns whether there are no rows, as in an empty selection.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the number of features in a row.
    pub fn features(&self) -> usize {
        self.dimensions[1..].iter().product()
    }

    /// Returns the shape, rows first. Rows from a file keep the shape of its items: `[60000, 28, 28]`.
    pub fn dimensions(&self) -> &[usize] {
        &self.dimensions
    }

    /// Returns the type of the elements.
    pub fn element(&self) -> ElementType {
        match self.encoding {
            Encoding::BigEndian(element) => element,
            Encoding::NativeF32 => ElementType::F32,
        }
    }

    /// Returns the bytes of the whole source, with the header of a file, even for a selection.
    pub fn source_bytes(&self) -> &[u8] {
        match &*self.source {
            Source::Idx(file) => file.bytes(),
            Source::Array(elements) => bytemuck::cast_slice(elements),
        }
    }

    /// Returns the path of the source and its stamp when it was mapped, if it is a mapped file.
    pub(super) fn mapped_file(&self) -> Option<(&Path, Stamp)> {
        match &*self.source {
            Source::Idx(file) => match file.bytes() {
                Bytes::Mapped(_, stamp) => Some((file.path(), *stamp)),
                Bytes::Owned(_) => None,
            },
            Source::Array(_) => None,
        }
    }

    /// Returns the position of a row in the source.
    fn position(&self, row: usize) -> usize {
        match &self.positions {
            None => row,
            Some(positions) => positions[row] as usize,
        }
    }

    /// Returns the elements of one row, as stored.
    ///
    /// # Panics
    /// Panics if `row` is out of range.
    pub fn stored(&self, row: usize) -> &[u8] {
        let elements = match &*self.source {
            Source::Idx(file) => file.payload(),
            Source::Array(elements) => bytemuck::cast_slice(elements),
        };
        &elements[self.position(row) * self.row_size..][..self.row_size]
    }

    /// Asks the processor to load a row into its cache.
    ///
    /// # Panics
    /// Panics if `row` is out of range.
    pub(super) fn prefetch(&self, row: usize) {
        mmap::prefetch(self.stored(row));
    }

    /// Asks the system to read `rows` of a file into memory, in one go, ahead of their use. Returns when that is done,
    /// on systems that report it. This is only advice.
    ///
    /// # Panics
    /// Panics if they are out of range.
    pub fn read_ahead(&self, rows: Range<usize>) {
        if let Source::Idx(file) = &*self.source {
            file.bytes().read_ahead(self.bytes_of(file, rows));
        }
    }

    /// Tells the system that `rows` of a file are not needed for now, so that they no longer count as memory of this
    /// process. This is only advice.
    ///
    /// # Panics
    /// Panics if they are out of range.
    pub fn give_back(&self, rows: Range<usize>) {
        if let Source::Idx(file) = &*self.source {
            file.bytes().give_back(self.bytes_of(file, rows));
        }
    }

    /// Returns the bytes of `file` from the first to the last of `rows`, with everything between them.
    fn bytes_of(&self, file: &IdxFile, rows: Range<usize>) -> Range<usize> {
        assert!(rows.end <= self.len(), "rows {rows:?} of {}", self.len());
        let positions = match &self.positions {
            None => rows,
            Some(_) if rows.is_empty() => 0..0,
            Some(positions) => {
                let positions = positions[rows].iter().map(|&position| position as usize);
                let (first, last) = positions.fold((usize::MAX, 0), |(first, last), position| {
                    (first.min(position), last.max(position))
                });
                first..last + 1
            }
        };
        let start = file.header().header_bytes();
        start + positions.start * self.row_size..start + positions.end * self.row_size
    }

    /// Writes one row to `out`, unscaled.
    ///
    /// Shapes: `out [features]`. Overwrites `out`.
    ///
    /// # Panics
    /// Panics if `row` is out of range or `out` has another length.
    pub fn read(&self, row: usize, out: &mut [f32]) {
        self.read_scaled(row, &Scaling::IDENTITY, out);
    }

    /// Writes one row to `out`, scaled: `out[j] = (element_j − offset) · factor`.
    ///
    /// Shapes: `out [features]`. Overwrites `out`.
    ///
    /// # Panics
    /// Panics if `row` is out of range, or `out` or `scaling` has another number of features.
    pub fn read_scaled(&self, row: usize, scaling: &Scaling, out: &mut [f32]) {
        assert_eq!(out.len(), self.features(), "row against features");
        let stored = self.stored(row);
        match scaling {
            Scaling::Global(pair) => decode(self.encoding, stored, *pair, out),
            Scaling::PerFeature(of) => {
                assert_eq!(out.len(), of.factor().len(), "row against scaling");
                decode_each(self.encoding, stored, of, 0..out.len(), out);
            }
        }
    }

    /// Writes one row to `out`, neither scaled nor rounded.
    ///
    /// Shapes: `out [features]`. Overwrites `out`.
    ///
    /// # Panics
    /// Panics if `row` is out of range or `out` has another length.
    pub(super) fn read_wide(&self, row: usize, out: &mut [f64]) {
        assert_eq!(out.len(), self.features(), "row against features");
        decode_wide(self.encoding, self.stored(row), out);
    }

    /// Returns what each byte becomes as an input of a layer that subtracts the offset itself, if the elements are
    /// bytes.
    pub fn byte_values(&self, scaling: GlobalScaling) -> Option<ByteValues> {
        if self.encoding.size() > 1 {
            return None;
        }
        let bytes: [u8; BYTES] = std::array::from_fn(|byte| byte as u8);
        let without_offset = GlobalScaling {
            offset: 0.0,
            ..scaling
        };
        let mut values = [0.0; BYTES];
        decode(self.encoding, &bytes, without_offset, &mut values);
        Some(ByteValues::new(values))
    }

    /// Writes the active columns of one row to `out`, scaled, side by side in their order.
    ///
    /// Shapes: `out [columns.width()]`. Overwrites `out`.
    ///
    /// # Panics
    /// Panics if `row` is out of range, `out` has another length, or `columns` or `scaling` has another number of
    /// features.
    pub fn read_active(&self, row: usize, scaling: &Scaling, columns: &Columns, out: &mut [f32]) {
        let (stored, size) = (self.stored(row), self.encoding.size());
        assert_eq!(
            (columns.features() * size, out.len()),
            (stored.len(), columns.width()),
            "features and row against columns"
        );
        let of = match scaling {
            Scaling::Global(pair) => {
                return decode_runs(self.encoding, stored, *pair, columns, out);
            }
            Scaling::PerFeature(of) => of,
        };
        let mut start = 0;
        for run in columns.active() {
            let (bytes, end) = (run.start * size..run.end * size, start + run.len());
            let out = &mut out[start..end];
            decode_each(self.encoding, &stored[bytes], of, run.clone(), out);
            start = end;
        }
    }

    /// Returns one element of one row, scaled.
    ///
    /// # Panics
    /// Panics if `row` or `column` is out of range.
    pub fn read_one(&self, row: usize, column: usize, scaling: &Scaling) -> f32 {
        let size = self.encoding.size();
        let stored = &self.stored(row)[column * size..][..size];
        let mut element = [0.0];
        match scaling {
            Scaling::Global(pair) => decode(self.encoding, stored, *pair, &mut element),
            Scaling::PerFeature(of) => {
                decode_each(self.encoding, stored, of, column..column + 1, &mut element);
            }
        }
        element[0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::parallel::Workers;
    use crate::data::fit_columns::fit_columns;
    use crate::data::idx::Header;
    use ndarray::{Array2, arr2};
    use std::num::NonZeroUsize;

    fn from_file(element: ElementType, dimensions: &[usize], payload: &[u8]) -> Rows {
        let path = Path::new("some-file");
        let header = Header::new(path, element, dimensions).expect("a header");
        let bytes = [header.to_bytes(), payload.to_vec()].concat();
        let file = IdxFile::from_bytes(path, Bytes::Owned(bytes));
        Rows::from(file.expect("a good file"))
    }

    fn all(rows: &Rows) -> Vec<Vec<f32>> {
        let row = |row| {
            let mut out = vec![0.0; rows.features()];
            rows.read(row, &mut out);
            out
        };
        (0..rows.len()).map(row).collect()
    }

    #[test]
    fn scales_after_subtracting_the_offset() {
        let scaling = &Scaling::global(10.0, 0.5);
        let x = arr2(&[[0.0, 10.0, 20.0]]);
        for rows in [
            from_file(ElementType::U8, &[1, 3], &[0, 10, 20]),
            Rows::from_array(x.view()).expect("rows"),
        ] {
            let mut row = [0.0; 3];
            rows.read_scaled(0, scaling, &mut row);
            assert_eq!(row, [-5.0, 0.0, 5.0]);
            assert_eq!(rows.read_one(0, 2, scaling), 5.0);
        }
    }

    #[test]
    fn an_array_in_any_memory_layout_is_read_row_by_row() {
        let x = arr2(&[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]);
        let rows = Rows::from_array(x.t()).expect("rows");
        assert_eq!(rows.dimensions(), [2, 3]);
        assert_eq!(all(&rows), [[1.0, 3.0, 5.0], [2.0, 4.0, 6.0]]);
        assert_eq!(rows.element(), ElementType::F32);
    }

    #[test]
    fn an_empty_array_is_refused() {
        for shape in [(0, 3), (3, 0)] {
            let refused = Rows::from_array(Array2::zeros(shape).view()).expect_err("a refusal");
            let words = format!("x: an array of shape [{}, {}]", shape.0, shape.1);
            assert!(refused.to_string().starts_with(&words), "{refused}");
        }
    }

    #[test]
    fn a_selection_of_a_selection_refers_to_the_source() {
        let file = from_file(ElementType::U8, &[5, 2], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        let x = Array2::from_shape_fn((5, 2), |(row, column)| (2 * row + column) as f32);
        for rows in [file, Rows::from_array(x.view()).expect("rows")] {
            let some = rows.select(&[1, 3, 4]);
            assert_eq!(some.dimensions(), [3, 2]);
            assert_eq!(all(&some), [[2.0, 3.0], [6.0, 7.0], [8.0, 9.0]]);
            assert_eq!(all(&some.select(&[2, 0])), [[8.0, 9.0], [2.0, 3.0]]);
            assert!(some.shares_source_with(&rows));
        }
    }

    #[test]
    fn the_bytes_of_rows_reach_from_the_first_to_the_last_in_the_file() {
        let rows = from_file(ElementType::U8, &[5, 2], &[0; 10]);
        let some = rows.select(&[1, 3, 4]);
        let Source::Idx(file) = &*some.source else {
            panic!("rows of a file");
        };
        // Behind a header of 12 bytes.
        assert_eq!(some.bytes_of(file, 0..2), 14..20);
        assert_eq!(some.bytes_of(file, 1..1).len(), 0);
    }

    /// Checks that the active columns of `rows` are those of `idle`'s complement, side by side.
    fn check_active_columns(rows: &Rows, idle: &[usize]) {
        let workers = Workers::new(NonZeroUsize::MIN).expect("a worker");
        let columns = fit_columns(rows, &Scaling::IDENTITY, &workers);
        assert_eq!(columns.idle(), idle);
        for (row, complete) in all(rows).into_iter().enumerate() {
            let mut active = vec![f32::NAN; columns.width()];
            rows.read_active(row, &Scaling::IDENTITY, &columns, &mut active);
            let kept = (0..rows.features()).filter(|column| !idle.contains(column));
            let expected: Vec<f32> = kept.map(|column| complete[column]).collect();
            assert_eq!(active, expected, "{:?} without {idle:?}", rows.encoding);
            let one = rows.read_one(row, 3, &Scaling::IDENTITY);
            assert_eq!(one, complete[3]);
        }
    }

    #[test]
    fn active_columns_are_read_side_by_side() {
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
                let byte = |at: usize| match idle.contains(&(at / size % features)) {
                    true => 0,
                    // Small enough that no f64 of these bytes overflows an f32.
                    false => (at % 50) as u8 + 1,
                };
                let payload: Vec<u8> = (0..2 * features * size).map(byte).collect();
                check_active_columns(&from_file(element, &[2, features], &payload), idle);
            }
            let x = Array2::from_shape_fn((2, features), |(row, column)| {
                match idle.contains(&column) {
                    true => 0.0,
                    false => (row * features + column) as f32 + 0.5,
                }
            });
            check_active_columns(&Rows::from_array(x.view()).expect("rows"), idle);
        }
    }
}
