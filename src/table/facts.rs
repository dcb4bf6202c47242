//! Facts about the columns of a table, gathered block by block and joined in the order of the table.

use std::collections::HashSet;

use super::block::{Block, Cells, MISSING, Numbers, Words};
use super::dictionary::Dictionary;

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
    /// How many there are.
    pub count: u64,
    pub min: f64,
    pub max: f64,
    pub mean: f64,
    /// The sum of the squared differences from the mean.
    pub squares: f64,
    /// Whether all are whole.
    pub is_whole: bool,
    /// Whether each is one more than that of the row before, over all rows.
    pub counts_rows: bool,
    /// The numbers of the first and the last of all rows.
    pub ends: Option<(f64, f64)>,
    /// Every so many-th row has its number here.
    pub sample: Vec<f64>,
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

/// What to find out about a block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question<'a> {
    /// The columns of targets: rows without one of them do not count.
    pub targets: &'a [usize],
    /// Numbers of every so many-th row are kept in the sample.
    pub stride: usize,
}

/// Facts about a block.
#[derive(Debug)]
pub(super) struct BlockFacts {
    /// The number of rows without a target.
    pub dropped: u64,
    pub columns: Vec<BlockColumn>,
}

/// Facts about a column of a block.
#[derive(Debug)]
pub(super) enum BlockColumn {
    Numbers(Facts),
    /// The rows, the missing cells and the first of them, and how many rows have each word of the block.
    Text(Facts, Vec<u64>),
    Skipped,
}

impl BlockFacts {
    /// Examines a block.
    pub fn of(block: &Block, question: Question) -> BlockFacts {
        let kept = kept(block, question.targets);
        let columns = block.columns.iter().enumerate().map(|(column, cells)| {
            let rows = RowsOf {
                block,
                kept: kept.as_deref(),
            };
            match cells {
                Cells::Skipped => BlockColumn::Skipped,
                Cells::Numbers(numbers) => {
                    let is_target = question.targets.contains(&column);
                    BlockColumn::Numbers(rows.numbers(numbers, question.stride, is_target))
                }
                Cells::Text(words) => rows.text(words),
            }
        });
        BlockFacts {
            columns: columns.collect(),
            dropped: kept
                .as_ref()
                .map_or(0, |kept| kept.iter().filter(|kept| !**kept).count() as u64),
        }
    }
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

/// The rows of a block that count.
struct RowsOf<'a> {
    block: &'a Block,
    kept: Option<&'a [bool]>,
}

impl RowsOf<'_> {
    fn count(&self) -> u64 {
        match self.kept {
            None => self.block.rows() as u64,
            Some(kept) => kept.iter().filter(|kept| **kept).count() as u64,
        }
    }

    #[inline]
    fn counts(&self, row: usize) -> bool {
        self.kept.is_none_or(|kept| kept[row])
    }

    fn numbers(&self, numbers: &Numbers, stride: usize, is_target: bool) -> Facts {
        let words = numbers
            .words
            .iter()
            .filter(|(row, _)| self.counts(*row as usize));
        let mut facts = NumberFacts {
            words: words.count() as u64,
            examples: numbers
                .dictionary
                .words()
                .take(EXAMPLES)
                .map(<[u8]>::to_vec)
                .collect(),
            ends: numbers
                .values
                .first()
                .copied()
                .zip(numbers.values.last().copied()),
            distinct: is_target.then(HashSet::new),
            ..NumberFacts::default()
        };
        facts.counts_rows = numbers
            .values
            .windows(2)
            .all(|pair| pair[1] == pair[0] + 1.0);
        let present = || {
            let values = numbers.values.iter().enumerate();
            values.filter(|(row, value)| !value.is_nan() && self.counts(*row))
        };
        let mut sum = 0.0;
        for (row, &value) in present() {
            facts.count += 1;
            facts.min = facts.min.min(value);
            facts.max = facts.max.max(value);
            facts.is_whole &= is_whole(value);
            sum += value;
            if row % stride == 0 {
                facts.sample.push(value);
            }
        }
        facts.mean = sum / facts.count.max(1) as f64;
        facts.squares = present()
            .map(|(_, value)| (value - facts.mean) * (value - facts.mean))
            .sum();
        if let Some(distinct) = &mut facts.distinct {
            distinct.extend(present().map(|(_, value)| value.to_bits()));
        }
        let rows = self.count();
        let missing = rows - facts.count - facts.words;
        let is_missing = |row: &usize| numbers.is_missing(*row) && self.counts(*row);
        let first = (missing > 0)
            .then(|| (0..self.block.rows()).find(is_missing))
            .flatten();
        Facts {
            rows,
            missing,
            first_missing: first.map(|row| self.block.position(row)),
            kind: Kind::Numbers(facts),
        }
    }

    fn text(&self, words: &Words) -> BlockColumn {
        let mut counts = vec![0; words.dictionary.len()];
        let (mut missing, mut first) = (0, None);
        for (row, &code) in words
            .codes
            .iter()
            .enumerate()
            .filter(|(row, _)| self.counts(*row))
        {
            if code == MISSING {
                missing += 1;
                first = first.or(Some(row));
            } else {
                counts[code as usize] += 1;
            }
        }
        let facts = Facts {
            rows: self.count(),
            missing,
            first_missing: first.map(|row| self.block.position(row)),
            kind: Kind::Skipped,
        };
        BlockColumn::Text(facts, counts)
    }
}

/// Returns whether a number is whole, without a call of a function that rounds.
#[inline]
fn is_whole(value: f64) -> bool {
    /// From here on, every number is.
    const ALL: f64 = 4_503_599_627_370_496.0;
    value.abs() >= ALL || (value as i64) as f64 == value
}

impl Default for NumberFacts {
    fn default() -> NumberFacts {
        NumberFacts {
            count: 0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            mean: 0.0,
            squares: 0.0,
            is_whole: true,
            counts_rows: true,
            ends: None,
            sample: Vec::new(),
            words: 0,
            examples: Vec::new(),
            distinct: None,
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

    /// Adds the facts about the column in the next block, whose cells are `cells`.
    pub fn add(&mut self, column: BlockColumn, cells: &Cells) {
        let facts = match column {
            BlockColumn::Skipped => return,
            BlockColumn::Numbers(facts) => {
                if let Kind::Numbers(of_block) = facts.kind {
                    match &mut self.kind {
                        Kind::Numbers(numbers) => numbers.add(of_block),
                        kind => *kind = Kind::Numbers(of_block),
                    }
                }
                (facts.rows, facts.missing, facts.first_missing)
            }
            BlockColumn::Text(facts, counts) => {
                if let Kind::Skipped = self.kind {
                    self.kind = Kind::Text(TextFacts::default());
                }
                if let (Kind::Text(text), Cells::Text(words)) = (&mut self.kind, cells) {
                    text.add(words, &counts);
                }
                (facts.rows, facts.missing, facts.first_missing)
            }
        };
        self.rows += facts.0;
        self.missing += facts.1;
        self.first_missing = self.first_missing.or(facts.2);
    }
}

impl NumberFacts {
    /// Adds the facts about later rows.
    fn add(&mut self, later: NumberFacts) {
        let (count, other) = (self.count as f64, later.count as f64);
        if later.count > 0 {
            // Mean and squares of both (T. F. Chan, G. H. Golub, R. J. LeVeque, 1979).
            let (difference, all) = (later.mean - self.mean, count + other);
            self.mean += difference * other / all;
            self.squares += later.squares + difference * difference * count * other / all;
        }
        self.count += later.count;
        self.min = self.min.min(later.min);
        self.max = self.max.max(later.max);
        self.is_whole &= later.is_whole;
        if let (Some((first, last)), Some((next, end))) = (self.ends, later.ends) {
            self.counts_rows &= later.counts_rows && next == last + 1.0;
            self.ends = Some((first, end));
        } else {
            self.ends = self.ends.or(later.ends);
        }
        self.sample.extend(later.sample);
        self.words += later.words;
        for example in later.examples {
            if self.examples.len() < EXAMPLES && !self.examples.contains(&example) {
                self.examples.push(example);
            }
        }
        self.distinct = match (self.distinct.take(), later.distinct) {
            (Some(mut own), Some(other)) => {
                own.extend(other);
                (own.len() <= MAX_WORDS).then_some(own)
            }
            _ => None,
        };
    }

    /// Returns the standard deviation of the population.
    pub fn deviation(&self) -> f64 {
        (self.squares / self.count.max(1) as f64).sqrt()
    }

    /// Returns the median of the sample; the mean of the two in the middle if their number is even.
    pub fn median(&self) -> f64 {
        let mut sample = self.sample.clone();
        let Some(middle) = sample.len().checked_sub(1).map(|last| last / 2) else {
            return 0.0;
        };
        let is_even = sample.len().is_multiple_of(2);
        let (_, &mut lower, above) = sample.select_nth_unstable_by(middle, f64::total_cmp);
        let upper = above
            .iter()
            .copied()
            .min_by(f64::total_cmp)
            .filter(|_| is_even);
        match upper {
            None => lower,
            Some(upper) => lower + (upper - lower) / 2.0,
        }
    }

    /// Returns how many different numbers the sample has.
    pub fn distinct_in_sample(&self) -> usize {
        let mut sample: Vec<u64> = self.sample.iter().map(|value| value.to_bits()).collect();
        sample.sort_unstable();
        sample.dedup();
        sample.len()
    }
}

impl TextFacts {
    /// Adds the words of the next block, which occur so often.
    fn add(&mut self, words: &Words, counts: &[u64]) {
        for (word, &count) in words.dictionary.words().zip(counts) {
            if count == 0 {
                continue;
            }
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
    }

    /// Returns how many cells are not missing.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum::<u64>() + self.unlisted
    }
}
