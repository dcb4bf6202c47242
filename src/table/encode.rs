//! Typed cells to inputs and targets, by a schema.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::block::{Block, Cells, MISSING, Mode};
use super::cell::shown;
use super::date::DateFormat;
use super::dictionary::Dictionary;
use super::facts::kept;
use super::options::{Decimal, MissingPolicy};
use super::schema::{Affine, Encoding, Schema, TargetKind};
use super::target::{Classes, flag_of};
use super::text::row;
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, Message, message};

/// The rows whose inputs are written together, so that they stay in the nearest cache.
const TILE: usize = 64;

/// A missing word, or one without a category.
const NONE: u32 = u32::MAX;

/// Where the columns of a schema are in a table.
#[derive(Debug, Clone)]
pub(super) struct Mapping {
    /// For each column of the schema; `None` if it has no inputs.
    pub columns: Vec<Option<usize>>,
    /// For each target; none if targets are not read.
    pub targets: Vec<usize>,
    pub weight: Option<usize>,
    /// The number of columns of the table.
    pub width: usize,
}

/// Encodes blocks of a table.
#[derive(Debug)]
pub(super) struct Encoder<'a> {
    path: PathBuf,
    schema: &'a Schema,
    mapping: Mapping,
    decimal: Decimal,
    missing: MissingPolicy,
    columns: Vec<ColumnEncoder>,
    targets: Vec<TargetEncoder>,
    /// The number of inputs.
    pub inputs: usize,
}

/// How a column becomes inputs.
#[derive(Debug)]
struct ColumnEncoder {
    /// The column of the schema.
    column: usize,
    /// The column of the table.
    position: usize,
    /// The first input.
    input: usize,
    kind: ColumnKind,
    marks_missing: bool,
}

#[derive(Debug)]
enum ColumnKind {
    Number {
        scale: Affine,
        fill: f64,
        words: bool,
    },
    /// One input for each word, and one for the others.
    Words {
        words: Dictionary,
        inputs: usize,
        other: bool,
        fill: u32,
    },
    /// One input, which is 1 for the word 1 of the dictionary.
    Flag { words: Dictionary, fill: u32 },
}

/// How a target is read.
#[derive(Debug)]
enum TargetEncoder {
    Classes(Classes),
    Values,
    Label,
}

/// The targets of some rows.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    /// `[rows, inputs]`
    pub inputs: Vec<f32>,
    pub labels: Vec<u32>,
    /// `[rows, targets]`
    pub values: Vec<f32>,
    pub flags: Vec<u8>,
    pub weights: Vec<f32>,
    pub rows: usize,
    pub counts: Counts,
}

/// What happened to cells, for notes.
#[derive(Debug, Default, Clone)]
pub(super) struct Counts {
    /// Rows without a target.
    pub dropped: u64,
    /// Missing cells of each column of the schema.
    pub missing: Vec<u64>,
    /// Words without a category, or in the place of numbers, of each column of the schema.
    pub unknown: Vec<u64>,
}

impl Counts {
    pub fn add(&mut self, later: &Counts) {
        self.dropped += later.dropped;
        for (own, later) in [
            (&mut self.missing, &later.missing),
            (&mut self.unknown, &later.unknown),
        ] {
            own.resize(later.len(), 0);
            own.iter_mut()
                .zip(later)
                .for_each(|(own, later)| *own += later);
        }
    }
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
            path: path.to_owned(),
            targets: targets.collect(),
            schema,
            mapping,
            decimal,
            missing,
            columns,
            inputs: input,
        }
    }

    /// Returns what each column of the table is expected to have.
    pub fn modes(&self) -> Vec<Mode> {
        let mut modes = vec![Mode::Skip; self.mapping.width];
        for (column, position) in self.schema.columns.iter().zip(&self.mapping.columns) {
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
        for (target, &position) in self.targets.iter().zip(&self.mapping.targets) {
            modes[position] = match target {
                TargetEncoder::Values => Mode::Number,
                TargetEncoder::Classes(_) | TargetEncoder::Label => Mode::Text,
            };
        }
        if let Some(position) = self.mapping.weight {
            modes[position] = Mode::Number;
        }
        modes
    }

    /// Encodes the rows of a block.
    pub fn encode(&self, block: &Block) -> Result<Chunk> {
        let rows = block.rows();
        let kept = kept(block, &self.mapping.targets);
        let mut chunk = Chunk {
            inputs: vec![0.0; rows * self.inputs],
            rows,
            counts: Counts {
                dropped: 0,
                missing: vec![0; self.schema.columns.len()],
                unknown: vec![0; self.schema.columns.len()],
            },
            ..Chunk::default()
        };
        for column in &self.columns {
            self.check(column, block, kept.as_deref(), &mut chunk.counts)?;
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
        self.targets(block, kept.as_deref(), &mut chunk)?;
        self.weights(block, kept.as_deref(), &mut chunk)?;
        Ok(chunk)
    }

    /// Counts the missing and unknown cells of a column, and refuses what cannot be read.
    fn check(
        &self,
        column: &ColumnEncoder,
        block: &Block,
        kept: Option<&[bool]>,
        counts: &mut Counts,
    ) -> Result<()> {
        let counts_row = |row: usize| kept.is_none_or(|kept| kept[row]);
        let place = &self.schema.columns[column.column].place;
        let (mut missing, mut unknown, mut first) = (0, 0, None);
        match (&block.columns[column.position], &column.kind) {
            (Cells::Numbers(numbers), ColumnKind::Number { words, .. }) => {
                for &(row, word) in numbers
                    .words
                    .iter()
                    .filter(|(row, _)| counts_row(*row as usize))
                {
                    if !words {
                        let found = shown(numbers.dictionary.word(word));
                        let expected = match &self.schema.columns[column.column].encoding {
                            Encoding::Date { format, .. } => format!("a date as {format}"),
                            _ => "a number".to_owned(),
                        };
                        let refusal = Refusal::new(
                            self.at(block, row as usize, &place.title()),
                            found,
                            expected,
                        );
                        return Err(Error::Data(refusal));
                    }
                    unknown += 1;
                }
                for row in
                    (0..block.rows()).filter(|&row| numbers.values[row].is_nan() && counts_row(row))
                {
                    missing += 1;
                    first = first.or(Some(row));
                }
                missing -= unknown;
            }
            (
                Cells::Text(words),
                ColumnKind::Words {
                    words: known,
                    other,
                    ..
                },
            ) => {
                let codes = translated(&words.dictionary, known);
                for (row, &code) in words
                    .codes
                    .iter()
                    .enumerate()
                    .filter(|(row, _)| counts_row(*row))
                {
                    match code {
                        MISSING => {
                            missing += 1;
                            first = first.or(Some(row));
                        }
                        code => unknown += u64::from(!other && codes[code as usize] == NONE),
                    }
                }
            }
            (Cells::Text(words), ColumnKind::Flag { words: known, .. }) => {
                let codes = translated(&words.dictionary, known);
                for (row, &code) in words
                    .codes
                    .iter()
                    .enumerate()
                    .filter(|(row, _)| counts_row(*row))
                {
                    match code {
                        MISSING => {
                            missing += 1;
                            first = first.or(Some(row));
                        }
                        code => unknown += u64::from(codes[code as usize] == NONE),
                    }
                }
            }
            _ => unreachable!("cells of another kind than their column"),
        }
        if let (Some(row), MissingPolicy::Refuse) = (first, self.missing) {
            let refusal = Refusal::new(
                self.at(block, row, &place.title()),
                "a missing cell",
                "a value",
            );
            return Err(Error::Data(refusal.hint(fill_hint())));
        }
        counts.missing[column.column] += missing;
        counts.unknown[column.column] += unknown;
        Ok(())
    }

    /// Reads the targets of the rows that are kept.
    fn targets(&self, block: &Block, kept: Option<&[bool]>, chunk: &mut Chunk) -> Result<()> {
        for row in (0..block.rows()).filter(|&row| kept.is_none_or(|kept| kept[row])) {
            for (at, target) in self.targets.iter().enumerate() {
                let position = self.mapping.targets[at];
                let refuse = |found: String, expected: String| {
                    let title = self.schema.targets[at].place.title();
                    Err(Error::Data(Refusal::new(
                        self.at(block, row, &title),
                        found,
                        expected,
                    )))
                };
                match (target, &block.columns[position]) {
                    (TargetEncoder::Classes(classes), Cells::Numbers(numbers)) => {
                        let value = numbers.values[row];
                        match classes.of_value(value) {
                            Some(class) => chunk.labels.push(class),
                            None => return refuse(value.to_string(), self.expected_classes()),
                        }
                    }
                    (TargetEncoder::Classes(classes), Cells::Text(words)) => {
                        let word = words.dictionary.word(words.codes[row]);
                        match classes.of_word(word, self.decimal) {
                            Some(class) => chunk.labels.push(class),
                            None => return refuse(shown(word), self.expected_classes()),
                        }
                    }
                    (TargetEncoder::Values, Cells::Numbers(numbers)) => {
                        let value = numbers.values[row] as f32;
                        if !value.is_finite() {
                            let word = numbers
                                .word(row)
                                .map(|word| shown(numbers.dictionary.word(word)));
                            let found =
                                word.unwrap_or_else(|| format!("{:e}", numbers.values[row]));
                            return refuse(found, "a number up to 3.4e38".to_owned());
                        }
                        chunk.values.push(value);
                    }
                    (TargetEncoder::Label, Cells::Numbers(numbers)) => match numbers.values[row] {
                        0.0 => chunk.flags.push(0),
                        1.0 => chunk.flags.push(1),
                        value => return refuse(value.to_string(), "0 or 1".to_owned()),
                    },
                    (TargetEncoder::Label, Cells::Text(words)) => {
                        let word = words.dictionary.word(words.codes[row]);
                        match flag_of(word) {
                            Some(flag) => chunk.flags.push(u8::from(flag)),
                            None => return refuse(shown(word), "0 or 1".to_owned()),
                        }
                    }
                    _ => unreachable!("cells of another kind than their target"),
                }
            }
        }
        Ok(())
    }

    /// Reads the weights of the rows that are kept.
    fn weights(&self, block: &Block, kept: Option<&[bool]>, chunk: &mut Chunk) -> Result<()> {
        let (Some(position), Some(place)) = (self.mapping.weight, &self.schema.sample_weight)
        else {
            return Ok(());
        };
        let Cells::Numbers(numbers) = &block.columns[position] else {
            unreachable!("weights are numbers");
        };
        for row in (0..block.rows()).filter(|&row| kept.is_none_or(|kept| kept[row])) {
            let value = numbers.values[row];
            if !(value >= 0.0 && (value as f32).is_finite()) {
                let word = numbers
                    .word(row)
                    .map(|word| shown(numbers.dictionary.word(word)));
                let found = match value.is_nan() {
                    true => word.unwrap_or_else(|| "a missing cell".to_owned()),
                    false => value.to_string(),
                };
                let place = self.at(block, row, &place.title());
                return Err(Error::Data(Refusal::new(
                    place,
                    found,
                    "a weight, 0 or more",
                )));
            }
            chunk.weights.push(value as f32);
        }
        Ok(())
    }

    fn expected_classes(&self) -> String {
        const SHOWN: usize = 12;
        let classes = self.schema.classes().unwrap_or(&[]);
        let shown: Vec<&str> = classes.iter().take(SHOWN).map(String::as_str).collect();
        let more = match classes.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!("one of the classes {}{more}", shown.join(", "))
    }

    fn at(&self, block: &Block, row: usize, title: &str) -> String {
        format!("{}, {title}", self::row(&self.path, block.position(row)))
    }
}

/// Returns what to do about a missing cell that was refused.
pub(super) fn fill_hint() -> Message {
    message![
        "to fill missing cells, use ",
        Key("missing").set_to(MissingPolicy::Fill.name())
    ]
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

/// Returns the numbers that the words of a block have in another dictionary.
fn translated(words: &Dictionary, known: &Dictionary) -> Vec<u32> {
    words
        .words()
        .map(|word| known.find(word).unwrap_or(NONE))
        .collect()
}

impl ColumnKind {
    /// Returns the kind of an encoding, unless it has no inputs.
    fn of(encoding: &Encoding) -> Option<ColumnKind> {
        let dictionary = |values: &mut dyn Iterator<Item = &String>| {
            let mut words = Dictionary::default();
            for value in values {
                words.code(value.as_bytes());
            }
            words
        };
        Some(match encoding {
            Encoding::Omitted { .. } => return None,
            Encoding::Number {
                scale, fill, words, ..
            } => ColumnKind::Number {
                scale: *scale,
                fill: *fill,
                words: *words,
            },
            Encoding::Date { scale, fill, .. } => ColumnKind::Number {
                scale: *scale,
                fill: *fill,
                words: false,
            },
            Encoding::Flag { no, yes, fill, .. } => {
                let words = dictionary(&mut [no, yes].into_iter());
                ColumnKind::Flag {
                    fill: words.find(fill.as_bytes()).unwrap_or(NONE),
                    words,
                }
            }
            Encoding::Categories {
                values,
                other,
                fill,
                ..
            } => {
                let words = dictionary(&mut values.iter());
                ColumnKind::Words {
                    fill: words.find(fill.as_bytes()).unwrap_or(NONE),
                    inputs: values.len(),
                    words,
                    other: *other,
                }
            }
        })
    }

    /// Returns the number of inputs without the one that marks missing cells.
    fn inputs(&self) -> usize {
        match self {
            ColumnKind::Number { .. } | ColumnKind::Flag { .. } => 1,
            ColumnKind::Words { inputs, other, .. } => inputs + usize::from(*other),
        }
    }
}

impl ColumnEncoder {
    /// Returns which category each word of the block is; nothing for numbers.
    fn codes(&self, block: &Block) -> Vec<u32> {
        match (&block.columns[self.position], &self.kind) {
            (
                Cells::Text(words),
                ColumnKind::Words { words: known, .. } | ColumnKind::Flag { words: known, .. },
            ) => translated(&words.dictionary, known),
            _ => Vec::new(),
        }
    }

    /// Writes the inputs of some rows. `out` starts with the first of them and is zero.
    ///
    /// Shapes: `out [rows, inputs]`.
    fn write(
        &self,
        block: &Block,
        rows: Range<usize>,
        codes: &[u32],
        out: &mut [f32],
        inputs: usize,
    ) {
        let own = self.kind.inputs();
        let rows = rows.zip(out.chunks_exact_mut(inputs));
        match (&block.columns[self.position], &self.kind) {
            (Cells::Numbers(numbers), ColumnKind::Number { scale, fill, .. }) => {
                for (row, out) in rows {
                    let (value, is_missing) = match numbers.values[row] {
                        value if value.is_nan() => (*fill, true),
                        value => (value, false),
                    };
                    out[self.input] = scale.apply(value);
                    if is_missing && self.marks_missing {
                        out[self.input + own] = 1.0;
                    }
                }
            }
            (Cells::Text(words), kind) => {
                for (row, out) in rows {
                    let code = words.codes[row];
                    if code == MISSING && self.marks_missing {
                        out[self.input + own] = 1.0;
                    }
                    let category = |fill: u32| match code {
                        MISSING => fill,
                        code => codes[code as usize],
                    };
                    match kind {
                        ColumnKind::Flag { fill, .. } => {
                            out[self.input] = f32::from(category(*fill) == 1);
                        }
                        ColumnKind::Words { fill, other, .. } => match category(*fill) {
                            NONE if *other => out[self.input + own - 1] = 1.0,
                            NONE => {}
                            category => out[self.input + category as usize] = 1.0,
                        },
                        ColumnKind::Number { .. } => unreachable!("words in a column of numbers"),
                    }
                }
            }
            _ => unreachable!("cells of another kind than their column"),
        }
    }
}
