//! The scores of a network on the validation and the test set, and how files write them.

use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{METRICS, Score};

/// The scores of a network on the validation set and on the test set; `None` for a set that was not evaluated.
///
/// Files have them as plain fields of what they belong to: `validation_loss` and `validation_accuracy` if there are
/// any, `test_loss` and `test_accuracy` always, as `null` if there are none, and then the other metrics under their
/// own keys. These are of the validation set if it was evaluated, else of the test set.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct SetScores {
    /// The score on the validation set.
    pub validation: Option<Score>,
    /// The score on the test set.
    pub test: Option<Score>,
}

/// The one metric with a field for each set.
const ACCURACY: &str = "accuracy";

impl SetScores {
    /// The score on the validation set, or on the test set if the validation set was not evaluated.
    pub fn measured(&self) -> Option<Score> {
        self.validation.or(self.test)
    }

    /// Only the losses and accuracies, which files can hold for both sets.
    pub fn losses_and_accuracies(self) -> SetScores {
        let reduced = |score: Score| Score {
            accuracy: score.accuracy,
            ..Score::of_loss(score.loss)
        };
        SetScores {
            validation: self.validation.map(reduced),
            test: self.test.map(reduced),
        }
    }
}

impl Serialize for SetScores {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(score) = &self.validation {
            map.serialize_entry("validation_loss", &score.loss)?;
            if let Some(accuracy) = &score.accuracy {
                map.serialize_entry("validation_accuracy", accuracy)?;
            }
        }
        map.serialize_entry("test_loss", &self.test.map(|score| score.loss))?;
        map.serialize_entry("test_accuracy", &self.test.and_then(|score| score.accuracy))?;
        if let Some(score) = self.measured() {
            for metric in METRICS.iter().filter(|metric| metric.key != ACCURACY) {
                if let Some(value) = metric.of(&score) {
                    map.serialize_entry(metric.key, &value)?;
                }
            }
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for SetScores {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<SetScores, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = SetScores;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("the scores of an epoch or of a model")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SetScores, A::Error> {
        let (mut losses, mut accuracies, mut others) = ([None; 2], [None; 2], Score::of_loss(0.0));
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "validation_loss" => losses[0] = map.next_value()?,
                "test_loss" => losses[1] = map.next_value()?,
                "validation_accuracy" => accuracies[0] = map.next_value()?,
                "test_accuracy" => accuracies[1] = map.next_value()?,
                key => match METRICS.iter().find(|metric| metric.key == key) {
                    Some(metric) => *(metric.field)(&mut others) = map.next_value()?,
                    None => drop(map.next_value::<IgnoredAny>()?),
                },
            }
        }
        let score = |set: usize, rest: Score| {
            losses[set].map(|loss| Score {
                loss,
                accuracy: accuracies[set],
                ..rest
            })
        };
        let validation = score(0, others);
        // The other metrics belong to one set.
        let rest = match validation {
            Some(_) => Score::of_loss(0.0),
            None => others,
        };
        Ok(SetScores {
            validation,
            test: score(1, rest),
        })
    }
}
