//! Which arrays of an archive are samples and labels: those with the requested names, or with the usual ones.

use super::npz::Archive;
use crate::datasets::convert::request::{Labels, Request};
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};

/// The usual names of the arrays of training samples, training labels, test samples and test labels, in the order in which
/// they are tried.
const USUAL: [[&str; 4]; 8] = [
    ["x_train", "y_train", "x_test", "y_test"],
    ["X_train", "y_train", "X_test", "y_test"],
    ["train_images", "train_labels", "test_images", "test_labels"],
    ["x", "y", "", ""],
    ["X", "y", "", ""],
    ["images", "labels", "", ""],
    ["data", "target", "", ""],
    ["arr_0", "arr_1", "arr_2", "arr_3"],
];

/// What stands for `test` in the usual names of the arrays of validation samples and their labels, in the order in which
/// they are tried.
const VALIDATION: [&str; 3] = ["val", "valid", "validation"];

/// The names of the selected arrays.
pub(super) struct Names {
    pub images: String,
    pub labels: Option<String>,
    /// The arrays of validation samples and of their labels.
    pub validation: Option<(String, String)>,
    /// The arrays of test samples and of their labels.
    pub test: Option<(String, String)>,
}

impl Names {
    /// Selects the requested arrays, and arrays with usual names for the rest.
    pub fn select(request: &Request, archive: &Archive) -> Result<Names> {
        let options = &request.arrays;
        let requested_labels = match &request.labels {
            Labels::In(name) | Labels::Targets(name) => Some(name),
            Labels::Auto | Labels::Absent => None,
        };
        let usual = usual_names(request, requested_labels, archive);
        let pick = |requested: Option<&String>, at: usize| {
            let usual = usual.map(|names| names[at].to_owned());
            requested.cloned().or(usual)
        };
        let images = pick(options.images.as_ref(), 0)
            .ok_or_else(|| missing(archive, Key("images"), "samples"))?;
        let labels = match request.labels {
            Labels::Absent => None,
            _ => Some(
                pick(requested_labels, 1)
                    .ok_or_else(|| missing(archive, Key("labels"), "labels, or none"))?,
            ),
        };
        let test = select_test(request, usual, archive)?;
        if let (Some(_), Some((images, _))) = (request.test_split, &test) {
            let found = format!("given, although {} exists", archive.place(images));
            let refusal = Refusal::new(Key("test_split"), found, "one of the two");
            let hint = message![
                "omit ",
                Key("test_split"),
                ", or save the samples to be split in a separate file"
            ];
            return Err(Error::Config(refusal.hint(hint)));
        }
        Ok(Names {
            images,
            labels,
            validation: usual_validation(request, usual, archive),
            test,
        })
    }

    /// Returns every name.
    pub fn all(&self) -> Vec<&str> {
        let own = std::iter::once(&self.images).chain(&self.labels);
        let pairs = [&self.validation, &self.test].into_iter().flatten();
        let pairs = pairs.flat_map(|(images, labels)| [images, labels]);
        own.chain(pairs).map(String::as_str).collect()
    }
}

/// Returns the arrays of validation samples and of their labels, if both have usual names.
fn usual_validation(
    request: &Request,
    usual: Option<&[&str; 4]>,
    archive: &Archive,
) -> Option<(String, String)> {
    let is_wanted = request.labels != Labels::Absent && request.validation.is_none();
    let [_, _, images, labels] = usual.filter(|_| is_wanted)?;
    let named = |word: &str| [images, labels].map(|name| name.replace("test", word));
    let mut pairs = VALIDATION.into_iter().map(named);
    let is_there = |pair: &[String; 2]| pair[0] != *images && pair.iter().all(|it| archive.has(it));
    pairs
        .find(is_there)
        .map(|[images, labels]| (images, labels))
}

/// Returns the first usual names that the archive has and that agree with the requested names.
fn usual_names(
    request: &Request,
    requested_labels: Option<&String>,
    archive: &Archive,
) -> Option<&'static [&'static str; 4]> {
    let has_labels = |name: &str| archive.has(name) || request.labels == Labels::Absent;
    let images = &request.arrays.images;
    USUAL.iter().find(|names| match (images, requested_labels) {
        (Some(images), _) if images == names[0] => has_labels(names[1]),
        (None, Some(labels)) if labels == names[1] => archive.has(names[0]),
        (None, None) => archive.has(names[0]) && has_labels(names[1]),
        _ => false,
    })
}

/// Selects the arrays of test samples and of their labels, if there are any.
fn select_test(
    request: &Request,
    usual: Option<&[&str; 4]>,
    archive: &Archive,
) -> Result<Option<(String, String)>> {
    let options = &request.arrays;
    let is_separate = request.test.is_some();
    match (&options.test_images, &options.test_labels) {
        (Some(images), Some(labels)) if !is_separate => Ok(Some((images.clone(), labels.clone()))),
        (Some(_), None) if !is_separate => {
            let what = "labels of the test samples";
            Err(missing(archive, Key("test_labels"), what))
        }
        (None, Some(_)) if !is_separate => {
            Err(missing(archive, Key("test_images"), "test samples"))
        }
        _ if is_separate || request.labels == Labels::Absent => Ok(None),
        _ => Ok(usual
            .filter(|names| archive.has(names[2]) && archive.has(names[3]))
            .map(|names| (names[2].to_owned(), names[3].to_owned()))),
    }
}

/// Returns the error for an array that has to be named by the option `key`.
fn missing(archive: &Archive, key: Key, what: &str) -> Error {
    let expected = format!("the array with the {what}: {}", archive.summary());
    Error::Config(Refusal::new(key, "not given", expected))
}
