//! Finds the files of a data set in a folder by their usual names.
//!
//! These are `train-images-idx3-ubyte` as in the original, or `train-images.idx3-ubyte` as on some mirrors. The test
//! set is `t10k-…` or `test-…`, and a validation set is `validation-…`, `val-…` or `valid-…`. Other element types and
//! numbers of dimensions follow the naming of the format (`-idx2-float`). Each name may end in `.gz`. Several files of
//! one kind must have the same contents, as a raw file and its `.gz` do; the first one is read then, raw ones first.

use std::path::{Path, PathBuf};

use super::class_names::ClassNames;
use super::files::{Files, Pair};
use super::idx::ElementType;
use super::names::{TEST, TRAIN, VALIDATION, candidates, endings};
use super::replacement;
use super::same_contents::have_same_contents;
use super::source_record;
use super::splits::Splits;
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};

/// The folder that commands read if none is named.
pub const DEFAULT_FOLDER: &str = "data/mnist";

/// The sets in a folder. Each consists of images and labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Halves {
    /// The training files.
    pub train: Option<Pair>,
    /// The validation files.
    pub validation: Option<Pair>,
    /// The test files.
    pub test: Option<Pair>,
    /// The class names.
    pub class_names: Option<PathBuf>,
}

/// Finds the training, validation and test files in `folder`, and the class names. Any set may be missing.
///
/// # Errors
/// Returns [`Error::Data`] if `folder` is not a folder, if it has only one of the two files of a set, or if two files of
/// one kind have different contents.
pub fn find_halves(folder: &Path) -> Result<Halves> {
    check_folder(folder)?;
    Ok(Halves {
        train: pair(folder, TRAIN)?,
        validation: pair(folder, VALIDATION)?,
        test: pair(folder, TEST)?,
        class_names: ClassNames::file_in(folder),
    })
}

/// Finds the training files in `folder`, the validation and test files if there are any, and the class names.
///
/// # Errors
/// Returns the errors of [`find_halves`], and [`Error::Data`] if there are no training files.
pub fn find(folder: &Path) -> Result<Files> {
    let halves = find_halves(folder)?;
    Ok(Files {
        weights: None,
        train: (halves.train).ok_or_else(|| missing(folder, TRAIN, "images"))?,
        validation: halves.validation,
        test: halves.test,
        class_names: halves.class_names,
    })
}

/// Finds the test files in `folder`. Files of other sets are not looked at.
///
/// # Errors
/// Returns the errors of [`find_halves`], and [`Error::Data`] if there are no test files.
pub fn find_test(folder: &Path) -> Result<Pair> {
    check_folder(folder)?;
    let hint = message![
        "name the files with ",
        Key("test_images"),
        " and ",
        Key("test_labels")
    ];
    let found =
        pair(folder, TEST).and_then(|test| test.ok_or_else(|| missing(folder, TEST, "images")));
    found.map_err(|error| error.map_refusal(|refusal| refusal.hint(hint)))
}

/// Checks that `folder` is a folder, and completes or undoes what a killed process left in it.
fn check_folder(folder: &Path) -> Result<()> {
    if folder.is_dir() {
        return replacement::recover(folder);
    }
    let found = if folder.exists() {
        "not a folder"
    } else {
        "no such file or folder"
    };
    Err(Error::Data(
        Refusal::new(
            folder.display(),
            found,
            "a folder with IDX files, or a table",
        )
        .hint(message![
            "name the files one by one with ",
            Key("train_images"),
            " and so on, or leave ",
            Key("data"),
            " out to train on generated digits",
        ]),
    ))
}

/// Finds the images and labels whose names start with one of `stems`, both or none.
fn pair(folder: &Path, stems: &[&str]) -> Result<Option<Pair>> {
    let images = look_up(folder, stems, "images")?;
    match (images, look_up(folder, stems, "labels")?) {
        (None, None) => Ok(None),
        (Some(images), Some(labels)) => Ok(Some(Pair { images, labels })),
        (None, Some(_)) => Err(missing(folder, stems, "images")),
        (Some(_), None) => Err(missing(folder, stems, "labels")),
    }
}

impl Splits {
    /// Opens the IDX files that `folder` has under their usual names, raw or compressed, for classification.
    ///
    /// # Errors
    /// Returns the errors of [`find`] and [`Splits::open`].
    pub fn from_folder(folder: &Path) -> Result<Splits> {
        Splits::open(&find(folder)?, None)
    }
}

/// Returns whether `folder` looks like a data set: whether [`find`] would find the training images.
pub fn has_train_images(folder: &Path) -> bool {
    existing(folder, candidates(TRAIN, "images"))
        .next()
        .is_some()
}

/// Returns the validation images in `folder`, if there are any.
pub fn validation_images(folder: &Path) -> Option<PathBuf> {
    existing(folder, candidates(VALIDATION, "images")).next()
}

/// Returns the file of this kind, if there is one.
fn look_up(folder: &Path, halves: &[&str], kind: &str) -> Result<Option<PathBuf>> {
    let mut found: Vec<PathBuf> = existing(folder, candidates(halves, kind)).collect();
    // Archives may unpack to a folder of the name; it is only in the way if there is no file.
    if found.iter().any(|path| !path.is_dir()) {
        found.retain(|path| !path.is_dir());
    }
    let mut found = found.into_iter();
    let Some(first) = found.next() else {
        return Ok(None);
    };
    for other in found {
        if !have_same_contents(&first, &other)? {
            return Err(ambiguous(folder, halves, kind, &[&first, &other]));
        }
    }
    Ok(Some(first))
}

fn existing(folder: &Path, names: impl Iterator<Item = String>) -> impl Iterator<Item = PathBuf> {
    let paths = names.map(|name| folder.join(name));
    paths.filter(|path| path.exists())
}

/// Returns all files in `folder` that [`find`] may use, of any set, and the class names.
pub fn all_files(folder: &Path) -> Vec<PathBuf> {
    let halves = [TRAIN, VALIDATION, TEST].concat();
    let names = ["images", "labels"].map(|kind| candidates(&halves, kind));
    let files = existing(folder, names.into_iter().flatten());
    files.chain(ClassNames::file_in(folder)).collect()
}

/// Returns all files of [`all_files`], and the record of what they were made from: what a new set replaces.
pub(crate) fn replaced_files(folder: &Path) -> Vec<PathBuf> {
    let record = folder.join(source_record::FILE);
    let record = record.exists().then_some(record);
    all_files(folder).into_iter().chain(record).collect()
}

/// Returns all image files in `folder` that belong to none of the sets, such as those without labels.
pub fn unlabelled(folder: &Path) -> Vec<PathBuf> {
    existing(folder, endings("images".to_owned())).collect()
}

/// Returns the usual name of a file whose `kind` is `images` or `labels`, with `half` before it (`train-`, or nothing).
pub fn file_name(half: &str, kind: &str, element: ElementType, dimensions: usize) -> String {
    let element = match element {
        ElementType::U8 => "ubyte",
        ElementType::I8 => "byte",
        ElementType::I16 => "short",
        ElementType::I32 => "int",
        ElementType::F32 => "float",
        ElementType::F64 => "double",
    };
    format!("{half}{kind}-idx{dimensions}-{element}")
}

fn ambiguous(folder: &Path, halves: &[&str], kind: &str, files: &[&Path; 2]) -> Error {
    let [first, other] = files.map(|path| path.file_name().unwrap_or_default().display());
    let set = set_name(halves);
    Error::Data(
        Refusal::new(
            folder.display(),
            format!("{first} and {other} with different contents"),
            format!("one file of {set} {kind}"),
        )
        .hint(message![
            "remove one of them, or name the files one by one with ",
            Key("train_images"),
            " and so on"
        ]),
    )
}

fn set_name(halves: &[&str]) -> &'static str {
    match halves {
        _ if halves == TRAIN => "training",
        _ if halves == VALIDATION => "validation",
        _ => "test",
    }
}

fn missing(folder: &Path, halves: &[&str], kind: &str) -> Error {
    let dimensions = if kind == "images" { 3 } else { 1 };
    let names: Vec<String> = halves
        .iter()
        .map(|half| format!("{half}-{kind}-idx{dimensions}-ubyte"))
        .collect();
    Error::Data(
        Refusal::new(
            folder.display(),
            format!("no {} {kind}", set_name(halves)),
            format!("{} (or with .gz)", names.join(" or ")),
        )
        .hint(message![
            "name the files one by one with ",
            Key("train_images"),
            " and so on"
        ]),
    )
}

#[cfg(test)]
mod tests {
    use super::super::gzip::compressed;
    use super::*;

    fn folder_with(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in names {
            std::fs::write(folder.path().join(name), []).expect("writing");
        }
        folder
    }

    #[test]
    fn all_usual_names_are_found() {
        let folder = folder_with(&[
            "train-images-idx3-ubyte.gz",
            "train-labels.idx1-ubyte",
            "test-images-idx2-float",
            "test-labels-idx1-int",
        ]);
        let files = find(folder.path()).expect("a data set");
        assert!(files.train.images.ends_with("train-images-idx3-ubyte.gz"));
        assert!(files.train.labels.ends_with("train-labels.idx1-ubyte"));
        let test = files.test.expect("a test set");
        assert!(test.images.ends_with("test-images-idx2-float"));
        assert!(test.labels.ends_with("test-labels-idx1-int"));
    }

    #[test]
    fn the_raw_file_is_read_if_the_compressed_one_has_the_same_contents() {
        let images = "train-images-idx3-ubyte";
        let folder = folder_with(&[images, "train-labels-idx1-ubyte"]);
        let put = |name: &str, bytes: &[u8]| {
            std::fs::write(folder.path().join(name), bytes).expect("writing");
        };
        let packed = format!("{images}.gz");
        put(images, b"images");
        put(&packed, &compressed(b"images"));
        let files = find(folder.path()).expect("a data set");
        assert!(files.train.images.ends_with(images));
        assert_eq!(files.test, None);
        let refused = || find(folder.path()).expect_err("a refusal").to_string();
        put(&packed, &compressed(b"others"));
        let expected = "train-images-idx3-ubyte and train-images-idx3-ubyte.gz with different contents, \
                        expected one file of training images";
        assert!(refused().ends_with(expected), "{}", refused());
        // Another name, a longer file, and a folder, which is not a file of the set.
        std::fs::remove_file(folder.path().join(&packed)).expect("removing");
        put("train-images.idx2-float", b"images, and more");
        assert!(
            refused().contains("train-images.idx2-float"),
            "{}",
            refused()
        );
        std::fs::remove_file(folder.path().join("train-images.idx2-float")).expect("removing");
        std::fs::create_dir(folder.path().join("train-images.idx3-ubyte")).expect("a folder");
        find(folder.path()).expect("a data set");
    }

    #[test]
    fn test_images_without_labels_are_refused() {
        let folder = folder_with(&[
            "train-images-idx3-ubyte",
            "train-labels-idx1-ubyte",
            "t10k-images-idx3-ubyte",
        ]);
        let message = find(folder.path()).expect_err("a refusal").to_string();
        assert!(message.contains("no test labels"), "{message}");
    }
}
