//! Which files are pictures, and which folders classes. A file that is no PNG is refused, not passed over, but for hidden
//! ones and what systems leave behind. Nothing is looked for deeper than a class.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};

/// Files that systems leave in folders of pictures.
const LITTER: [&str; 3] = ["thumbs.db", "desktop.ini", "__macosx"];
/// The folders of the two halves, where there are those and no others.
pub(super) fn halves(root: &Path) -> Result<Option<(PathBuf, PathBuf)>> {
    let folders = sub_folders(root)?;
    let find = |names: [&str; 2]| {
        let named = |folder: &&PathBuf| names.contains(&name_of(folder).to_lowercase().as_str());
        folders.iter().find(named).cloned()
    };
    let (train, test) = (find(["train", "training"]), find(["test", "testing"]));
    Ok(train.zip(test).filter(|_| folders.len() == 2))
}

/// The sub-folders of `root`, one a class: numbers by value, then names as text.
pub(super) fn class_folders(root: &Path) -> Result<Vec<PathBuf>> {
    let mut folders = sub_folders(root)?;
    let stray = visible(root)?.into_iter().find(|path| is_png(path));
    if let (Some(stray), false) = (&stray, folders.is_empty()) {
        let refusal = Refusal::new(
            stray.display(),
            "a picture beside the classes",
            "one in a sub-folder",
        );
        return Err(Error::Data(refusal));
    }
    if folders.is_empty() {
        let refusal = Refusal::new(root.display(), "no sub-folder", "one for each class");
        let hint = message![
            Key("labels").set_to("none"),
            " takes the pictures of the folder without labels"
        ];
        return Err(Error::Data(if stray.is_some() {
            refusal.hint(hint)
        } else {
            refusal
        }));
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

/// The pictures in a folder, by their names.
pub(super) fn png_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let files = visible(folder)?;
    match files.iter().find(|path| !is_png(path) || path.is_dir()) {
        None => Ok(files),
        Some(other) => {
            let found = if other.is_dir() {
                "a folder"
            } else {
                "another file"
            };
            let refusal = Refusal::new(other.display(), found, "PNG files alone");
            let hint =
                "turn pictures of other formats into PNG first, and take everything else away";
            Err(Error::Data(refusal.hint(hint)))
        }
    }
}

/// What is in a folder, in the order of names, without what is hidden and what systems leave there.
fn visible(folder: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = || Error::io(folder, "read the folder");
    let entries = fs::read_dir(folder).map_err(unreadable())?;
    let mut paths = Vec::new();
    for entry in entries {
        let entry = entry.map_err(unreadable())?;
        let name = entry.file_name().to_string_lossy().to_lowercase();
        if !name.starts_with('.') && !LITTER.contains(&name.as_str()) {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

fn is_png(path: &Path) -> bool {
    path.extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("png"))
}

pub(super) fn name_of(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
