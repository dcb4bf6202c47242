//! Files that are written completely or not at all.
//!
//! The contents are written to a temporary file in the folder of the target, synced to the disk, and only then renamed to the
//! target. The folder is synced last, so that the name survives a power failure.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The end of the names of temporary files.
const TEMPORARY: &str = ".part";

/// Writes the file at `path` by `fill`. Readers of `path` see either the old file or the new one, and the new one survives a
/// power failure.
///
/// # Errors
/// Returns [`Error::Io`] if the folder cannot be written, the disk is full, or `fill` fails. The target is unchanged then.
pub fn write_atomically(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<()> {
    put_in_place(path, fill, true)?;
    sync(folder_of(path))
}

/// [`write_atomically`] without waiting for the disk: a power failure, but nothing else, may lose the file.
///
/// # Errors
/// Returns the errors of [`write_atomically`].
pub fn write_unsynced(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<()> {
    put_in_place(path, fill, false)
}

/// [`write_atomically`] for a file that other processes may write at the same time, with the same contents. The first file
/// stays, so that the name never changes to another file while someone has it open.
///
/// # Errors
/// Returns the errors of [`write_atomically`].
pub fn write_if_absent(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<()> {
    match fill_temporary(path, fill, true)?.persist_noclobber(path) {
        Ok(()) => sync(folder_of(path)),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists && path.is_file() => {
            Ok(())
        }
        Err(error) => Err(Error::io(path, "put into place")(error.error)),
    }
}

/// Returns the folder of the file `path`.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn put_in_place(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    synced: bool,
) -> Result<()> {
    put(fill_temporary(path, fill, synced)?, path)
}

/// Creates a temporary file in the folder of `path`, fills and closes it.
fn fill_temporary(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    synced: bool,
) -> Result<tempfile::TempPath> {
    let mut draft = Draft::new(path)?;
    fill(&mut draft.writer).map_err(Error::io(path, "write"))?;
    draft.close(synced)
}

/// A file that is being written under a temporary name in the folder of its target. Dropping it removes it.
#[derive(Debug)]
pub struct Draft {
    path: PathBuf,
    writer: BufWriter<tempfile::NamedTempFile>,
}

impl Draft {
    /// Creates the temporary file for `path`.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the folder cannot be written.
    pub fn new(path: &Path) -> Result<Draft> {
        let folder = folder_of(path);
        let mut prefix = std::ffi::OsString::from(".");
        prefix.push(path.file_name().unwrap_or_default());
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix).suffix(TEMPORARY);
        // Temporary files are private by default, but results get the permissions of the user's umask.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let temporary = builder
            .tempfile_in(folder)
            .map_err(Error::io(folder, "create a file in this folder"))?;
        Ok(Draft {
            path: path.to_owned(),
            writer: BufWriter::with_capacity(1 << 20, temporary),
        })
    }

    /// Appends `bytes`.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if they cannot be written.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.writer.write_all(bytes);
        written.map_err(Error::io(&self.path, "write"))
    }

    /// Syncs the file to the disk under its temporary name.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if it cannot be written.
    pub fn finish(self) -> Result<Finished> {
        let path = self.path.clone();
        let temporary = self.close(true)?;
        Ok(Finished { path, temporary })
    }

    /// Puts the file in place without waiting for the disk: a power failure may lose it, or a part of it.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if it cannot be written or renamed.
    pub fn put_unsynced(self) -> Result<()> {
        let path = self.path.clone();
        put(self.close(false)?, &path)
    }

    fn close(self, synced: bool) -> Result<tempfile::TempPath> {
        let path = self.path;
        let temporary = self.writer.into_inner();
        let temporary = temporary.map_err(|error| Error::io(&path, "write")(error.into_error()))?;
        if synced {
            let synced = temporary.as_file().sync_all();
            synced.map_err(Error::io(&path, "sync to the disk"))?;
        }
        // Closed first, because an open file can be renamed only on Unix.
        Ok(temporary.into_temp_path())
    }
}

/// A file that is complete and still has its temporary name.
#[derive(Debug)]
pub struct Finished {
    path: PathBuf,
    temporary: tempfile::TempPath,
}

impl Finished {
    /// Renames the file to its target, replacing it. The new name survives a power failure once the folder is synced.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if it cannot be renamed.
    pub fn put(self) -> Result<PathBuf> {
        put(self.temporary, &self.path)?;
        Ok(self.path)
    }
}

fn put(temporary: tempfile::TempPath, path: &Path) -> Result<()> {
    fs::rename(&temporary, path).map_err(Error::io(path, "put into place"))?;
    // The temporary name no longer exists. A later file of that name must not be removed.
    drop(temporary.keep());
    Ok(())
}

/// Syncs the file or folder `path` to the disk.
///
/// # Errors
/// Returns [`Error::Io`] if that fails.
pub fn sync(path: &Path) -> Result<()> {
    // A folder can be opened as a file only on Unix. Elsewhere the system decides how durable a rename is.
    if cfg!(not(unix)) && path.is_dir() {
        return Ok(());
    }
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(Error::io(path, "sync to the disk"))
}

/// Removes temporary files from `folder` that were left by processes killed while they wrote. Only files whose targets start
/// with one of `prefixes` are removed.
///
/// # Errors
/// Returns [`Error::Io`] if the folder cannot be read or a file cannot be removed.
pub fn remove_leftovers(folder: &Path, prefixes: &[&str]) -> Result<()> {
    let entries = fs::read_dir(folder).map_err(Error::io(folder, "read the folder"))?;
    for entry in entries {
        let path = entry.map_err(Error::io(folder, "read the folder"))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let target = name
            .strip_prefix('.')
            .and_then(|name| name.strip_suffix(TEMPORARY));
        if target.is_some_and(|target| prefixes.iter().any(|prefix| target.starts_with(prefix))) {
            fs::remove_file(&path).map_err(Error::io(&path, "remove"))?;
        }
    }
    Ok(())
}

/// Creates `folder` and its missing ancestors.
///
/// # Errors
/// Returns [`Error::Io`] if a part of the path cannot be created or is no folder.
pub fn create_folder(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(Error::io(folder, "create the folder"))
}

/// Checks that files can be created in `folder`, by creating a temporary one.
///
/// # Errors
/// Returns [`Error::Io`] if they cannot.
pub fn check_writable(folder: &Path) -> Result<()> {
    let file = tempfile::NamedTempFile::new_in(folder);
    file.map(drop)
        .map_err(Error::io(folder, "create a file in this folder"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_several_writers_wins() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("set");
        for content in [&b"first"[..], b"second"] {
            write_if_absent(&path, |out| out.write_all(content)).expect("writing");
        }
        assert_eq!(fs::read(&path).expect("the file"), b"first");
        assert_eq!(fs::read_dir(folder.path()).expect("folder").count(), 1);
    }

    #[test]
    fn a_failed_write_leaves_only_the_old_file() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("model");
        write_atomically(&path, |out| out.write_all(b"old")).expect("first write");
        let failed = write_atomically(&path, |out| {
            out.write_all(b"half")?;
            Err(io::Error::other("the disk is full"))
        });
        assert!(failed.is_err());
        assert_eq!(fs::read(&path).expect("old file"), b"old");
        assert_eq!(fs::read_dir(folder.path()).expect("folder").count(), 1);
    }
}
