//! Facts about the columns of a table, each gathered row by row in the order of the table.

use std::collections::HashSet;

use super::block::{Block, Cells, MISSING, Numbers, Words};
use super::dictionary::Dictionary;
use super::moments::Moments;
use super::sample::Sample;

/// The most different words of a column that are listed, and the most different numbers of a target.
pub(super) const MAX_WORDS: usize = 1 << 16;

/// The most words in the place of numbers that are kept for messages.
const EXAMPLES: usize = 3;

/// What is known about a column. Rows without a target do not count, except where the documentation says so.
#[derive(Debug)]
pub(super) struct Facts {
    /// The number of rows.
    pub rows: u64,
    /// The number of missing cells.
    pub missing: u64,
    /// Where the first row with a missing cell starts in the table.
    pub first_missing: Option<u64>,
    pub kind: Kind,
}

/// What is known about the cells that are not missing.
#[derive(Debug)]
pub(super) enum Kind {
    Skipped,
    Numbers(NumberFacts),
    Text(TextFacts),
}

/// Facts about numbers.
#[derive(Debug, Clone)]
pub(super) struct NumberFacts {
    moments: Box<Moments>,
    /// How many there are.
    pub count: u64,
    pub min: f64,
    pub max: f64,
    pub mean: f64,
    /// Whether all are whole.
    pub is_whole: bool,
    /// Whether each is one more than that of the row before, over all rows.
    pub counts_rows: bool,
    /// The numbers of the first and the last of all rows.
    pub ends: Option<(f64, f64)>,
    pub sample: Sample,
    /// How many cells are words, and some of them.
    pub words: u64,
    pub examples: Vec<Vec<u8>>,
    /// The bits of all different numbers of a target, unless there are too many.
    pub distinct: Option<HashSet<u64>>,
}

/// Facts about words.
#[derive(Debug, Default)]
pub(super) struct TextFacts {
    pub dictionary: Dictionary,
    /// How many rows have each word.
    pub counts: Vec<u64>,
    /// How many rows have a word that is not listed, as there are too many.
    pub unlisted: u64,
}

/// The rows that come next.
#[derive(Debug, Clone, Copy)]
pub(super) struct NextRows<'a> {
    pub block: &'a Block,
    /// Which rows have all their targets; `None` if all have.
    pub kept: Option<&'a [bool]>,
}

/// Returns which rows have all their targets; `None` if all have.
pub(super) fn kept(block: &Block, targets: &[usize]) -> Option<Vec<bool>> {
    let mut kept: Option<Vec<bool>> = None;
    for &target in targets {
        let missing: Vec<usize> = match &block.columns[target] {
            Cells::Skipped => Vec::new(),
            Cells::Numbers(numbers) => (0..block.rows())
                .filter(|&row| numbers.is_missing(row))
                .collect(),
            Cells::Text(words) => {
                let codes = words.codes.iter().enumerate();
                codes
                    .filter(|(_, code)| **code == MISSING)
                    .map(|(row, _)| row)
                    .collect()
            }
        };
        for row in missing {
            kept.get_or_insert_with(|| vec![true; block.rows()])[row] = false;
        }
    }
    kept
}

/// Returns whether a number is whole, without a call of a function that rounds.
#[inline]
fn is_whole(value: f64) -> bool {
    /// From here on, every number is.
    const ALL: f64 = 4_503_599_627_370_496.0;
    value.abs() >= ALL || (value as i64) as f64 == value
}

impl NextRows<'_> {
    fn counts(&self, row: usize) -> bool {
        self.kept.is_none_or(|kept| kept[row])
    }

    fn count(&self) -> u64 {
        match self.kept {
            None => self.block.rows() as u64,
            Some(kept) => kept.iter().filter(|kept| **kept).count() as u64,
        }
    }
}

impl Facts {
    /// Returns what is known about a column before its first row.
    pub fn none() -> Facts {
        Facts {
            rows: 0,
            missing: 0,
            first_missing: None,
            kind: Kind::Skipped,
        }
    }

    /// Adds the cells of a column in the next rows.
    pub fn add(&mut self, column: usize, is_target: bool, next: NextRows) {
        let cells = &next.block.columns[column];
        if let Kind::Skipped = self.kind {
            self.kind = match cells {
                Cells::Skipped => return,
                Cells::Numbers(_) => {
                    Kind::Numbers(NumberFacts::none(is_target, next.block.columns.len()))
                }
                Cells::Text(_) => Kind::Text(TextFacts::default()),
            };
        }
        let rows = next.count();
        let (present, first) = match (&mut self.kind, cells) {
            (Kind::Numbers(facts), Cells::Numbers(numbers)) => {
                let present = facts.add(numbers, next);
                let is_missing = |row: &usize| numbers.is_missing(*row) && next.counts(*row);
                let first = (present < rows).then(|| (0..next.block.rows()).find(is_missing));
                (present, first.flatten())
            }
            (Kind::Text(facts), Cells::Text(words)) => {
                let present = facts.add(words, next);
                let is_missing = |row: &usize| words.codes[*row] == MISSING && next.counts(*row);
                let first = (present < rows).then(|| (0..next.block.rows()).find(is_missing));
                (present, first.flatten())
            }
            _ => unreachable!("a column has one mode in a pass"),
        };
        self.rows += rows;
        self.missing += rows - present;
        self.first_missing = self
            .first_missing
            .or(first.map(|row| next.block.position(row)));
    }
}

impl NumberFacts {
    fn none(is_target: bool, columns: usize) -> NumberFacts {
        NumberFacts {
            moments: Box::default(),
            count: 0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            mean: 0.0,
            is_whole: true,
            counts_rows: true,
            ends: None,
            sample: Sample::of_one_in(columns),
            words: 0,
            examples: Vec::new(),
            distinct: is_target.then(HashSet::new),
        }
    }

    /// Adds the next rows, and returns how many have a number or a word.
    fn add(&mut self, numbers: &Numbers, next: NextRows) -> u64 {
        let before = self.count;
        match next.kept {
            None => self.add_numbers(&numbers.values),
            Some(kept) => {
                let values = numbers.values.iter().zip(kept);
                let values = values.map(|(&value, &kept)| if kept { value } else { f64::NAN });
                self.add_numbers(&values.collect::<Vec<f64>>());
            }
        }
        self.follow(&numbers.values);
        for word in numbers.dictionary.words() {
            if self.examples.len() < EXAMPLES
                && !self.examples.iter().any(|example| example == word)
            {
                self.examples.push(word.to_vec());
            }
        }
        let words = numbers
            .words
            .iter()
            .filter(|(row, _)| next.counts(*row as usize))
            .count() as u64;
        self.words += words;
        self.count - before + words
    }

    /// Adds numbers, of which those that do not count are NaN.
    fn add_numbers(&mut self, values: &[f64]) {
        self.moments.add(values);
        (self.count, self.mean) = (self.moments.count(), self.moments.mean());
        (self.min, self.max) = (self.moments.min(), self.moments.max());
        self.is_whole = self.is_whole
            && values
                .iter()
                .all(|value| value.is_nan() || is_whole(*value));
        self.sample.add(values);
        if let Some(distinct) = &mut self.distinct {
            distinct.extend(
                values
                    .iter()
                    .filter(|value| !value.is_nan())
                    .map(|value| value.to_bits()),
            );
            self.distinct = self
                .distinct
                .take()
                .filter(|distinct| distinct.len() <= MAX_WORDS);
        }
    }

    /// Follows the numbers from row to row.
    fn follow(&mut self, values: &[f64]) {
        let (Some(&first), Some(&last)) = (values.first(), values.last()) else {
            return;
        };
        let continues = self.ends.is_none_or(|(_, last)| first == last + 1.0);
        let counts = |pair: &[f64]| pair[1] == pair[0] + 1.0;
        self.counts_rows = self.counts_rows && continues && values.windows(2).all(counts);
        self.ends = Some((self.ends.map_or(first, |(first, _)| first), last));
    }

    /// Returns the standard deviation of the population.
    pub fn deviation(&self) -> f64 {
        self.moments.deviation()
    }
}

impl TextFacts {
    /// Adds the words of the next rows, and returns how many have one.
    fn add(&mut self, words: &Words, next: NextRows) -> u64 {
        let mut counts = vec![0; words.dictionary.len()];
        let codes = words.codes.iter().enumerate();
        for (row, &code) in codes.filter(|(_, code)| **code != MISSING) {
            counts[code as usize] += u64::from(next.counts(row));
        }
        for (word, &count) in words
            .dictionary
            .words()
            .zip(&counts)
            .filter(|(_, count)| **count > 0)
        {
            let code = match self.dictionary.len() < MAX_WORDS {
                true => Some(self.dictionary.code(word)),
                false => self.dictionary.find(word),
            };
            let Some(code) = code.map(|code| code as usize) else {
                self.unlisted += count;
                continue;
            };
            if code == self.counts.len() {
                self.counts.push(0);
            }
            self.counts[code] += count;
        }
        counts.iter().sum()
    }

    /// Returns how many cells are not missing.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum::<u64>() + self.unlisted
    }
}
