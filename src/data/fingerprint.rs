//! Whether two data sets are the same: their sizes, and a hash of all that training and evaluation read of them.
//!
//! The hash is XXH3 of 128 bits (Y. Collet, <https://xxhash.com>): as fast as memory is read, and made to find accidents,
//! not forgeries. It says nothing of names and places, so that a data set may move between two parts of a run.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use super::dataset::{Dataset, Splits};
use super::targets::Targets;

/// What makes a data set this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// The training half.
    pub train: HalfPrint,
    /// The validation set; none without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<HalfPrint>,
    /// The test half; none without one.
    pub test: Option<HalfPrint>,
}

/// What makes one half of a data set, or the part of one that is held out for validation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HalfPrint {
    /// Items.
    pub items: usize,
    /// Number of classes, or of the numbers to predict.
    pub classes: usize,
    /// Length of the file of images, in bytes.
    pub image_bytes: usize,
    /// XXH3 of that file, header and content, in hexadecimal.
    pub images: String,
    /// XXH3 of the labels in hexadecimal: 32-bit little-endian numbers, or a byte each where an item has several.
    pub labels: String,
    /// XXH3 of the names of the classes, a line each, in hexadecimal; none where they have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_names: Option<String>,
}

impl Fingerprint {
    /// Reads all of `data`: some milliseconds for each 100 MB.
    pub fn of(data: &Splits) -> Fingerprint {
        let train = HalfPrint::of(&data.train, None);
        let validation = data.validation.as_ref().map(|set| {
            let same_file = set.images().shares_bytes_with(data.train.images());
            HalfPrint::of(set, same_file.then_some(&train.images))
        });
        Fingerprint {
            train,
            validation,
            test: data.test.as_ref().map(|set| HalfPrint::of(set, None)),
        }
    }

    /// What is not in `self` as it is in `other`, in words; none when they are the same.
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

/// How two data sets differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// `training half`, `validation set` or `test half`.
    pub set: &'static str,
    /// What is there.
    pub found: String,
    /// What was there.
    pub expected: String,
}

impl HalfPrint {
    /// Of `data`, the hash of whose images may be known.
    fn of(data: &Dataset, hash: Option<&String>) -> HalfPrint {
        let labels = match data.targets() {
            Targets::Classes { labels, .. } => hash_of(labels, |label| label.to_le_bytes()),
            Targets::Values { values, .. } => hash_of(values, |value| value.to_le_bytes()),
            Targets::Flags { flags, .. } => xxh3_128(flags),
        };
        let images: &[u8] = data.images().bytes();
        HalfPrint {
            items: data.items(),
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
        }
    }

    fn difference(&self, other: &HalfPrint) -> Option<(String, String)> {
        let sides = [self, other];
        let facts: [fn(&HalfPrint) -> String; 6] = [
            |half| format!("{} items", half.items),
            |half| format!("{} classes", half.classes),
            |half| format!("{} bytes of images", half.image_bytes),
            |half| format!("images with hash {}", half.images),
            |half| format!("labels with hash {}", half.labels),
            |half| match &half.class_names {
                Some(hash) => format!("class names with hash {hash}"),
                None => "no class names".to_owned(),
            },
        ];
        facts
            .into_iter()
            .map(|fact| sides.map(fact))
            .find_map(|[own, other]| (own != other).then_some((own, other)))
    }
}

/// XXH3 of numbers of four bytes.
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

/// 32 digits.
pub(crate) fn hexadecimal(hash: u128) -> String {
    format!("{hash:032x}")
}
