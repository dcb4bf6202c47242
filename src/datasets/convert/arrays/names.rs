//! Which arrays of an archive are the items and the labels: by the names that were given, and those they usually have.

use super::npz::Archive;
use crate::datasets::convert::{Labels, Request};
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};

/// What arrays of items and of their labels are usually called, in training and test halves, in the order tried.
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

/// The names of arrays in an archive.
pub(super) struct Names {
    pub images: String,
    pub labels: Option<String>,
    pub test: Option<(String, String)>,
    /// Test items that are there and not taken.
    pub left_out: Option<String>,
}

impl Names {
    /// Those that were given, and the usual ones for the rest.
    pub fn find(request: &Request, archive: &Archive) -> Result<Names> {
        let has = |name: &str| archive.member(name).is_some();
        let options = &request.arrays;
        let given = match &request.labels {
            Labels::Named(name) | Labels::Targets(name) => Some(name),
            Labels::Usual | Labels::Nothing => None,
        };
        let unlabelled = request.labels == Labels::Nothing;
        let fits = |names: &&[&str; 4]| match (&options.images, given) {
            (Some(images), _) if images == names[0] => has(names[1]) || unlabelled,
            (None, Some(labels)) if labels == names[1] => has(names[0]),
            (None, None) => has(names[0]) && (has(names[1]) || unlabelled),
            _ => false,
        };
        let usual = USUAL.iter().find(fits);
        let pick = |given: Option<&String>, at: usize| {
            let usual = usual.map(|names| names[at].to_owned());
            given.cloned().or(usual)
        };
        let all: Vec<&str> = archive.names().take(20).collect();
        let ask = |key: Key, what: &str| {
            let expected = format!("the array that has the {what}: {}", all.join(", "));
            Error::Config(Refusal::new(key, "not given", expected))
        };
        let images = pick(options.images.as_ref(), 0).ok_or_else(|| ask(Key("images"), "items"))?;
        let labels = match unlabelled {
            true => None,
            false => Some(pick(given, 1).ok_or_else(|| ask(Key("labels"), "labels, or none"))?),
        };
        let test = match (&options.test_images, &options.test_labels) {
            (Some(images), Some(labels)) => Some((images.clone(), labels.clone())),
            (Some(_), None) if request.test.is_none() => {
                return Err(ask(Key("test_labels"), "labels of the test items"));
            }
            (None, Some(_)) if request.test.is_none() => {
                return Err(ask(Key("test_images"), "test items"));
            }
            _ if unlabelled || request.test.is_some() => None,
            _ => usual
                .filter(|names| has(names[2]) && has(names[3]))
                .map(|names| (names[2].to_owned(), names[3].to_owned())),
        };
        if let (Some(_), Some((items, _))) = (request.test_split, &test) {
            let found = format!("given, and {} is there", archive.place(items));
            let refusal = Refusal::new(Key("test_split"), found, "one of the two");
            let hint = message![
                "leave ",
                Key("test_split"),
                " out, or save the items to be split in a file of their own"
            ];
            return Err(Error::Config(refusal.hint(hint)));
        }
        // Another archive has test items by its own names.
        let test_here = test.as_ref().filter(|_| request.test.is_none());
        let taken = |name: &str| test_here.is_some_and(|(items, _)| items == name);
        let left_out = usual
            .map(|names| names[2])
            .filter(|items| has(items) && !taken(items));
        Ok(Names {
            left_out: left_out.map(str::to_owned),
            images,
            labels,
            test,
        })
    }
}
