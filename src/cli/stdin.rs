//! Standard input as a file. Files are read several times, so its bytes are copied to a file without a name first.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use perceptor::data::Note;
use perceptor::{Error, Refusal, Result};

use super::cache_folder::folder_of_unnamed_files;

/// What stands for standard input among the arguments.
const DASH: &str = "-";

/// What messages and reports call standard input.
pub const STDIN: &str = "stdin";

/// Returns whether an argument stands for standard input, or for standard output.
pub fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == DASH
}

/// Refuses standard input for an argument that needs a file.
///
/// # Errors
/// Returns [`Error::Config`] if `path` stands for standard input.
pub fn refuse_stdin(place: &str, path: &Path) -> Result<()> {
    if !is_stdin(path) {
        return Ok(());
    }
    let refusal = Refusal::new(place, "standard input", "a file or a folder");
    let hint =
        "save it to a file first; predict, and eval for a model of a table, read standard input";
    Err(Error::Config(refusal.hint(hint)))
}

/// A copy of everything in standard input, which the system removes with the process.
pub struct Stdin {
    path: PathBuf,
    /// Keeps the path alive.
    _file: Kept,
}

/// A file without a name, which `/proc` has a path of, or one that is removed at the end.
enum Kept {
    #[cfg(target_os = "linux")]
    Unnamed {
        _file: File,
    },
    Named {
        _file: tempfile::NamedTempFile,
    },
}

impl Stdin {
    /// Reads standard input to its end.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if it cannot be read, or if there is no room for the copy.
    pub fn spool() -> Result<Stdin> {
        let folder = folder_of_unnamed_files();
        let failed = |action: &'static str| {
            let path = folder.clone();
            move |source: io::Error| Error::Io {
                path,
                action,
                source,
            }
        };
        #[cfg(target_os = "linux")]
        if let Ok(file) = tempfile::tempfile_in(&folder) {
            use std::os::fd::AsRawFd;
            let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
            if path.is_file() {
                copy(&file).map_err(failed("copy standard input to this folder"))?;
                let _file = Kept::Unnamed { _file: file };
                return Ok(Stdin { path, _file });
            }
        }
        let file = tempfile::NamedTempFile::new_in(&folder);
        let file = file.map_err(failed("create a file in this folder"))?;
        copy(file.as_file()).map_err(failed("copy standard input to this folder"))?;
        Ok(Stdin {
            path: file.path().to_owned(),
            _file: Kept::Named { _file: file },
        })
    }

    /// Returns the path of the copy.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the same error about standard input.
    pub fn rename(&self, error: Error) -> Error {
        error.renamed(&self.path, STDIN)
    }

    /// Returns the same notes about standard input.
    pub fn rename_notes(&self, notes: &[Note]) -> Vec<Note> {
        let renamed = notes.iter().map(|note| note.renamed(&self.path, STDIN));
        renamed.collect()
    }
}

fn copy(mut file: &File) -> io::Result<()> {
    io::copy(&mut io::stdin().lock(), &mut file)?;
    file.flush()
}
