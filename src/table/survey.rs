//! The survey of a table: the first pass over all rows, which finds out what each column has.
//!
//! What a column is expected to have is guessed from the first rows. If the rest proves that wrong, the table is read again
//! with what was learnt.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::block::{Block, Mode};
use super::cell::{is_missing, number};
use super::date::DateFormat;
use super::dialect::Opening;
use super::facts::{Facts, Kind, NextRows, NumberFacts, TextFacts, kept};
use super::options::Decimal;
use super::passes::Pass;
use crate::compute::parallel::Workers;
use crate::error::{Error, Refusal, Result};

/// The share of words above which a column of numbers is taken as text.
const MOST_WORDS: f64 = 0.1;

/// How often a table is read at most before its columns are taken as they are.
const PASSES: usize = 3;

/// What the columns of a table have.
#[derive(Debug)]
pub(super) struct Survey {
    pub path: PathBuf,
    pub opening: Opening,
    /// What each column was read as.
    pub modes: Vec<Mode>,
    /// The facts about each column.
    pub facts: Vec<Facts>,
    /// The number of rows that have their targets.
    pub rows: u64,
    /// The number of rows without a target, which do not count.
    pub dropped: u64,
    /// All records, if they were kept.
    pub blocks: Option<Vec<Block>>,
}

/// What to survey.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan<'a> {
    /// The columns to predict.
    pub targets: &'a [usize],
    /// The columns that do not matter.
    pub dropped: &'a [usize],
    /// Columns of classes: one word makes all of their numbers words.
    pub classes: &'a [usize],
    /// Columns that must be numbers.
    pub numbers: &'a [usize],
    /// Whether columns of dates become numbers.
    pub dates: bool,
    /// A column of numbers with words that has no more different values than this is text.
    pub max_categories: usize,
    /// Whether to keep the records.
    pub keep: bool,
}

impl Survey {
    /// Reads the table at `path`.
    pub fn of(path: &Path, opening: Opening, plan: Plan, workers: &Workers) -> Result<Survey> {
        let count = opening.columns.count();
        let modes = (0..count)
            .map(|column| first_mode(&opening, column, plan))
            .collect();
        let mut survey = Survey {
            path: path.to_owned(),
            opening,
            modes,
            facts: Vec::new(),
            rows: 0,
            dropped: 0,
            blocks: None,
        };
        for pass in 1.. {
            survey.read(plan, workers)?;
            if pass == PASSES || !survey.corrects_modes(plan) {
                break;
            }
        }
        if survey.rows + survey.dropped > u64::from(u32::MAX) {
            let found = format!("{} rows", survey.rows + survey.dropped);
            let expected = format!("at most {}", u32::MAX);
            return Err(Error::Data(Refusal::new(path.display(), found, expected)));
        }
        Ok(survey)
    }

    /// Makes a pass over the table.
    fn read(&mut self, plan: Plan, workers: &Workers) -> Result<()> {
        let pass = Pass {
            path: &self.path,
            opening: &self.opening,
            modes: &self.modes,
        };
        let mut facts: Vec<Facts> = self.modes.iter().map(|_| Facts::none()).collect();
        let (mut rows, mut dropped) = (0, 0);
        let mut blocks = plan.keep.then(Vec::new);
        let examine = |block: Block| {
            let kept = kept(&block, plan.targets);
            (block, kept)
        };
        pass.run(workers, examine, |window| {
            let columns = facts.par_iter_mut().enumerate().with_max_len(1);
            workers.run(|| {
                columns.for_each(|(column, facts)| {
                    let is_target = plan.targets.contains(&column);
                    for (block, kept) in &window {
                        let kept = kept.as_deref();
                        facts.add(column, is_target, NextRows { block, kept });
                    }
                });
            });
            for (block, kept) in window {
                let missing = kept.map_or(0, |kept| kept.iter().filter(|kept| !**kept).count());
                dropped += missing as u64;
                rows += (block.rows() - missing) as u64;
                if let Some(blocks) = &mut blocks {
                    blocks.push(block);
                }
            }
            Ok(())
        })?;
        (self.rows, self.dropped, self.facts, self.blocks) = (rows, dropped, facts, blocks);
        Ok(())
    }

    /// Corrects the modes of columns that have something else than expected. Returns whether there are any.
    fn corrects_modes(&mut self, plan: Plan) -> bool {
        let decimal = self.opening.syntax.decimal;
        let mut corrected = false;
        for (column, (mode, facts)) in self.modes.iter_mut().zip(&self.facts).enumerate() {
            let is_given = plan.numbers.contains(&column);
            let right = match &facts.kind {
                _ if is_given => *mode,
                Kind::Skipped => *mode,
                Kind::Numbers(numbers) if plan.classes.contains(&column) && numbers.words > 0 => {
                    Mode::Text
                }
                Kind::Text(_) if plan.classes.contains(&column) => *mode,
                Kind::Numbers(numbers) if is_text(numbers, plan.max_categories) => Mode::Text,
                Kind::Numbers(_) => *mode,
                Kind::Text(text) if are_numbers(text, decimal, plan.max_categories) => Mode::Number,
                Kind::Text(text) if plan.dates && !plan.targets.contains(&column) => {
                    dates(text).map_or(*mode, Mode::Date)
                }
                Kind::Text(_) => *mode,
            };
            corrected |= right != *mode;
            *mode = right;
        }
        corrected
    }
}

/// Returns what the first rows have in a column.
fn first_mode(opening: &Opening, column: usize, plan: Plan) -> Mode {
    if plan.dropped.contains(&column) {
        return Mode::Skip;
    }
    if plan.numbers.contains(&column) {
        return Mode::Number;
    }
    let cells = opening
        .records
        .iter()
        .filter_map(|record| record.cells.get(column));
    let (mut numbers, mut words) = (0, 0);
    for cell in cells.filter(|cell| !is_missing(cell)) {
        match number(cell, opening.syntax.decimal) {
            Some(_) => numbers += 1,
            None => words += 1,
        }
    }
    match words > numbers {
        true => Mode::Text,
        false => Mode::Number,
    }
}

/// Returns whether a column of numbers has too many words for that, or so few different numbers that all are words.
fn is_text(numbers: &NumberFacts, max_categories: usize) -> bool {
    let share = numbers.words as f64 / (numbers.words + numbers.count).max(1) as f64;
    numbers.words > 0 && (share > MOST_WORDS || numbers.sample.distinct() < max_categories)
}

/// Returns whether a column of words has so many numbers that the others count as missing.
fn are_numbers(text: &TextFacts, decimal: Decimal, max_categories: usize) -> bool {
    if text.dictionary.len() <= max_categories {
        return false;
    }
    let words = text.dictionary.words().zip(&text.counts);
    let words = words.filter(|(word, _)| number(word, decimal).is_none());
    let words: u64 = words.map(|(_, count)| count).sum();
    let listed: u64 = text.counts.iter().sum();
    words as f64 <= MOST_WORDS * listed as f64
}

/// Returns the format in which all words are dates.
pub(super) fn dates(text: &TextFacts) -> Option<DateFormat> {
    let all = |format: &DateFormat| {
        text.dictionary
            .words()
            .all(|word| format.days(word).is_some())
    };
    (text.dictionary.len() > 1)
        .then(|| DateFormat::ALL.into_iter().find(all))
        .flatten()
}
