//! Where the inputs of encoded rows go: to memory, or if they are too many, to a file.

use std::path::PathBuf;

use rayon::prelude::*;

use super::cache::{CacheWriter, TableCache};
use super::collected::Elements;
use crate::data::filled::{Pages, Scratch};
use crate::error::{Error, Refusal, Result};

/// Floats that are cleared at a time.
const PIECE: usize = 1 << 16;

/// Where rows go that are too many for the memory.
#[derive(Debug)]
pub(super) enum Place<'a> {
    /// A file without a name in this folder.
    Folder(PathBuf),
    /// A file that is used again.
    Cache(TableCache<'a>),
}

/// The inputs of the rows so far.
#[derive(Debug)]
pub(super) struct Filling<'a> {
    store: Store,
    place: Place<'a>,
    /// The most bytes in memory.
    limit: u64,
    /// The inputs of a row.
    inputs: usize,
    rows: usize,
}

#[derive(Debug)]
enum Store {
    Memory(Pages),
    File {
        file: RowFile,
        /// Inputs that are not written yet.
        waiting: Vec<f32>,
        /// The memory of those before them.
        spare: Vec<f32>,
    },
}

#[derive(Debug)]
enum RowFile {
    Scratch(Scratch),
    Cache(CacheWriter),
}

impl<'a> Filling<'a> {
    /// Starts without rows, but with room for so many of `inputs` each. More bytes than `limit` go to a file in its place.
    pub fn new(
        (inputs, rows): (usize, usize),
        place: Place<'a>,
        limit: u64,
    ) -> Result<Filling<'a>> {
        let store = match bytes_of(inputs, rows) > limit {
            true => Store::of(RowFile::create(&place)?),
            false => Store::Memory(pages(inputs, rows)?),
        };
        Ok(Filling {
            store,
            place,
            limit,
            inputs,
            rows: 0,
        })
    }

    /// Lets `fill` write the inputs of the next rows, `[rows, inputs]`, which are zeros at first. A file has them only after
    /// the next call.
    ///
    /// # Errors
    /// Returns the errors of `fill`; [`Error::Memory`] if the system refuses the memory or the room on the disk, and
    /// [`Error::Io`] if it fails.
    pub fn add<T: Send>(
        &mut self,
        rows: usize,
        fill: impl FnOnce(&mut [f32]) -> Result<T> + Send,
    ) -> Result<T> {
        self.make_room(rows)?;
        let (start, count) = (self.rows * self.inputs, rows * self.inputs);
        self.rows += rows;
        match &mut self.store {
            Store::Memory(pages) => fill(&mut floats(pages)[start..start + count]),
            Store::File {
                file,
                waiting,
                spare,
            } => {
                let length = spare.len().min(count);
                spare.truncate(length);
                spare
                    .par_chunks_mut(PIECE)
                    .for_each(|piece| piece.fill(0.0));
                let reserved = spare.try_reserve(count - length);
                reserved.map_err(|_| no_memory(self.inputs, self.rows))?;
                spare.resize(count, 0.0);
                let write = || file.write(bytemuck::cast_slice(waiting));
                let (written, filled) = rayon::join(write, || fill(spare));
                written?;
                std::mem::swap(waiting, spare);
                filled
            }
        }
    }

    /// Makes the pages larger if they have no room for so many more rows, or moves to a file if there would be too many.
    fn make_room(&mut self, rows: usize) -> Result<()> {
        let needed = self.rows.saturating_add(rows);
        let Store::Memory(pages) = &self.store else {
            return Ok(());
        };
        if bytes_of(self.inputs, needed) <= pages.len() as u64 {
            return Ok(());
        }
        let filled = &pages[..self.length()];
        self.store = match bytes_of(self.inputs, needed) > self.limit {
            true => {
                let mut file = RowFile::create(&self.place)?;
                file.write(filled)?;
                Store::of(file)
            }
            false => {
                let doubled = bytes_of(self.inputs, 2 * self.rows) <= self.limit;
                let rows = if doubled {
                    needed.max(2 * self.rows)
                } else {
                    needed
                };
                let mut larger = self::pages(self.inputs, rows)?;
                larger[..filled.len()].copy_from_slice(filled);
                Store::Memory(larger)
            }
        };
        Ok(())
    }

    /// Returns the number of bytes of all rows.
    fn length(&self) -> usize {
        size_of::<f32>() * self.inputs * self.rows
    }

    /// Returns all inputs. A cache ends with what `finish` writes behind them.
    pub fn finish(
        self,
        finish: impl FnOnce(CacheWriter, &TableCache) -> Result<Elements>,
    ) -> Result<Elements> {
        let length = self.length();
        let unnamed = |bytes| Elements {
            bytes,
            length,
            path: None,
        };
        match self.store {
            Store::Memory(pages) => {
                let bytes = pages
                    .finish()
                    .map_err(|_| no_memory(self.inputs, self.rows))?;
                Ok(unnamed(bytes))
            }
            Store::File {
                mut file, waiting, ..
            } => {
                file.write(bytemuck::cast_slice(&waiting))?;
                match (file, &self.place) {
                    (RowFile::Scratch(file), _) => file.map().map(unnamed),
                    (RowFile::Cache(file), Place::Cache(cache)) => finish(file, cache),
                    (RowFile::Cache(_), Place::Folder(_)) => unreachable!("a cache in its place"),
                }
            }
        }
    }
}

impl Store {
    fn of(file: RowFile) -> Store {
        Store::File {
            file,
            waiting: Vec::new(),
            spare: Vec::new(),
        }
    }
}

impl RowFile {
    fn create(place: &Place) -> Result<RowFile> {
        match place {
            Place::Folder(folder) => Scratch::create_in(folder).map(RowFile::Scratch),
            Place::Cache(cache) => cache.create().map(RowFile::Cache),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        match self {
            RowFile::Scratch(file) => file.write(bytes),
            RowFile::Cache(file) => file.write(bytes),
        }
    }
}

fn bytes_of(inputs: usize, rows: usize) -> u64 {
    let row = (inputs as u64).saturating_mul(size_of::<f32>() as u64);
    row.saturating_mul(rows as u64)
}

fn pages(inputs: usize, rows: usize) -> Result<Pages> {
    let bytes = usize::try_from(bytes_of(inputs, rows)).ok();
    let pages = bytes.and_then(|bytes| Pages::zeroed(bytes).ok());
    pages.ok_or_else(|| no_memory(inputs, rows))
}

/// Returns the whole floats of some pages, which start at the alignment of all numbers.
fn floats(pages: &mut Pages) -> &mut [f32] {
    let length = pages.len() / size_of::<f32>() * size_of::<f32>();
    bytemuck::cast_slice_mut(&mut pages[..length])
}

fn no_memory(inputs: usize, rows: usize) -> Error {
    let found = format!("room for {rows} rows of {inputs} inputs was refused");
    Error::Memory(Refusal::new(
        "memory",
        found,
        "room for the rows of the table",
    ))
}
