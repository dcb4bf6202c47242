//! Typed cells to inputs and targets, by a schema.

mod chunk;
mod column;
mod context;
mod target;

use std::path::Path;

pub(super) use self::chunk::{Chunk, Counts};
use self::column::{ColumnEncoder, ColumnKind};
use self::context::Context;
pub(super) use self::context::{Mapping, fill_hint};
use self::target::TargetEncoder;
use super::block::{Block, Mode};
use super::date::DateFormat;
use super::facts::kept;
use super::options::{Decimal, MissingPolicy};
use super::schema::{Encoding, Schema, TargetKind};
use super::target::Classes;
use crate::error::Result;

/// The rows whose inputs are written together, so that they stay in the nearest cache.
const TILE: usize = 64;

/// Encodes blocks of a table.
#[derive(Debug)]
pub(super) struct Encoder<'a> {
    context: Context<'a>,
    columns: Vec<ColumnEncoder>,
    targets: Vec<TargetEncoder>,
    /// The number of inputs.
    pub inputs: usize,
}

impl<'a> Encoder<'a> {
    pub fn new(
        path: &Path,
        schema: &'a Schema,
        mapping: Mapping,
        (decimal, missing): (Decimal, MissingPolicy),
    ) -> Encoder<'a> {
        let mut columns = Vec::new();
        let mut input = 0;
        for (column, (own, position)) in schema.columns.iter().zip(&mapping.columns).enumerate() {
            let (Some(position), Some(kind)) = (*position, ColumnKind::of(&own.encoding)) else {
                continue;
            };
            columns.push(ColumnEncoder {
                column,
                position,
                input,
                kind,
                marks_missing: own.encoding.marks_missing(),
            });
            input += own.encoding.inputs();
        }
        let targets = schema.targets.iter().zip(&mapping.targets);
        let targets = targets.map(|(target, _)| match &target.kind {
            TargetKind::Classes { classes } => TargetEncoder::Classes(Classes::new(classes)),
            TargetKind::Values => TargetEncoder::Values,
            TargetKind::Label => TargetEncoder::Label,
        });
        Encoder {
            targets: targets.collect(),
            context: Context {
                path: path.to_owned(),
                schema,
                mapping,
                decimal,
                missing,
            },
            columns,
            inputs: input,
        }
    }

    /// Returns what each column of the table is expected to have.
    pub fn modes(&self) -> Vec<Mode> {
        let mut modes = vec![Mode::Skip; self.context.mapping.width];
        for (column, position) in self
            .context
            .schema
            .columns
            .iter()
            .zip(&self.context.mapping.columns)
        {
            if let Some(position) = *position {
                modes[position] = match &column.encoding {
                    Encoding::Omitted { .. } => Mode::Skip,
                    Encoding::Number { .. } => Mode::Number,
                    Encoding::Date { format, .. } => {
                        DateFormat::named(format).map_or(Mode::Number, Mode::Date)
                    }
                    Encoding::Flag { .. } | Encoding::Categories { .. } => Mode::Text,
                };
            }
        }
        for (target, &position) in self.targets.iter().zip(&self.context.mapping.targets) {
            modes[position] = match target {
                TargetEncoder::Values => Mode::Number,
                TargetEncoder::Classes(_) | TargetEncoder::Label => Mode::Text,
            };
        }
        if let Some(position) = self.context.mapping.weight {
            modes[position] = Mode::Number;
        }
        modes
    }

    /// Returns which rows of a block have all their targets.
    pub fn kept(&self, block: &Block) -> KeptRows {
        let kept = kept(block, &self.context.mapping.targets);
        KeptRows {
            count: match &kept {
                None => block.rows(),
                Some(kept) => kept.iter().filter(|kept| **kept).count(),
            },
            kept,
        }
    }

    /// Encodes the rows of a block that are kept. Their inputs go to `out`, which is zero.
    ///
    /// Shapes: `out [kept rows, inputs]`.
    ///
    /// # Errors
    /// Returns [`crate::Error::Data`] for a cell that cannot be read.
    pub fn encode(&self, block: &Block, rows: &KeptRows, out: &mut [f32]) -> Result<Chunk> {
        let columns = self.context.schema.columns.len();
        let kept = rows.kept.as_deref();
        let mut chunk = Chunk {
            counts: Counts {
                dropped: (block.rows() - rows.count) as u64,
                missing: vec![0; columns],
                unknown: vec![0; columns],
            },
            ..Chunk::default()
        };
        for column in &self.columns {
            self.context.check(column, block, kept, &mut chunk.counts)?;
        }
        match kept {
            None => self.write(block, out),
            Some(kept) => {
                let mut all = vec![0.0; block.rows() * self.inputs];
                self.write(block, &mut all);
                let of_rows = all.chunks_exact(self.inputs.max(1)).zip(kept);
                let of_kept = of_rows.filter(|(_, kept)| **kept);
                for (out, (row, _)) in out.chunks_exact_mut(self.inputs.max(1)).zip(of_kept) {
                    out.copy_from_slice(row);
                }
            }
        }
        self.context
            .targets(&self.targets, block, kept, &mut chunk)?;
        self.context.weights(block, kept, &mut chunk)?;
        Ok(chunk)
    }

    /// Writes the inputs of all rows of a block to `out`, which is zero.
    ///
    /// Shapes: `out [rows, inputs]`.
    fn write(&self, block: &Block, out: &mut [f32]) {
        let codes = self.columns.iter().map(|column| column.codes(block));
        let codes: Vec<Vec<u32>> = codes.collect();
        let tiles = out.chunks_mut((TILE * self.inputs).max(1));
        for (tile, out) in tiles.enumerate() {
            let range = tile * TILE..block.rows().min((tile + 1) * TILE);
            for (column, codes) in self.columns.iter().zip(&codes) {
                column.write(block, range.clone(), codes, out, self.inputs);
            }
        }
    }
}

/// Which rows of a block have all their targets.
#[derive(Debug)]
pub(super) struct KeptRows {
    /// `None` if all have.
    kept: Option<Vec<bool>>,
    /// How many have.
    pub count: usize,
}
