//! What is held out of the training set, and when a run ends before its last epoch.
//!
//! Everything that is picked is picked on validation data: the epoch whose weights are kept, and the end. Values that
//! are more than a number are written as they are typed: `0.1`, `5,0.001`, `10m`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

use super::demand::Demand;
use crate::data::Holdout;
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, Message, message};
use crate::nn::Task;
use crate::{duration, text_value};

/// The settings of validation; by default nothing is held out.
///
/// ```
/// use perceptor::{TrainConfig, ValidationConfig};
///
/// // Training ends at this accuracy.
/// let config = TrainConfig {
///     validation: ValidationConfig {
///         target_accuracy: Some(0.98),
///         ..ValidationConfig::default()
///     },
///     ..TrainConfig::default()
/// };
/// assert!(config.check().is_ok());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ValidationConfig {
    /// What [`crate::data::Splits::hold_out`] takes out of the training items as a validation set; none to take nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation_split: Option<Holdout>,
    /// When a run that no longer gets better ends, with the weights of its best epoch; none to train on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_stop: Option<EarlyStop>,
    /// The accuracy at which the run ends, above 0 and up to 1; none to train on.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "read_accuracy"
    )]
    pub target_accuracy: Option<f64>,
    /// How long the run may take; none for as long as it needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_time: Option<MaxTime>,
}

impl ValidationConfig {
    /// One with a value in every option that may be none, for the list of keys.
    pub(super) fn full() -> ValidationConfig {
        ValidationConfig {
            validation_split: Some(Holdout::Items(1)),
            early_stop: Some(EarlyStop {
                patience: 1,
                min_delta: 0.0,
            }),
            target_accuracy: Some(1.0),
            max_time: Some(MaxTime(Duration::from_secs(1))),
        }
    }

    /// Holds the settings against the sets that there are.
    ///
    /// # Errors
    /// [`Error::Config`] for one that needs a set which is not there.
    pub fn check_sets(&self, validation: bool, test: bool) -> Result<()> {
        let refuse = |key: Key, found: &str, expected: Message| {
            let refusal = Refusal::new(key, found, expected);
            Err(Error::Config(refusal.hint(message![
                "hold some of the training items out, as with ",
                Key("validation_split").set_to(0.1),
            ])))
        };
        if let (Some(holdout), false) = (self.validation_split, validation) {
            let found = format!("{holdout} of training items that are all together");
            return refuse(
                Key("validation_split"),
                &found,
                "sets that `Splits::hold_out` gives".into(),
            );
        }
        if self.early_stop.is_some() && !validation {
            let expected = validation_set();
            return refuse(
                Key("early_stop"),
                "given without a validation set",
                expected,
            );
        }
        if self.target_accuracy.is_some() && !validation && !test {
            let found = "given without a validation or test set";
            return refuse(Key("target_accuracy"), found, "one to measure it on".into());
        }
        Ok(())
    }

    pub(super) fn demands(&self, task: Task) -> Vec<Demand> {
        let mut demands = Vec::new();
        if let Some(holdout) = self.validation_split {
            let met = match holdout {
                Holdout::Fraction(share) => share > 0.0 && share < 1.0,
                Holdout::Items(items) => (1..=u32::MAX as usize).contains(&items),
            };
            demands.push(Demand::new(
                met,
                Key("validation_split"),
                holdout.to_string(),
                "a share above 0 and below 1, or a number of items",
            ));
        }
        if let Some(stop) = self.early_stop {
            let met = stop.patience >= 1 && stop.min_delta.is_finite() && stop.min_delta >= 0.0;
            demands.push(Demand::new(
                met,
                Key("early_stop"),
                stop.to_string(),
                EARLY_STOP,
            ));
        }
        if let Some(accuracy) = self.target_accuracy {
            demands.push(Demand::new(
                accuracy > 0.0 && accuracy <= 1.0,
                Key("target_accuracy"),
                accuracy,
                "above 0 and up to 1",
            ));
            demands.push(Demand::new(
                task != Task::Regression,
                Key("target_accuracy"),
                message![accuracy, " with ", Key("task").set_to("regression")],
                "a task that has an accuracy",
            ));
        }
        if let Some(time) = self.max_time {
            demands.push(Demand::new(
                !time.0.is_zero(),
                Key("max_time"),
                time.to_string(),
                "a time above 0",
            ));
        }
        demands
    }
}

/// The settings that make a validation set, of which one is needed.
pub(crate) fn validation_set() -> Message {
    message![
        Key("validation_split"),
        ", or ",
        Key("validation_images"),
        " and ",
        Key("validation_labels")
    ]
}

/// Reads an accuracy, `0.98` or `98%`.
///
/// # Errors
/// What would have been accepted, for anything else, and for one that is not above 0 and up to 1.
pub fn accuracy(text: &str) -> Result<f64, String> {
    let (number, whole) = match text.strip_suffix('%') {
        Some(percent) => (percent.trim(), 100.0),
        None => (text, 1.0),
    };
    let share = number.parse::<f64>().map(|number| number / whole);
    let share = share.ok().filter(|share| *share > 0.0 && *share <= 1.0);
    share.ok_or_else(|| "expected above 0 and up to 1, as 0.975 or 97.5%".to_owned())
}

fn read_accuracy<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
    text_value::read(from, accuracy).map(Some)
}

/// When a run that no longer gets better ends.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(into = "String")]
pub struct EarlyStop {
    /// Epochs in a row without a better one, after which the run ends; at least 1.
    pub patience: usize,
    /// What an epoch must be better by to count, in what is watched: a share of the items for an accuracy.
    pub min_delta: f64,
}

const EARLY_STOP: &str = "a number of epochs, at least 1, and perhaps the least that counts as better, at least 0, as 5,0.001";

/// `5`, `5,0.001`.
impl fmt::Display for EarlyStop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.min_delta {
            0.0 => write!(f, "{}", self.patience),
            delta => write!(f, "{},{delta}", self.patience),
        }
    }
}

impl FromStr for EarlyStop {
    type Err = String;

    fn from_str(text: &str) -> Result<EarlyStop, String> {
        let (patience, delta) = text.split_once(',').unwrap_or((text, "0"));
        let stop = || {
            Some(EarlyStop {
                patience: patience.trim().parse().ok()?,
                min_delta: delta.trim().parse().ok()?,
            })
        };
        stop().ok_or_else(|| format!("expected {EARLY_STOP}"))
    }
}

/// How long a run may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct MaxTime(pub Duration);

/// `10m`, `1h 30m`.
impl fmt::Display for MaxTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        duration::write(f, self.0)
    }
}

impl FromStr for MaxTime {
    type Err = String;

    fn from_str(text: &str) -> Result<MaxTime, String> {
        duration::parse(text)
            .map(MaxTime)
            .ok_or_else(|| "expected a time with its unit, as 90s, 10m or 1h 30m".to_owned())
    }
}

impl<'de> Deserialize<'de> for EarlyStop {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<EarlyStop, D::Error> {
        text_value::read(from, str::parse)
    }
}

impl<'de> Deserialize<'de> for MaxTime {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<MaxTime, D::Error> {
        text_value::read(from, str::parse)
    }
}

impl From<EarlyStop> for String {
    fn from(stop: EarlyStop) -> String {
        stop.to_string()
    }
}

impl From<MaxTime> for String {
    fn from(time: MaxTime) -> String {
        time.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write_and_what_it_writes_itself() {
        for (text, holdout) in [
            ("5000", Holdout::Items(5000)),
            ("0.1", Holdout::Fraction(0.1)),
            ("1.0", Holdout::Fraction(1.0)),
        ] {
            assert_eq!(text.parse(), Ok(holdout));
            assert_eq!(holdout.to_string(), text);
        }
        for (text, patience, min_delta) in [("5", 5, 0.0), ("12,0.001", 12, 0.001)] {
            let stop = EarlyStop {
                patience,
                min_delta,
            };
            assert_eq!(text.parse(), Ok(stop));
            assert_eq!(stop.to_string(), text);
        }
        for (text, seconds) in [
            ("90s", 90),
            ("10m", 600),
            ("1h 30m", 5400),
            ("10 minutes", 600),
            ("1.5h", 5400),
        ] {
            let time = MaxTime(Duration::from_secs(seconds));
            assert_eq!(text.parse(), Ok(time));
            assert_eq!(time.to_string().parse(), Ok(time));
        }
    }

    #[test]
    fn accuracies_are_shares_or_per_cent() {
        assert_eq!(accuracy("0.975"), Ok(0.975));
        assert_eq!(accuracy("97.5%"), Ok(0.975));
        assert_eq!(accuracy("1"), Ok(1.0));
        for wrong in ["", "%", "0", "97.5", "101%", "-1", "nan", "high"] {
            assert!(accuracy(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn refuses_everything_else_in_words() {
        for wrong in ["", "ten", "10%", "-5"] {
            let told = wrong.parse::<Holdout>();
            // A negative number is read, and refused by its range.
            assert!(
                told.is_err() || told == Ok(Holdout::Fraction(-5.0)),
                "{wrong}"
            );
        }
        for wrong in ["", ",", "5,", "-1", "1.5", "5,0.1,2", "five"] {
            assert!(wrong.parse::<EarlyStop>().is_err(), "{wrong}");
        }
        for wrong in ["", "10", "m", "-5m", "10 moons", "soon"] {
            assert!(wrong.parse::<MaxTime>().is_err(), "{wrong}");
        }
    }
}
