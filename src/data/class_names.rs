//! The names of classes: `classes.txt` in the folder of a data set, one name a line, the first that of class 0.
//!
//! Names are saved with the model, and shown next to the numbers of the classes. They come from files that anyone may
//! have written and go to terminals, so a line that is not a plain name is refused.

use std::collections::HashMap;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::targets::MAX_CLASSES;
use crate::durable::folder_of;
use crate::error::{Error, Refusal, Result};
use crate::regular_file::open_regular;

/// The name of the file in the folder of a data set.
pub const FILE: &str = "classes.txt";

/// Length of the longest name, in bytes.
const MAX_BYTES: usize = 200;

/// Length of the longest file, in bytes.
const MAX_LENGTH: usize = MAX_CLASSES * MAX_BYTES;

/// The names of all classes: at least one, and no name twice.
///
/// ```
/// use perceptor::ClassNames;
///
/// let names = ClassNames::new("names", vec!["cat".to_owned(), "dog".to_owned()])?;
/// assert_eq!(names.names()[1], "dog");
/// # Ok::<(), perceptor::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct ClassNames(Vec<String>);

impl ClassNames {
    /// Takes names in the order of their classes. Messages start with `place`.
    ///
    /// # Errors
    /// Returns [`Error::Data`] if there is no name, a name appears twice, or one is not a plain name.
    pub fn new(place: impl fmt::Display, names: Vec<String>) -> Result<ClassNames> {
        let refuse = |what: String, found: String, expected: &str| {
            Error::Data(Refusal::new(format!("{place}{what}"), found, expected))
        };
        if !(1..=MAX_CLASSES).contains(&names.len()) {
            let found = format!("{} names", names.len());
            let expected = format!("1 to {MAX_CLASSES}, one for each class");
            return Err(refuse(String::new(), found, &expected));
        }
        let mut seen = HashMap::with_capacity(names.len());
        for (class, name) in names.iter().enumerate() {
            let line = || format!(": line {}", class + 1);
            if let Err((found, expected)) = check_name(name) {
                return Err(refuse(line(), found, &expected));
            }
            if let Some(first) = seen.insert(name.as_str(), class) {
                let found = format!("{name:?}, as in line {}", first + 1);
                return Err(refuse(line(), found, "another name for another class"));
            }
        }
        Ok(ClassNames(names))
    }

    /// Reads the file at `path`.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if it cannot be read, and [`Error::Data`] if it does not have one name a line.
    pub fn read(path: &Path) -> Result<ClassNames> {
        let file = open_regular(path, "a list of class names")?;
        let mut bytes = Vec::new();
        file.take(MAX_LENGTH as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(Error::io(path, "read"))?;
        ClassNames::from_bytes(path, &bytes)
    }

    /// Reads the content of the file `path`: UTF-8, with or without a byte order mark, with the line ends of any system.
    ///
    /// # Errors
    /// Returns [`Error::Data`] if it does not have one name a line.
    pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<ClassNames> {
        let place = path.display();
        if bytes.len() > MAX_LENGTH {
            let found = format!("more than {MAX_LENGTH} bytes");
            return Err(Error::Data(Refusal::new(place, found, "one name a line")));
        }
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let line = bytes[..error.valid_up_to()].split(|&b| b == b'\n').count();
            let place = format!("{place}: line {line}");
            Error::Data(Refusal::new(place, "bytes that are not UTF-8", "text"))
        })?;
        let names = text.trim_end().lines().map(|line| line.trim().to_owned());
        ClassNames::new(place, names.collect())
    }

    /// Returns the path of the file in the folder of a data set, if there is one.
    pub fn file_in(folder: &Path) -> Option<PathBuf> {
        let path = folder.join(FILE);
        path.exists().then_some(path)
    }

    /// Returns the path of the file in the folder of a file of labels, if there is one.
    pub fn file_beside(labels: &Path) -> Option<PathBuf> {
        ClassNames::file_in(folder_of(labels))
    }

    /// Formats the names as the content of a file.
    pub fn to_text(&self) -> String {
        let lines = self.0.iter().map(|name| format!("{name}\n"));
        lines.collect()
    }

    /// Returns the names in the order of their classes.
    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// Formats the name of a class for a column of a table, as `(sneaker)`, padded to the longest name. A very long name
    /// extends beyond the column.
    ///
    /// # Panics
    /// Panics if `class` has no name.
    pub fn cell(&self, class: usize) -> String {
        const MAX_COLUMNS: usize = 40;
        let widths = self.0.iter().map(|name| name.chars().count());
        let width = widths.max().unwrap_or(0).min(MAX_COLUMNS) + 2;
        format!("{:<width$}", format!("({})", self.0[class]))
    }
}

/// Formats a class as `7 (sneaker)`, or as `7` without names.
pub fn titled(class: usize, names: Option<&ClassNames>) -> String {
    match names.and_then(|names| names.0.get(class)) {
        Some(name) => format!("{class} ({name})"),
        None => class.to_string(),
    }
}

/// Checks that a name can be printed on a line of its own, or returns what was found and what was expected.
pub(crate) fn check_name(name: &str) -> Result<(), (String, String)> {
    if name.trim().is_empty() {
        return Err(("an empty name".to_owned(), "a name".to_owned()));
    }
    if name.trim() != name || name.chars().any(char::is_control) {
        let expected = "a name without control characters or surrounding spaces";
        return Err((format!("{name:?}"), expected.to_owned()));
    }
    if name.len() > MAX_BYTES {
        let found = format!("a name of {} bytes", name.len());
        return Err((found, format!("at most {MAX_BYTES} bytes")));
    }
    Ok(())
}

impl TryFrom<Vec<String>> for ClassNames {
    type Error = String;

    fn try_from(names: Vec<String>) -> Result<ClassNames, String> {
        ClassNames::new("class names", names).map_err(|error| error.to_string())
    }
}

impl From<ClassNames> for Vec<String> {
    fn from(names: ClassNames) -> Vec<String> {
        names.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<ClassNames> {
        ClassNames::from_bytes(Path::new("classes.txt"), bytes)
    }

    #[test]
    fn reading_the_formatted_names_returns_them() {
        let names = read("T-shirt/top\nBottine à lacets\n猫\n".as_bytes()).expect("names");
        assert_eq!(names.names(), ["T-shirt/top", "Bottine à lacets", "猫"]);
        assert_eq!(read(names.to_text().as_bytes()).expect("names"), names);
        assert_eq!(titled(2, Some(&names)), "2 (猫)");
        assert_eq!(
            (titled(3, Some(&names)), titled(0, None)),
            ("3".into(), "0".into())
        );
    }

    #[test]
    fn byte_order_marks_and_line_ends_of_any_editor_are_accepted() {
        let names = read(b"\xef\xbb\xbfcat\r\ndog \r\n\r\n").expect("names");
        assert_eq!(names.names(), ["cat", "dog"]);
    }

    #[test]
    fn a_file_without_one_plain_name_a_line_is_refused() {
        for (bytes, words) in [
            (&b""[..], "classes.txt: 0 names, expected 1 to 1048576"),
            (b"cat\n\ndog", "line 2: an empty name, expected a name"),
            (b"cat\ndog\ncat", "line 3: \"cat\", as in line 1"),
            (b"cat\n\x1b[31mdog", "line 2: \"\\u{1b}[31mdog\", expected"),
            (b"cat\nd\xf6g", "line 2: bytes that are not UTF-8"),
            (&[b'a'; 201], "line 1: a name of 201 bytes"),
        ] {
            let message = read(bytes).expect_err("a refusal").to_string();
            assert!(message.contains(words), "{message}");
        }
    }
}
