//! Encoded blocks, joined to a data set.

use std::path::{Path, PathBuf};

use super::encode::{Chunk, Counts};
use super::schema::{Schema, TargetKind};
use crate::data::mmap::Scratch;
use crate::data::{ClassNames, Dataset, Rows, Targets};
use crate::error::{Error, Refusal, Result};
use crate::system::cgroup::Limits;
use crate::system::{Memory, SystemFiles};

/// The memory that rows may use if the system does not report how much there is, in bytes.
const UNKNOWN_MEMORY: u64 = 1 << 32;

/// Rows that need more than this part of the memory go to a file.
const PART: u64 = 4;

/// The rows of a table so far.
#[derive(Debug)]
pub(super) struct Collector {
    inputs: usize,
    elements: Elements,
    cache: PathBuf,
    /// The most bytes of elements in memory.
    limit: u64,
    labels: Vec<u32>,
    values: Vec<f32>,
    flags: Vec<u8>,
    weights: Vec<f32>,
    rows: usize,
    pub counts: Counts,
}

/// The elements of the rows so far, `[rows, inputs]`.
#[derive(Debug)]
enum Elements {
    Memory(Vec<f32>),
    File(Scratch),
}

/// Returns the most bytes that rows, or the records of a table, may use in memory.
pub(super) fn memory_limit() -> u64 {
    let files = SystemFiles::default();
    let memory = Memory::detect(&files, &Limits::read(&files));
    memory.usable().unwrap_or(UNKNOWN_MEMORY) / PART
}

impl Collector {
    /// Starts without rows, which are expected to be this many. More bytes of elements than `limit` go to a file in the
    /// folder `cache`.
    ///
    /// # Errors
    /// Returns [`Error::Memory`] if the system refuses the memory, and [`Error::Io`] if it refuses the file.
    pub fn new(inputs: usize, rows: usize, cache: Option<&Path>, limit: u64) -> Result<Collector> {
        let cache = cache.map_or_else(std::env::temp_dir, Path::to_owned);
        let length = inputs
            .checked_mul(rows)
            .ok_or_else(|| no_memory(inputs, rows))?;
        let elements = match size_of::<f32>() as u64 * length as u64 > limit {
            true => Elements::File(Scratch::create_in(&cache)?),
            false => {
                let mut elements = Vec::new();
                let reserved = elements.try_reserve_exact(length);
                reserved.map_err(|_| no_memory(inputs, rows))?;
                Elements::Memory(elements)
            }
        };
        Ok(Collector {
            inputs,
            elements,
            cache,
            limit,
            labels: Vec::new(),
            values: Vec::new(),
            flags: Vec::new(),
            weights: Vec::new(),
            rows: 0,
            counts: Counts::default(),
        })
    }

    /// Adds the rows of the next block.
    ///
    /// # Errors
    /// Returns [`Error::Memory`] if the system refuses the memory, and [`Error::Io`] if it refuses the file.
    pub fn add(&mut self, chunk: &Chunk) -> Result<()> {
        if let Elements::Memory(elements) = &mut self.elements {
            let length = elements.len() + chunk.inputs.len();
            if size_of::<f32>() as u64 * length as u64 > self.limit {
                let mut file = Scratch::create_in(&self.cache)?;
                file.write(bytemuck::cast_slice(elements))?;
                self.elements = Elements::File(file);
            }
        }
        match &mut self.elements {
            Elements::Memory(elements) => {
                let reserved = elements.try_reserve(chunk.inputs.len());
                reserved.map_err(|_| no_memory(self.inputs, self.rows + chunk.rows))?;
                elements.extend_from_slice(&chunk.inputs);
            }
            Elements::File(file) => file.write(bytemuck::cast_slice(&chunk.inputs))?,
        }
        self.labels.extend_from_slice(&chunk.labels);
        self.values.extend_from_slice(&chunk.values);
        self.flags.extend_from_slice(&chunk.flags);
        self.weights.extend_from_slice(&chunk.weights);
        self.rows += chunk.rows;
        self.counts.add(&chunk.counts);
        Ok(())
    }

    /// Returns the number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Returns the rows of the table at `path` with their targets, weights and class names, by `schema`.
    pub fn data(self, path: &Path, schema: &Schema) -> Result<Dataset> {
        let outputs = schema.targets.len();
        let mut names = None;
        let targets = match &schema.targets[0].kind {
            TargetKind::Classes { classes } => {
                let numbered = classes
                    .iter()
                    .enumerate()
                    .all(|(at, name)| *name == at.to_string());
                if !numbered {
                    names = Some(ClassNames::new(path.display(), classes.clone())?);
                }
                Targets::Classes {
                    labels: self.labels,
                    classes: classes.len(),
                }
            }
            TargetKind::Values => Targets::Values {
                values: self.values,
                outputs,
            },
            TargetKind::Label => {
                let of_target = |target: &super::schema::Target| target.place.name.clone();
                let titles: Option<Vec<String>> = schema.targets.iter().map(of_target).collect();
                // Not every name of a column is a valid name of a class; the classes are then numbers.
                names = titles.and_then(|titles| ClassNames::new(path.display(), titles).ok());
                Targets::Flags {
                    flags: self.flags,
                    classes: outputs,
                }
            }
        };
        let rows = self.elements.rows(path, self.inputs)?;
        let data = Dataset::new_pair(rows, targets)?;
        let data = match names {
            Some(names) => data.with_class_names(names)?,
            None => data,
        };
        // A later table may lack the column of weights.
        match self.weights.is_empty() {
            true => Ok(data),
            false => data.with_weights(self.weights),
        }
    }

    /// Returns the rows of the table at `path`.
    pub fn into_rows(self, path: &Path) -> Result<Rows> {
        self.elements.rows(path, self.inputs)
    }
}

impl Elements {
    fn rows(self, path: &Path, inputs: usize) -> Result<Rows> {
        let name = path.display().to_string();
        match self {
            Elements::Memory(elements) => Rows::of_inputs(name, elements, inputs),
            Elements::File(file) => Rows::of_mapped_inputs(name, file.map()?, inputs),
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
