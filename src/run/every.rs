//! How often a checkpoint is saved: by epochs, steps or minutes, or never.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

use crate::config::value::text_values;
use crate::{duration, text_value};

/// The interval between two checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(into = "String")]
pub enum Every {
    /// A number of epochs, counted from the first.
    Epochs(usize),
    /// A number of steps, counted from the first of the run.
    Steps(usize),
    /// A number of minutes since the last checkpoint.
    Minutes(f64),
    /// Only when the run is stopped.
    Never,
}

text_values!(Every: "HOW OFTEN");

impl Default for Every {
    fn default() -> Every {
        Every::Epochs(1)
    }
}

impl Every {
    /// The time between two checkpoints, if the interval is one of time.
    pub(super) fn interval(self) -> Option<Duration> {
        match self {
            Every::Minutes(minutes) => Some(Duration::from_secs_f64(60.0 * minutes)),
            _ => None,
        }
    }
}

/// `1 epoch`, `100 steps`, `0.5 minutes`, `never`.
impl fmt::Display for Every {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, unit) = match self {
            Every::Epochs(number) => (number.to_string(), "epoch"),
            Every::Steps(number) => (number.to_string(), "step"),
            Every::Minutes(number) => (number.to_string(), "minute"),
            Every::Never => return f.write_str("never"),
        };
        write!(f, "{number} {unit}{}", if number == "1" { "" } else { "s" })
    }
}

/// The accepted texts.
const EXPECTED: &str =
    "a number of epochs or steps, as \"5 epochs\", a time with its unit, as 10m, or never";

impl FromStr for Every {
    type Err = String;

    /// Reads `5`, `5 epochs`, `100steps`, `0.5 minutes`, `1h 30m`, `never`.
    fn from_str(text: &str) -> Result<Every, String> {
        let refuse = || format!("expected {EXPECTED}");
        let text = text.trim();
        if ["never", "off"].contains(&text) {
            return Ok(Every::Never);
        }
        let unit = text.find(|c: char| c.is_alphabetic() || c.is_whitespace());
        let (number, unit) = text.split_at(unit.unwrap_or(text.len()));
        let count = || number.parse().ok().filter(|&count: &usize| count >= 1);
        let every = match unit.trim() {
            "" | "epoch" | "epochs" => count().map(Every::Epochs),
            "step" | "steps" => count().map(Every::Steps),
            _ => {
                // From a millisecond to a century.
                let time = duration::parse(text);
                let minutes = time.map(|time| time.as_secs_f64() / 60.0);
                let in_range = minutes.filter(|minutes| (1.6e-5..5.3e7).contains(minutes));
                in_range.map(Every::Minutes)
            }
        };
        every.ok_or_else(refuse)
    }
}

impl<'de> Deserialize<'de> for Every {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Every, D::Error> {
        text_value::read(from, str::parse)
    }
}

impl From<Every> for String {
    fn from(every: Every) -> String {
        every.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_its_own_text_and_what_people_write() {
        for (text, every) in [
            ("5", Every::Epochs(5)),
            ("1 epoch", Every::Epochs(1)),
            ("5epochs", Every::Epochs(5)),
            (" 100  steps ", Every::Steps(100)),
            ("18446744073709551615 steps", Every::Steps(usize::MAX)),
            ("10 minutes", Every::Minutes(10.0)),
            ("0.5minutes", Every::Minutes(0.5)),
            ("10m", Every::Minutes(10.0)),
            ("1h 30m", Every::Minutes(90.0)),
            ("off", Every::Never),
            ("never", Every::Never),
        ] {
            assert_eq!(text.parse(), Ok(every), "{text}");
            assert_eq!(every.to_string().parse(), Ok(every), "{text}");
        }
    }

    #[test]
    fn refuses_everything_else() {
        for text in [
            "",
            "0",
            "-1",
            "1.5",
            "0 steps",
            "0 minutes",
            "inf minutes",
            "5 moons",
            "epochs",
            "1 2",
        ] {
            assert!(text.parse::<Every>().is_err(), "{text}");
        }
    }
}
