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
    /// The test half; none without one.
    pub test: Option<HalfPrint>,
}

/// What makes one half of a data set.
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
}

impl Fingerprint {
    /// Reads all of `data`: some milliseconds for each 100 MB.
    pub fn of(data: &Splits) -> Fingerprint {
        Fingerprint {
            train: HalfPrint::of(&data.train),
            test: data.test.as_ref().map(HalfPrint::of),
        }
    }

    /// What is not in `self` as it is in `other`, in words; none when they are the same.
    pub fn difference(&self, other: &Fingerprint) -> Option<Difference> {
        let train = self.train.difference(&other.train);
        let name = |half: &'static str| {
            move |(found, expected)| Difference {
                half,
                found,
                expected,
            }
        };
        train
            .map(name("training"))
            .or_else(|| match (&self.test, &other.test) {
                (None, None) => None,
                (Some(own), Some(other)) => own.difference(other).map(name("test")),
                (own, _) => {
                    let words = |there| if there { "a test set" } else { "no test set" }.to_owned();
                    Some(name("test")((words(own.is_some()), words(own.is_none()))))
                }
            })
    }
}

/// How two data sets differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// `training` or `test`.
    pub half: &'static str,
    /// What is there.
    pub found: String,
    /// What was there.
    pub expected: String,
}

impl HalfPrint {
    fn of(data: &Dataset) -> HalfPrint {
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
            images: hexadecimal(xxh3_128(images)),
            labels: hexadecimal(labels),
        }
    }

    fn difference(&self, other: &HalfPrint) -> Option<(String, String)> {
        let sides = [self, other];
        let facts: [fn(&HalfPrint) -> String; 5] = [
            |half| format!("{} items", half.items),
            |half| format!("{} classes", half.classes),
            |half| format!("{} bytes of images", half.image_bytes),
            |half| format!("images with hash {}", half.images),
            |half| format!("labels with hash {}", half.labels),
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
