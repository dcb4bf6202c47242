//! The usual names of the files of a data set.

use super::{class_names, source_record};

/// The name of the record of checksums of a downloaded set.
pub(crate) const CHECKSUMS: &str = "SHA256SUMS";

/// What the names of the training files start with.
pub(super) const TRAIN: &[&str] = &["train"];
/// What the names of the validation files start with.
pub(super) const VALIDATION: &[&str] = &["validation", "val", "valid"];
/// What the names of the test files start with.
pub(super) const TEST: &[&str] = &["t10k", "test"];
/// What the names of all files of a data set start with.
pub(super) const STEMS: [&str; 11] = [
    "train-",
    "validation-",
    "val-",
    "valid-",
    "t10k-",
    "test-",
    "images",
    "labels",
    class_names::FILE,
    source_record::FILE,
    CHECKSUMS,
];
const TYPES: &[&str] = &["ubyte", "byte", "short", "int", "float", "double"];

/// Returns whether a data set has a file of this name: images, labels, class names, or a record.
pub(crate) fn is_file_name(name: &str) -> bool {
    let halves = [TRAIN, VALIDATION, TEST].concat();
    let kinds = ["images", "labels"];
    let mut labelled = kinds.iter().flat_map(|kind| candidates(&halves, kind));
    let mut others = endings("images".to_owned());
    let records = [class_names::FILE, source_record::FILE, CHECKSUMS];
    records.contains(&name)
        || labelled.any(|usual| usual == name)
        || others.any(|usual| usual == name)
}

/// Returns all names a file may have, in the order in which they are tried: raw ones first.
pub(super) fn candidates(halves: &[&str], kind: &str) -> impl Iterator<Item = String> {
    let stems: Vec<String> = halves.iter().map(|half| format!("{half}-{kind}")).collect();
    ["", ".gz"].iter().flat_map(move |packed| {
        let names = stems.clone().into_iter().flat_map(endings);
        names.map(move |name| format!("{name}{packed}"))
    })
}

/// Returns `stem` with every ending that names dimensions and element type.
pub(super) fn endings(stem: String) -> impl Iterator<Item = String> {
    ["-", "."].iter().flat_map(move |joint| {
        let stem = stem.clone();
        TYPES.iter().flat_map(move |element| {
            let stem = stem.clone();
            (1..=4).map(move |dimensions| format!("{stem}{joint}idx{dimensions}-{element}"))
        })
    })
}
