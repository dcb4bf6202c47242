//! Tables of words and numbers, aligned for a terminal or in Markdown.

use std::io::{self, Write};

/// A title, the columns, and rows of as many cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    title: String,
    columns: Vec<String>,
    /// The number of columns of words, which come first and are aligned to the left; numbers are aligned to the right.
    words: usize,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table whose first `words` columns are words.
    pub fn new<const N: usize>(
        title: impl Into<String>,
        words: usize,
        columns: [&str; N],
    ) -> Table {
        Table {
            title: title.into(),
            columns: columns.map(str::to_owned).to_vec(),
            words,
            rows: Vec::new(),
        }
    }

    /// Adds a column on the right.
    pub fn column(&mut self, name: impl Into<String>) {
        self.columns.push(name.into());
    }

    /// Adds a row.
    ///
    /// # Panics
    /// Panics if there is not one cell for each column.
    pub fn row(&mut self, cells: Vec<String>) {
        assert_eq!(cells.len(), self.columns.len(), "one cell for each column");
        self.rows.push(cells);
    }

    /// Writes the table for a terminal: the title, then columns two spaces apart.
    ///
    /// # Errors
    /// Returns the errors of `out`.
    pub fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}", self.title)?;
        let widths: Vec<usize> = (0..self.columns.len()).map(|at| self.width(at)).collect();
        for cells in std::iter::once(&self.columns).chain(&self.rows) {
            let cells = cells.iter().zip(&widths).enumerate();
            let line: String = cells
                .map(|(at, (cell, &width))| match at < self.words {
                    true => format!("  {cell:<width$}"),
                    false => format!("  {cell:>width$}"),
                })
                .collect();
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }

    /// Writes the table as Markdown: the title in bold, then a table.
    ///
    /// # Errors
    /// Returns the errors of `out`.
    pub fn write_markdown(&self, out: &mut dyn Write) -> io::Result<()> {
        let rules = (0..self.columns.len()).map(|at| if at < self.words { ":--" } else { "--:" });
        writeln!(out, "**{}**\n", self.title)?;
        writeln!(out, "| {} |", self.columns.join(" | "))?;
        writeln!(out, "| {} |", rules.collect::<Vec<_>>().join(" | "))?;
        for cells in &self.rows {
            writeln!(out, "| {} |", cells.join(" | "))?;
        }
        Ok(())
    }

    fn width(&self, at: usize) -> usize {
        let cells = self.rows.iter().map(|row| &row[at]);
        let cells = cells.chain([&self.columns[at]]);
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_aligned_left_and_numbers_right() {
        let mut table = Table::new("title", 1, ["what", "rate"]);
        table.row(vec!["784→100".to_owned(), "7".to_owned()]);
        table.row(vec!["x".to_owned(), "12345".to_owned()]);
        let text = |write: &dyn Fn(&mut Vec<u8>) -> io::Result<()>| {
            let mut out = Vec::new();
            write(&mut out).expect("writing to memory");
            String::from_utf8(out).expect("text")
        };
        assert_eq!(
            text(&|out| table.write_text(out)),
            "title\n  what      rate\n  784→100      7\n  x        12345\n"
        );
        assert_eq!(
            text(&|out| table.write_markdown(out)),
            "**title**\n\n| what | rate |\n| :-- | --: |\n| 784→100 | 7 |\n| x | 12345 |\n"
        );
    }
}
