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

/// The names of the selected arrays.
pub(super) struct Names {
    pub images: String,
    pub labels: Option<String>,
    pub test: Option<(String, String)>,
    /// An array of test samples that is in the archive but not used.
    pub unused: Option<String>,
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
        // Test samples in a second archive replace those in this one.
        let used = test.as_ref().filter(|_| request.test.is_none());
        let is_used = |name: &str| used.is_some_and(|(images, _)| images == name);
        let unused = usual
            .map(|names| names[2])
            .filter(|images| archive.has(images) && !is_used(images));
        Ok(Names {
            unused: unused.map(str::to_owned),
            images,
            labels,
            test,
        })
    }
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
        (Some(images), Some(labels)) => Ok(Some((images.clone(), labels.clone()))),
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
