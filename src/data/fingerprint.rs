//! Fingerprints of data sets: their sizes, and a hash of everything that training and evaluation read.
//!
//! The hash is XXH3 of 128 bits (Y. Collet, <https://xxhash.com>), which is as fast as reading memory and detects
//! accidents, not forgeries. It does not include names and paths, so that a data set may move before a run is resumed.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use super::content_hash::hexadecimal;
use super::dataset::Dataset;
use super::splits::Splits;
use super::targets::Targets;

/// The fingerprint of a data set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// The training set.
    pub train: HalfPrint,
    /// The validation set, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<HalfPrint>,
    /// The test set, if there is one.
    pub test: Option<HalfPrint>,
}

/// The fingerprint of one set, or of the part of one that is held out for validation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HalfPrint {
    /// Number of samples.
    pub items: usize,
    /// Number of outputs: of classes, or of values to predict.
    pub classes: usize,
    /// Length of the image file, or of an array of rows in memory, in bytes.
    pub image_bytes: usize,
    /// XXH3 of these bytes, with the header of a file, in hexadecimal.
    pub images: String,
    /// XXH3 of the labels in hexadecimal: 32-bit little-endian numbers, or a byte for each flag of multi-label
    /// classification.
    pub labels: String,
    /// XXH3 of the class names, one a line, in hexadecimal, if there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_names: Option<String>,
    /// XXH3 of the weights of the samples in hexadecimal, 32-bit little-endian numbers, if there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<String>,
}

impl Fingerprint {
    /// Computes the fingerprint of `data`, which reads all of it: some milliseconds for each 100 MB.
    pub fn of(data: &Splits) -> Fingerprint {
        let train = HalfPrint::of(&data.train, None);
        let validation = data.validation.as_ref().map(|set| {
            let same_source = set.rows().shares_source_with(data.train.rows());
            HalfPrint::of(set, same_source.then_some(&train.images))
        });
        Fingerprint {
            train,
            validation,
            test: data.test.as_ref().map(|set| HalfPrint::of(set, None)),
        }
    }

    /// Describes the first difference between `self` and `other`, or returns `None` if they are the same.
    pub fn difference(&self, other: &Fingerprint) -> Option<Difference> {
        let sets = [
            ("training half", Some(&self.train), Some(&other.train)),
            (
                "validation set",
                self.validation.as_ref(),
                other.validation.as_ref(),
            ),
            ("test half", self.test.as_ref(), other.test.as_ref()),
        ];
        sets.into_iter().find_map(|(set, own, other)| {
            let (found, expected) = match (own, other) {
                (Some(own), Some(other)) => own.difference(other)?,
                (None, None) => return None,
                (own, _) => {
                    let name = set.replace("half", "set");
                    let (there, none) = (format!("a {name}"), format!("no {name}"));
                    match own {
                        Some(_) => (there, none),
                        None => (none, there),
                    }
                }
            };
            Some(Difference {
                set,
                found,
                expected,
            })
        })
    }
}

/// The first difference between two data sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// `training half`, `validation set` or `test half`.
    pub set: &'static str,
    /// What the one has.
    pub found: String,
    /// What the other has.
    pub expected: String,
}

impl HalfPrint {
    /// Computes the fingerprint of `data`. `hash` is that of its images, if it is known.
    fn of(data: &Dataset, hash: Option<&String>) -> HalfPrint {
        let labels = match data.targets() {
            Targets::Classes { labels, .. } => hash_of(labels, |label| label.to_le_bytes()),
            Targets::Values { values, .. } => hash_of(values, |value| value.to_le_bytes()),
            Targets::Flags { flags, .. } => xxh3_128(flags),
        };
        let images = data.rows().source_bytes();
        HalfPrint {
            items: data.samples(),
            classes: data.outputs(),
            image_bytes: images.len(),
            images: match hash {
                Some(hash) => hash.clone(),
                None => hexadecimal(xxh3_128(images)),
            },
            labels: hexadecimal(labels),
            class_names: data
                .class_names()
                .map(|names| hexadecimal(xxh3_128(names.to_text().as_bytes()))),
            weights: data
                .weights()
                .map(|weights| hexadecimal(hash_of(weights, |weight| weight.to_le_bytes()))),
        }
    }

    fn difference(&self, other: &HalfPrint) -> Option<(String, String)> {
        let sides = [self, other];
        let facts: [fn(&HalfPrint) -> String; 7] = [
            |half| format!("{} samples", half.items),
            |half| format!("{} classes", half.classes),
            |half| format!("{} bytes of images", half.image_bytes),
            |half| format!("images with hash {}", half.images),
            |half| format!("labels with hash {}", half.labels),
            |half| match &half.class_names {
                Some(hash) => format!("class names with hash {hash}"),
                None => "no class names".to_owned(),
            },
            |half| match &half.weights {
                Some(hash) => format!("sample weights with hash {hash}"),
                None => "no sample weights".to_owned(),
            },
        ];
        facts
            .into_iter()
            .map(|fact| sides.map(fact))
            .find_map(|[own, other]| (own != other).then_some((own, other)))
    }
}

/// Computes XXH3 of numbers of four bytes.
fn hash_of<T>(numbers: &[T], bytes: impl Fn(&T) -> [u8; 4]) -> u128 {
    let mut hash = Xxh3::new();
    let mut block = Vec::with_capacity(1 << 14);
    for some in numbers.chunks(1 << 12) {
        block.clear();
        block.extend(some.iter().flat_map(&bytes));
        hash.update(&block);
    }
    hash.digest128()
}
