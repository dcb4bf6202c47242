//! `config.toml`: every setting of a run, under the keys of [`Settings`].
//!
//! The file is one flat table. Settings that it leaves out have their defaults, and an unknown key is refused together
//! with the most similar one. Nothing in the file is executed, and paths in it are read, never written.

use std::fs;
use std::io::Read;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use toml::{Table, Value};

use super::every::Every;
use crate::config::setting::{Setting, settings};
use crate::config::{Size, TableConfig, Threads, TrainConfig};
use crate::data::{DataMode, Scale};
use crate::durable;
use crate::error::{Error, Refusal, Result};

/// The longest file that is read, in bytes.
const MAX_LENGTH: u64 = 1 << 20;

const HEAD: &str = "\
# The settings of this run, all as they took effect. They can start another run as its file of settings.
# This run resumes from its folder.

";

/// What files start with in which `standard` meant one pair of numbers for all features.
const EARLIER_HEAD: &str = "# Every setting of this run, as it took effect.";

settings! {
    /// The settings of a run.
    pub struct Settings, Data {
        /// Folder with IDX files, or a table: CSV, TSV, or one of them as .gz.
        ///
        /// IDX files have their usual names, raw or .gz. A table needs `target`.
        data: Option<PathBuf> = None =>
            placeholder("PATH"), default("data/mnist, otherwise generated digits"), set("data"),
            conflicts(&["train_images", "train_labels", "test_images", "test_labels"]), common, may_change;
        /// Table to test on, with the columns of the training table in any order.
        test_data: Option<PathBuf> = None => placeholder("TABLE"), set("data"), may_change;
        /// Training images, an IDX file.
        train_images: Option<PathBuf> = None => set("data"), requires("train_labels"), may_change;
        /// Training labels, an IDX file.
        train_labels: Option<PathBuf> = None => set("data"), requires("train_images"), may_change;
        /// Table to validate on, with the columns of the training table in any order.
        validation_data: Option<PathBuf> = None =>
            under(Heading::Validation), placeholder("TABLE"), set("validation"), may_change;
        /// Validation images, an IDX file.
        validation_images: Option<PathBuf> = None =>
            under(Heading::Validation), set("validation"), requires("validation_labels"), may_change;
        /// Validation labels, an IDX file.
        validation_labels: Option<PathBuf> = None =>
            under(Heading::Validation), set("validation"), requires("validation_images"), may_change;
        /// Test images, an IDX file.
        test_images: Option<PathBuf> = None => set("data"), requires("test_labels"), may_change;
        /// Test labels, an IDX file.
        test_labels: Option<PathBuf> = None => set("data"), requires("test_images"), may_change;
        /// Weights of the training samples, an IDX file with a number for each row.
        ///
        /// A sample of weight 2 counts as much in training as two of weight 1. Evaluation is not weighted.
        sample_weights: Option<PathBuf> = None => part_of("data"), may_change;
        /// Number of classes.
        classes: Option<usize> = None => default("counted from the training labels");
        /// How images are held: memory-mapped, or copied into memory, for files that other programs write to.
        data_mode: DataMode = DataMode::default() => may_change;
        /// The most memory for the encoded rows of a table, such as 2GB; more of them go to a file.
        ///
        /// `train` keeps the file in the folder of the run until the run is done, and uses it again to resume if the table is
        /// unchanged. The result does not depend on it.
        table_memory: Option<Size> = None => default("a quarter of the memory"), may_change;
        /// Start from the weights of this model.
        ///
        /// Without `hidden`, `activation`, `batch_norm` and `task`, its network is used, too.
        init_from: Option<PathBuf> = None => under(Heading::Network), placeholder("MODEL");
        /// Worker threads, or auto for as many as train the network fastest.
        ///
        /// `auto` measures some steps with 1, 2 and more threads, up to one for each core this process may use, which
        /// takes milliseconds, and keeps the rates in the user's cache. The result does not depend on the number.
        threads: Threads = Threads::default() => under(Heading::Compute), common, may_change;
        /// How often to save a checkpoint, from which a stopped run resumes.
        ///
        /// A number of epochs or steps, such as "500 steps", a time, such as 10m, or never.
        checkpoint_every: Every = Every::default() => under(Heading::Runs), may_change;
        /// Number of checkpoints to keep, the newest ones.
        keep: NonZeroU32 = const { NonZeroU32::new(2).expect("two is not zero") } =>
            under(Heading::Runs), may_change;
    }
    groups {
        /// The settings that decide the result.
        #[serde(flatten, with = "seed_as_text")]
        train: TrainConfig;
        /// How a table is read, and what becomes of its columns.
        #[serde(flatten)]
        table: TableConfig;
    }
}

impl Settings {
    /// Returns the descriptions of all settings, in the order of the help.
    pub fn all() -> &'static [Setting] {
        &SETTINGS
    }

    /// Returns the setting with this key or alias.
    pub fn setting(key: &str) -> Option<&'static Setting> {
        let is_named = |setting: &&Setting| setting.key == key || setting.alias == Some(key);
        SETTINGS.iter().find(is_named)
    }

    /// Reads the file at `path`.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the file cannot be read, and [`Error::Config`] if it is not TOML, has an unknown key, or
    /// a value of another kind.
    pub fn read(path: &Path) -> Result<Settings> {
        Settings::from_bytes(path, &content(path)?)
    }

    /// Reads the content of the file `path`.
    ///
    /// # Errors
    /// Returns [`Error::Config`] as [`Settings::read`] does.
    pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Settings> {
        Settings::from_table(path, table_of(path, bytes)?)
    }

    /// The settings in a table; those that are missing have their defaults.
    pub(super) fn from_table(path: &Path, table: Table) -> Result<Settings> {
        Settings::deserialize(Value::Table(table)).map_err(|error| {
            let found = error.message().replace('\n', " ");
            Error::Config(Refusal::new(path.display(), found, "a table of settings"))
        })
    }

    /// The paths among the settings, with their keys.
    pub(super) fn paths_mut(&mut self) -> [(&'static str, &mut Option<PathBuf>); 11] {
        [
            ("data", &mut self.data),
            ("test_data", &mut self.test_data),
            ("validation_data", &mut self.validation_data),
            ("train_images", &mut self.train_images),
            ("train_labels", &mut self.train_labels),
            ("test_images", &mut self.test_images),
            ("test_labels", &mut self.test_labels),
            ("sample_weights", &mut self.sample_weights),
            ("validation_images", &mut self.validation_images),
            ("validation_labels", &mut self.validation_labels),
            ("init_from", &mut self.init_from),
        ]
    }

    /// Returns the text of the file. Paths that are not text are left out.
    pub fn to_text(&self) -> String {
        format!("{HEAD}{}", self.to_table())
    }

    /// Returns the settings as TOML, without the comment at the top.
    pub(crate) fn to_table(&self) -> String {
        let mut settings = self.clone();
        for (_, path) in settings.paths_mut() {
            path.take_if(|path| path.to_str().is_none());
        }
        toml::to_string(&settings).expect("plain data is always TOML")
    }

    /// Writes the file at `path` like [`Settings::write`], without waiting for the disk.
    ///
    /// # Errors
    /// Returns the errors of [`Settings::write`].
    pub fn write_unsynced(&self, path: &Path) -> Result<()> {
        durable::write_unsynced(path, |out| out.write_all(self.to_text().as_bytes()))
    }

    /// Writes the file at `path` completely or not at all.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if it cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        durable::write_atomically(path, |out| out.write_all(self.to_text().as_bytes()))
    }
}

/// The descriptions of all settings, by heading.
static SETTINGS: LazyLock<Vec<Setting>> = LazyLock::new(|| {
    let mut settings = Settings::descriptions();
    settings.sort_by_key(|setting| setting.heading);
    settings
});

/// Reads the table in the file `path`, under the full keys of settings, and checks each value.
///
/// # Errors
/// Returns [`Error::Config`] if the content is not TOML, has an unknown key, or a value of another kind.
pub(super) fn table_of(path: &Path, bytes: &[u8]) -> Result<Table> {
    let refuse = |found: String, expected: &str| {
        Error::Config(Refusal::new(path.display(), found, expected))
    };
    if bytes.len() as u64 > MAX_LENGTH {
        let found = format!("more than {MAX_LENGTH} bytes");
        return Err(refuse(found, "a table of settings"));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|_| refuse("bytes that are not text".to_owned(), "TOML"))?;
    let table: Table = text.parse().map_err(|error| not_toml(path, text, &error))?;
    if text.starts_with(EARLIER_HEAD) {
        check_earlier_scale(path, &table)?;
    }
    let mut settings = Table::new();
    for (key, value) in table {
        let setting = setting_of(path, &key)?;
        let value = match &value {
            Value::String(text) if text.ends_with('%') => {
                setting.parse(text).ok().flatten().unwrap_or(value)
            }
            _ => value,
        };
        // One by one, so that the message names the key.
        let single = Table::from_iter([(setting.key.to_owned(), value.clone())]);
        Settings::deserialize(Value::Table(single)).map_err(|error| {
            let message = error.message().trim().replace('\n', " ");
            let place = format!("{}: {key}", path.display());
            match message.split_once(", expected ") {
                Some((found, expected)) => Error::Config(Refusal::new(place, found, expected)),
                None => Error::Config(Refusal::new(place, message, "a value of this setting")),
            }
        })?;
        if settings.insert(setting.key.to_owned(), value).is_some() {
            let found = format!("both {} and {}", setting.key, setting.short_key());
            return Err(refuse(found, "one of them"));
        }
    }
    Ok(settings)
}

/// Refuses a table that an earlier version wrote if it has the scale `standard`, which means something else now.
///
/// # Errors
/// Returns [`Error::Config`] for that scale.
pub(crate) fn check_earlier_scale(path: &Path, table: &Table) -> Result<()> {
    let scale = table.get("scale").and_then(Value::as_str);
    if scale != Some(Scale::Standard.name()) {
        return Ok(());
    }
    let found = "standard, in a file of an earlier version";
    let expected = "standard-global, the name that one pair of numbers for all features has now";
    let refusal = Refusal::new(format!("{}: scale", path.display()), found, expected);
    Err(Error::Config(refusal.hint(
        "write standard-global there; to train another run with a pair for each feature, remove the first line of the file",
    )))
}

fn not_toml(path: &Path, text: &str, error: &toml::de::Error) -> Error {
    let line = error
        .span()
        .map_or(1, |span| 1 + text[..span.start].matches('\n').count());
    let message = error.message().lines().next().unwrap_or_default();
    let place = format!("{}: line {line}", path.display());
    let (found, expected) = message
        .split_once(", expected ")
        .unwrap_or((message, "TOML"));
    Error::Config(Refusal::new(place, found, expected))
}

/// Reads the file at `path`, up to the first byte that makes it too long.
pub(super) fn content(path: &Path) -> Result<Vec<u8>> {
    let file = fs::File::open(path).map_err(Error::io(path, "open"))?;
    let mut bytes = Vec::new();
    let read = file.take(MAX_LENGTH + 1).read_to_end(&mut bytes);
    read.map_err(Error::io(path, "read"))?;
    Ok(bytes)
}

/// Returns the setting that the key of a file stands for.
///
/// # Errors
/// Returns [`Error::Config`] if there is none.
fn setting_of(path: &Path, key: &str) -> Result<&'static Setting> {
    /// Keys less similar than this are not suggested.
    const SIMILAR: f64 = 0.6;
    if let Some(setting) = Settings::setting(key) {
        return Ok(setting);
    }
    let own = SETTINGS.iter().map(|setting| setting.key);
    let aliases = SETTINGS.iter().filter_map(|setting| setting.alias);
    let known: Vec<&str> = own.chain(aliases).collect();
    let nearest = known
        .iter()
        .map(|known| (strsim::jaro_winkler(key, known), known))
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .filter(|(similarity, _)| *similarity >= SIMILAR);
    let found = format!("no setting is called {key}");
    let refusal = Refusal::new(path.display(), found, known.join(", "));
    Err(Error::Config(match nearest {
        Some((_, nearest)) => refusal.hint(format!("the nearest is {nearest}")),
        None => refusal,
    }))
}

/// Serde functions for settings with a seed: TOML counts to 2⁶³ − 1 and seeds to 2⁶⁴ − 1, so larger ones are text.
mod seed_as_text {
    use super::*;

    pub fn serialize<S: Serializer>(config: &TrainConfig, to: S) -> Result<S::Ok, S::Error> {
        use serde::ser::Error as _;
        let small = TrainConfig {
            seed: 0,
            ..config.clone()
        };
        let mut table = Table::try_from(&small).map_err(S::Error::custom)?;
        let seed = match i64::try_from(config.seed) {
            Ok(seed) => Value::Integer(seed),
            Err(_) => Value::String(config.seed.to_string()),
        };
        table.insert("seed".to_owned(), seed);
        for (_, value) in &mut table {
            shorten(value);
        }
        table.serialize(to)
    }

    /// Replaces a number by the shortest one with the same 32 bits: 0.1 instead of 0.10000000149011612.
    fn shorten(value: &mut Value) {
        match value {
            Value::Float(number) if f64::from(*number as f32) == *number => {
                *number = (*number as f32).to_string().parse().unwrap_or(*number);
            }
            Value::Array(values) => values.iter_mut().for_each(shorten),
            _ => {}
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<TrainConfig, D::Error> {
        use serde::de::Error as _;
        let mut table = Table::deserialize(from)?;
        let seed = match table.remove("seed") {
            None => TrainConfig::default().seed,
            Some(Value::Integer(seed)) if seed >= 0 => seed as u64,
            Some(Value::String(seed)) if seed.parse::<u64>().is_ok() => seed.parse().unwrap_or(0),
            Some(other) => {
                let message = format!("{other}, expected 0 to 18446744073709551615");
                return Err(D::Error::custom(message));
            }
        };
        let config = TrainConfig::deserialize(Value::Table(table));
        let config = config.map_err(|error| D::Error::custom(error.message()))?;
        Ok(TrainConfig { seed, ..config })
    }
}
