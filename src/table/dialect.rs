//! The dialect of a table, detected from its beginning: delimiter, decimal mark, comments, and whether the first row is a
//! header.

use std::path::Path;

use super::cell::number;
use super::columns::Columns;
use super::detect::{
    Record, commented_header, detect_decimal, detect_delimiter, is_header, is_word, records,
};
use super::options::{Decimal, Delimiter};
use super::syntax::{Syntax, line_end, skip_lines};
use super::text::{self, Sample};
use crate::data::file_kind::{self, FileKind};
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, Message, message};

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

impl Opening {
    /// Estimates the number of rows of the table at `path` from the length of its first rows.
    pub fn estimated_rows(&self, path: &Path) -> Result<u64> {
        let length = text::estimated_length(path)?;
        let (Some(first), Some(last)) = (self.records.first(), self.records.last()) else {
            return Ok(0);
        };
        let (sampled, rows) = (
            (last.start - first.start) as u64,
            self.records.len() as u64 - 1,
        );
        match sampled {
            0 => Ok(1),
            sampled => Ok((length as f64 * rows as f64 / sampled as f64) as u64 + 1),
        }
    }
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
    let kind = FileKind::of(&start[..start.len().min(file_kind::START)]);
    let refuse = |kind: FileKind, hint| {
        let refusal = Refusal::new(path.display(), kind.name(), "a table as text");
        Err(Error::Data(refusal.hint(hint)))
    };
    let as_csv = "save it as CSV in UTF-8";
    match kind {
        FileKind::Empty | FileKind::Text if !start.iter().take(1 << 12).any(|&byte| byte == 0) => {
            Ok(())
        }
        FileKind::Picture(_) | FileKind::Foreign(_) | FileKind::Npy | FileKind::Zip => {
            refuse(kind, kind.advice().unwrap_or_else(|| as_csv.into()))
        }
        FileKind::Empty | FileKind::Text => refuse(FileKind::Binary, as_csv.into()),
        _ => refuse(kind, as_csv.into()),
    }
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
