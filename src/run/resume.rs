//! Whether an earlier run can go on here, from where, and why not.
//!
//! A run goes on only as what it was: same settings but for the number of epochs and the time it may take, same data by their fingerprint, an
//! engine that gives the same bits. Everything else is refused in words. The number of threads is free, as is where the
//! data lie.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::checkpoint::{Checkpoint, Identity};
use super::config_file::Settings;
use super::folder::RunFolder;
use crate::compute::Engine;
use crate::config::TrainConfig;
use crate::data::Fingerprint;
use crate::error::{Error, Refusal, Result};
use crate::message::{Command, Key, Message, message};
use crate::train::State;

/// An earlier run, about to go on.
#[derive(Debug)]
pub struct Resumption {
    /// Its folder, locked for this process.
    pub folder: RunFolder,
    /// Its settings.
    pub settings: Settings,
    checkpoint: Option<(PathBuf, Checkpoint)>,
    damaged: Vec<(PathBuf, Error)>,
}

impl Resumption {
    /// Opens the run in the folder `path` and finds its newest checkpoint that is whole.
    ///
    /// # Errors
    /// Those of [`RunFolder::open`], [`Settings::read`] and [`super::Shelf::newest`], and [`Error::Checkpoint`] when there
    /// are checkpoints and none of them is whole.
    pub fn open(path: &Path) -> Result<Resumption> {
        let folder = RunFolder::open(path)?;
        let settings = Settings::read(&folder.config())?;
        let mut newest = folder.shelf().newest()?;
        if newest.good.is_none() && !newest.damaged.is_empty() {
            let count = newest.damaged.len();
            let (_, error) = newest.damaged.swap_remove(0);
            let config = folder.config();
            return Err(match error {
                Error::Checkpoint(refusal) => Error::Checkpoint(refusal.hint(message![
                    format!("none of {count} checkpoints is whole; start over with "),
                    Command("train"),
                    " and ",
                    Key("config").set_to(config.display()),
                ])),
                error => error,
            });
        }
        Ok(Resumption {
            folder,
            settings,
            checkpoint: newest.good,
            damaged: newest.damaged,
        })
    }

    /// The file that the run goes on from; none where it was stopped before there was one, and begins anew.
    pub fn from(&self) -> Option<&Path> {
        self.checkpoint.as_ref().map(|(path, _)| path.as_path())
    }

    /// What is wrong with newer checkpoints, newest first: damaged, or not to be read.
    pub fn damaged(&self) -> impl Iterator<Item = &Error> {
        self.damaged.iter().map(|(_, error)| error)
    }

    /// What wrote the checkpoint, where that is another version or revision of the program than this one, whose
    /// arithmetic may differ in the last bits.
    pub fn other_program(&self) -> Option<&Identity> {
        let (_, checkpoint) = self.checkpoint.as_ref()?;
        let identity = &checkpoint.identity;
        let same = identity.version == crate::VERSION && identity.revision == crate::REVISION;
        (!same).then_some(identity)
    }

    /// The engine of the run, if it is here.
    ///
    /// # Errors
    /// [`Error::Run`] when it is not.
    pub fn check_engine(&self, describe: impl FnOnce(Engine) -> String) -> Result<()> {
        let Some((path, checkpoint)) = &self.checkpoint else {
            return Ok(());
        };
        let was = &checkpoint.identity.engine;
        let refuse = |found: Message| {
            Err(Error::Run(
                Refusal::new(path.display(), format!("a run with {was}"), found)
                    .hint("go on where it began, or start over; another engine ends in other bits"),
            ))
        };
        match self.settings.train.engine.resolve() {
            Err(error) => refuse(message!["one whose engine is here (", error.message(), ")"]),
            Ok(engine) => match describe(engine) {
                here if same_bits(was, &here) => Ok(()),
                here => refuse(format!("one with {here}, which is what is here").into()),
            },
        }
    }

    /// Holds the run against the settings it is to go on with, and the data that are there.
    ///
    /// # Errors
    /// [`Error::Config`] when it has more epochs behind it than `config` asks for, [`Error::Run`] for any other
    /// difference.
    pub fn check(&self, config: &TrainConfig, data: &Fingerprint, data_name: &str) -> Result<()> {
        let Some((path, checkpoint)) = &self.checkpoint else {
            return Ok(());
        };
        let (identity, place) = (&checkpoint.identity, checkpoint.state.place());
        if let Some((key, found, expected)) = difference(config, &identity.config) {
            return Err(Error::Run(
                Refusal::new(
                    self.folder.config().display(),
                    format!("{key} is {found}"),
                    format!("{expected}, as in {}", path.display()),
                )
                .hint(message![
                    "a run goes on with the settings it began with; start over with ",
                    Key("config"),
                ]),
            ));
        }
        if let Some(difference) = data.difference(&identity.data) {
            return Err(Error::Run(
                Refusal::new(
                    format!("{data_name}: {}", difference.set),
                    difference.found,
                    format!("{}, as in {}", difference.expected, path.display()),
                )
                .hint(message![
                    "a run goes on with the data it began with; name their place with ",
                    Key("data")
                ]),
            ));
        }
        let needed = place.epochs + usize::from(place.steps > 0);
        if config.epochs < needed {
            return Err(Error::Config(Refusal::new(
                Key("epochs"),
                config.epochs.to_string(),
                format!("at least {needed}: {} is at {place}", path.display()),
            )));
        }
        Ok(())
    }

    /// Puts damaged checkpoints aside, leaves those that could not be read where they are, and gives the folder and the
    /// state to go on from.
    ///
    /// # Errors
    /// [`Error::Io`] when a damaged checkpoint cannot be renamed.
    pub fn begin(self) -> Result<(RunFolder, Option<State>)> {
        for (path, error) in &self.damaged {
            // One that could not be read may be whole: nothing is known of it.
            if !matches!(error, Error::Io { .. }) {
                self.folder.shelf().set_aside(path)?;
            }
        }
        let state = self.checkpoint.map(|(_, checkpoint)| checkpoint.state);
        Ok((self.folder, state))
    }
}

/// Whether two engines, by their descriptions, give the same bits. The native one does with either instruction set: its
/// products are the same chains of fused multiply-adds, and what is done element by element is the same arithmetic.
pub(crate) fn same_bits(a: &str, b: &str) -> bool {
    let native = |engine: &str| engine.starts_with("native ");
    a == b || (native(a) && native(b))
}

/// The first setting in which two runs differ: its name and both values. How long it may take may differ, and the number
/// of epochs, unless the schedule is stretched over them.
fn difference(found: &TrainConfig, expected: &TrainConfig) -> Option<(String, String, String)> {
    let table = |config: &TrainConfig| -> Map<String, Value> {
        let value = serde_json::to_value(config).expect("plain data is always JSON");
        value.as_object().cloned().unwrap_or_default()
    };
    let stretched = found.schedule.schedule.spans_the_run();
    let (found, expected) = (table(&found.resolved()), table(&expected.resolved()));
    // A setting that is none is missing from its table, on either side.
    found.keys().chain(expected.keys()).find_map(|key| {
        let value = |table: &Map<String, Value>| table.get(key).cloned().unwrap_or_default();
        let (found, expected) = (value(&found), value(&expected));
        let free = (key == "epochs" && !stretched) || key == "max_time";
        let differ = !free && found != expected;
        differ.then(|| (key.clone(), words(&found), words(&expected)))
    })
}

/// A value as one would write it: settings have 32 bits, and one that is missing is none.
fn words(value: &Value) -> String {
    if value.is_null() {
        return "none".to_owned();
    }
    match value.as_f64() {
        Some(number) if value.is_f64() => (number as f32).to_string(),
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ScheduleConfig;
    use crate::schedule::ScheduleName;

    #[test]
    fn names_the_setting_that_differs_and_lets_epochs_grow() {
        let config = TrainConfig::default();
        let longer = TrainConfig {
            epochs: 99,
            ..config.clone()
        };
        assert_eq!(difference(&longer, &config), None);
        let other = TrainConfig {
            hidden: vec![7],
            ..config.clone()
        };
        let (key, found, expected) = difference(&other, &config).expect("a difference");
        assert_eq!(
            (key.as_str(), found.as_str(), expected.as_str()),
            ("hidden", "[7]", "[100]")
        );
    }

    #[test]
    fn epochs_are_fixed_where_the_schedule_spans_them() {
        let config = |epochs, schedule| TrainConfig {
            epochs,
            schedule: ScheduleConfig {
                schedule,
                ..ScheduleConfig::default()
            },
            ..TrainConfig::default()
        };
        for (schedule, free) in [
            (ScheduleName::Exponential, true),
            (ScheduleName::Cosine, false),
            (ScheduleName::OneCycle, false),
        ] {
            let found = difference(&config(9, schedule), &config(8, schedule));
            assert_eq!(found.is_none(), free, "{schedule:?}");
        }
    }

    #[test]
    fn a_setting_that_came_or_went_is_a_difference() {
        let config = TrainConfig::default();
        let windowed = TrainConfig {
            shuffle_window: Some(5),
            ..config.clone()
        };
        let told = |found: &str, expected: &str| {
            Some(("shuffle_window".into(), found.into(), expected.into()))
        };
        assert_eq!(difference(&windowed, &config), told("5", "none"));
        assert_eq!(difference(&config, &windowed), told("none", "5"));
    }

    #[test]
    fn instruction_sets_of_the_native_engine_are_one_and_libraries_are_not() {
        assert!(same_bits("native AVX2", "native AVX-512"));
        assert!(same_bits(
            "OpenBLAS 0.3.21 Haswell",
            "OpenBLAS 0.3.21 Haswell"
        ));
        assert!(!same_bits(
            "OpenBLAS 0.3.21 Haswell",
            "OpenBLAS 0.3.21 SkylakeX"
        ));
        assert!(!same_bits(
            "native AVX2",
            "portable matrixmultiply 0.3.11 avx2"
        ));
    }
}
