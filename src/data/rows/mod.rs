//! Rows of features: the input half of a data set, whether it comes from an IDX file or from an array in memory.
//!
//! A selection of rows shares its source with the rows it was taken from. The kind of source is looked up once a row,
//! never once an element.

use std::ops::Range;
use std::path::{Path, PathBuf};
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
    /// The same in mapped pages, which start with so many bytes of elements, and are from the file with this path, if any.
    Cached {
        bytes: Bytes,
        length: usize,
        path: Option<PathBuf>,
    },
}

impl Source {
    /// Returns everything, with the header of a file.
    fn bytes(&self) -> &[u8] {
        match self {
            Source::Idx(file) => file.bytes(),
            Source::Array(elements) => bytemuck::cast_slice(elements),
            Source::Cached { bytes, length, .. } => &bytes[..*length],
        }
    }

    /// Returns the bytes that may be in a file, and the length of its header.
    fn mapping(&self) -> Option<(&Bytes, usize)> {
        match self {
            Source::Idx(file) => Some((file.bytes(), file.header().header_bytes())),
            Source::Array(_) => None,
            Source::Cached { bytes, .. } => Some((bytes, 0)),
        }
    }
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
        Rows::encoded(name, Source::Array(elements), features)
    }

    /// Takes rows as [`Rows::of_inputs`] does, from mapped `f32`s in the byte order of this machine: so many bytes at the
    /// start, and the path of the file if it has one.
    ///
    /// # Errors
    /// Returns the errors of [`Rows::of_inputs`].
    ///
    /// # Panics
    /// Panics if the elements are no whole rows.
    pub(crate) fn of_mapped_inputs(
        name: String,
        (bytes, length, path): (Bytes, usize, Option<PathBuf>),
        features: usize,
    ) -> Result<Rows> {
        let source = Source::Cached {
            bytes,
            length,
            path,
        };
        Rows::encoded(name, source, features)
    }

    fn encoded(name: String, source: Source, features: usize) -> Result<Rows> {
        let (size, row_size) = (source.bytes().len(), features * size_of::<f32>());
        let rows = size.checked_div(row_size).unwrap_or(0);
        if rows == 0 || u32::try_from(rows).is_err() {
            let found = format!("{rows} rows of {features} features");
            let expected = "at least one row and one feature, and at most 4294967295 rows";
            return Err(Error::Data(Refusal::new(name, found, expected)));
        }
        assert_eq!(size, rows * row_size, "elements against features");
        Ok(Rows {
            source: Arc::new(source),
            name,
            dimensions: vec![rows, features],
            encoding: Encoding::NativeF32,
            row_size,
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
        self.source.bytes()
    }

    /// Returns the path of the source and its stamp when it was mapped, if it is a mapped file.
    pub(super) fn mapped_file(&self) -> Option<(&Path, Stamp)> {
        match &*self.source {
            Source::Idx(file) => match file.bytes() {
                Bytes::Mapped(_, stamp) => Some((file.path(), (*stamp)?)),
                Bytes::Filled(_) | Bytes::Owned(_) => None,
            },
            Source::Cached {
                bytes: Bytes::Mapped(_, stamp),
                path: Some(path),
                ..
            } => Some((path, (*stamp)?)),
            Source::Array(_) | Source::Cached { .. } => None,
        }
    }

    /// Returns the file with a name that the rows of a table are in, if they are not in memory.
    pub fn cache(&self) -> Option<&Path> {
        match &*self.source {
            Source::Cached { path, .. } => path.as_deref(),
            Source::Idx(_) | Source::Array(_) => None,
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
            Source::Array(_) | Source::Cached { .. } => self.source.bytes(),
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
        if let Some((bytes, header)) = self.source.mapping() {
            bytes.read_ahead(self.bytes_of(header, rows));
        }
    }

    /// Tells the system that `rows` of a file are not needed for now, so that they no longer count as memory of this
    /// process. This is only advice.
    ///
    /// # Panics
    /// Panics if they are out of range.
    pub fn give_back(&self, rows: Range<usize>) {
        if let Some((bytes, header)) = self.source.mapping() {
            bytes.give_back(self.bytes_of(header, rows));
        }
    }

    /// Returns the bytes of a file from the first to the last of `rows`, with everything between them, behind this many
    /// bytes of a header.
    fn bytes_of(&self, header: usize, rows: Range<usize>) -> Range<usize> {
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
        header + positions.start * self.row_size..header + positions.end * self.row_size
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
    pub(crate) fn read_wide(&self, row: usize, out: &mut [f64]) {
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
mod tests;
