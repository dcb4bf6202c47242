//! Several files of one data set, in a folder or named one by one: which has what follows from their names.
//!
//! A name has words for the set (`train`, `val`, `test`, …) and, unless the file has both, for samples or labels (`images`,
//! `x`, …, `labels`, `y`, …), as in `kmnist-train-imgs.npz`, `X_test.npy`, `t10k-labels-idx1-ubyte.gz` and `train.csv`.

use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};

use super::request::{Labels, Request};
use super::source::Half;
use crate::data::same_contents::have_same_contents;
use crate::data::{ClassNames, FileKind, Note, kind_of_file};
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};

const TRAIN: &[&str] = &["train", "training"];
const VALIDATION: &[&str] = &["validation", "val", "valid"];
const TEST: &[&str] = &["test", "testing", "t10k"];
const IMAGES: &[&str] = &[
    "images", "imgs", "image", "img", "x", "data", "features", "inputs",
];
const LABELS: &[&str] = &["labels", "label", "y", "targets", "target"];

/// The extensions of tables.
const TABLES: [&str; 4] = [".csv", ".tsv", ".txt", ".data"];

/// What a file of a data set has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Images,
    Labels,
    /// Samples with their labels, as far as the name tells.
    Both,
}

/// A file, the kind of its content, and what its name says about it.
struct Named {
    path: PathBuf,
    kind: FileKind,
    half: Option<Half>,
    part: Part,
}

/// Returns `request` with a file for each set, if it names a folder of data files or several files, and what was guessed or
/// left out.
pub(super) fn resolve(request: &Request) -> Result<(Cow<'_, Request>, Vec<Note>)> {
    let unchanged = || Ok((Cow::Borrowed(request), Vec::new()));
    let is_folder = request.source.is_dir();
    let paths = match (is_folder, &request.others[..]) {
        (false, []) => return unchanged(),
        (true, []) => match data_files(&request.source)? {
            None => return unchanged(),
            Some(paths) => paths,
        },
        (true, [other, ..]) => {
            let found = format!("a folder, and {} next to it", other.display());
            let refusal = Refusal::new(request.source.display(), found, "one folder, or files");
            return Err(Error::Data(refusal));
        }
        (false, others) => std::iter::once(&request.source)
            .chain(others)
            .cloned()
            .collect(),
    };
    let files = paths
        .into_iter()
        .map(Named::of)
        .collect::<Result<Vec<_>>>()?;
    if files
        .iter()
        .all(|file| matches!(file.kind, FileKind::Picture(_)))
    {
        return unchanged();
    }
    let set = Set::of(files, is_folder)?;
    let mut found = set.request(request)?;
    let mut notes = set.notes(&found);
    let names = request.source.join("classes.txt");
    let wants_names = found.class_names.is_none() && found.labels != Labels::Absent;
    if is_folder && wants_names && names.is_file() {
        found.class_names = Some(ClassNames::read(&names)?);
        notes.push(Note::new(names.display(), "names the classes"));
    }
    Ok((Cow::Owned(found), notes))
}

/// Returns whether a conversion can read `folder`: whether it has files of a data set, or folders with pictures.
pub fn is_source(folder: &Path) -> bool {
    /// How deep pictures are: the folders of sets, and those of classes.
    const LEVELS: usize = 2;
    let has_pictures = || {
        let mut folders = vec![folder.to_owned()];
        for _ in 0..=LEVELS {
            let entries = folders
                .iter()
                .filter_map(|folder| fs::read_dir(folder).ok());
            let paths: Vec<PathBuf> = entries
                .flatten()
                .flatten()
                .map(|entry| entry.path())
                .collect();
            if paths
                .iter()
                .any(|path| super::pictures::is_picture_name(path))
            {
                return true;
            }
            folders = paths.into_iter().filter(|path| path.is_dir()).collect();
        }
        false
    };
    data_files(folder).is_ok_and(|files| files.is_some()) || has_pictures()
}

/// Returns the files in a folder that has neither folders nor pictures; `None` if none of them is one of a data set.
fn data_files(folder: &Path) -> Result<Option<Vec<PathBuf>>> {
    let entries = fs::read_dir(folder).map_err(Error::io(folder, "read the folder"))?;
    let mut paths = Vec::new();
    for entry in entries {
        let entry = entry.map_err(Error::io(folder, "read the folder"))?;
        let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if !is_hidden {
            paths.push(entry.path());
        }
    }
    paths.sort();
    let is_other = |path: &PathBuf| path.is_dir() || super::pictures::is_picture_name(path);
    if paths.iter().any(is_other) {
        return Ok(None);
    }
    let is_data = |path: &PathBuf| Ok(Named::of(path.clone())?.is_data());
    let are_data = paths.iter().map(is_data).collect::<Result<Vec<bool>>>()?;
    Ok(are_data.contains(&true).then_some(paths))
}

impl Named {
    fn of(path: PathBuf) -> Result<Named> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = name.to_lowercase();
        let words: Vec<&str> = name.split(|c: char| !c.is_ascii_alphanumeric()).collect();
        let has = |known: &[&str]| words.iter().any(|word| known.contains(word));
        let half = [
            (Half::Train, TRAIN),
            (Half::Validation, VALIDATION),
            (Half::Test, TEST),
        ];
        let half = half.into_iter().find(|(_, known)| has(known));
        Ok(Named {
            half: half.map(|(half, _)| half),
            part: match (has(IMAGES), has(LABELS)) {
                (_, true) => Part::Labels,
                (true, false) => Part::Images,
                (false, false) => Part::Both,
            },
            kind: kind_of_file(&path)?,
            path,
        })
    }

    /// Returns whether the file can be one of a data set.
    fn is_data(&self) -> bool {
        let name = self.path.to_string_lossy().to_lowercase();
        let name = name.strip_suffix(".gz").unwrap_or(&name);
        match self.kind {
            FileKind::Idx | FileKind::Npy | FileKind::Zip => true,
            FileKind::Text => {
                let is_table = TABLES.iter().any(|ending| name.ends_with(ending));
                is_table
                    && !["classes.txt", "readme.txt"]
                        .iter()
                        .any(|it| name.ends_with(it))
            }
            _ => false,
        }
    }
}

/// The files of a data set by what they have.
struct Set {
    files: Vec<Named>,
    unused: Vec<PathBuf>,
}

impl Set {
    /// Takes the files that have the format of the training samples. In a folder, others may be left out.
    fn of(files: Vec<Named>, is_folder: bool) -> Result<Set> {
        let (mut files, others): (Vec<Named>, Vec<Named>) =
            files.into_iter().partition(|file| file.is_data());
        let mut unused: Vec<PathBuf> = others.into_iter().map(|file| file.path).collect();
        let is_train = |file: &&Named| {
            file.part != Part::Labels && matches!(file.half, Some(Half::Train) | None)
        };
        let train = files
            .iter()
            .find(|file| is_train(file) && file.half.is_some());
        let Some(train) = train.or_else(|| files.iter().find(is_train)) else {
            let place = files
                .first()
                .map_or_else(String::new, |file| file.path.display().to_string());
            let refusal = Refusal::new(place, "no training samples by the names", NAMES);
            return Err(Error::Data(refusal.hint(name_them())));
        };
        let kind = train.kind;
        let path = train.path.clone();
        let is_like = |file: &Named| {
            let are_arrays = |kind| matches!(kind, FileKind::Npy | FileKind::Zip);
            file.kind == kind || (are_arrays(kind) && are_arrays(file.kind))
        };
        let has_half = train.half.is_some();
        let mut kept: Vec<Named> = Vec::new();
        for mut file in files.drain(..) {
            if !is_like(&file) || (file.half.is_none() && has_half) {
                unused.push(file.path);
                continue;
            }
            file.half = file.half.or(Some(Half::Train));
            let twin = kept
                .iter()
                .find(|other| (other.half, other.part) == (file.half, file.part));
            match twin {
                None => kept.push(file),
                Some(twin) if have_same_contents(&twin.path, &file.path)? => {}
                Some(twin) => {
                    let found = format!("by its name the same as {}", twin.path.display());
                    let refusal = Refusal::new(file.path.display(), found, NAMES);
                    return Err(Error::Data(refusal.hint(name_them())));
                }
            }
        }
        if let (Some(other), false) = (unused.first(), is_folder) {
            let found = format!("not a file of the same data set as {}", path.display());
            let refusal = Refusal::new(other.display(), found, NAMES);
            return Err(Error::Data(refusal.hint(name_them())));
        }
        Ok(Set {
            files: kept,
            unused,
        })
    }

    fn find(&self, half: Half, part: Part) -> Option<&Path> {
        let mut files = self.files.iter();
        let found = files.find(|file| (file.half, file.part) == (Some(half), part));
        found.map(|file| &*file.path)
    }

    /// Returns the file of the samples of a set.
    fn samples(&self, half: Half) -> Option<&Path> {
        let images = self.find(half, Part::Images);
        images.or_else(|| self.find(half, Part::Both))
    }

    /// Returns notes about the files that `found` does not use.
    fn notes(&self, found: &Request) -> Vec<Note> {
        let is_record = |path: &&PathBuf| {
            let name = path.file_name().unwrap_or_default();
            name != "classes.txt" && name != "SHA256SUMS"
        };
        let used = found.sources();
        let files = self.files.iter().map(|file| &file.path);
        let files = files.filter(|path| !used.contains(&path.as_path()));
        let unused = self.unused.iter().chain(files).filter(is_record);
        unused
            .map(|path| Note::new(path.display(), "not used"))
            .collect()
    }

    /// Returns `request` with these files.
    fn request(&self, request: &Request) -> Result<Request> {
        let mut found = Request {
            others: Vec::new(),
            ..request.clone()
        };
        let train = self.samples(Half::Train);
        let train = train.expect("training samples, which were found before");
        found.source = train.to_owned();
        let text = |path: &Path| {
            path.to_str().map(str::to_owned).ok_or_else(|| {
                let place = format!("{path:?}");
                Error::Data(Refusal::new(place, "a name that is not UTF-8", "text"))
            })
        };
        let labels = |half| self.find(half, Part::Labels).map(text).transpose();
        if request.labels == Labels::Absent {
            return Ok(found);
        }
        if let (Labels::Auto, Some(path)) = (&request.labels, labels(Half::Train)?) {
            check_not_table(self.files.iter().find(|file| file.part == Part::Labels))?;
            found.labels = Labels::In(path);
        }
        let arrays = &mut found.arrays;
        for (half, samples, of_labels) in [
            (
                Half::Validation,
                &mut found.validation,
                &mut arrays.validation_labels,
            ),
            (Half::Test, &mut found.test, &mut arrays.test_labels),
        ] {
            if samples.is_none()
                && let Some(path) = self.samples(half)
            {
                *samples = Some(path.to_owned());
                if of_labels.is_none() {
                    *of_labels = labels(half)?;
                }
            }
        }
        Ok(found)
    }
}

/// Refuses a table with nothing but labels.
fn check_not_table(labels: Option<&Named>) -> Result<()> {
    match labels.filter(|file| file.kind == FileKind::Text) {
        None => Ok(()),
        Some(file) => {
            let found = "by its name a table of labels";
            let expected = "labels in a column of the table with the samples";
            Err(Error::Data(Refusal::new(
                file.path.display(),
                found,
                expected,
            )))
        }
    }
}

const NAMES: &str = "names with train, validation or test, and images or labels";

fn name_them() -> crate::message::Message {
    message![
        "name the files one by one with ",
        Key("labels"),
        ", ",
        Key("test"),
        " and ",
        Key("test_labels")
    ]
}
