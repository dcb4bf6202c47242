//! The files in which Linux describes itself, and the `key: value` lines in them.

use std::fs;
use std::path::{Path, PathBuf};

/// The files below a root folder. Another root than `/` makes them testable.
#[derive(Debug, Clone)]
pub struct SystemFiles {
    root: PathBuf,
}

impl Default for SystemFiles {
    /// Returns the files of this system.
    fn default() -> SystemFiles {
        SystemFiles::below(Path::new("/"))
    }
}

impl SystemFiles {
    /// Returns the files of the copy of a system below `root`.
    pub fn below(root: &Path) -> SystemFiles {
        SystemFiles {
            root: root.to_owned(),
        }
    }

    /// Reads the file at this absolute path as text. Returns `None` if that fails.
    pub fn read(&self, path: impl AsRef<Path>) -> Option<String> {
        let path = path.as_ref();
        let path = self.root.join(path.strip_prefix("/").unwrap_or(path));
        let bytes = fs::read(path).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// Returns the value of the first line of the form `key: value` with this key.
pub(crate) fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        (found.trim() == key).then_some(value.trim())
    })
}
