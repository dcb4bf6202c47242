//! The validation set, and when a run ends before its last epoch.
//!
//! Validation data decide which epoch's weights are kept, and the end of the run. Values that are more than a number are
//! written as they are typed: `0.1`, `5,0.001`, `10m`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

use super::requirement::Requirement;
use super::setting::settings;
use super::value::text_values;
use crate::data::Holdout;
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, Message, message};
use crate::nn::Task;
use crate::{duration, text_value};

settings! {
    /// The settings of validation; nothing is held out by default.
    ///
    /// ```
    /// use perceptor::config::Accuracy;
    /// use perceptor::{TrainConfig, ValidationConfig};
    ///
    /// // Training ends at this accuracy.
    /// let config = TrainConfig {
    ///     validation: ValidationConfig {
    ///         target_accuracy: Some(Accuracy(0.98)),
    ///         ..ValidationConfig::default()
    ///     },
    ///     ..TrainConfig::default()
    /// };
    /// assert!(config.check().is_ok());
    /// ```
    pub struct ValidationConfig, Validation {
        /// Hold out this share or number of the training samples as a validation set.
        ///
        /// They are drawn from every class by the seed.
        validation_split: Option<Holdout> = None =>
            set("validation"), conflicts(&["validation_images", "validation_labels"]);
        /// End after PATIENCE epochs in a row without improvement on the validation set, with the weights of the best
        /// epoch.
        ///
        /// An epoch is better if its accuracy (0 to 1; in multilabel tasks F1, in regression the loss) improves by more
        /// than MIN-DELTA, which is 0 by default.
        early_stop: Option<EarlyStop> = None;
        /// End after the epoch whose accuracy on the validation set is at least this, such as 0.98 or 98%.
        ///
        /// Without a validation set, the accuracy on the test set decides.
        target_accuracy: Option<Accuracy> = None;
        /// End after this time, such as 90s, 10m or 1h 30m; the time before a run was resumed counts.
        max_time: Option<MaxTime> = None => may_change;
    }
}

text_values!(Accuracy: "ACCURACY", EarlyStop: "PATIENCE[,MIN-DELTA]", MaxTime: "TIME");

impl ValidationConfig {
    /// Checks that the sets that the settings need exist.
    ///
    /// # Errors
    /// Returns [`Error::Config`] if a setting needs a set that is missing.
    pub fn check_sets(&self, has_validation: bool, has_test: bool) -> Result<()> {
        let refuse = |key: Key, found: &str, expected: Message| {
            let refusal = Refusal::new(key, found, expected);
            Err(Error::Config(refusal.hint(message![
                "hold out some of the training samples, as with ",
                Key("validation_split").set_to(0.1),
            ])))
        };
        if let (Some(holdout), false) = (self.validation_split, has_validation) {
            let found = format!("{holdout} of training samples that are not split");
            let expected = "sets that `Splits::hold_out` returns";
            return refuse(Key("validation_split"), &found, expected.into());
        }
        if self.early_stop.is_some() && !has_validation {
            let found = "given without a validation set";
            return refuse(Key("early_stop"), found, validation_set());
        }
        if self.target_accuracy.is_some() && !has_validation && !has_test {
            let found = "given without a validation or test set";
            return refuse(Key("target_accuracy"), found, "one to measure it on".into());
        }
        Ok(())
    }

    pub(super) fn requirements(&self, task: Task) -> Vec<Requirement> {
        let mut requirements = Vec::new();
        if let Some(holdout) = self.validation_split {
            let is_met = match holdout {
                Holdout::Fraction(share) => share > 0.0 && share < 1.0,
                Holdout::Items(items) => (1..=u32::MAX as usize).contains(&items),
            };
            requirements.push(Requirement::new(
                is_met,
                Key("validation_split"),
                holdout.to_string(),
                "a share above 0 and below 1, or a number of samples",
            ));
        }
        if let Some(stop) = self.early_stop {
            let is_met = stop.patience >= 1 && stop.min_delta.is_finite() && stop.min_delta >= 0.0;
            let key = Key("early_stop");
            requirements.push(Requirement::new(is_met, key, stop.to_string(), EARLY_STOP));
        }
        if let Some(Accuracy(accuracy)) = self.target_accuracy {
            requirements.push(Requirement::new(
                accuracy > 0.0 && accuracy <= 1.0,
                Key("target_accuracy"),
                accuracy,
                "above 0 and up to 1",
            ));
            requirements.push(Requirement::new(
                task != Task::Regression,
                Key("target_accuracy"),
                message![accuracy, " with ", Key("task").set_to("regression")],
                "a task that has an accuracy",
            ));
        }
        if let Some(time) = self.max_time {
            let (is_met, key) = (!time.0.is_zero(), Key("max_time"));
            requirements.push(Requirement::new(
                is_met,
                key,
                time.to_string(),
                "a time above 0",
            ));
        }
        requirements
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

/// An accuracy, above 0 and up to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Accuracy(pub f64);

/// A share: `0.98`.
impl fmt::Display for Accuracy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Accuracy {
    type Err = String;

    /// Reads `0.98` or `98%`.
    fn from_str(text: &str) -> Result<Accuracy, String> {
        let share = text_value::share(text);
        let share = share.filter(|share| *share > 0.0 && *share <= 1.0);
        let accuracy = share.map(Accuracy);
        accuracy.ok_or_else(|| "expected above 0 and up to 1, as 0.975 or 97.5%".to_owned())
    }
}

impl<'de> Deserialize<'de> for Accuracy {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Accuracy, D::Error> {
        text_value::read(from, str::parse)
    }
}

/// When a run that no longer improves ends.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(into = "String")]
pub struct EarlyStop {
    /// Epochs in a row without improvement after which the run ends; at least 1.
    pub patience: usize,
    /// The least improvement that counts, in the figure that is compared: for an accuracy a share of the samples.
    pub min_delta: f64,
}

const EARLY_STOP: &str = "a number of epochs, at least 1, and optionally the least improvement that counts, at least 0, as 5,0.001";

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
                min_delta: text_value::share(delta)?,
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
        assert_eq!("20%".parse(), Ok(Holdout::Fraction(0.2)));
        let stop = EarlyStop {
            patience: 5,
            min_delta: 0.001,
        };
        assert_eq!("5,0.1%".parse(), Ok(stop));
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
    fn accuracies_are_shares_or_percentages() {
        assert_eq!("0.975".parse(), Ok(Accuracy(0.975)));
        assert_eq!("97.5%".parse(), Ok(Accuracy(0.975)));
        assert_eq!("1".parse(), Ok(Accuracy(1.0)));
        for wrong in ["", "%", "0", "97.5", "101%", "-1", "nan", "high"] {
            assert!(wrong.parse::<Accuracy>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn refuses_everything_else_in_words() {
        for wrong in ["", "ten", "%", "-5"] {
            let parsed = wrong.parse::<Holdout>();
            // A negative number is read here and refused by its range.
            assert!(
                parsed.is_err() || parsed == Ok(Holdout::Fraction(-5.0)),
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
