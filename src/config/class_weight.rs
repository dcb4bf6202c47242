//! What an item of each class counts for: by how rare the class is, or by numbers that are given.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::de::{Error as _, SeqAccess, Visitor, value::SeqAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, Refusal, Result};
use crate::message::Key;

/// What `balanced` is called in flags and files.
const BALANCED: &str = "balanced";
/// As many weights as there can be classes are shorter, in bytes.
const MAX_LENGTH: u64 = 1 << 25;

/// Weights of the classes in the loss. Only their proportions matter, as the loss of a batch is divided by the sum of its
/// items' weights.
#[derive(Debug, Clone, PartialEq)]
pub enum ClassWeight {
    /// `items / (classes · items of the class)`, over what is trained on: every class weighs the same as a whole.
    Balanced,
    /// One number for each class.
    Given(Vec<f32>),
}

impl ClassWeight {
    /// `balanced`, or the numbers in the file that `text` names, one a line.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be read, [`Error::Config`] for a line that is no number above 0.
    pub fn parse(text: &str) -> Result<ClassWeight> {
        if text == BALANCED {
            return Ok(ClassWeight::Balanced);
        }
        let path = Path::new(text);
        let file = File::open(path).map_err(Error::io(path, "open"))?;
        let mut bytes = Vec::new();
        let read = file.take(MAX_LENGTH).read_to_end(&mut bytes);
        read.map_err(Error::io(path, "read"))?;
        ClassWeight::from_bytes(path, &bytes)
    }

    /// Reads the content of the file `path`.
    fn from_bytes(path: &Path, bytes: &[u8]) -> Result<ClassWeight> {
        let refuse = |place: String, found: String, expected: &str| {
            let refusal = Refusal::new(place, found, expected);
            Error::Config(refusal.hint("a file of weights has one number a line, class 0 first"))
        };
        let path = path.display();
        let text = std::str::from_utf8(bytes).map_err(|_| {
            refuse(
                path.to_string(),
                "bytes that are no text".to_owned(),
                "a number a line",
            )
        })?;
        let weights = text.trim_end().lines().zip(1..).map(|(line, number)| {
            let weight = line.trim().parse().ok().filter(|&weight| is_weight(weight));
            weight.ok_or_else(|| {
                let found: String = line.trim().chars().take(40).collect();
                refuse(
                    format!("{path}: line {number}"),
                    format!("{found:?}"),
                    WEIGHT,
                )
            })
        });
        weights.collect::<Result<_>>().map(ClassWeight::Given)
    }

    /// The weights, scaled to a mean of 1 over items with these `labels`, so that summed losses of an epoch are those of as
    /// many items.
    ///
    /// Shapes: gives `[classes]`.
    ///
    /// # Panics
    /// When there is not one number for each of the `classes`, or a label is not below that.
    pub fn weights(&self, labels: impl Iterator<Item = u32>, classes: usize) -> Vec<f32> {
        let mut counts = vec![0u64; classes];
        labels.for_each(|label| counts[label as usize] += 1);
        let counts = counts.into_iter().map(|count| count as f64);
        let weights: Vec<f64> = match self {
            // The factor `items / classes` is the same for all.
            ClassWeight::Balanced => counts.clone().map(|count| 1.0 / count.max(1.0)).collect(),
            ClassWeight::Given(weights) => weights.iter().copied().map(f64::from).collect(),
        };
        assert_eq!(weights.len(), classes, "a weight for each class");
        let (items, total) = counts
            .zip(&weights)
            .fold((0.0, 0.0), |(items, total), (count, weight)| {
                (items + count, total + count * weight)
            });
        weights
            .iter()
            .map(|weight| (weight * items / total) as f32)
            .collect()
    }

    /// Whether every number is one that a class may weigh.
    pub(super) fn is_valid(&self) -> bool {
        match self {
            ClassWeight::Balanced => true,
            ClassWeight::Given(weights) => weights.iter().all(|&weight| is_weight(weight)),
        }
    }

    /// Holds the number of weights against that of `classes`.
    ///
    /// # Errors
    /// [`Error::Config`] when they differ.
    pub(crate) fn check_classes(&self, classes: usize) -> Result<()> {
        match self {
            ClassWeight::Given(weights) if weights.len() != classes => {
                Err(Error::Config(Refusal::new(
                    Key("class_weight"),
                    format!("{} weights", weights.len()),
                    format!("{classes}, one for each class of the training labels"),
                )))
            }
            _ => Ok(()),
        }
    }
}

/// What a weight must be.
pub(super) const WEIGHT: &str = "a finite number above 0";

fn is_weight(number: f32) -> bool {
    number.is_finite() && number > 0.0
}

/// `balanced`, or the numbers: a run is to be gone on with when the file it took them from is gone.
impl std::fmt::Display for ClassWeight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ClassWeight::Balanced => f.write_str(BALANCED),
            ClassWeight::Given(weights) => write!(f, "{weights:?}"),
        }
    }
}

impl Serialize for ClassWeight {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            ClassWeight::Balanced => BALANCED.serialize(to),
            ClassWeight::Given(weights) => weights.serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for ClassWeight {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<ClassWeight, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = ClassWeight;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("\"balanced\" or a list of numbers")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<ClassWeight, E> {
                match text {
                    BALANCED => Ok(ClassWeight::Balanced),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, numbers: A) -> Result<ClassWeight, A::Error> {
                let numbers = Vec::deserialize(SeqAccessDeserializer::new(numbers));
                numbers.map(ClassWeight::Given).map_err(A::Error::custom)
            }
        }
        from.deserialize_any(Either)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balanced_classes_weigh_the_same_as_a_whole() {
        // Six items: items / (classes · count) is 6/9, 6/6, 6/3.
        let labels = [0, 0, 0, 1, 1, 2];
        let weights = ClassWeight::Balanced.weights(labels.into_iter(), 3);
        for (found, expected) in weights.into_iter().zip([2.0 / 3.0, 1.0, 2.0]) {
            assert!((found - expected).abs() < 1e-6, "{found} for {expected}");
        }
    }

    #[test]
    fn given_weights_keep_their_proportions_and_have_a_mean_of_one() {
        let weights = ClassWeight::Given(vec![10.0, 30.0, 7.0]).weights([0, 1].into_iter(), 3);
        assert_eq!(weights, [0.5, 1.5, 0.35]);
    }

    #[test]
    fn files_have_a_number_a_line() {
        let read = |text: &str| ClassWeight::from_bytes(Path::new("w"), text.as_bytes());
        let good = read("1\n 2.5 \r\n1e-3\n\n").expect("weights");
        assert_eq!(good, ClassWeight::Given(vec![1.0, 2.5, 1e-3]));
        for (text, message) in [
            (
                "1\nmany\n",
                "w: line 2: \"many\", expected a finite number above 0",
            ),
            (
                "1\n\n2",
                "w: line 2: \"\", expected a finite number above 0",
            ),
            ("0", "w: line 1: \"0\", expected a finite number above 0"),
            (
                "1 2",
                "w: line 1: \"1 2\", expected a finite number above 0",
            ),
            (
                "inf",
                "w: line 1: \"inf\", expected a finite number above 0",
            ),
            (
                "1e99",
                "w: line 1: \"1e99\", expected a finite number above 0",
            ),
        ] {
            assert_eq!(read(text).expect_err("a refusal").to_string(), message);
        }
    }
}
