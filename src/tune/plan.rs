//! The plan of a search: `tune.toml`, with which a stopped search resumes.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::halving::{Rung, rungs};
use super::space::Space;
use crate::config::{LearningRate, MaxTime, TrainConfig, validation_set};
use crate::durable;
use crate::error::{Error, Refusal, Result};
use crate::message::{Command, Key, Message, message};
use crate::run::Settings;
use crate::run::config_file::check_earlier_scale;

const HEAD: &str = "\
# The plan of this search, with all settings as they took effect. The search resumes from its folder.

";

/// What plans start with in which `standard` meant one pair of numbers for all features.
const EARLIER_HEAD: &str = "# The plan of this search, as it took effect.";

/// The most trials of the first rung: all of them are drawn and checked before the search starts.
const MAX_TRIALS: usize = 100_000;

/// The plan of a search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The number of trials of the first rung.
    pub trials: usize,
    /// The time limit of the search.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<MaxTime>,
    /// The ranges that settings are drawn from.
    pub space: Space,
    /// All other settings. The epochs are those of the last rung.
    pub settings: Settings,
}

impl Plan {
    /// Returns the rungs of the search.
    pub fn rungs(&self) -> Vec<Rung> {
        rungs(self.trials, self.settings.train.epochs)
    }

    /// Returns the settings of a trial, counted from 1, with all defaults filled in.
    pub fn config(&self, trial: usize) -> TrainConfig {
        self.space.draw(&self.settings.train, trial).resolved()
    }

    /// Checks the range of every setting.
    ///
    /// # Errors
    /// Returns [`Error::Config`] for the first setting that is out of range or does not apply to a search.
    pub fn check(&self) -> Result<()> {
        let refuse = |place: Message, found: String, expected: Message| {
            Err(Error::Config(Refusal::new(place, found, expected)))
        };
        if !(1..=MAX_TRIALS).contains(&self.trials) {
            let expected = format!("1 to {MAX_TRIALS}");
            return refuse(
                Key("trials").into(),
                self.trials.to_string(),
                expected.into(),
            );
        }
        if self.time.is_some_and(|time| time.0.is_zero()) {
            return refuse(Key("time").into(), "0s".to_owned(), "a time above 0".into());
        }
        self.space.check()?;
        let ranges = self
            .space
            .searched()
            .any(|(_, range)| range.low < range.high);
        if !ranges && !self.space.batch_norm {
            let refusal = Refusal::new("tune", "every setting is fixed", "something to search");
            return Err(Error::Config(refusal.hint(message![
                "give a range, as ",
                Key("learning_rate").set_to("0.003..0.5"),
                ", or leave settings out of the file",
            ])));
        }
        let (train, settings) = (&self.settings.train, &self.settings);
        let validation = &train.validation;
        let out_of_place = [
            (Key("early_stop"), validation.early_stop.is_some()),
            (Key("target_accuracy"), validation.target_accuracy.is_some()),
            (Key("max_time"), validation.max_time.is_some()),
            (Key("init_from"), settings.init_from.is_some()),
            (Key("freeze"), !train.freeze.is_empty()),
        ];
        if let Some((key, _)) = out_of_place.iter().find(|(_, set)| *set) {
            let expected =
                "none: a search decides by its rungs how long a trial runs, and draws its network";
            return refuse(
                (*key).into(),
                "given to a search".to_owned(),
                expected.into(),
            );
        }
        let to_find = train.optimizer.learning_rate == Some(LearningRate::Auto);
        if to_find && self.space.lr.is_none() {
            let expected = "a number, or none: a search finds it by trials";
            return refuse(
                Key("learning_rate").into(),
                "auto".to_owned(),
                expected.into(),
            );
        }
        if validation.validation_split.is_none() && !settings.has_validation_files() {
            return refuse(
                "tune".into(),
                "no validation set".to_owned(),
                validation_set(),
            );
        }
        // Settings that are valid by themselves may contradict each other.
        (1..=self.trials).try_for_each(|trial| self.config(trial).check().map(drop))
    }

    /// Reads the file at `path`.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if it cannot be read, and [`Error::Run`] if it is damaged.
    pub fn read(path: &Path) -> Result<Plan> {
        let text = fs::read_to_string(path).map_err(Error::io(path, "read"))?;
        if text.starts_with(EARLIER_HEAD) {
            let table: Table = text.parse().unwrap_or_default();
            if let Some(settings) = table.get("settings").and_then(Value::as_table) {
                check_earlier_scale(path, settings)?;
            }
        }
        toml::from_str(&text).map_err(|error: toml::de::Error| {
            let found = error.message().replace('\n', " ");
            Error::Run(Refusal::new(
                path.display(),
                found,
                message!["what ", Command("tune"), " writes there"],
            ))
        })
    }

    /// Writes the file at `path` completely or not at all.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if it cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let table = toml::to_string(self).expect("plain data is always TOML");
        durable::write_atomically(path, |out| write!(out, "{HEAD}{table}"))
    }
}
