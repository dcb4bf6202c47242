//! What stands between the cells of a table, and whether its first row is a header: found out from its beginning.

use std::path::Path;

use csv::{ByteRecord, ReaderBuilder};

use super::columns::Columns;
use super::text;
use super::{is_missing, number};
use crate::datasets::convert::{Labels, Request};
use crate::error::{Error, Refusal, Result};

/// What is tried.
const DELIMITERS: [u8; 4] = [b'\t', b';', b'|', b','];

/// Records that are looked at.
const RECORDS: usize = 20;

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dialect {
    pub delimiter: u8,
    pub header: bool,
}

impl Dialect {
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

/// How the file at `path` is written, and its columns.
pub(super) fn find(path: &Path, request: &Request) -> Result<(Dialect, Columns)> {
    let options = &request.table;
    let (delimiter, records) = beginning(path, options.delimiter)?;
    let Some(first) = records.first() else {
        return Err(Error::Data(Refusal::new(
            path.display(),
            "no row",
            "rows of numbers",
        )));
    };
    let named = |words: &str| {
        first
            .iter()
            .any(|cell| cell.trim_ascii() == words.as_bytes())
    };
    let header = options.header.unwrap_or_else(|| {
        is_header(first, records.get(1)) || asked_names(request).into_iter().any(named)
    });
    let cells = header.then(|| first.iter().collect());
    let columns = Columns::new(first.len(), cells);
    Ok((Dialect { delimiter, header }, columns))
}

/// What stands between the cells, and the records at the beginning: at least two, where there are as many.
fn beginning(path: &Path, given: Option<u8>) -> Result<(u8, Vec<ByteRecord>)> {
    let mut most = text::SAMPLE;
    loop {
        let sample = text::sample(path, most)?;
        let delimiter = given.unwrap_or_else(|| delimiter(&sample));
        let records = records(&sample, delimiter);
        if sample.whole || records.len() >= 2 {
            return Ok((delimiter, records));
        }
        if most == text::MAX_SAMPLE {
            return match records.is_empty() {
                true => Err(text::endless(path, 0)),
                // The second one is complained of when it is read.
                false => Ok((delimiter, records)),
            };
        }
        most = text::MAX_SAMPLE.min(8 * most);
    }
}

/// Words for columns that can be no numbers: where the first row has one, it is a header.
fn asked_names(request: &Request) -> Vec<&str> {
    let words = match &request.labels {
        Labels::Named(words) | Labels::Targets(words) => Some(words),
        Labels::Usual | Labels::Nothing => None,
    };
    let words = words.into_iter().chain(&request.table.drop);
    let words = words.flat_map(|words| words.split(','));
    words.filter(|word| word.parse::<f64>().is_err()).collect()
}

/// The whole records at the beginning.
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
    // The last one may be cut.
    if !sample.whole {
        records.pop();
    }
    records
}

/// The delimiter that cuts all records into the same number of cells: of several, the one that makes the larger share of
/// them numbers, and then the one that makes more cells.
fn delimiter(sample: &text::Sample) -> u8 {
    let fits = DELIMITERS.map(|delimiter| (delimiter, fit(sample, delimiter)));
    let best = fits
        .into_iter()
        .max_by(|(_, (share, cells)), (_, (other_share, other_cells))| {
            share.total_cmp(other_share).then(cells.cmp(other_cells))
        });
    let best = best.filter(|(_, (_, cells))| *cells > 1);
    best.map_or(b',', |(delimiter, _)| delimiter)
}

/// The share of cells that are numbers, and cells a record; nothing where records are cut into different numbers of cells.
fn fit(sample: &text::Sample, delimiter: u8) -> (f64, usize) {
    let records = records(sample, delimiter);
    let first = records.first().map_or(0, ByteRecord::len);
    let even = records
        .iter()
        .filter(|record| record.len() == first)
        .count();
    // One record that was cut otherwise may be at fault itself, and is complained of later.
    if first < 2 || 10 * even < 9 * records.len() {
        return (0.0, 0);
    }
    // Numbers may have been written with a decimal comma, though they are not read with one.
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

/// Whether the first row is a header: some cell of it is a word where the second row has a number, or its cells count
/// from 0, as those of a table that was given no names.
fn is_header(first: &ByteRecord, second: Option<&ByteRecord>) -> bool {
    let Some(second) = second else {
        return false;
    };
    let word = |cell: &[u8]| number(cell).is_none() && !is_missing(cell);
    let over_number = |(above, below): (&[u8], &[u8])| word(above) && number(below).is_some();
    let mut numbers = (0u32..).zip(first.iter().filter(|cell| !cell.trim_ascii().is_empty()));
    let counts = numbers.all(|(at, cell)| cell.trim_ascii() == at.to_string().as_bytes());
    first.iter().zip(second).any(over_number) || (counts && first.len() >= 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialect(text: &str) -> (char, bool) {
        let sample = text::Sample {
            bytes: text.as_bytes().to_vec(),
            whole: true,
        };
        let delimiter = delimiter(&sample);
        let records = records(&sample, delimiter);
        (
            char::from(delimiter),
            is_header(&records[0], records.get(1)),
        )
    }

    #[test]
    fn finds_out_how_a_table_is_written() {
        for (text, expected) in [
            ("a,b,label\n1,2,x\n3,4,y\n", (',', true)),
            ("1,2,x\n3,4,y\n", (',', false)),
            ("5.1;3.5;setosa\n4.9;3.0;setosa\n", (';', false)),
            // Decimal commas: cut as the writer meant it, so that the right cell is complained of.
            ("5,1;3,5\n4,9;3,0\n", (';', false)),
            ("a\tb\n1\t2\n", ('\t', true)),
            ("a|b\n1|2\n", ('|', true)),
            // Three columns by commas, two by semicolons in words.
            ("1,2,a;b\n3,4,c;d\n", (',', false)),
            ("\"a, b\";c\n1;2\n", (';', true)),
            ("0,1,2,3\n5,6,7,8\n", (',', true)),
            (",0,1,2\n0,6,7,8\n", (',', true)),
            ("0,1,2\n5,6,7\n", (',', false)),
            // What is missing is no header.
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
