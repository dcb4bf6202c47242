//! Files that are written completely or not at all.
//!
//! The contents are written to a temporary file in the folder of the target, synced to the disk, and only then renamed to the
//! target. The folder is synced last, so that the name survives a power failure. A temporary file is locked as long as its
//! process lives, so that what a killed process left can be told from what is being written.

mod lock;

use std::fs::{self, File, TryLockError};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::pulse;

pub use self::lock::FolderLock;

/// The end of the names of temporary files.
pub(crate) const TEMPORARY: &str = ".part";

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
    match write_new(path, fill) {
        Err(Error::Io { source, .. })
            if source.kind() == io::ErrorKind::AlreadyExists && path.is_file() =>
        {
            Ok(())
        }
        written => written,
    }
}

/// [`write_atomically`] for a file that does not exist.
///
/// # Errors
/// Returns the errors of [`write_atomically`], and [`Error::Io`] with [`io::ErrorKind::AlreadyExists`] if the file exists.
pub fn write_new(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let finished = fill_temporary(path, fill, true)?;
    match finished.temporary.persist_noclobber(path) {
        Ok(_) => sync(folder_of(path)),
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
    fill_temporary(path, fill, synced)?.put().map(drop)
}

/// Creates a temporary file in the folder of `path` and fills it.
fn fill_temporary(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    synced: bool,
) -> Result<Finished> {
    let mut draft = Draft::new(path)?;
    pulse::during_wait(|| fill(&mut draft.writer)).map_err(Error::io(path, "write"))?;
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
        Ok(Draft {
            path: path.to_owned(),
            writer: BufWriter::with_capacity(1 << 20, locked_temporary(path)?),
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
        self.close(true)
    }

    /// Puts the file in place without waiting for the disk: a power failure may lose it, or a part of it.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if it cannot be written or renamed.
    pub fn put_unsynced(self) -> Result<()> {
        self.close(false)?.put().map(drop)
    }

    fn close(self, synced: bool) -> Result<Finished> {
        let path = self.path;
        let temporary = self.writer.into_inner();
        let temporary = temporary.map_err(|error| Error::io(&path, "write")(error.into_error()))?;
        if synced {
            let synced = pulse::during_wait(|| temporary.as_file().sync_all());
            synced.map_err(Error::io(&path, "sync to the disk"))?;
        }
        Ok(Finished { path, temporary })
    }
}

/// Creates a temporary file for `path` that this process has locked.
fn locked_temporary(path: &Path) -> Result<tempfile::NamedTempFile> {
    let folder = folder_of(path);
    let mut prefix = std::ffi::OsString::from(".");
    prefix.push(path.file_name().unwrap_or_default());
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(TEMPORARY);
    // Temporary files are private by default, but results get the permissions of the user's umask.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    loop {
        let temporary = builder
            .tempfile_in(folder)
            .map_err(Error::io(folder, "create a file in this folder"))?;
        // Until it is locked, another process may take it for a leftover and remove it.
        let is_locked = !matches!(
            temporary.as_file().try_lock(),
            Err(TryLockError::WouldBlock)
        );
        if is_locked && temporary.path().exists() {
            return Ok(temporary);
        }
    }
}

/// A file that is complete and still has its temporary name. Dropping it removes it.
#[derive(Debug)]
pub struct Finished {
    path: PathBuf,
    temporary: tempfile::NamedTempFile,
}

impl Finished {
    /// Fills a temporary file for `path`, and syncs it to the disk.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the folder cannot be written, the disk is full, or `fill` fails.
    pub fn fill(
        path: &Path,
        fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<Finished> {
        fill_temporary(path, fill, true)
    }

    /// Renames the file to its target, replacing it. The new name survives a power failure once the folder is synced.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if it cannot be renamed.
    pub fn put(self) -> Result<PathBuf> {
        fs::rename(self.temporary.path(), &self.path)
            .map_err(Error::io(&self.path, "put into place"))?;
        // The temporary name no longer exists. A later file of that name must not be removed.
        drop(self.temporary.into_temp_path().keep());
        Ok(self.path)
    }

    /// The target.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The temporary name.
    pub(crate) fn temporary_path(&self) -> &Path {
        self.temporary.path()
    }

    /// Leaves the file under its temporary name, still locked by the returned handle.
    pub(crate) fn keep(self) -> Result<File> {
        let kept = self.temporary.keep();
        let (file, _) = kept.map_err(|error| Error::io(&self.path, "keep")(error.error))?;
        Ok(file)
    }
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
    pulse::during_wait(|| File::open(path).and_then(|file| file.sync_all()))
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
            remove_leftover(&path)?;
        }
    }
    Ok(())
}

/// Removes temporary files of `path` that were left by processes killed while they wrote, as far as that is possible.
pub fn remove_leftovers_of(path: &Path) {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if !name.is_empty() {
        drop(remove_leftovers(folder_of(path), &[&name]));
    }
}

/// Removes a temporary file, unless the process that writes it lives.
fn remove_leftover(path: &Path) -> Result<()> {
    let file = File::open(path);
    let lock = file.as_ref().map(File::try_lock);
    if matches!(lock, Ok(Err(TryLockError::WouldBlock))) {
        return Ok(());
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::io(path, "remove")(error))
        }
        // Another process may have removed it, or renamed it to its target.
        _ => Ok(()),
    }
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
    // A file without a name, of which a killed process leaves nothing.
    let file = tempfile::tempfile_in(folder);
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
    fn what_a_living_process_writes_is_no_leftover() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut draft = Draft::new(&folder.path().join("set")).expect("a draft");
        fs::write(folder.path().join(".set-dead.part"), b"").expect("writing");
        fs::write(folder.path().join(".other-dead.part"), b"").expect("writing");
        remove_leftovers(folder.path(), &["set"]).expect("removing");
        assert!(!folder.path().join(".set-dead.part").exists());
        assert!(folder.path().join(".other-dead.part").exists());
        draft.write(b"whole").expect("writing");
        let finished = draft.finish().expect("syncing");
        remove_leftovers(folder.path(), &["set"]).expect("removing");
        finished.put().expect("the file is still there");
        assert_eq!(
            fs::read(folder.path().join("set")).expect("the file"),
            b"whole"
        );
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
