//! Which files are pictures, and which folders are classes.
//!
//! A file that is no PNG is refused rather than ignored, except hidden files and those that operating systems create.
//! Folders below a class are refused, too.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};

/// Files that operating systems create in folders, in lower case.
const IGNORED: [&str; 3] = ["thumbs.db", "desktop.ini", "__macosx"];

/// Returns the folders of the training and the test set, if `root` has these two sub-folders and no other.
pub(super) fn halves(root: &Path) -> Result<Option<(PathBuf, PathBuf)>> {
    let folders = sub_folders(root)?;
    let find = |names: [&str; 2]| {
        let is_named = |folder: &&PathBuf| names.contains(&&*name_of(folder).to_lowercase());
        folders.iter().find(is_named).cloned()
    };
    let (train, test) = (find(["train", "training"]), find(["test", "testing"]));
    Ok(train.zip(test).filter(|_| folders.len() == 2))
}

/// Returns the sub-folders of `root`, one for each class: numbers by value, then names as text.
pub(super) fn class_folders(root: &Path) -> Result<Vec<PathBuf>> {
    let mut folders = sub_folders(root)?;
    let stray = visible(root)?.into_iter().find(|path| is_png(path));
    if let (Some(stray), false) = (&stray, folders.is_empty()) {
        let found = "a picture next to the folders of classes";
        let refusal = Refusal::new(stray.display(), found, "one in a sub-folder");
        return Err(Error::Data(refusal));
    }
    if folders.is_empty() {
        let refusal = Refusal::new(root.display(), "no sub-folder", "one for each class");
        let hint = message![
            Key("labels").set_to("none"),
            " converts the pictures in the folder without labels"
        ];
        return Err(Error::Data(match stray {
            Some(_) => refusal.hint(hint),
            None => refusal,
        }));
    }
    let is_text = |folder: &PathBuf| {
        folder
            .file_name()
            .is_some_and(|name| name.to_str().is_some())
    };
    if let Some(other) = folders.iter().find(|folder| !is_text(folder)) {
        let found = "a name that is not UTF-8";
        let refusal = Refusal::new(format!("{other:?}"), found, "text, as it names a class");
        return Err(Error::Data(refusal.hint("rename the folder")));
    }
    folders.sort_by_cached_key(|folder| {
        let name = name_of(folder);
        (name.parse::<u64>().unwrap_or(u64::MAX), name)
    });
    Ok(folders)
}

fn sub_folders(root: &Path) -> Result<Vec<PathBuf>> {
    let mut folders = visible(root)?;
    folders.retain(|path| path.is_dir());
    Ok(folders)
}

/// Returns the pictures in a folder, sorted by name.
pub(super) fn png_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let files = visible(folder)?;
    match files.iter().find(|path| !is_png(path) || path.is_dir()) {
        None => Ok(files),
        Some(other) => {
            let found = match other.is_dir() {
                true => "a folder",
                false => "another file",
            };
            let refusal = Refusal::new(other.display(), found, "only PNG files");
            let hint = "convert pictures of other formats to PNG, and remove everything else";
            Err(Error::Data(refusal.hint(hint)))
        }
    }
}

/// Returns the contents of a folder, sorted by name, without hidden files and those that operating systems create.
fn visible(folder: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = || Error::io(folder, "read the folder");
    let entries = fs::read_dir(folder).map_err(unreadable())?;
    let mut paths = Vec::new();
    for entry in entries {
        let entry = entry.map_err(unreadable())?;
        let name = entry.file_name().to_string_lossy().to_lowercase();
        if !name.starts_with('.') && !IGNORED.contains(&name.as_str()) {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

fn is_png(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("png"))
}

pub(super) fn name_of(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
