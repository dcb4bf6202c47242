//! The columns of a table, found by name or number.

use std::path::Path;

use crate::error::{Error, Refusal, Result};
use crate::message::Key;

/// The usual names of the column of labels, in lower case.
const LABELS: [&str; 5] = ["label", "labels", "class", "target", "y"];

/// The columns of a table. They are counted from 0 here, and from 1 in options and messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Columns {
    count: usize,
    /// Their titles in the header; `None` without a header.
    names: Option<Vec<String>>,
}

impl Columns {
    /// Returns this many columns, with the cells of the header if there is one.
    pub fn new(count: usize, header: Option<Vec<&[u8]>>) -> Columns {
        let plain = |c: char| match c.is_control() {
            true => char::REPLACEMENT_CHARACTER,
            false => c,
        };
        let name = |cell: &[u8]| {
            String::from_utf8_lossy(cell)
                .trim()
                .chars()
                .map(plain)
                .collect()
        };
        Columns {
            count,
            names: header.map(|cells| cells.into_iter().map(name).collect()),
        }
    }

    pub fn count(&self) -> usize {
        self.count
    }

    pub fn has_names(&self) -> bool {
        self.names.is_some()
    }

    /// Returns the title of a column in the header, unless it is empty.
    pub fn name(&self, column: usize) -> Option<String> {
        let name = self.names.as_ref()?.get(column)?;
        (!name.is_empty()).then(|| name.clone())
    }

    /// Returns the number and title of a column, as `column 3 (petal_length)`.
    pub fn title(&self, column: usize) -> String {
        match self.name(column) {
            Some(name) => format!("column {} ({})", column + 1, truncated(&name)),
            None => format!("column {}", column + 1),
        }
    }

    /// Returns the word to type for a column: its title if that is plain, otherwise its number.
    pub fn word(&self, column: usize) -> String {
        let plain = |name: &String| {
            name.chars()
                .all(|c| c.is_alphanumeric() || "_-.".contains(c))
        };
        let name = self.name(column).filter(plain);
        name.unwrap_or_else(|| (column + 1).to_string())
    }

    /// Finds the column of that name or number. Numbers count from 1, negative ones from the end.
    pub fn find(&self, key: Key, word: &str) -> Result<usize> {
        let word = word.trim();
        let names = self.names.iter().flatten().enumerate();
        let mut named = names.filter(|(_, name)| *name == word).map(|(at, _)| at);
        match (named.next(), named.next()) {
            (Some(first), Some(second)) => {
                let found = format!("{word}, columns {} and {}", first + 1, second + 1);
                return Err(self.refuse(key, found, "one of them, by its number"));
            }
            (Some(at), None) => return Ok(at),
            (None, _) => {}
        }
        let number = word.parse::<i64>().ok();
        let at = number.and_then(|number| match number {
            1.. => usize::try_from(number - 1).ok(),
            0 => None,
            _ => self
                .count
                .checked_sub(usize::try_from(number.unsigned_abs()).ok()?),
        });
        at.filter(|&at| at < self.count).ok_or_else(|| {
            let expected = format!("a column: {}", self.summary());
            self.refuse(key, word.to_owned(), &expected)
        })
    }

    /// Finds the columns of several names or numbers separated by commas, without duplicates.
    pub fn find_all(&self, key: Key, words: &str) -> Result<Vec<usize>> {
        // A name may contain a comma.
        if let Some(at) = self.names.iter().flatten().position(|name| name == words) {
            return Ok(vec![at]);
        }
        let mut found = Vec::new();
        for word in words.split(',') {
            let at = self.find(key, word)?;
            if found.contains(&at) {
                return Err(self.refuse(key, format!("{} twice", self.title(at)), "once"));
            }
            found.push(at);
        }
        Ok(found)
    }

    /// Finds the column of labels by its usual names.
    ///
    /// # Errors
    /// Returns [`Error::Config`] if none or several columns have such a name.
    pub fn usual_labels(&self, path: &Path) -> Result<usize> {
        let usual = |name: &str| LABELS.contains(&name.to_lowercase().as_str());
        let names = self.names.iter().flatten().enumerate();
        let mut columns = names.filter(|(_, name)| usual(name)).map(|(at, _)| at);
        match (columns.next(), columns.next()) {
            (Some(at), None) => Ok(at),
            _ => Err(Error::Config(
                Refusal::new(
                    Key("labels"),
                    "not given",
                    "the column of labels by its name or number, or none",
                )
                .hint(format!("{} has {}", path.display(), self.summary())),
            )),
        }
    }

    /// Lists the columns, abbreviated to fit in a line.
    fn summary(&self) -> String {
        const SHOWN: usize = 8;
        let Some(names) = &self.names else {
            return format!("1 to {} (no header)", self.count);
        };
        let of = |at: usize| format!("{} ({})", at + 1, truncated(&names[at]));
        match self.count {
            0..=SHOWN => (0..self.count).map(of).collect::<Vec<_>>().join(", "),
            count => format!("{}, {}, {}, …, {}", of(0), of(1), of(2), of(count - 1)),
        }
    }

    fn refuse(&self, key: Key, found: String, expected: &str) -> Error {
        Error::Config(Refusal::new(key, found, expected))
    }
}

/// Truncates a name for a message.
fn truncated(name: &str) -> String {
    const MAX_CHARACTERS: usize = 40;
    match name.char_indices().nth(MAX_CHARACTERS) {
        None => name.to_owned(),
        Some((at, _)) => format!("{}…", &name[..at]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(names: &[&str]) -> Columns {
        Columns::new(
            names.len(),
            Some(names.iter().map(|name| name.as_bytes()).collect()),
        )
    }

    #[test]
    fn a_word_is_matched_as_a_name_before_a_number() {
        let named = columns(&["a", "3", "c, d"]);
        for (word, at) in [("a", 0), ("3", 1), ("1", 0), ("-1", 2), ("c, d", 2)] {
            assert_eq!(
                named.find(Key("labels"), word).expect("a column"),
                at,
                "{word}"
            );
        }
        assert_eq!(named.find_all(Key("drop"), "c, d").expect("a column"), [2]);
        assert_eq!(
            named.find_all(Key("drop"), "a,-1").expect("columns"),
            [0, 2]
        );
        for word in ["0", "4", "-4", "b", "", "1.5", "9223372036854775808"] {
            let message = named
                .find(Key("labels"), word)
                .expect_err("a refusal")
                .to_string();
            assert!(
                message.ends_with("a column: 1 (a), 2 (3), 3 (c, d)"),
                "{message}"
            );
        }
        let unnamed = Columns::new(785, None);
        assert_eq!(unnamed.find(Key("labels"), "-785").expect("a column"), 0);
        let message = unnamed
            .find(Key("labels"), "label")
            .expect_err("a refusal")
            .to_string();
        assert_eq!(
            message,
            "labels: label, expected a column: 1 to 785 (no header)"
        );
    }

    #[test]
    fn ambiguous_names_and_duplicates_are_refused() {
        let named = columns(&["a", "b", "a"]);
        let message = named
            .find(Key("drop"), "a")
            .expect_err("a refusal")
            .to_string();
        assert_eq!(
            message,
            "drop: a, columns 1 and 3, expected one of them, by its number"
        );
        let message = named
            .find_all(Key("drop"), "b,2")
            .expect_err("a refusal")
            .to_string();
        assert_eq!(message, "drop: column 2 (b) twice, expected once");
    }

    #[test]
    fn the_column_of_labels_is_found_only_if_its_name_is_unique() {
        let at = |names: &[&str]| columns(names).usual_labels(Path::new("t.csv")).ok();
        assert_eq!(at(&["x", "Label"]), Some(1));
        assert_eq!(at(&["target", "x"]), Some(0));
        assert_eq!(at(&["target", "x", "class"]), None);
        assert_eq!(at(&["x", "z"]), None);
    }
}
