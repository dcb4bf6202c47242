//! Replaces the files of a data set all at once: whoever reads the folder finds the old set or the new one, whole.
//!
//! All new files are first complete under temporary names. Then a list of them and of the old files is put into the folder,
//! the old files are moved to a hidden folder, and the new ones get their names. With the removal of the list the new set is
//! decided on. Whoever finds the list, which only a killed process leaves, puts the old files back. The folder is locked
//! meanwhile.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::names::{STEMS, is_file_name};
use crate::durable::{self, Finished, FolderLock};
use crate::error::{Error, Refusal, Result};

/// The name of the list in the folder of a data set.
const LIST: &str = ".replacement.json";

/// The name of the hidden folder for the old files.
const REPLACED: &str = ".replaced";

/// The largest list that is read, in bytes.
const MAX_LENGTH: u64 = 1 << 16;

/// How long a process that is renaming files is waited for: it takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// The files of a replacement that is not decided on.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    /// The names of the old files.
    old: Vec<String>,
    /// The temporary names of the new files, and the names that they get.
    new: Vec<(String, String)>,
}

/// Locks `folder` for a new data set, undoes what a killed process has not completed, and removes what it left. The folder is
/// created if it does not exist.
///
/// # Errors
/// Returns the errors of [`FolderLock::take`], and [`Error::Io`] if files cannot be renamed or removed.
pub fn begin(folder: &Path) -> Result<FolderLock> {
    let lock = FolderLock::take(folder)?;
    if let Some(list) = List::read(folder)? {
        list.undo(folder)?;
    }
    // Temporary files are named after files of a data set.
    durable::remove_leftovers(folder, &[&STEMS[..], &[LIST]].concat())?;
    remove_replaced(folder);
    Ok(lock)
}

/// Puts `new` files into place, the first one last, and removes the `old` ones and those of the same names, all of them or
/// none. Their folder is that of the lock.
///
/// # Errors
/// Returns [`Error::Io`] if the folder cannot be written. The old files are in place then; if even that fails, the next
/// command that reads the folder puts them there.
pub fn replace(lock: &mut FolderLock, new: Vec<Finished>, old: &[PathBuf]) -> Result<Vec<PathBuf>> {
    lock.keep_folder();
    let folder = lock.folder();
    let paths: Vec<PathBuf> = new.iter().map(|file| file.path().to_owned()).collect();
    let names = |file: &Finished| (name_of(file.temporary_path()), name_of(file.path()));
    let overwritten = paths.iter().filter(|path| path.exists());
    let old: BTreeSet<String> = old
        .iter()
        .chain(overwritten)
        .map(|path| name_of(path))
        .collect();
    let list = List {
        old: old.into_iter().collect(),
        new: new.iter().rev().map(names).collect(),
    };
    let text = serde_json::to_vec(&list).expect("plain data is always JSON");
    durable::write_atomically(&folder.join(LIST), |out| out.write_all(&text))?;
    // From here on a killed process leaves the new files, still locked until then.
    let kept: Result<Vec<_>> = new.into_iter().map(Finished::keep).collect();
    let put = kept.and_then(|kept| list.put(folder).map(|()| kept));
    if let Err(error) = put {
        // The first error is the one to report.
        drop(list.undo(folder));
        return Err(error);
    }
    remove_replaced(folder);
    Ok(paths)
}

/// Puts the data set in `folder` back if a process was killed while it replaced it, and waits for one that is renaming files
/// now.
///
/// # Errors
/// Returns [`Error::Io`] if the folder cannot be written, and [`Error::Data`] if its list is damaged or the other process
/// does not end.
pub fn recover(folder: &Path) -> Result<()> {
    let start = Instant::now();
    while folder.join(LIST).symlink_metadata().is_ok() {
        match FolderLock::try_take(folder) {
            Some(_lock) => {
                if let Some(list) = List::read(folder)? {
                    list.undo(folder)?;
                }
            }
            None if start.elapsed() > PATIENCE => {
                let found = "a data set that another process is replacing";
                let refusal = Refusal::new(folder.display(), found, "one that stays");
                return Err(Error::Data(refusal.hint("try again")));
            }
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    }
    Ok(())
}

impl List {
    /// Reads the list in `folder`, if there is one.
    fn read(folder: &Path) -> Result<Option<List>> {
        let path = folder.join(LIST);
        let file = match fs::File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io(&path, "open")(error)),
        };
        let mut text = Vec::new();
        let read = file.take(MAX_LENGTH).read_to_end(&mut text);
        read.map_err(Error::io(&path, "read"))?;
        let list = serde_json::from_slice(&text).ok().filter(List::is_valid);
        list.map(Some).ok_or_else(|| {
            let found = "a damaged list of files";
            let refusal = Refusal::new(path.display(), found, "files of a data set");
            Error::Data(refusal.hint("remove it, and convert or fetch the data set again"))
        })
    }

    /// Whether it has only files of a data set and their temporary files: a list may have come with a data set.
    fn is_valid(&self) -> bool {
        let is_temporary = |name: &str, target: &str| {
            let rest = name
                .strip_prefix('.')
                .and_then(|name| name.strip_prefix(target));
            let random = rest.and_then(|rest| rest.strip_suffix(durable::TEMPORARY));
            random.is_some_and(|random| random.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        };
        let mut new = self.new.iter();
        self.old.iter().all(|name| is_file_name(name))
            && new.all(|(temporary, name)| is_file_name(name) && is_temporary(temporary, name))
    }

    /// Gives the new files their names, and decides on the new set.
    fn put(&self, folder: &Path) -> Result<()> {
        let replaced = folder.join(REPLACED);
        if !self.old.is_empty() {
            durable::create_folder(&replaced)?;
        }
        for name in &self.old {
            rename(&folder.join(name), &replaced.join(name))?;
        }
        for (temporary, name) in &self.new {
            rename(&folder.join(temporary), &folder.join(name))?;
        }
        durable::sync(folder)?;
        let list = folder.join(LIST);
        fs::remove_file(&list).map_err(Error::io(&list, "remove"))?;
        durable::sync(folder)
    }

    /// Puts the old files back. It may be interrupted at any point, and done again.
    fn undo(&self, folder: &Path) -> Result<()> {
        for (temporary, name) in &self.new {
            let (temporary, path) = (folder.join(temporary), folder.join(name));
            let is_old = self.old.contains(name) && !folder.join(REPLACED).join(name).exists();
            if !temporary.exists() && path.exists() && !is_old {
                rename(&path, &temporary)?;
            }
        }
        let replaced = folder.join(REPLACED);
        for name in &self.old {
            let path = replaced.join(name);
            if path.symlink_metadata().is_ok() {
                rename(&path, &folder.join(name))?;
            }
        }
        durable::sync(folder)?;
        let list = folder.join(LIST);
        if list.exists() {
            fs::remove_file(&list).map_err(Error::io(&list, "remove"))?;
        }
        for (temporary, _) in &self.new {
            // If one stays, it is a leftover like others.
            drop(fs::remove_file(folder.join(temporary)));
        }
        remove_replaced(folder);
        durable::sync(folder)
    }
}

/// Removes the hidden folder of a replacement that was decided on. If it stays, the next one removes it.
fn remove_replaced(folder: &Path) {
    drop(fs::remove_dir_all(folder.join(REPLACED)));
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).map_err(Error::io(to, "put into place"))
}

/// Returns the name of a file of a data set, which is text.
fn name_of(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::durable::Draft;

    fn put(folder: &Path, name: &str, text: &str) {
        fs::write(folder.join(name), text).expect("writing");
    }

    fn contents(folder: &Path) -> Vec<(String, String)> {
        let entries = fs::read_dir(folder).expect("a folder");
        let mut files: Vec<_> = entries
            .map(|entry| {
                let path = entry.expect("an entry").path();
                (name_of(&path), fs::read_to_string(&path).expect("text"))
            })
            .collect();
        files.sort();
        files
    }

    fn files(list: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = list
            .iter()
            .map(|(name, text)| (name.to_string(), text.to_string()));
        owned.collect()
    }

    fn draft(folder: &Path, name: &str, text: &str) -> Finished {
        let mut draft = Draft::new(&folder.join(name)).expect("a draft");
        draft.write(text.as_bytes()).expect("writing");
        draft.finish().expect("syncing")
    }

    const IMAGES: &str = "train-images-idx3-ubyte";
    const LABELS: &str = "train-labels-idx1-ubyte";

    const OLD: [&str; 3] = [IMAGES, LABELS, "t10k-labels-idx1-int"];

    /// Returns a folder with an old set, which is also the expected result of undoing.
    fn old_set() -> (tempfile::TempDir, Vec<(String, String)>) {
        let root = tempfile::tempdir().expect("a temporary folder");
        for name in OLD {
            put(root.path(), name, &format!("old {name}"));
        }
        put(root.path(), "notes", "kept");
        let files = contents(root.path());
        (root, files)
    }

    #[test]
    fn new_files_take_the_place_of_old_ones() {
        let (root, _) = old_set();
        let folder = root.path();
        put(folder, ".train-images-idx3-ubyteDEAD.part", "");
        let mut lock = begin(folder).expect("a lock");
        let new = [IMAGES, LABELS].map(|name| draft(folder, name, "new"));
        let old = OLD.map(|name| folder.join(name));
        let paths = replace(&mut lock, new.into(), &old).expect("a new set");
        assert_eq!(paths, [IMAGES, LABELS].map(|name| folder.join(name)));
        let expected = files(&[("notes", "kept"), (IMAGES, "new"), (LABELS, "new")]);
        assert_eq!(contents(folder), expected);
    }

    #[test]
    fn what_a_killed_process_did_not_complete_is_undone_wherever_it_was() {
        let new = [LABELS, IMAGES];
        // Everything that `put` and then `undo` rename, one after another.
        let replaced = |name: &str| format!("{REPLACED}/{name}");
        let temporary = |name: &str| format!(".{name}x1.part");
        let moves: Vec<(String, String)> = OLD
            .map(|name| (name.to_owned(), replaced(name)))
            .into_iter()
            .chain(new.map(|name| (temporary(name), name.to_owned())))
            .chain(new.map(|name| (name.to_owned(), temporary(name))))
            .chain(OLD.map(|name| (replaced(name), name.to_owned())))
            .collect();
        for done in 0..=moves.len() {
            for recovers in [
                |folder: &Path| recover(folder),
                |folder: &Path| begin(folder).map(drop),
            ] {
                let (root, old) = old_set();
                let folder = root.path();
                for name in new {
                    put(folder, &temporary(name), "new");
                }
                let list = List {
                    old: OLD.map(str::to_owned).into(),
                    new: new.map(|name| (temporary(name), name.to_owned())).into(),
                };
                put(folder, LIST, &serde_json::to_string(&list).expect("JSON"));
                fs::create_dir(folder.join(REPLACED)).expect("a folder");
                for (from, to) in &moves[..done] {
                    fs::rename(folder.join(from), folder.join(to)).expect("renaming");
                }
                recovers(folder).expect("the old set");
                assert_eq!(contents(folder), old, "after {done} moves");
            }
        }
    }

    #[test]
    fn a_list_may_not_touch_other_files() {
        let root = tempfile::tempdir().expect("a temporary folder");
        for text in [
            r#"{"old":["../x"],"new":[]}"#,
            r#"{"old":["notes"],"new":[]}"#,
            r#"{"old":[],"new":[["notes","train-images-idx3-ubyte"]]}"#,
            r#"{"old":[],"new":[[".train-images-idx3-ubyte/../x.part","train-images-idx3-ubyte"]]}"#,
            r#"{"old":[],"new":[[".xa.part","x"]]}"#,
            "not JSON",
            "",
        ] {
            put(root.path(), LIST, text);
            put(root.path(), "notes", "kept");
            let refused = recover(root.path()).expect_err("a refusal").to_string();
            assert!(
                refused.contains("a damaged list of files"),
                "{text}: {refused}"
            );
            assert!(root.path().join("notes").exists());
        }
    }
}
