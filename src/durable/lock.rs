//! One process at a time writes to a folder.
//!
//! The folder itself is locked, so that no lock file is left in it; the system releases the lock when the process ends,
//! however it ends. File systems without locks, and systems where a folder cannot be opened, do without.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use crate::error::{Error, Refusal, Result};

/// The lock of a folder. Dropping it releases the folder, and removes it if it was created for the lock and is empty.
#[derive(Debug)]
pub struct FolderLock {
    folder: PathBuf,
    /// Folders that were created, the innermost first.
    created: Vec<PathBuf>,
    /// Held until it is dropped; `None` if the system has no locks for folders.
    _file: Option<File>,
}

impl FolderLock {
    /// Locks `folder`, which is created if it does not exist.
    ///
    /// # Errors
    /// Returns [`Error::Data`] if another process writes to it, and [`Error::Io`] if it cannot be created.
    pub fn take(folder: &Path) -> Result<FolderLock> {
        let mut created = Vec::new();
        loop {
            create(folder, &mut created)?;
            let lock = FolderLock {
                folder: folder.to_owned(),
                created: created.clone(),
                _file: try_lock(folder)?,
            };
            // Whoever had created the folder may have removed it before this process had the lock.
            let locked = lock._file.as_ref().map(File::metadata);
            let locked = locked.and_then(|about| Some(identity(&about.ok()?)));
            let named = fs::metadata(folder).ok().map(|about| identity(&about));
            if lock._file.is_none() || locked == named {
                return Ok(lock);
            }
        }
    }

    /// Locks `folder` as [`FolderLock::take`] does, or returns `None` if another process writes to it or it does not exist.
    pub(crate) fn try_take(folder: &Path) -> Option<FolderLock> {
        if !folder.is_dir() {
            return None;
        }
        FolderLock::take(folder).ok()
    }

    /// Keeps the folder even if it stays empty.
    pub fn keep_folder(&mut self) {
        self.created.clear();
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        for folder in &self.created {
            // A folder with files stays.
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
    }
}

/// Creates `folder` and its missing ancestors, and adds what it created to `created`, the innermost first.
fn create(folder: &Path, created: &mut Vec<PathBuf>) -> Result<()> {
    let missing = folder
        .ancestors()
        .filter(|path| !path.as_os_str().is_empty());
    let missing: Vec<&Path> = missing.take_while(|path| !path.exists()).collect();
    for path in missing.iter().rev() {
        match fs::create_dir(path) {
            Ok(()) if created.iter().any(|known| known == path) => {}
            Ok(()) => created.insert(0, path.to_path_buf()),
            Err(_) if path.is_dir() => {}
            Err(error) => return Err(Error::io(path, "create the folder")(error)),
        }
    }
    match folder.is_dir() {
        true => Ok(()),
        false => super::create_folder(folder),
    }
}

fn try_lock(folder: &Path) -> Result<Option<File>> {
    let Ok(file) = File::open(folder) else {
        return Ok(None);
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(Error::Data(
            Refusal::new(
                folder.display(),
                "another process writes to this folder",
                "one at a time",
            )
            .hint("wait until it ends, or name another folder"),
        )),
        Err(TryLockError::Error(_)) => Ok(None),
    }
}

#[cfg(unix)]
fn identity(metadata: &fs::Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
fn identity(_: &fs::Metadata) -> (u64, u64) {
    (0, 0)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_locked_once_and_removed_if_it_stays_empty() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let folder = root.path().join("a/b");
        let lock = FolderLock::take(&folder).expect("a lock");
        let refused = FolderLock::take(&folder)
            .expect_err("a refusal")
            .to_string();
        assert!(
            refused.ends_with("another process writes to this folder, expected one at a time"),
            "{refused}"
        );
        drop(lock);
        assert!(!root.path().join("a").exists());
        let lock = FolderLock::take(&folder).expect("a lock");
        fs::write(folder.join("file"), b"").expect("writing");
        drop(lock);
        assert!(folder.join("file").exists());
        drop(FolderLock::take(&folder).expect("a lock"));
    }
}
