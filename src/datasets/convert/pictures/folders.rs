//! Which files are pictures, and which folders are classes.
//!
//! A file that is not a picture is refused rather than ignored, except hidden files and those that operating systems create.
//! Folders below a class are refused, too.

use std::fs;
use std::path::{Path, PathBuf};

use crate::data::PictureFormat;
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};

/// Files that operating systems create in folders, in lower case.
const IGNORED: [&str; 3] = ["thumbs.db", "desktop.ini", "__macosx"];

/// The folders of the sets below one folder.
pub(super) struct Halves {
    pub train: PathBuf,
    pub validation: Option<PathBuf>,
    pub test: Option<PathBuf>,
}

/// Returns the folders of the sets, if `root` has a sub-folder for training and at least one for another set.
///
/// # Errors
/// Returns [`Error::Data`] if there are two for one set, or other sub-folders next to them.
pub(super) fn halves(root: &Path) -> Result<Option<Halves>> {
    let mut folders = sub_folders(root)?;
    let mut take = |names: &[&str]| -> Result<Option<PathBuf>> {
        let is_named = |folder: &PathBuf| names.contains(&&*name_of(folder).to_lowercase());
        let (named, others) = folders.drain(..).partition::<Vec<_>, _>(is_named);
        folders = others;
        match &named[..] {
            [_, second, ..] => {
                let found = format!("a folder for the same set as {}", named[0].display());
                let refusal = Refusal::new(second.display(), found, "one folder for each set");
                Err(Error::Data(refusal))
            }
            _ => Ok(named.into_iter().next()),
        }
    };
    let train = take(&["train", "training"])?;
    let validation = take(&["val", "valid", "validation"])?;
    let test = take(&["test", "testing"])?;
    let Some(train) = train.filter(|_| validation.is_some() || test.is_some()) else {
        return Ok(None);
    };
    let other = folders.into_iter().next();
    // These may be names of classes, too, if pictures are in them.
    match other
        .map(|other| Ok((sub_folders(&train)?.is_empty(), other)))
        .transpose()?
    {
        Some((true, _)) => return Ok(None),
        Some((false, other)) => {
            let found = format!("a folder next to {}", train.display());
            let expected = "only folders for training, validation and test";
            return Err(Error::Data(Refusal::new(other.display(), found, expected)));
        }
        None => {}
    }
    Ok(Some(Halves {
        train,
        validation,
        test,
    }))
}

/// Returns the sub-folders of `root`, one for each class: numbers by value, then names as text.
pub(super) fn class_folders(root: &Path) -> Result<Vec<PathBuf>> {
    let mut folders = sub_folders(root)?;
    let stray = visible(root)?.into_iter().find(|path| is_picture(path));
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
pub(super) fn picture_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let files = visible(folder)?;
    match files.iter().find(|path| !is_picture(path) || path.is_dir()) {
        None => Ok(files),
        Some(other) => {
            let found = match other.is_dir() {
                true => "a folder",
                false => "another file",
            };
            let refusal = Refusal::new(other.display(), found, "only pictures");
            let hint = "PNG, JPEG, BMP and WebP are read; save other pictures as PNG, and remove everything else";
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

/// Returns the format that the name of a file promises.
pub(super) fn format_of_name(path: &Path) -> Option<PictureFormat> {
    let extension = path.extension()?.to_str()?.to_lowercase();
    Some(match &*extension {
        "png" => PictureFormat::Png,
        "jpg" | "jpeg" | "jpe" | "jfif" => PictureFormat::Jpeg,
        "bmp" | "dib" => PictureFormat::Bmp,
        "webp" => PictureFormat::WebP,
        _ => return None,
    })
}

/// Returns whether the name of a file is one of a picture.
pub(crate) fn is_picture(path: &Path) -> bool {
    format_of_name(path).is_some()
}

pub(super) fn name_of(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
