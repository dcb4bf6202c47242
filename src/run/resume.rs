//! Whether an earlier run can resume here, from which checkpoint, and why not.
//!
//! A run resumes only with the same settings, except those that may change, with the same data by their fingerprint, and
//! with an engine that computes the same bits.

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
use crate::table::Schema;
use crate::train::State;

/// An earlier run that is about to resume.
#[derive(Debug)]
pub struct Resumption {
    /// The folder of the run, locked for this process.
    pub folder: RunFolder,
    /// The settings of the run.
    pub settings: Settings,
    checkpoint: Option<(PathBuf, Checkpoint)>,
    damaged: Vec<(PathBuf, Error)>,
}

impl Resumption {
    /// Opens the run in the folder `path` and finds its newest valid checkpoint.
    ///
    /// # Errors
    /// Returns the errors of [`RunFolder::open`], [`Settings::read`] and [`super::Checkpoints::newest`], and
    /// [`Error::Checkpoint`] if there are checkpoints and none is valid.
    pub fn open(path: &Path) -> Result<Resumption> {
        let folder = RunFolder::open(path)?;
        let mut settings = Settings::read(&folder.config())?;
        let mut newest = folder.checkpoints().newest()?;
        if newest.valid.is_none() && !newest.damaged.is_empty() {
            let count = newest.damaged.len();
            let (_, error) = newest.damaged.swap_remove(0);
            let config = folder.config();
            return Err(match error {
                Error::Checkpoint(refusal) => Error::Checkpoint(refusal.hint(message![
                    format!("none of {count} checkpoints is valid; start over with "),
                    Command("train"),
                    " and ",
                    Key("config").set_to(config.display()),
                ])),
                error => error,
            });
        }
        if let Some((_, checkpoint)) = &newest.valid {
            // A run of an earlier version goes on without scaled targets.
            let task = &mut settings.train.task;
            let of_run = checkpoint.identity.config.task.target_scale;
            task.target_scale = task.target_scale.or(of_run);
        }
        Ok(Resumption {
            folder,
            settings,
            checkpoint: newest.valid,
            damaged: newest.damaged,
        })
    }

    /// The checkpoint from which the run resumes; `None` if it was stopped before there was one, and starts over.
    pub fn from(&self) -> Option<&Path> {
        self.checkpoint.as_ref().map(|(path, _)| path.as_path())
    }

    /// How the table was read that the run trains on; `None` for other data, or without a checkpoint.
    pub fn schema(&self) -> Option<&Schema> {
        let (_, checkpoint) = self.checkpoint.as_ref()?;
        checkpoint.identity.schema.as_ref()
    }

    /// The errors of newer checkpoints that are damaged or cannot be read, newest first.
    pub fn damaged(&self) -> impl Iterator<Item = &Error> {
        self.damaged.iter().map(|(_, error)| error)
    }

    /// The program that wrote the checkpoint, if its version or revision differs from this one, so that results may differ in
    /// the last bits.
    pub fn other_program(&self) -> Option<&Identity> {
        let (_, checkpoint) = self.checkpoint.as_ref()?;
        let identity = &checkpoint.identity;
        let same = identity.version == crate::VERSION && identity.revision == crate::REVISION;
        (!same).then_some(identity)
    }

    /// Checks that the engine of the run is available.
    ///
    /// # Errors
    /// Returns [`Error::Run`] if it is not.
    pub fn check_engine(&self, describe: impl FnOnce(Engine) -> String) -> Result<()> {
        let Some((path, checkpoint)) = &self.checkpoint else {
            return Ok(());
        };
        let original = &checkpoint.identity.engine;
        let refuse = |found: Message| {
            Err(Error::Run(
                Refusal::new(path.display(), format!("a run with {original}"), found)
                    .hint("resume on the machine where it started, or start over; another engine computes other bits"),
            ))
        };
        match self.settings.train.engine.resolve() {
            Err(error) => refuse(message![
                "an engine that is available (",
                error.message(),
                ")"
            ]),
            Ok(engine) => match describe(engine) {
                found if same_bits(original, &found) => Ok(()),
                found => refuse(format!("one with {found}, the engine of this machine").into()),
            },
        }
    }

    /// Checks the settings and data that the run resumes with.
    ///
    /// # Errors
    /// Returns [`Error::Config`] if the run has done more epochs than `config` has, and [`Error::Run`] for any other
    /// difference.
    pub fn check(&self, config: &TrainConfig, data: &Fingerprint, data_name: &str) -> Result<()> {
        let Some((path, checkpoint)) = &self.checkpoint else {
            return Ok(());
        };
        let (identity, place) = (&checkpoint.identity, checkpoint.state.position());
        self.check_epochs(config.epochs, &identity.config)?;
        if let Some((key, found, expected)) = difference(config, &identity.config) {
            return Err(Error::Run(
                Refusal::new(
                    self.folder.config().display(),
                    format!("{key} is {found}"),
                    format!("{expected}, as in {}", path.display()),
                )
                .hint(message![
                    "a run resumes with its own settings; start over with ",
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
                    "a run resumes with its own data; set their path with ",
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

    /// Checks the number of epochs against that of the run if its schedule is stretched over them.
    fn check_epochs(&self, epochs: usize, of_run: &TrainConfig) -> Result<()> {
        let schedule = of_run.schedule.schedule;
        if epochs == of_run.epochs || !schedule.spans_the_run() {
            return Ok(());
        }
        // The settings may have those of flags.
        let file = Settings::read(&self.folder.config());
        let from_file = file.is_ok_and(|file| file.train.epochs == epochs);
        let place = match from_file {
            true => message![self.folder.config().display(), ": epochs"],
            false => Key("epochs").into(),
        };
        let expected = format!(
            "{}, on which the {} schedule depends from the first step on",
            of_run.epochs,
            schedule.name()
        );
        let refusal = Refusal::new(place, epochs.to_string(), expected).hint(message![
            "resume with that number; to train for longer, start another run from the model of this one with ",
            Key("init_from")
        ]);
        Err(match from_file {
            true => Error::Run(refusal),
            false => Error::Config(refusal),
        })
    }

    /// Renames damaged checkpoints, and returns the folder and the state from which the run resumes. Checkpoints that could
    /// not be read stay.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if a damaged checkpoint cannot be renamed.
    pub fn begin(self) -> Result<(RunFolder, Option<State>)> {
        for (path, error) in &self.damaged {
            // One that could not be read may be valid.
            if !matches!(error, Error::Io { .. }) {
                self.folder.checkpoints().set_aside(path)?;
            }
        }
        let state = self.checkpoint.map(|(_, checkpoint)| checkpoint.state);
        Ok((self.folder, state))
    }
}

/// Whether two engines, by their descriptions, compute the same bits. The native engine does with every instruction set: its
/// products are the same chains of fused multiply-adds, and element-wise operations are the same arithmetic.
pub(crate) fn same_bits(a: &str, b: &str) -> bool {
    let native = |engine: &str| engine.starts_with("native ");
    a == b || (native(a) && native(b))
}

/// Returns the first setting in which two runs differ, with both values. Settings that may change on resuming do not count,
/// except the number of epochs if the schedule depends on it.
fn difference(found: &TrainConfig, expected: &TrainConfig) -> Option<(String, String, String)> {
    let table = |config: &TrainConfig| -> Map<String, Value> {
        let value = serde_json::to_value(config).expect("plain data is always JSON");
        value.as_object().cloned().unwrap_or_default()
    };
    let stretched = found.schedule.schedule.spans_the_run();
    let (found, expected) = (table(&found.resolved()), table(&expected.resolved()));
    // A setting that is not set is missing from its table, on either side.
    found.keys().chain(expected.keys()).find_map(|key| {
        let value = |table: &Map<String, Value>| table.get(key).cloned().unwrap_or_default();
        let (found, expected) = (value(&found), value(&expected));
        let may_change = Settings::setting(key).is_some_and(|setting| setting.may_change)
            && !(key == "epochs" && stretched);
        let differ = !may_change && found != expected;
        differ.then(|| (key.clone(), text_of(&found), text_of(&expected)))
    })
}

/// The text of a value: settings have 32 bits, and a missing one is `none`.
fn text_of(value: &Value) -> String {
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
    use crate::run::precedence::Layer;
    use crate::schedule::ScheduleName;

    #[test]
    fn a_different_setting_is_found_and_epochs_may_grow() {
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
    fn every_setting_is_fixed_or_may_change() {
        let values = [
            "7", "0.25", "1,2", "98%", "1h", "balanced", "true", "auto", "none",
        ];
        for setting in TrainConfig::descriptions() {
            let mut base = Layer::default();
            let needed = match setting.key {
                "huber_delta" => &[("task", "regression"), ("loss", "huber")][..],
                "quantile" => &[("task", "regression"), ("loss", "quantile")],
                "target_scale" => &[("task", "regression")],
                _ => &[],
            };
            for (key, text) in needed {
                let setting = Settings::setting(key).expect("a setting");
                base.set(setting, text).expect("a value");
            }
            let config = |layer: &Layer| layer.settings().expect("settings").train;
            let default = config(&base);
            let changed = setting.choices.iter().chain(&values).find_map(|text| {
                let mut layer = base.clone();
                layer.set(&setting, text).ok()?;
                let config = config(&layer);
                (config.resolved() != default.resolved()).then_some(config)
            });
            let changed = changed.unwrap_or_else(|| panic!("{}: no other value", setting.key));
            let found = difference(&changed, &default);
            assert_eq!(found.is_none(), setting.may_change, "{}", setting.key);
        }
    }

    #[test]
    fn epochs_are_fixed_if_the_schedule_spans_them() {
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
    fn a_setting_that_is_set_on_one_side_is_a_difference() {
        let config = TrainConfig::default();
        let windowed = TrainConfig {
            shuffle_window: Some(5),
            ..config.clone()
        };
        let differs = |found: &str, expected: &str| {
            Some(("shuffle_window".into(), found.into(), expected.into()))
        };
        assert_eq!(difference(&windowed, &config), differs("5", "none"));
        assert_eq!(difference(&config, &windowed), differs("none", "5"));
    }

    #[test]
    fn all_instruction_sets_of_the_native_engine_compute_the_same_bits() {
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
