//! Encoded blocks, joined to a data set.

use std::path::{Path, PathBuf};

use super::cache::{self, CacheWriter, Earlier, Reading, TableCache};
use super::collected::{Answers, Collected, Elements};
use super::encode::{Chunk, Counts};
use super::options::Cache;
use crate::data::mmap::Scratch;
use crate::error::{Error, Refusal, Result};
use crate::message::Message;
use crate::system::cgroup::Limits;
use crate::system::{Memory, SystemFiles};

/// The memory that rows may use if the system does not report how much there is, in bytes.
const UNKNOWN_MEMORY: u64 = 1 << 32;

/// Rows that need more than this part of the memory go to a file, unless a limit is given.
const PART: u64 = 4;

/// The rows of a table so far.
#[derive(Debug)]
pub(super) struct Collector<'a> {
    inputs: usize,
    parts: Parts,
    place: Place<'a>,
    /// The most bytes of elements in memory.
    limit: u64,
    answers: Answers,
    rows: usize,
    counts: Counts,
}

/// Where rows go that are too many for the memory.
#[derive(Debug)]
enum Place<'a> {
    /// A file without a name in this folder.
    Folder(PathBuf),
    /// A file that is used again.
    Cache(TableCache<'a>),
}

/// The elements of the rows so far, `[rows, inputs]`.
#[derive(Debug)]
enum Parts {
    Memory(Vec<f32>),
    Scratch(Scratch),
    Cache(CacheWriter),
}

/// Returns the most bytes that the rows, or the records of a table, may use in memory: `given`, or a part of what there is.
pub(super) fn memory_limit(given: Option<u64>) -> u64 {
    given.unwrap_or_else(|| {
        let files = SystemFiles::default();
        let memory = Memory::detect(&files, &Limits::read(&files));
        memory.usable().unwrap_or(UNKNOWN_MEMORY) / PART
    })
}

/// Returns the rows of the table at `path`: those that an earlier process encoded, if they still fit, or those that `encode`
/// adds, which are expected to be this many. Further returns what to note about it.
///
/// # Errors
/// Returns the errors of `encode`, of [`Collector::add`], and of the file of rows.
pub(super) fn collect(
    path: &Path,
    reading: Reading,
    rows: usize,
    encode: impl FnOnce(&mut Collector) -> Result<()>,
) -> Result<(Collected, Option<Message>)> {
    let (mut differs, limit) = (None, memory_limit(reading.options.memory));
    let place = match &reading.options.cache {
        Cache::Temporary => Place::Folder(std::env::temp_dir()),
        Cache::Unnamed(folder) => Place::Folder(folder.clone()),
        Cache::File(file) => {
            let cache = TableCache::new(file, path, reading)?;
            match cache.earlier()? {
                Earlier::Fits(rows) => return Ok((*rows, Some(cache.used()))),
                Earlier::Differs(why) => differs = Some(why),
                Earlier::Absent => {}
            }
            Place::Cache(cache)
        }
    };
    let mut collector = Collector::new(reading.schema.inputs(), rows, place, limit)?;
    encode(&mut collector)?;
    let collected = collector.finish()?;
    let about = match &collected.elements {
        Elements::Mapped {
            length,
            path: Some(file),
            ..
        } => Some(cache::about(file, *length as u64, limit, differs.as_ref())),
        _ => None,
    };
    Ok((collected, about))
}

impl Collector<'_> {
    /// Starts without rows, which are expected to be this many. More bytes of elements than `limit` go to a file.
    fn new(inputs: usize, rows: usize, place: Place, limit: u64) -> Result<Collector> {
        let length = inputs
            .checked_mul(rows)
            .ok_or_else(|| no_memory(inputs, rows))?;
        let parts = match size_of::<f32>() as u64 * length as u64 > limit {
            true => place.create()?,
            false => {
                let mut elements = Vec::new();
                let reserved = elements.try_reserve_exact(length);
                reserved.map_err(|_| no_memory(inputs, rows))?;
                Parts::Memory(elements)
            }
        };
        Ok(Collector {
            inputs,
            parts,
            place,
            limit,
            answers: Answers::default(),
            rows: 0,
            counts: Counts::default(),
        })
    }

    /// Adds the rows of the next block.
    ///
    /// # Errors
    /// Returns [`Error::Memory`] if the system refuses the memory or the room on the disk, and [`Error::Io`] if it fails.
    pub fn add(&mut self, chunk: &Chunk) -> Result<()> {
        if let Parts::Memory(elements) = &mut self.parts {
            let length = elements.len() + chunk.inputs.len();
            if size_of::<f32>() as u64 * length as u64 > self.limit {
                let elements = std::mem::take(elements);
                self.parts = self.place.create()?;
                self.parts.add((self.inputs, self.rows), &elements)?;
            }
        }
        self.parts
            .add((self.inputs, self.rows + chunk.rows), &chunk.inputs)?;
        self.answers.labels.extend_from_slice(&chunk.labels);
        self.answers.values.extend_from_slice(&chunk.values);
        self.answers.flags.extend_from_slice(&chunk.flags);
        self.answers.weights.extend_from_slice(&chunk.weights);
        self.rows += chunk.rows;
        self.counts.add(&chunk.counts);
        Ok(())
    }

    /// Returns all rows.
    fn finish(self) -> Result<Collected> {
        let elements = match (self.parts, &self.place) {
            (Parts::Memory(elements), _) => Elements::Memory(elements),
            (Parts::Scratch(file), _) => {
                let bytes = file.map()?;
                Elements::Mapped {
                    length: bytes.len(),
                    bytes,
                    path: None,
                }
            }
            (Parts::Cache(file), Place::Cache(cache)) => {
                let shape = (self.rows, self.inputs);
                file.finish(cache.origin()?, shape, &self.answers, &self.counts)?
            }
            (Parts::Cache(_), Place::Folder(_)) => unreachable!("a cache in its place"),
        };
        Ok(Collected {
            inputs: self.inputs,
            rows: self.rows,
            elements,
            answers: self.answers,
            counts: self.counts,
        })
    }
}

impl Place<'_> {
    /// Starts a file.
    fn create(&self) -> Result<Parts> {
        match self {
            Place::Folder(folder) => Scratch::create_in(folder).map(Parts::Scratch),
            Place::Cache(cache) => cache.create().map(Parts::Cache),
        }
    }
}

impl Parts {
    /// Adds elements, with which there are `rows` rows of `inputs`.
    fn add(&mut self, (inputs, rows): (usize, usize), added: &[f32]) -> Result<()> {
        match self {
            Parts::Memory(elements) => {
                let reserved = elements.try_reserve(added.len());
                reserved.map_err(|_| no_memory(inputs, rows))?;
                elements.extend_from_slice(added);
                Ok(())
            }
            Parts::Scratch(file) => file.write(bytemuck::cast_slice(added)),
            Parts::Cache(file) => file.write(bytemuck::cast_slice(added)),
        }
    }
}

fn no_memory(inputs: usize, rows: usize) -> Error {
    let found = format!("room for {rows} rows of {inputs} inputs was refused");
    Error::Memory(Refusal::new(
        "memory",
        found,
        "room for the rows of the table",
    ))
}
