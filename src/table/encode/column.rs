//! Columns to inputs.

use std::ops::Range;

use super::chunk::Counts;
use super::context::{Context, fill_hint};
use crate::error::{Error, Refusal, Result};
use crate::table::block::{Block, Cells, MISSING};
use crate::table::cell::shown;
use crate::table::dictionary::Dictionary;
use crate::table::options::MissingPolicy;
use crate::table::schema::{Encoding, NumberScaling};

/// A word without a category.
const NONE: u32 = u32::MAX;

/// How a column becomes inputs.
#[derive(Debug)]
pub(super) struct ColumnEncoder {
    /// The column of the schema.
    pub column: usize,
    /// The column of the table.
    pub position: usize,
    /// The first input.
    pub input: usize,
    pub kind: ColumnKind,
    pub marks_missing: bool,
}

#[derive(Debug)]
pub(super) enum ColumnKind {
    Number {
        scale: NumberScaling,
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

impl Context<'_> {
    /// Counts the missing and unknown cells of a column, and refuses what cannot be read.
    pub(super) fn check(
        &self,
        column: &ColumnEncoder,
        block: &Block,
        kept: Option<&[bool]>,
        counts: &mut Counts,
    ) -> Result<()> {
        let counts_row = |row: usize| kept.is_none_or(|kept| kept[row]);
        let place = &self.schema.columns[column.column].place;
        let place = place.moved_to(column.position);
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
                        return Err(Error::Data(match self.schema.header {
                            true => refusal,
                            false => refusal.hint(
                                "the training file had no header, so every row of a later file is data",
                            ),
                        }));
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
                ColumnKind::Words { words: known, .. } | ColumnKind::Flag { words: known, .. },
            ) => {
                let takes_others = matches!(column.kind, ColumnKind::Words { other: true, .. });
                let codes = translated(&words.dictionary, known);
                let cells = words.codes.iter().enumerate();
                for (row, &code) in cells.filter(|(row, _)| counts_row(*row)) {
                    if code == MISSING {
                        missing += 1;
                        first = first.or(Some(row));
                    } else if !takes_others && codes[code as usize] == NONE {
                        unknown += 1;
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
    pub(super) fn of(encoding: &Encoding) -> Option<ColumnKind> {
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
    pub(super) fn codes(&self, block: &Block) -> Vec<u32> {
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
    pub(super) fn write(
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
