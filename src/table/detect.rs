//! Detects delimiter, decimal mark and header from the first records of a table.

use super::cell::{is_missing, number};
use super::options::{Decimal, Delimiter};
use super::syntax::{End, Syntax, line_end, skip_lines};
use super::text::Sample;

/// The delimiters that are tried.
const DELIMITERS: [u8; 4] = *b"\t;|,";

/// The number of records that are examined to detect the dialect.
const RECORDS: usize = 20;

/// A record of a sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub start: usize,
    pub cells: Vec<Vec<u8>>,
}

/// Returns the complete records of a sample from `start` on.
pub(super) fn records(sample: &Sample, start: usize, syntax: &Syntax, count: usize) -> Vec<Record> {
    let (text, mut scratch) = (&sample.bytes[..], Vec::new());
    let mut records = Vec::new();
    let mut at = syntax.record_start(text, start);
    while records.len() < count && at < text.len() {
        let mut record = Record {
            start: at,
            cells: Vec::new(),
        };
        loop {
            let cell = syntax.cell(text, at, sample.is_complete, &mut scratch);
            record.cells.push(cell.text.to_vec());
            at = cell.next;
            match cell.end {
                End::Cell => {}
                End::Record => break,
                End::Text => return records,
            }
        }
        records.push(record);
        at = syntax.record_start(text, at);
    }
    records
}

/// Returns where the names start if the last of the comment lines at the beginning has a name for each cell below it.
pub(super) fn commented_header(sample: &Sample, start: usize, syntax: &Syntax) -> Option<usize> {
    let text = &sample.bytes[..];
    let (mut at, mut last) = (skip_lines(text, start), None);
    while text.get(at) == Some(&b'#') {
        last = Some(at + 1);
        at = skip_lines(text, line_end(text, at));
    }
    let plain = Syntax::new(syntax.delimiter, syntax.decimal, None);
    let found = records(sample, last?, &plain, 2);
    match &found[..] {
        [names, below] => (names.cells.len() > 1
            && names.cells.len() == below.cells.len()
            && names.cells.iter().all(|cell| is_word(cell, Decimal::Point)))
        .then_some(last?),
        _ => None,
    }
}

/// Returns the delimiter that splits all records into the same number of cells. Among several, it is the one with the
/// larger share of numbers, then the one with more cells. White space is the last choice, as words contain it.
pub(super) fn detect_delimiter(sample: &Sample, start: usize, comment: Option<u8>) -> Delimiter {
    let score = |delimiter| {
        let syntax = Syntax::new(delimiter, Decimal::Point, comment);
        score(&records(sample, start, &syntax, RECORDS))
    };
    let scores = DELIMITERS.map(|byte| (Delimiter::Byte(byte), score(Delimiter::Byte(byte))));
    let best = scores
        .into_iter()
        .max_by(|(_, (share, cells)), (_, (other_share, other_cells))| {
            share.total_cmp(other_share).then(cells.cmp(other_cells))
        });
    let (share, blank_cells) = score(Delimiter::WhiteSpace);
    match best.filter(|(_, (_, cells))| *cells > 1) {
        Some((_, (of_best, _))) if blank_cells > 1 && share > of_best => Delimiter::WhiteSpace,
        Some((delimiter, _)) => delimiter,
        None if blank_cells > 1 && share > 0.0 => Delimiter::WhiteSpace,
        None => Delimiter::Byte(b','),
    }
}

/// Returns the share of numbers among the cells below the first record and the number of cells per record; zeros if the records do not have the
/// same number of cells.
fn score(records: &[Record]) -> (f64, usize) {
    let width = |record: &Record| record.cells.len();
    let usual = records.get(1).or(records.first()).map_or(0, width);
    let is_same = |(at, record): &(usize, &Record)| {
        // The header may lack a title.
        width(record) == usual || (*at == 0 && width(record) + 1 == usual)
    };
    let same = records.iter().enumerate().filter(is_same).count();
    // A single record of another length may itself be wrong, which is reported later.
    if usual < 2 || 10 * same < 9 * records.len() {
        return (0.0, 0);
    }
    let is_number = |cell: &Vec<u8>| {
        number(cell, Decimal::Point).is_some() || number(cell, Decimal::Comma).is_some()
    };
    // A header has no numbers, and may have fewer cells.
    let body = &records[usize::from(records.len() > 1)..];
    let cells = body.iter().flat_map(|record| &record.cells);
    let (mut all, mut numbers) = (0usize, 0usize);
    for cell in cells {
        all += 1;
        numbers += usize::from(is_number(cell));
    }
    (numbers as f64 / all as f64, usual)
}

/// Returns the decimal mark: a comma if the cells that are numbers only with a decimal comma are more than those that
/// are numbers only with a point.
pub(super) fn detect_decimal(records: &[Record], delimiter: Delimiter) -> Decimal {
    if delimiter == Delimiter::Byte(b',') {
        return Decimal::Point;
    }
    let (mut points, mut commas) = (0, 0);
    for cell in records.iter().flat_map(|record| &record.cells) {
        let [point, comma] = Decimal::ALL.map(|decimal| number(cell, decimal).is_some());
        points += usize::from(point && !comma);
        commas += usize::from(comma && !point);
    }
    match commas > points {
        true => Decimal::Comma,
        false => Decimal::Point,
    }
}

/// Returns whether the first row is a header: one of its cells is a word where the second row has a number, or its cells
/// count from 0, as pandas names columns that have no names; or all of them are different words.
pub(super) fn is_header(first: &Record, below: &[Record], decimal: Decimal) -> bool {
    let Some(second) = below.first() else {
        return false;
    };
    let skipped = second.cells.len().saturating_sub(first.cells.len());
    let is_title = |(cell, below): (&Vec<u8>, &Vec<u8>)| {
        is_word(cell, decimal) && number(below, decimal).is_some()
    };
    let named = first.cells.iter().filter(|cell| !cell.is_empty());
    let counts = (0u32..)
        .zip(named)
        .all(|(at, cell)| cell == at.to_string().as_bytes());
    let behind = |skipped| {
        first
            .cells
            .iter()
            .zip(&second.cells[skipped..])
            .any(is_title)
    };
    behind(0)
        || (skipped == 1 && behind(1))
        || (counts && first.cells.len() >= 4)
        || are_names(first, below, decimal)
}

/// Returns whether a row of words is a header although the rows below have words, too: they are different from each other,
/// and none of them occurs in its column again.
fn are_names(first: &Record, below: &[Record], decimal: Decimal) -> bool {
    let cells = &first.cells;
    let is_new = |at: usize| {
        let again = |record: &Record| record.cells.get(at) == Some(&cells[at]);
        !cells[..at].contains(&cells[at]) && !below.iter().any(again)
    };
    cells.len() > 1 && (0..cells.len()).all(|at| is_word(&cells[at], decimal) && is_new(at))
}

pub(super) fn is_word(cell: &[u8], decimal: Decimal) -> bool {
    number(cell, decimal).is_none() && !is_missing(cell)
}
