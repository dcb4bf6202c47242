//! The report of a table: its columns, and what becomes of each.

use std::io::{self, Write};

use super::number::{counted, grouped};
use super::table::Table;
use crate::table::report::{ColumnReport, TableReport};
use crate::table::schema::{Encoding, Reason};

/// The most values of a column that are listed.
const VALUES: usize = 3;

/// The most characters of a value in a list.
const CHARACTERS: usize = 16;

impl TableReport {
    /// Writes the report as one JSON object.
    ///
    /// # Errors
    /// Returns the errors of `out`.
    pub fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        super::write_json(out, self)
    }

    /// Writes the report for a terminal: the table, a line for each column, and the notes.
    ///
    /// # Errors
    /// Returns the errors of `out`.
    pub fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let header = if self.header { "a header" } else { "no header" };
        let title = format!(
            "{}: {}, {}, {} between cells, {header}; {}",
            self.path,
            counted(self.rows as usize, "row"),
            counted(self.columns.len(), "column"),
            self.delimiter,
            counted(self.inputs, "input"),
        );
        let mut table = Table::new(title, 4, ["column", "has", "range", "becomes", "missing"]);
        for column in &self.columns {
            table.row(vec![
                name(column),
                column.content.to_owned(),
                range(column),
                becomes(column, self),
                grouped(column.missing as usize),
            ]);
        }
        table.write_text(out)?;
        for note in &self.notes {
            writeln!(out, "{note}")?;
        }
        Ok(())
    }
}

/// Returns the number and the name of a column.
fn name(column: &ColumnReport) -> String {
    let number = column.place.position + 1;
    match &column.place.name {
        Some(name) => format!("{number} {name}"),
        None => number.to_string(),
    }
}

/// Returns the ends of numbers, or the most frequent values.
fn range(column: &ColumnReport) -> String {
    if let (Some(min), Some(max)) = (column.min, column.max) {
        return format!("{} to {}", short(min), short(max));
    }
    let Some(distinct) = column.distinct.filter(|&distinct| distinct > 0) else {
        return String::new();
    };
    let values = column.values.iter().take(VALUES).map(|(value, rows)| {
        let value: String = value.chars().take(CHARACTERS).collect();
        format!("{value} ({})", grouped(*rows as usize))
    });
    let values: Vec<String> = values.collect();
    let more = if distinct > values.len() { ", …" } else { "" };
    format!(
        "{}: {}{more}",
        counted(distinct, "value"),
        values.join(", ")
    )
}

/// Returns what becomes of a column.
fn becomes(column: &ColumnReport, report: &TableReport) -> String {
    let Some(encoding) = &column.encoding else {
        return match (column.role, report.task) {
            ("target", Some(task)) => format!("target of {}", task.name()),
            (role, _) => role.to_owned(),
        };
    };
    let own = match encoding {
        Encoding::Omitted { reason } => return format!("nothing: {}", omitted(*reason)),
        Encoding::Number { scale, .. } => {
            let number = match scale.log_unit {
                None => "x".to_owned(),
                Some(unit) => format!("sign(x) · ln(1 + |x| / {})", short(unit)),
            };
            format!(
                "({number} − {}) · {}",
                short(scale.offset),
                short(scale.factor)
            )
        }
        Encoding::Date { format, scale, .. } => {
            format!(
                "(days − {}) · {}, written as {format}",
                short(scale.offset),
                short(scale.factor)
            )
        }
        Encoding::Flag { no, yes, .. } => format!("0 for {no}, 1 for {yes}"),
        Encoding::Categories { values, other, .. } => {
            let inputs = counted(values.len(), "input");
            match other {
                true => format!("{inputs}, and one for all other values"),
                false => format!("{inputs}, one for each value"),
            }
        }
    };
    match encoding.marks_missing() {
        true => format!("{own}; 1 if missing"),
        false => own,
    }
}

fn omitted(reason: Reason) -> &'static str {
    match reason {
        Reason::Dropped => "dropped",
        Reason::Empty => "no value",
        Reason::Constant => "the same value in each row",
        Reason::Index => "numbers the rows",
        Reason::Identifiers => "almost all different",
        Reason::Dates => "dates, almost all different",
    }
}

/// Formats a number with about five digits.
fn short(number: f64) -> String {
    let size = number.abs();
    match size {
        0.0 => "0".to_owned(),
        1e-3..1e5 => {
            let digits = 4usize.saturating_sub(size.log10().floor().max(0.0) as usize);
            let text = format!("{number:.digits$}");
            match text.contains('.') {
                true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
                false => text,
            }
        }
        1e5..1e15 if number.fract() == 0.0 => format!("{number}"),
        _ => format!("{number:.4e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn numbers_have_about_five_digits() {
        for (number, text) in [
            (0.0, "0"),
            (43.921_929_8, "43.922"),
            (-3.0, "-3"),
            (0.012_345_6, "0.0123"),
            (1_700_000_000.0, "1700000000"),
            (1.5e-7, "1.5000e-7"),
        ] {
            assert_eq!(short(number), text);
        }
    }
}
