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

    /// Encodes the rows of a block.
    pub fn encode(&self, block: &Block) -> Result<Chunk> {
        let rows = block.rows();
        let kept = kept(block, &self.context.mapping.targets);
        let mut chunk = Chunk {
            inputs: vec![0.0; rows * self.inputs],
            rows,
            counts: Counts {
                dropped: 0,
                missing: vec![0; self.context.schema.columns.len()],
                unknown: vec![0; self.context.schema.columns.len()],
            },
            ..Chunk::default()
        };
        for column in &self.columns {
            self.context
                .check(column, block, kept.as_deref(), &mut chunk.counts)?;
        }
        let codes: Vec<Vec<u32>> = self
            .columns
            .iter()
            .map(|column| column.codes(block))
            .collect();
        for (tile, out) in chunk
            .inputs
            .chunks_mut((TILE * self.inputs).max(1))
            .enumerate()
        {
            let range = tile * TILE..rows.min((tile + 1) * TILE);
            for (column, codes) in self.columns.iter().zip(&codes) {
                column.write(block, range.clone(), codes, out, self.inputs);
            }
        }
        if let Some(kept) = &kept {
            keep_rows(&mut chunk, kept, self.inputs);
        }
        self.context
            .targets(&self.targets, block, kept.as_deref(), &mut chunk)?;
        self.context.weights(block, kept.as_deref(), &mut chunk)?;
        Ok(chunk)
    }
}
/// Leaves out rows without a target.
fn keep_rows(chunk: &mut Chunk, kept: &[bool], inputs: usize) {
    let mut to = 0;
    for row in (0..kept.len()).filter(|&row| kept[row]) {
        chunk
            .inputs
            .copy_within(row * inputs..(row + 1) * inputs, to * inputs);
        to += 1;
    }
    chunk.inputs.truncate(to * inputs);
    chunk.counts.dropped = (kept.len() - to) as u64;
    chunk.rows = to;
}
