//! Blocks of records as typed cells.
//!
//! A record is read once, cell by cell, each by what its column is expected to have. A number is parsed where it stands,
//! so that its end need not be searched first.

use std::ops::Range;

use super::cell::{is_missing, number, number_at};
use super::date::DateFormat;
use super::dictionary::{self, Dictionary};
use super::syntax::{Cell, End, Syntax};
use super::text::MAX_RECORD;

/// The code of a missing word.
pub(crate) const MISSING: u32 = dictionary::LEFT_OUT;

/// What a column is expected to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Nothing of interest.
    Skip,
    Number,
    Date(DateFormat),
    /// Words, some of which count as missing.
    Text,
    /// Numbers; anything else is a word, even if it counts as missing elsewhere.
    OnlyNumber,
    /// Words; none of them counts as missing.
    OnlyText,
}

/// The cells of a column in a block, a row each.
#[derive(Debug)]
pub(crate) enum Cells {
    Skipped,
    Numbers(Numbers),
    Text(Words),
}

/// Numbers or dates.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    /// NaN for missing cells and for words.
    pub values: Vec<f64>,
    /// The rows that have words, with the numbers of the words.
    pub words: Vec<(u32, u32)>,
    pub dictionary: Dictionary,
}

/// Words.
#[derive(Debug, Default)]
pub(crate) struct Words {
    /// The numbers of the words, or [`MISSING`].
    pub codes: Vec<u32>,
    pub dictionary: Dictionary,
}

/// Some consecutive records.
#[derive(Debug, Default)]
pub(crate) struct Block {
    /// Where the block starts in the table.
    pub base: u64,
    /// Where each record starts, from the start of the block.
    pub starts: Vec<u32>,
    pub columns: Vec<Cells>,
}

/// A record that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    /// Where the record starts in the text.
    pub at: usize,
    pub kind: FaultKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FaultKind {
    /// It has this many cells, which are not as many as columns.
    Cells(usize),
    /// It does not end.
    Endless,
}

/// The records that start in a range of the text.
#[derive(Debug)]
pub(super) struct Parsed {
    pub block: Block,
    /// Where the first record starts.
    pub start: usize,
    /// Where the first record behind the range starts, or the first one that is incomplete.
    pub end: usize,
    pub fault: Option<Fault>,
}

/// Whether a record was read.
enum Outcome {
    Read,
    Incomplete,
    Faulty(FaultKind),
}

impl Numbers {
    /// Returns whether a cell is missing, and not a word.
    pub fn is_missing(&self, row: usize) -> bool {
        self.values[row].is_nan() && self.word(row).is_none()
    }

    /// Returns the number of the word of a row that has one in the place of a number.
    pub fn word(&self, row: usize) -> Option<u32> {
        let at = self
            .words
            .binary_search_by_key(&row, |(row, _)| *row as usize);
        at.ok().map(|at| self.words[at].1)
    }
}

impl Block {
    pub fn rows(&self) -> usize {
        self.starts.len()
    }

    /// Returns where a row starts in the table.
    pub fn position(&self, row: usize) -> u64 {
        self.base + u64::from(self.starts[row])
    }
}

/// Parses the records of `text` that start in `range`. `is_complete` says that nothing follows the text, which starts at
/// byte `before` of the table.
pub(super) fn parse(
    text: &[u8],
    range: Range<usize>,
    is_complete: bool,
    before: u64,
    (syntax, modes): (&Syntax, &[Mode]),
) -> Parsed {
    let start = syntax.record_start(text, range.start);
    let mut reader = Reader {
        text,
        is_complete,
        syntax,
        at: start,
        row: 0,
        scratch: Vec::new(),
    };
    let mut block = Block {
        base: before + start as u64,
        starts: Vec::new(),
        columns: modes.iter().map(|mode| mode.cells()).collect(),
    };
    let (mut at, mut fault) = (start, None);
    while at < range.end && at < text.len() {
        reader.at = at;
        match reader.record(modes, &mut block.columns) {
            Outcome::Read if reader.at - at > MAX_RECORD => {
                fault = Some((at, FaultKind::Endless));
            }
            Outcome::Read => {}
            Outcome::Incomplete => break,
            Outcome::Faulty(kind) => fault = Some((at, kind)),
        }
        if fault.is_some() {
            break;
        }
        block.starts.push((at - start) as u32);
        reader.row += 1;
        at = syntax.record_start(text, reader.at);
    }
    block
        .columns
        .iter_mut()
        .for_each(|cells| cells.finish(block.starts.len()));
    Parsed {
        block,
        start,
        end: at,
        fault: fault.map(|(at, kind)| Fault { at, kind }),
    }
}

impl Mode {
    /// Returns no cells of this mode.
    fn cells(self) -> Cells {
        match self {
            Mode::Skip => Cells::Skipped,
            Mode::Number | Mode::OnlyNumber | Mode::Date(_) => Cells::Numbers(Numbers::default()),
            Mode::Text | Mode::OnlyText => Cells::Text(Words::default()),
        }
    }
}

impl Cells {
    /// Removes what an incomplete record left, and what only reading needed.
    fn finish(&mut self, rows: usize) {
        match self {
            Cells::Skipped => {}
            Cells::Numbers(numbers) => {
                numbers.values.truncate(rows);
                numbers.words.pop_if(|(row, _)| *row as usize >= rows);
                numbers.dictionary.shrink();
            }
            Cells::Text(words) => {
                words.codes.truncate(rows);
                words.dictionary.shrink();
            }
        }
    }
}

struct Reader<'a> {
    text: &'a [u8],
    is_complete: bool,
    syntax: &'a Syntax,
    /// Where the next cell starts.
    at: usize,
    /// The row in the block.
    row: u32,
    scratch: Vec<u8>,
}

impl Reader<'_> {
    /// Reads a record into the columns.
    fn record(&mut self, modes: &[Mode], columns: &mut [Cells]) -> Outcome {
        let last = modes.len() - 1;
        for (column, (mode, cells)) in modes.iter().zip(columns).enumerate() {
            let end = match (mode, cells) {
                (Mode::Number, Cells::Numbers(numbers)) => self.number(numbers, is_missing),
                (Mode::OnlyNumber, Cells::Numbers(numbers)) => self.number(numbers, |_| false),
                (Mode::Date(format), Cells::Numbers(dates)) => self.date(*format, dates),
                (Mode::Text, Cells::Text(words)) => self.word(words, is_missing),
                (Mode::OnlyText, Cells::Text(words)) => self.word(words, |_| false),
                _ => self.skip(),
            };
            match end {
                End::Cell if column < last => {}
                End::Record if column == last => {}
                End::Text => return Outcome::Incomplete,
                End::Record => return Outcome::Faulty(FaultKind::Cells(column + 1)),
                End::Cell => return self.surplus(modes.len()),
            }
        }
        Outcome::Read
    }

    /// Counts the cells behind the last column. An empty one at the end is none: some programs end rows by a delimiter.
    fn surplus(&mut self, columns: usize) -> Outcome {
        let (mut found, mut is_empty) = (columns, true);
        loop {
            let cell = self.cell();
            is_empty &= cell.text.is_empty();
            let (end, next) = (cell.end, cell.next);
            self.at = next;
            found += 1;
            match end {
                End::Cell => {}
                End::Text => return Outcome::Incomplete,
                End::Record if found == columns + 1 && is_empty => return Outcome::Read,
                End::Record => return Outcome::Faulty(FaultKind::Cells(found)),
            }
        }
    }

    fn cell(&mut self) -> Cell<'_> {
        self.syntax
            .cell(self.text, self.at, self.is_complete, &mut self.scratch)
    }

    fn skip(&mut self) -> End {
        let cell = self.cell();
        let (end, next) = (cell.end, cell.next);
        self.at = next;
        end
    }

    #[inline]
    fn number(&mut self, numbers: &mut Numbers, is_missing: impl Fn(&[u8]) -> bool) -> End {
        if let Some((value, at)) = number_at(self.text, self.at, self.syntax.decimal)
            && self
                .text
                .get(at)
                .is_some_and(|&byte| self.syntax.ends_cell(byte))
        {
            numbers.values.push(value);
            let (next, end) = self.syntax.behind(self.text, at, self.is_complete);
            self.at = next;
            return end;
        }
        let decimal = self.syntax.decimal;
        self.value(numbers, |text| number(text, decimal), is_missing)
    }

    fn date(&mut self, format: DateFormat, dates: &mut Numbers) -> End {
        self.value(dates, |text| format.days(text), is_missing)
    }

    /// Reads a cell that is a number by `parse`, missing, or a word.
    fn value(
        &mut self,
        numbers: &mut Numbers,
        parse: impl Fn(&[u8]) -> Option<f64>,
        is_missing: impl Fn(&[u8]) -> bool,
    ) -> End {
        let row = self.row;
        let cell = self.cell();
        let (end, next) = (cell.end, cell.next);
        let value = parse(cell.text);
        numbers.values.push(value.unwrap_or(f64::NAN));
        if value.is_none() && !is_missing(cell.text) {
            let word = numbers.dictionary.code(cell.text);
            numbers.words.push((row, word));
        }
        self.at = next;
        end
    }

    fn word(&mut self, words: &mut Words, is_missing: impl Fn(&[u8]) -> bool) -> End {
        let cell = self.cell();
        let (end, next) = (cell.end, cell.next);
        words
            .codes
            .push(words.dictionary.code_unless(cell.text, is_missing));
        self.at = next;
        end
    }
}
