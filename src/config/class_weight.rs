//! Weights of the classes in the loss: inverse to their frequency, or given.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::de::{Error as _, SeqAccess, Visitor, value::SeqAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::value::{ParseError, SettingValue};
use crate::error::{Error, Refusal, Result};
use crate::message::Key;

/// The text for [`ClassWeight::Balanced`].
const BALANCED: &str = "balanced";
/// The longest file that is read, in bytes; weights for the most classes are shorter.
const MAX_LENGTH: u64 = 1 << 25;

/// Weights of the classes in the loss. Only their proportions matter, as the loss of a batch is divided by the sum of its
/// samples' weights.
#[derive(Debug, Clone, PartialEq)]
pub enum ClassWeight {
    /// `samples / (classes · samples of the class)` in the training set: each class as a whole weighs the same.
    Balanced,
    /// One number for each class.
    Given(Vec<f32>),
}

impl ClassWeight {
    /// Reads `balanced`, or the file of weights that `text` names, with one number per line.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the file cannot be read, and [`Error::Config`] if a line is not a number above 0.
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
            Error::Config(refusal.hint("a file of weights has one number per line, class 0 first"))
        };
        let path = path.display();
        let text = std::str::from_utf8(bytes).map_err(|_| {
            refuse(
                path.to_string(),
                "bytes that are not text".to_owned(),
                "a number per line",
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

    /// Returns the weights, scaled to a mean of 1 over samples with these `labels`, so that the losses of an epoch still
    /// add up over as many samples.
    ///
    /// Shapes: returns `[classes]`.
    ///
    /// # Panics
    /// Panics if there is not one weight for each of the `classes`, or if a label is not below `classes`.
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

    /// Whether every weight is a finite number above 0.
    pub(super) fn is_valid(&self) -> bool {
        match self {
            ClassWeight::Balanced => true,
            ClassWeight::Given(weights) => weights.iter().all(|&weight| is_weight(weight)),
        }
    }

    /// Checks that there is a weight for each of the `classes`.
    ///
    /// # Errors
    /// Returns [`Error::Config`] if there is not.
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

/// The requirement on a weight.
pub(super) const WEIGHT: &str = "a finite number above 0";

fn is_weight(number: f32) -> bool {
    number.is_finite() && number > 0.0
}

/// `balanced`, or the numbers, so that a run resumes without the file they came from.
impl std::fmt::Display for ClassWeight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ClassWeight::Balanced => f.write_str(BALANCED),
            ClassWeight::Given(weights) => write!(f, "{weights:?}"),
        }
    }
}

impl SettingValue for ClassWeight {
    const PLACEHOLDER: &'static str = "balanced|FILE";

    fn parse(text: &str) -> Result<ClassWeight, ParseError> {
        ClassWeight::parse(text).map_err(ParseError::File)
    }

    fn text(&self) -> Option<String> {
        matches!(self, ClassWeight::Balanced).then(|| BALANCED.to_owned())
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
    fn a_file_of_weights_has_a_number_per_line() {
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
