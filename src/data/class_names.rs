//! What classes are called: `classes.txt` beside the files of a data set, a name a line, the first that of class 0.
//!
//! Names travel with the model, and are shown beside the numbers that networks know. They come from files that anyone
//! may have written and go to terminals, so that a line that is no plain name is refused.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::mmap::Bytes;
use super::targets::MAX_CLASSES;
use crate::error::{Error, Refusal, Result};

/// The file of names in the folder of a data set.
pub const FILE: &str = "classes.txt";

/// Bytes of the longest name.
const MAX_BYTES: usize = 200;

/// The name of every class: at least one, none twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct ClassNames(Vec<String>);

impl ClassNames {
    /// Names in the order of their classes.
    ///
    /// # Errors
    /// [`Error::Data`], naming `place`, when there is none, one stands twice, or one is no plain name.
    pub fn new(place: impl fmt::Display, names: Vec<String>) -> Result<ClassNames> {
        let refuse = |what: String, found: String, expected: &str| {
            Error::Data(Refusal::new(format!("{place}{what}"), found, expected))
        };
        if !(1..=MAX_CLASSES).contains(&names.len()) {
            let found = format!("{} names", names.len());
            let expected = format!("1 to {MAX_CLASSES}, one a class");
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
    /// [`Error::Io`] when it cannot be read, [`Error::Data`] when it is not a name a line.
    pub fn read(path: &Path) -> Result<ClassNames> {
        ClassNames::from_bytes(path, &Bytes::map(path, "a list of class names")?)
    }

    /// Reads the content of the file `path`: UTF-8, with or without a byte order mark, lines ended as on any system.
    ///
    /// # Errors
    /// [`Error::Data`], as [`ClassNames::read`].
    pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<ClassNames> {
        let place = path.display();
        if bytes.len() > MAX_CLASSES * MAX_BYTES {
            let found = format!("{} bytes", bytes.len());
            return Err(Error::Data(Refusal::new(place, found, "a name a line")));
        }
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let line = bytes[..error.valid_up_to()].split(|&b| b == b'\n').count();
            let place = format!("{place}: line {line}");
            Error::Data(Refusal::new(place, "other bytes than UTF-8", "text"))
        })?;
        let names = text.trim_end().lines().map(|line| line.trim().to_owned());
        ClassNames::new(place, names.collect())
    }

    /// The file in the folder of a data set, where there is one.
    pub fn file_in(folder: &Path) -> Option<PathBuf> {
        let path = folder.join(FILE);
        path.exists().then_some(path)
    }

    /// The file as it would be written.
    pub fn to_text(&self) -> String {
        let lines = self.0.iter().map(|name| format!("{name}\n"));
        lines.collect()
    }

    /// The names in the order of their classes.
    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// `(sneaker)` for a table: as wide as the longest name asks for, which only a very long one leaves.
    ///
    /// # Panics
    /// When `class` has no name.
    pub fn cell(&self, class: usize) -> String {
        const MAX_COLUMNS: usize = 40;
        let widths = self.0.iter().map(|name| name.chars().count());
        let width = widths.max().unwrap_or(0).min(MAX_COLUMNS) + 2;
        format!("{:<width$}", format!("({})", self.0[class]))
    }
}

/// `7 (sneaker)`, or `7` where classes have no names.
pub fn titled(class: usize, names: Option<&ClassNames>) -> String {
    match names.and_then(|names| names.0.get(class)) {
        Some(name) => format!("{class} ({name})"),
        None => class.to_string(),
    }
}

/// A name as it may be shown and written on a line of its own, or what is there and what was expected.
pub(crate) fn check_name(name: &str) -> Result<(), (String, String)> {
    if name.trim().is_empty() {
        return Err(("nothing".to_owned(), "a name".to_owned()));
    }
    if name.trim() != name || name.chars().any(char::is_control) {
        let expected = "a name without control characters, and no space around it";
        return Err((format!("{name:?}"), expected.to_owned()));
    }
    if name.len() > MAX_BYTES {
        let found = format!("a name of {} bytes", name.len());
        return Err((found, format!("at most {MAX_BYTES}")));
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
    fn comes_back_from_what_is_written() {
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
    fn takes_files_of_any_editor() {
        let names = read(b"\xef\xbb\xbfcat\r\ndog \r\n\r\n").expect("names");
        assert_eq!(names.names(), ["cat", "dog"]);
    }

    #[test]
    fn refuses_what_is_no_name_a_line() {
        for (bytes, words) in [
            (&b""[..], "classes.txt: 0 names, expected 1 to 1048576"),
            (b"cat\n\ndog", "line 2: nothing, expected a name"),
            (b"cat\ndog\ncat", "line 3: \"cat\", as in line 1"),
            (b"cat\n\x1b[31mdog", "line 2: \"\\u{1b}[31mdog\", expected"),
            (b"cat\nd\xf6g", "line 2: other bytes than UTF-8"),
            (&[b'a'; 201], "line 1: a name of 201 bytes"),
        ] {
            let message = read(bytes).expect_err("a refusal").to_string();
            assert!(message.contains(words), "{message}");
        }
    }
}
