//! Tables of figures, aligned for a terminal or in Markdown. What stands in them is the caller's.

use std::io::{self, Write};

/// A title, the columns, and rows of as many cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    title: String,
    columns: Vec<String>,
    /// How many of the first columns are words, set to the left; the others are figures.
    words: usize,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table, the first `words` columns of which are words.
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

    /// Adds a column at the right.
    pub fn column(&mut self, name: impl Into<String>) {
        self.columns.push(name.into());
    }

    /// Adds a row.
    ///
    /// # Panics
    /// When it has not a cell for each column.
    pub fn row(&mut self, cells: Vec<String>) {
        assert_eq!(cells.len(), self.columns.len(), "a cell a column");
        self.rows.push(cells);
    }

    /// For a terminal: the title, then columns two spaces apart.
    ///
    /// # Errors
    /// Those of `out`.
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

    /// As Markdown: the title in bold, then a table.
    ///
    /// # Errors
    /// Those of `out`.
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
    fn words_stand_left_and_figures_right() {
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
