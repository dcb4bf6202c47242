//! The dialect of a table, detected from its beginning: delimiter, decimal mark, comments, and whether the first row is a
//! header.

use std::path::Path;

use super::cell::{is_missing, number};
use super::columns::Columns;
use super::options::{Decimal, Delimiter};
use super::syntax::{End, Syntax, line_end, skip_lines};
use super::text::{self, Sample};
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, Message, message};

/// The delimiters that are tried.
const DELIMITERS: [u8; 4] = *b"\t;|,";

/// The number of records that are examined to detect the dialect.
const RECORDS: usize = 20;

/// The number of records of a sample.
pub(super) const SAMPLED: usize = 200;

/// What is known about a table before its text is read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hints<'a> {
    pub delimiter: Option<Delimiter>,
    pub decimal: Option<Decimal>,
    pub comment: Option<u8>,
    pub header: Option<bool>,
    /// Words that name columns, unless they are numbers. If the first row has one of them, it is a header.
    pub names: Vec<&'a str>,
}

/// The beginning of a table.
#[derive(Debug)]
pub(crate) struct Opening {
    pub syntax: Syntax,
    pub columns: Columns,
    /// Where the first record behind the header starts.
    pub data: u64,
    /// The first records behind the header.
    pub records: Vec<Record>,
    /// What was guessed and may surprise, such as a decimal comma.
    pub guesses: Vec<Message>,
}

/// A record of a sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub start: usize,
    pub cells: Vec<Vec<u8>>,
}

/// Detects the dialect of the table at `path` and its columns.
///
/// # Errors
/// Returns [`Error::Data`] if there is no row, or if the file is not text.
pub(crate) fn detect(path: &Path, hints: &Hints) -> Result<Opening> {
    let mut max_bytes = text::SAMPLE;
    loop {
        let sample = text::sample(path, max_bytes)?;
        check_text(path, &sample.bytes)?;
        let (guess, records) = Guess::of(&sample, hints);
        if sample.is_complete || records.len() >= 2 {
            return guess.opening(path, records, hints);
        }
        if max_bytes == 2 * text::MAX_RECORD {
            return match records.is_empty() {
                true => Err(text::endless(path, 0)),
                // An endless second record is refused when it is read.
                false => guess.opening(path, records, hints),
            };
        }
        max_bytes = (2 * text::MAX_RECORD).min(8 * max_bytes);
    }
}

/// Refuses what is not text.
fn check_text(path: &Path, start: &[u8]) -> Result<()> {
    let found = match start {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "UTF-16 text",
        _ if start.iter().take(1 << 12).any(|&byte| byte == 0) => "binary data",
        _ => return Ok(()),
    };
    let refusal = Refusal::new(path.display(), found, "a table as text");
    Err(Error::Data(refusal.hint("save it as CSV in UTF-8")))
}

/// What the lines before the first record and the first records reveal.
struct Guess {
    syntax: Syntax,
    guesses: Vec<Message>,
}

impl Guess {
    /// Guesses the dialect, and returns it with the first records in it.
    fn of(sample: &Sample, hints: &Hints) -> (Guess, Vec<Record>) {
        let mut guesses = Vec::new();
        let bytes = &sample.bytes[..];
        let mut start = if bytes.starts_with(b"\xef\xbb\xbf") {
            3
        } else {
            0
        };
        let first = &bytes[start..line_end(bytes, start)];
        let named = match first {
            [s, e, p, b'=', delimiter, ..]
                if [s, e, p].map(u8::to_ascii_lowercase) == *b"sep" && first.len() == 5 =>
            {
                start += first.len();
                Some(Delimiter::Byte(*delimiter))
            }
            _ => None,
        };
        let comment = hints.comment.or_else(|| {
            let first = skip_lines(bytes, start);
            (bytes.get(first) == Some(&b'#')).then_some(b'#')
        });
        let delimiter = hints
            .delimiter
            .or(named)
            .unwrap_or_else(|| detect_delimiter(sample, start, comment));
        let mut syntax = Syntax::new(delimiter, Decimal::Point, comment);
        if hints.comment.is_none()
            && comment.is_some()
            && let Some(header) = commented_header(sample, start, &syntax)
        {
            guesses.push("the line of names starts with #".into());
            syntax.comment = None;
            start = header;
        }
        let records = records(sample, start, &syntax, SAMPLED);
        syntax.decimal = hints
            .decimal
            .unwrap_or_else(|| detect_decimal(&records, delimiter));
        if hints.decimal.is_none() && syntax.decimal == Decimal::Comma {
            guesses.push("numbers have a decimal comma".into());
        }
        if hints.delimiter.is_none() && delimiter == Delimiter::WhiteSpace {
            guesses.push("white space separates the cells".into());
        }
        (Guess { syntax, guesses }, records)
    }

    /// Finds the header and the columns.
    fn opening(mut self, path: &Path, mut records: Vec<Record>, hints: &Hints) -> Result<Opening> {
        let Some(first) = records.first() else {
            let refusal = Refusal::new(path.display(), "no row", "rows of cells");
            return Err(Error::Data(refusal));
        };
        let is_name = |cell: &Vec<u8>| {
            hints
                .names
                .iter()
                .any(|name| name.as_bytes() == &cell[..] && number(cell, Decimal::Point).is_none())
        };
        let decimal = self.syntax.decimal;
        let header = hints.header.unwrap_or_else(|| {
            is_header(first, &records[1..], decimal) || first.cells.iter().any(is_name)
        });
        let width = first.cells.len();
        let has_word = first.cells.iter().any(|cell| is_word(cell, decimal));
        if hints.header.is_none() && !(header && has_word) {
            let found = match header {
                true => "the first row has numbers, which are taken as names of columns",
                false => "the first row is data, not names of columns",
            };
            self.guesses.push(message![
                found,
                "; to override that, use ",
                Key("header").set_to(!header)
            ]);
        }
        if !header {
            return Ok(Opening {
                columns: Columns::new::<Vec<u8>>(width, None),
                data: first.start as u64,
                syntax: self.syntax,
                records,
                guesses: self.guesses,
            });
        }
        let mut names = records.remove(0).cells;
        // R writes the names of rows without a title, and some programs write a delimiter behind each row.
        if !records.is_empty() && records.iter().all(|record| record.cells.len() == width + 1) {
            let at_end = records.iter().all(|record| record.cells[width].is_empty());
            names.insert(if at_end { width } else { 0 }, Vec::new());
            self.guesses.push(match at_end {
                true => "each row has an empty cell more than the header at its end".into(),
                false => "each row has a cell without a title at its start".into(),
            });
        }
        Ok(Opening {
            columns: Columns::new(names.len(), Some(&names)),
            data: records
                .first()
                .map_or(u64::MAX, |record| record.start as u64),
            syntax: self.syntax,
            records,
            guesses: self.guesses,
        })
    }
}

/// Returns the complete records of a sample from `start` on.
fn records(sample: &Sample, start: usize, syntax: &Syntax, count: usize) -> Vec<Record> {
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
fn commented_header(sample: &Sample, start: usize, syntax: &Syntax) -> Option<usize> {
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
fn detect_delimiter(sample: &Sample, start: usize, comment: Option<u8>) -> Delimiter {
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
fn detect_decimal(records: &[Record], delimiter: Delimiter) -> Decimal {
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
fn is_header(first: &Record, below: &[Record], decimal: Decimal) -> bool {
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

fn is_word(cell: &[u8], decimal: Decimal) -> bool {
    number(cell, decimal).is_none() && !is_missing(cell)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opening(text: &str) -> Opening {
        let sample = Sample {
            bytes: text.as_bytes().to_vec(),
            is_complete: true,
        };
        let hints = Hints::default();
        let (guess, records) = Guess::of(&sample, &hints);
        guess
            .opening(Path::new("t.csv"), records, &hints)
            .expect("a table")
    }

    /// Returns the delimiter, the decimal mark and whether there is a header.
    fn dialect(text: &str) -> (char, char, bool) {
        let opening = opening(text);
        let delimiter = match opening.syntax.delimiter {
            Delimiter::Byte(byte) => char::from(byte),
            Delimiter::WhiteSpace => ' ',
        };
        let decimal = char::from(opening.syntax.decimal.byte());
        (delimiter, decimal, opening.columns.has_names())
    }

    #[test]
    fn detects_delimiter_decimal_mark_and_header() {
        for (text, expected) in [
            ("a,b,label\n1,2,x\n3,4,y\n", (',', '.', true)),
            ("1,2,x\n3,4,y\n", (',', '.', false)),
            ("5.1;3.5;setosa\n4.9;3.0;setosa\n", (';', '.', false)),
            ("5,1;3,5\n4,9;3,0\n", (';', ',', false)),
            ("a;b\n5,1;3\n4,9;3\n", (';', ',', true)),
            ("a\tb\n1\t2\n", ('\t', '.', true)),
            ("a|b\n1|2\n", ('|', '.', true)),
            // Three columns by commas, two by semicolons in words.
            ("1,2,a;b\n3,4,c;d\n", (',', '.', false)),
            ("\"a, b\";c\n1;2\n", (';', '.', true)),
            ("0,1,2,3\n5,6,7,8\n", (',', '.', true)),
            (",0,1,2\n0,6,7,8\n", (',', '.', true)),
            ("0,1,2\n5,6,7\n", (',', '.', false)),
            // A missing value is not a title.
            ("1,,3\n4,5,6\n", (',', '.', false)),
            ("NA,2\n4,5\n", (',', '.', false)),
            ("7\n8\n", (',', '.', false)),
            ("pixel\n8\n", (',', '.', true)),
            ("1,2,x", (',', '.', false)),
            ("  1.0   2.0\n 3.0 4.0\n", (' ', '.', false)),
            ("x y\n1 2\n3  4\n", (' ', '.', true)),
            (
                "first name,last\nJohn x,Mary y\nAnn z,Eve w\n",
                (',', '.', true),
            ),
            ("a,t\n1.5,name 1\n2.5,name 2\n", (',', '.', true)),
            // Words that occur again are no names.
            ("a,b\na,c\nd,b\n", (',', '.', false)),
            ("kind,colour\ncat,red\ndog,red\n", (',', '.', true)),
        ] {
            assert_eq!(dialect(text), expected, "{text:?}");
        }
    }

    #[test]
    fn lines_before_the_table_are_understood() {
        for (text, first) in [
            ("sep=;\na;b\n1;2\n", "1"),
            ("\u{feff}a,b\n1,2\n", "1"),
            ("# made by hand\n# twice\na,b\n1,2\n", "1"),
            ("#a,b\n1,2\n", "1"),
            ("\n\n a,b\n\n1,2\n", "1"),
        ] {
            let opening = opening(text);
            assert!(opening.columns.has_names(), "{text:?}");
            assert_eq!(opening.columns.name(0).as_deref(), Some("a"), "{text:?}");
            assert_eq!(opening.records[0].cells[0], first.as_bytes(), "{text:?}");
        }
    }

    #[test]
    fn names_of_rows_and_delimiters_at_their_ends_are_columns_without_a_name() {
        let of_r = opening("\"a\" \"b\"\n\"1\" 5 6\n\"2\" 7 8\n");
        assert_eq!((of_r.columns.count(), of_r.columns.name(0)), (3, None));
        assert_eq!(of_r.columns.name(1).as_deref(), Some("a"));
        let at_end = opening("a,b\n1,2,\n3,4,\n");
        assert_eq!((at_end.columns.count(), at_end.columns.name(2)), (3, None));
    }

    #[test]
    fn other_files_are_refused() {
        for (bytes, found) in [(&b"\xff\xfea\0"[..], "UTF-16"), (b"a\0b", "binary")] {
            let message = check_text(Path::new("t"), bytes)
                .expect_err("a refusal")
                .to_string();
            assert!(message.contains(found), "{message}");
        }
    }
}
