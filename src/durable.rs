//! Files that are written whole or not at all.
//!
//! The bytes go to a temporary file in the folder of the target, are synced to the disk, and only
//! then take the target's name; the folder is synced last, so that the name survives a power cut.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::error::{Error, Result};

/// Writes `path` through `fill`. A reader of `path` sees the old file or the new one, nothing between.
///
/// # Errors
/// [`Error::Io`] when the folder cannot be written, the disk is full, or `fill` fails; the target is
/// then as it was before.
pub fn write_whole(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut prefix = std::ffi::OsString::from(".");
    prefix.push(path.file_name().unwrap_or_default());
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(".part");
    // Temporary files are private by default; results are as readable as the user's umask says.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let temporary = builder
        .tempfile_in(folder)
        .map_err(Error::io(folder, "create a file in this folder"))?;
    let mut writer = BufWriter::with_capacity(1 << 20, temporary.as_file());
    fill(&mut writer)
        .and_then(|()| writer.flush())
        .map_err(Error::io(path, "write"))?;
    drop(writer);
    let file = temporary.as_file();
    file.sync_all()
        .map_err(Error::io(path, "sync to the disk"))?;
    temporary
        .persist(path)
        .map_err(|error| Error::io(path, "put into place")(error.error))?;
    sync_folder(folder).map_err(Error::io(folder, "sync the folder"))
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

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Elsewhere a folder cannot be opened as a file; the rename is as durable as the system makes it.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

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
