//! The records of a table as they are in the file, to write them again with something added.

use std::path::{Path, PathBuf};

use super::columns::Columns;
use super::dialect::{self, Hints};
use super::options::{Decimal, Delimiter, TableOptions};
use super::syntax::{End, Syntax};
use super::text::{self, Window, Windows};
use crate::error::{Error, Refusal, Result};

/// The records of a table behind its header, one after another, in the order in which rows are read.
#[derive(Debug)]
pub struct Records {
    path: PathBuf,
    syntax: Syntax,
    columns: Columns,
    windows: Windows,
    /// The records of the last window, one behind the other.
    text: Vec<u8>,
    /// Where each of them ends in `text`.
    ends: Vec<usize>,
    /// The next one to hand out.
    next: usize,
    is_over: bool,
}

impl Records {
    /// Opens the table at `path`, whose first record has the names of the columns if there is a `header`.
    ///
    /// # Errors
    /// Returns [`Error::Data`] if there is no row, or if the file is not text, and [`Error::Io`] if the system fails.
    pub fn open(path: &Path, options: &TableOptions, header: bool) -> Result<Records> {
        let hints = Hints {
            delimiter: options.delimiter,
            decimal: options.decimal,
            comment: options.comment,
            header: Some(header),
            names: Vec::new(),
        };
        let opening = dialect::detect(path, &hints)?;
        Ok(Records {
            windows: Windows::open(path, opening.data)?,
            path: path.to_owned(),
            syntax: opening.syntax,
            columns: opening.columns,
            text: Vec::new(),
            ends: Vec::new(),
            next: 0,
            is_over: false,
        })
    }

    /// Returns the names of the columns, an empty one for a column without a name; `None` without a header.
    pub fn titles(&self) -> Option<Vec<String>> {
        let columns = 0..self.columns.count();
        let title = |column| self.columns.name(column).unwrap_or_default();
        self.columns
            .has_names()
            .then(|| columns.map(title).collect())
    }

    /// Returns what separates the cells of a record.
    pub fn delimiter(&self) -> Delimiter {
        self.syntax.delimiter
    }

    /// Returns the decimal mark of numbers.
    pub fn decimal(&self) -> Decimal {
        self.syntax.decimal
    }

    /// Returns the text of the next record, without its line end.
    ///
    /// # Errors
    /// Returns [`Error::Data`] if there is none, or if it does not end, and [`Error::Io`] if the system fails.
    pub fn read(&mut self) -> Result<&[u8]> {
        while self.next == self.ends.len() {
            if self.is_over {
                let refusal = Refusal::new(
                    self.path.display(),
                    "fewer rows than before",
                    "an unchanged file",
                );
                return Err(Error::Data(refusal));
            }
            self.read_window()?;
        }
        let start = self.next.checked_sub(1).map_or(0, |last| self.ends[last]);
        self.next += 1;
        Ok(&self.text[start..self.ends[self.next - 1]])
    }

    /// Takes the records of the next window.
    fn read_window(&mut self) -> Result<()> {
        (self.next, self.is_over) = (0, true);
        self.text.clear();
        self.ends.clear();
        let Some(window) = self.windows.next()? else {
            return Ok(());
        };
        let mut at = 0;
        loop {
            at = self.syntax.record_start(window.text, at);
            if at >= window.end {
                break;
            }
            let Some(end) = record_end(&self.syntax, window, at) else {
                break;
            };
            self.text
                .extend_from_slice(window.text[at..end].trim_ascii_end());
            self.ends.push(self.text.len());
            at = end;
        }
        if window.is_endless(at) {
            return Err(text::endless(&self.path, window.before + at as u64));
        }
        self.is_over = window.is_complete && at == window.text.len();
        self.windows.advance(at);
        Ok(())
    }
}

/// Returns where the record that starts at byte `at` ends; `None` if the text ends within it.
fn record_end(syntax: &Syntax, window: Window, mut at: usize) -> Option<usize> {
    let mut scratch = Vec::new();
    loop {
        let cell = syntax.cell(window.text, at, window.is_complete, &mut scratch);
        at = cell.next;
        match cell.end {
            End::Cell => {}
            End::Record => return Some(at),
            End::Text => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(name: &str, bytes: &[u8], header: bool) -> (Option<Vec<String>>, Vec<String>) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("writing a table");
        let mut records = Records::open(&path, &TableOptions::default(), header).expect("a table");
        let mut found = Vec::new();
        while let Ok(record) = records.read() {
            found.push(String::from_utf8_lossy(record).into_owned());
        }
        (records.titles(), found)
    }

    #[test]
    fn records_are_as_they_are_in_the_file() {
        let text = b"# about\nname,note,n\r\n\"a, b\",\"x\ny\",1\n\n# no row\nc,,2";
        let (titles, found) = records("t.csv", text, true);
        assert_eq!(titles.expect("a header"), ["name", "note", "n"]);
        assert_eq!(
            found,
            [
                "\"a, b\",\"x\ny\",1",
                "# no row\nc,,2".rsplit('\n').next().expect("a record")
            ]
        );
    }

    #[test]
    fn the_delimiter_and_the_decimal_mark_are_detected() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("t.csv");
        std::fs::write(&path, "a;b\n1,5;2\n2,5;3\n").expect("writing a table");
        let records = Records::open(&path, &TableOptions::default(), true).expect("a table");
        let syntax = (records.delimiter(), records.decimal());
        assert_eq!(syntax, (Delimiter::Byte(b';'), Decimal::Comma));
    }
}
