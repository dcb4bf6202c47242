//! All rows of a table, encoded, in memory or in a mapped file.

use std::path::{Path, PathBuf};

use super::encode::Counts;
use super::schema::{Place, Schema, TargetKind};
use crate::data::mmap::Bytes;
use crate::data::{ClassNames, Dataset, Rows, Targets};
use crate::error::{Refusal, Result};

/// The targets and weights of the rows.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub labels: Vec<u32>,
    pub values: Vec<f32>,
    pub weights: Vec<f32>,
    pub flags: Vec<u8>,
}

/// All rows of a table.
#[derive(Debug)]
pub(super) struct Collected {
    pub inputs: usize,
    pub rows: usize,
    pub elements: Elements,
    pub answers: Answers,
    pub counts: Counts,
}

/// The inputs of all rows, `[rows, inputs]`, in mapped pages.
#[derive(Debug)]
pub(super) struct Elements {
    pub bytes: Bytes,
    /// The bytes of the inputs, which come first.
    pub length: usize,
    /// The path of the file that they are in, if it has a name.
    pub path: Option<PathBuf>,
}

impl Elements {
    /// Returns the rows of the table at `path`, of so many inputs each.
    pub fn into_rows(self, path: &Path, inputs: usize) -> Result<Rows> {
        let source = (self.bytes, self.length, self.path);
        Rows::of_mapped_inputs(path.display().to_string(), source, inputs)
    }
}

impl Collected {
    /// Returns whether these can be rows by `schema`, whatever a file says that they are.
    pub fn fits(&self, schema: &Schema) -> bool {
        let Answers {
            labels,
            values,
            weights,
            flags,
        } = &self.answers;
        let (rows, columns) = (self.rows, schema.columns.len());
        let all = rows.saturating_mul(schema.targets.len());
        let expected = match &schema.targets[..] {
            [target] if let TargetKind::Classes { classes } = &target.kind => {
                let is_class = |&label: &u32| (label as usize) < classes.len();
                labels.iter().all(is_class).then_some([rows, 0, 0])
            }
            [target, ..] if target.kind == TargetKind::Values => Some([0, all, 0]),
            _ => flags.iter().all(|&flag| flag < 2).then_some([0, 0, all]),
        };
        expected == Some([labels.len(), values.len(), flags.len()])
            && self.inputs == schema.inputs()
            && [0, rows].contains(&weights.len())
            && self.counts.missing.len() == columns
            && self.counts.unknown.len() == columns
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
                    labels: self.answers.labels,
                    classes: classes.len(),
                }
            }
            TargetKind::Values => Targets::Values {
                values: self.answers.values,
                outputs,
            },
            TargetKind::Label => {
                let of_target = |target: &super::schema::Target| target.place.name.clone();
                let titles: Option<Vec<String>> = schema.targets.iter().map(of_target).collect();
                // Not every name of a column is a valid name of a class; the classes are then numbers.
                names = titles.and_then(|titles| ClassNames::new(path.display(), titles).ok());
                Targets::Flags {
                    flags: self.answers.flags,
                    classes: outputs,
                }
            }
        };
        let rows = self.elements.into_rows(path, self.inputs)?;
        let data = Dataset::new_pair(rows, targets)?;
        let data = match names {
            Some(names) => data.with_class_names(names)?,
            None => data,
        };
        // A later table may lack the column of weights.
        if self.answers.weights.is_empty() {
            return Ok(data);
        }
        let weighted = data.with_weights(self.answers.weights);
        let title = schema
            .sample_weight
            .as_ref()
            .map_or(String::new(), Place::title);
        let place = format!("{}: {title}", path.display());
        weighted.map_err(|error| {
            error.map_refusal(|refusal| Refusal {
                place: place.into(),
                ..refusal
            })
        })
    }

    /// Returns the rows of the table at `path`.
    pub fn into_rows(self, path: &Path) -> Result<Rows> {
        self.elements.into_rows(path, self.inputs)
    }
}
