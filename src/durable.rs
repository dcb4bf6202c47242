//! Files that are written whole or not at all.
//!
//! The bytes go to a temporary file in the folder of the target, are synced to the disk, and only
//! then take the target's name; the folder is synced last, so that the name survives a power cut.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// What temporary files end in.
const TEMPORARY: &str = ".part";

/// Writes `path` through `fill`. A reader of `path` sees the old file or the new one, nothing between, and what was
/// written survives a power cut.
///
/// # Errors
/// [`Error::Io`] when the folder cannot be written, the disk is full, or `fill` fails; the target is
/// then as it was before.
pub fn write_whole(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    put_in_place(path, fill, true)?;
    sync(folder_of(path))
}

/// [`write_whole`] for what may be lost in a power cut, though in no other way: it does not wait for the disk.
///
/// # Errors
/// As [`write_whole`].
pub fn write_soon(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    put_in_place(path, fill, false)
}

/// [`write_whole`] for what others may be writing too, with the same content: whoever is first stays, and nobody who
/// has the file open sees another one take its name.
///
/// # Errors
/// As [`write_whole`].
pub fn write_new(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    match fill_temporary(path, fill, true)?.persist_noclobber(path) {
        Ok(()) => sync(folder_of(path)),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists && path.is_file() => {
            Ok(())
        }
        Err(error) => Err(Error::io(path, "put into place")(error.error)),
    }
}

fn folder_of(path: &Path) -> &Path {
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

/// A temporary file in the folder of `path`, filled and closed.
fn fill_temporary(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    synced: bool,
) -> Result<tempfile::TempPath> {
    let mut draft = Draft::new(path)?;
    fill(&mut draft.writer).map_err(Error::io(path, "write"))?;
    draft.close(synced)
}

/// A file that is being written under a temporary name beside its own. Dropped, it is gone.
#[derive(Debug)]
pub struct Draft {
    path: PathBuf,
    writer: BufWriter<tempfile::NamedTempFile>,
}

impl Draft {
    /// Begins what will be `path`.
    ///
    /// # Errors
    /// [`Error::Io`] when the folder cannot be written.
    pub fn new(path: &Path) -> Result<Draft> {
        let folder = folder_of(path);
        let mut prefix = std::ffi::OsString::from(".");
        prefix.push(path.file_name().unwrap_or_default());
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix).suffix(TEMPORARY);
        // Temporary files are private by default; results are as readable as the user's umask says.
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
    /// [`Error::Io`] when the disk does not take them.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.writer.write_all(bytes);
        written.map_err(Error::io(&self.path, "write"))
    }

    /// Waits until all of it is on the disk, under its temporary name.
    ///
    /// # Errors
    /// [`Error::Io`] when the disk does not take it.
    pub fn finish(self) -> Result<Finished> {
        let path = self.path.clone();
        let temporary = self.close(true)?;
        Ok(Finished { path, temporary })
    }

    fn close(self, synced: bool) -> Result<tempfile::TempPath> {
        let path = self.path;
        let temporary = self.writer.into_inner();
        let temporary = temporary.map_err(|error| Error::io(&path, "write")(error.into_error()))?;
        if synced {
            let synced = temporary.as_file().sync_all();
            synced.map_err(Error::io(&path, "sync to the disk"))?;
        }
        // Closed first: elsewhere than on Unix an open file cannot be renamed.
        Ok(temporary.into_temp_path())
    }
}

/// A file that is whole and has yet to get its name.
#[derive(Debug)]
pub struct Finished {
    path: PathBuf,
    temporary: tempfile::TempPath,
}

impl Finished {
    /// Gives the file its name, in the place of one that has it. That survives a power cut once the folder is synced.
    ///
    /// # Errors
    /// [`Error::Io`] when the system does not rename it.
    pub fn put(self) -> Result<PathBuf> {
        put(self.temporary, &self.path)?;
        Ok(self.path)
    }
}

fn put(temporary: tempfile::TempPath, path: &Path) -> Result<()> {
    fs::rename(&temporary, path).map_err(Error::io(path, "put into place"))?;
    // Nothing stands under the temporary name any more, and nothing that comes there is ours to remove.
    drop(temporary.keep());
    Ok(())
}

/// Waits until the file or folder `path` is on the disk as it is.
///
/// # Errors
/// [`Error::Io`] when the system cannot do that.
pub fn sync(path: &Path) -> Result<()> {
    // Elsewhere a folder cannot be opened as a file; the rename is as durable as the system makes it.
    if cfg!(not(unix)) && path.is_dir() {
        return Ok(());
    }
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(Error::io(path, "sync to the disk"))
}

/// Removes from `folder` what processes left that were killed while they wrote files whose names start with one of
/// `starts`.
///
/// # Errors
/// [`Error::Io`] when the folder cannot be read or a file not removed.
pub fn sweep(folder: &Path, starts: &[&str]) -> Result<()> {
    let entries = fs::read_dir(folder).map_err(Error::io(folder, "read the folder"))?;
    for entry in entries {
        let path = entry.map_err(Error::io(folder, "read the folder"))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let target = name
            .strip_prefix('.')
            .and_then(|name| name.strip_suffix(TEMPORARY));
        if target.is_some_and(|target| starts.iter().any(|start| target.starts_with(start))) {
            fs::remove_file(&path).map_err(Error::io(&path, "remove"))?;
        }
    }
    Ok(())
}

/// Creates `folder` and what is missing above it.
///
/// # Errors
/// [`Error::Io`] when a part of the path cannot be created or is not a folder.
pub fn create_folder(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(Error::io(folder, "create the folder"))
}

/// Tries whether files can be made in `folder`, and leaves none behind.
///
/// # Errors
/// [`Error::Io`] when they cannot.
pub fn check_writable(folder: &Path) -> Result<()> {
    let trial = tempfile::NamedTempFile::new_in(folder);
    trial
        .map(drop)
        .map_err(Error::io(folder, "create a file in this folder"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_writes_a_new_file_first_stays() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("set");
        for content in [&b"first"[..], b"second"] {
            write_new(&path, |out| out.write_all(content)).expect("writing");
        }
        assert_eq!(fs::read(&path).expect("the file"), b"first");
        assert_eq!(fs::read_dir(folder.path()).expect("folder").count(), 1);
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_no_other() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("model");
        write_whole(&path, |out| out.write_all(b"old")).expect("first write");
        let failed = write_whole(&path, |out| {
            out.write_all(b"half")?;
            Err(io::Error::other("the disk is full"))
        });
        assert!(failed.is_err());
        assert_eq!(fs::read(&path).expect("old file"), b"old");
        assert_eq!(fs::read_dir(folder.path()).expect("folder").count(), 1);
    }
}
