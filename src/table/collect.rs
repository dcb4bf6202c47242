//! Encoded blocks, joined to a data set.

use std::path::Path;

use super::encode::{Chunk, Counts};
use super::schema::{Schema, TargetKind};
use crate::data::{ClassNames, Dataset, Rows, Targets};
use crate::error::{Error, Refusal, Result};
use crate::message::Key;

/// The rows of a table so far.
#[derive(Debug)]
pub(super) struct Collector {
    inputs: usize,
    elements: Vec<f32>,
    labels: Vec<u32>,
    values: Vec<f32>,
    flags: Vec<u8>,
    weights: Vec<f32>,
    rows: usize,
    pub counts: Counts,
}

impl Collector {
    /// Starts without rows, which are expected to be this many.
    ///
    /// # Errors
    /// Returns [`Error::Memory`] if the system refuses the memory.
    pub fn new(inputs: usize, rows: usize) -> Result<Collector> {
        let mut elements = Vec::new();
        let length = inputs.checked_mul(rows);
        let reserved = length.map(|length| elements.try_reserve_exact(length));
        match reserved {
            Some(Ok(())) => {}
            _ => return Err(no_memory(inputs, rows)),
        }
        Ok(Collector {
            inputs,
            elements,
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
    /// Returns [`Error::Memory`] if the system refuses the memory.
    pub fn add(&mut self, chunk: &Chunk) -> Result<()> {
        if self.elements.try_reserve(chunk.inputs.len()).is_err() {
            return Err(no_memory(self.inputs, self.rows + chunk.rows));
        }
        self.elements.extend_from_slice(&chunk.inputs);
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

    /// Returns the rows of the table at `path`, and the weights, targets and class names of `schema`.
    pub fn data(self, path: &Path, schema: &Schema) -> Result<(Dataset, Option<Vec<f32>>)> {
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
        let weights = schema.sample_weight.as_ref().map(|_| self.weights);
        if let Some(weights) = &weights
            && weights.iter().all(|&weight| weight == 0.0)
        {
            let refusal = Refusal::new(Key("sample_weight"), "0 in each row", "a weight above 0");
            return Err(Error::Data(refusal));
        }
        let rows = Rows::of_inputs(path.display().to_string(), self.elements, self.inputs)?;
        let data = Dataset::new_pair(rows, targets)?;
        let data = match names {
            Some(names) => data.with_class_names(names)?,
            None => data,
        };
        Ok((data, weights))
    }

    /// Returns the rows of the table at `path`.
    pub fn into_rows(self, path: &Path) -> Result<Rows> {
        Rows::of_inputs(path.display().to_string(), self.elements, self.inputs)
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
