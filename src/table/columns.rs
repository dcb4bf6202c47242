//! The columns of a table, found by name or number.

use std::collections::HashMap;
use std::path::Path;

use super::cell::short;
use super::schema::Place;
use crate::error::{Error, Refusal, Result};
use crate::message::Key;

/// The usual names of the column of labels, in lower case.
const LABELS: [&str; 5] = ["label", "labels", "class", "target", "y"];

/// The columns of a table. They are counted from 0 here, and from 1 in options and messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Columns {
    count: usize,
    /// Their titles in the header; `None` without a header.
    names: Option<Vec<String>>,
}

impl Columns {
    /// Returns this many columns, with the cells of the header if there is one.
    pub fn new<C: AsRef<[u8]>>(count: usize, header: Option<&[C]>) -> Columns {
        let plain = |c: char| match c.is_control() {
            true => char::REPLACEMENT_CHARACTER,
            false => c,
        };
        let name = |cell: &C| {
            String::from_utf8_lossy(cell.as_ref())
                .trim()
                .chars()
                .map(plain)
                .collect()
        };
        Columns {
            count,
            names: header.map(|cells| cells.iter().map(name).collect()),
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
            Some(name) => format!("column {} ({})", column + 1, short(&name)),
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

    /// Returns the place of each column, with a name that no other column has, as pandas makes it.
    pub fn places(&self) -> Vec<Place> {
        let mut seen: HashMap<&str, usize> = HashMap::new();
        let place = |position: usize| Place {
            name: self
                .names
                .as_ref()
                .map(|names| match names[position].as_str() {
                    "" => format!("Unnamed: {position}"),
                    name => match seen
                        .entry(name)
                        .and_modify(|count| *count += 1)
                        .or_insert(0)
                    {
                        0 => name.to_owned(),
                        count => format!("{name}.{count}"),
                    },
                }),
            position,
        };
        (0..self.count).map(place).collect()
    }

    /// Finds the column of that name or number. Numbers count from 1, negative ones from the end.
    ///
    /// # Errors
    /// Returns [`Error::Config`] if there is none, if several have the name, or if the word is the name of one column and
    /// the number of another.
    pub fn find(&self, key: Key, word: &str) -> Result<usize> {
        let word = word.trim();
        let names = self.names.iter().flatten().enumerate();
        let mut named = names.filter(|(_, name)| *name == word).map(|(at, _)| at);
        let numbered = self.numbered(word);
        match (named.next(), named.next(), numbered) {
            (Some(first), Some(second), _) => {
                let found = format!("{word}, columns {} and {}", first + 1, second + 1);
                Err(self.refuse(key, found, "one of them, by its number"))
            }
            (Some(name), None, Some(number)) if name != number => {
                let from_end = |at: usize| at as i64 - self.count as i64;
                let found = format!(
                    "{word}, the name of column {} and the number of column {}",
                    name + 1,
                    number + 1
                );
                let refusal = Refusal::new(key, found, "a word for one column");
                Err(Error::Config(refusal.hint(format!(
                    "count from the end: {} is the column of that name, {} the one with that number",
                    from_end(name),
                    from_end(number)
                ))))
            }
            (Some(at), None, _) | (None, _, Some(at)) => Ok(at),
            (None, _, None) => {
                let expected = format!("a column: {}", self.summary());
                Err(self.refuse(key, word.to_owned(), &expected))
            }
        }
    }

    /// Returns the column of that number, if the word is one.
    fn numbered(&self, word: &str) -> Option<usize> {
        let at = match word.parse::<i64>().ok()? {
            number @ 1.. => usize::try_from(number - 1).ok()?,
            0 => return None,
            number => self
                .count
                .checked_sub(usize::try_from(number.unsigned_abs()).ok()?)?,
        };
        (at < self.count).then_some(at)
    }

    /// Finds the columns of several names or numbers separated by commas, without duplicates.
    pub fn find_all(&self, key: Key, words: &str) -> Result<Vec<usize>> {
        // A name may contain a comma.
        if words.contains(',') && self.names.iter().flatten().any(|name| name == words) {
            return Ok(vec![self.find(key, words)?]);
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
        let of = |at: usize| format!("{} ({})", at + 1, short(&names[at]));
        match self.count {
            0..=SHOWN => (0..self.count).map(of).collect::<Vec<_>>().join(", "),
            count => format!("{}, {}, {}, …, {}", of(0), of(1), of(2), of(count - 1)),
        }
    }

    fn refuse(&self, key: Key, found: String, expected: &str) -> Error {
        Error::Config(Refusal::new(key, found, expected))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(names: &[&str]) -> Columns {
        Columns::new(names.len(), Some(names))
    }

    #[test]
    fn a_word_is_a_name_or_a_number() {
        let named = columns(&["a", "3", "c, d"]);
        for (word, at) in [("a", 0), ("2", 1), ("1", 0), ("-1", 2), ("c, d", 2)] {
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
        let unnamed = Columns::new::<&str>(785, None);
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
    fn a_word_that_is_a_name_and_the_number_of_another_column_is_refused() {
        let numbers = columns(&["0", "1", "2"]);
        let refused = numbers.find(Key("label"), "1").expect_err("a refusal");
        assert_eq!(
            refused.to_string(),
            "label: 1, the name of column 2 and the number of column 1, expected a word for one column"
        );
        let hint = refused.hint().expect("a hint").to_string();
        assert!(hint.contains("-2 is the column of that name"), "{hint}");
        assert_eq!(numbers.find(Key("label"), "-2").expect("a column"), 1);
        // The name is also its own number.
        assert_eq!(
            columns(&["1", "2"])
                .find(Key("label"), "2")
                .expect("a column"),
            1
        );
    }

    #[test]
    fn places_have_the_names_that_pandas_gives() {
        let places = columns(&["", "a", "b", "a"]).places();
        let names: Vec<&str> = places
            .iter()
            .filter_map(|place| place.name.as_deref())
            .collect();
        assert_eq!(names, ["Unnamed: 0", "a", "b", "a.1"]);
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
