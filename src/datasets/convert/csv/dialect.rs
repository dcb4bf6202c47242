//! The dialect of a table, detected from its beginning: the delimiter, and whether the first row is a header.

use std::path::Path;

use csv::{ByteRecord, ReaderBuilder};

use super::cell::{is_missing, number};
use super::text;
use crate::datasets::convert::request::{Labels, Request};
use crate::error::{Error, Refusal, Result};
use crate::table::columns::Columns;

/// The delimiters that are tried.
const DELIMITERS: [u8; 4] = [b'\t', b';', b'|', b','];

/// The number of records that are examined.
const RECORDS: usize = 20;

/// The dialect of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dialect {
    pub delimiter: u8,
    pub header: bool,
}

impl Dialect {
    /// Returns the delimiter with an article, for messages.
    pub fn delimiter_name(self) -> String {
        match self.delimiter {
            b',' => "a comma".to_owned(),
            b';' => "a semicolon".to_owned(),
            b'\t' => "a tab".to_owned(),
            b' ' => "a space".to_owned(),
            b'|' => "a bar".to_owned(),
            other => format!("{:?}", char::from(other)),
        }
    }
}

/// Detects the dialect of the table at `path` and its columns. Options of the request take precedence.
pub(super) fn detect(path: &Path, request: &Request) -> Result<(Dialect, Columns)> {
    let options = &request.table;
    let (delimiter, records) = first_records(path, options.delimiter)?;
    let Some(first) = records.first() else {
        return Err(Error::Data(Refusal::new(
            path.display(),
            "no row",
            "rows of numbers",
        )));
    };
    let is_cell = |word: &str| {
        first
            .iter()
            .any(|cell| cell.trim_ascii() == word.as_bytes())
    };
    let header = options.header.unwrap_or_else(|| {
        is_header(first, records.get(1)) || requested_names(request).into_iter().any(is_cell)
    });
    let cells: Vec<&[u8]> = first.iter().collect();
    let columns = Columns::new(first.len(), header.then_some(&cells[..]));
    Ok((Dialect { delimiter, header }, columns))
}

/// Returns the delimiter and the first records: at least two if the table has as many.
fn first_records(path: &Path, given: Option<u8>) -> Result<(u8, Vec<ByteRecord>)> {
    let mut max_bytes = text::SAMPLE;
    loop {
        let sample = text::sample(path, max_bytes)?;
        let delimiter = given.unwrap_or_else(|| delimiter(&sample));
        let records = records(&sample, delimiter);
        if sample.is_complete || records.len() >= 2 {
            return Ok((delimiter, records));
        }
        if max_bytes == text::MAX_SAMPLE {
            return match records.is_empty() {
                true => Err(text::endless(path, 0)),
                // An endless second record is refused when it is read.
                false => Ok((delimiter, records)),
            };
        }
        max_bytes = text::MAX_SAMPLE.min(8 * max_bytes);
    }
}

/// Returns the requested columns that are no numbers. If the first row has one of them, it is a header.
fn requested_names(request: &Request) -> Vec<&str> {
    let words = match &request.labels {
        Labels::In(words) | Labels::Targets(words) => Some(words),
        Labels::Auto | Labels::Absent => None,
    };
    let words = words.into_iter().chain(&request.table.drop);
    let words = words.flat_map(|words| words.split(','));
    words.filter(|word| word.parse::<f64>().is_err()).collect()
}

/// Returns the complete records of a sample.
fn records(sample: &text::Sample, delimiter: u8) -> Vec<ByteRecord> {
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(&sample.bytes[..]);
    let mut records: Vec<ByteRecord> = Vec::new();
    while records.len() <= RECORDS {
        let mut record = ByteRecord::new();
        match reader.read_byte_record(&mut record) {
            Ok(true) => records.push(record),
            _ => break,
        }
    }
    // The last one may be truncated.
    if !sample.is_complete {
        records.pop();
    }
    records
}

/// Returns the delimiter that splits all records into the same number of cells. Among several, it is the one with the
/// larger share of numbers, then the one with more cells.
fn delimiter(sample: &text::Sample) -> u8 {
    let scores = DELIMITERS.map(|delimiter| (delimiter, score(sample, delimiter)));
    let best = scores
        .into_iter()
        .max_by(|(_, (share, cells)), (_, (other_share, other_cells))| {
            share.total_cmp(other_share).then(cells.cmp(other_cells))
        });
    let best = best.filter(|(_, (_, cells))| *cells > 1);
    best.map_or(b',', |(delimiter, _)| delimiter)
}

/// Returns the share of cells that are numbers and the number of cells per record; zeros if the records do not have the
/// same number of cells.
fn score(sample: &text::Sample, delimiter: u8) -> (f64, usize) {
    let records = records(sample, delimiter);
    let first = records.first().map_or(0, ByteRecord::len);
    let same_length = records
        .iter()
        .filter(|record| record.len() == first)
        .count();
    // A single record of another length may itself be wrong, which is reported later.
    if first < 2 || 10 * same_length < 9 * records.len() {
        return (0.0, 0);
    }
    // Decimal commas count as numbers here, although they are not accepted later.
    let is_number = |cell: &[u8]| {
        let comma = |&byte: &u8| if byte == b',' { b'.' } else { byte };
        number(&cell.iter().map(comma).collect::<Vec<u8>>()).is_some()
    };
    let cells: usize = records.iter().map(ByteRecord::len).sum();
    let numbers = records
        .iter()
        .flatten()
        .filter(|cell| is_number(cell))
        .count();
    (numbers as f64 / cells as f64, first)
}

/// Returns whether the first row is a header: one of its cells is a word where the second row has a number, or its cells
/// count from 0, as pandas names columns that have no names.
fn is_header(first: &ByteRecord, second: Option<&ByteRecord>) -> bool {
    let Some(second) = second else {
        return false;
    };
    let is_word = |cell: &[u8]| number(cell).is_none() && !is_missing(cell);
    let is_title = |(cell, below): (&[u8], &[u8])| is_word(cell) && number(below).is_some();
    let mut cells = (0u32..).zip(first.iter().filter(|cell| !cell.trim_ascii().is_empty()));
    let counts = cells.all(|(at, cell)| cell.trim_ascii() == at.to_string().as_bytes());
    first.iter().zip(second).any(is_title) || (counts && first.len() >= 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialect(text: &str) -> (char, bool) {
        let sample = text::Sample {
            bytes: text.as_bytes().to_vec(),
            is_complete: true,
        };
        let delimiter = delimiter(&sample);
        let records = records(&sample, delimiter);
        (
            char::from(delimiter),
            is_header(&records[0], records.get(1)),
        )
    }

    #[test]
    fn detects_delimiter_and_header() {
        for (text, expected) in [
            ("a,b,label\n1,2,x\n3,4,y\n", (',', true)),
            ("1,2,x\n3,4,y\n", (',', false)),
            ("5.1;3.5;setosa\n4.9;3.0;setosa\n", (';', false)),
            // Decimal commas: split as the writer meant, so that the right cell is refused.
            ("5,1;3,5\n4,9;3,0\n", (';', false)),
            ("a\tb\n1\t2\n", ('\t', true)),
            ("a|b\n1|2\n", ('|', true)),
            // Three columns by commas, two by semicolons in words.
            ("1,2,a;b\n3,4,c;d\n", (',', false)),
            ("\"a, b\";c\n1;2\n", (';', true)),
            ("0,1,2,3\n5,6,7,8\n", (',', true)),
            (",0,1,2\n0,6,7,8\n", (',', true)),
            ("0,1,2\n5,6,7\n", (',', false)),
            // A missing value is no title.
            ("1,,3\n4,5,6\n", (',', false)),
            ("NA,2\n4,5\n", (',', false)),
            ("7\n8\n", (',', false)),
            ("pixel\n8\n", (',', true)),
            ("1,2,x", (',', false)),
        ] {
            assert_eq!(dialect(text), expected, "{text:?}");
        }
    }
}
