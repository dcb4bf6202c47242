//! `config.toml`: every setting of a run, under the names that flags and fields have.
//!
//! One flat table. A file may leave out what should be as it is by default, and is refused where it has a key that is
//! none, with the nearest one that is. Nothing in it is run, and paths in it are data to read, never places to write.

use std::fs;
use std::io::Read;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use toml::{Table, Value};

use super::every::Every;
use crate::config::TrainConfig;
use crate::data::DataMode;
use crate::durable;
use crate::error::{Error, Refusal, Result};

/// No file of settings is longer, in bytes.
const MAX_LENGTH: u64 = 1 << 20;

const HEAD: &str = "\
# Every setting of this run, as it took effect. `perceptor train --config FILE` takes them for another run,
# `perceptor train --resume FOLDER` goes on with this one.

";

/// The settings of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Folder of the data set; none where files are named one by one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
    /// Training images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_images: Option<PathBuf>,
    /// Training labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_labels: Option<PathBuf>,
    /// Validation images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation_images: Option<PathBuf>,
    /// Validation labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation_labels: Option<PathBuf>,
    /// Test images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_images: Option<PathBuf>,
    /// Test labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_labels: Option<PathBuf>,
    /// Number of classes; none to count them from the training labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<usize>,
    /// How the images are held.
    pub data_mode: DataMode,
    /// The model file that training begins from; none to draw weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init_from: Option<PathBuf>,
    /// What decides the result.
    #[serde(flatten, with = "seed_in_words")]
    pub train: TrainConfig,
    /// Worker threads, where a number was asked for; none for all cores there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<NonZeroUsize>,
    /// How often a checkpoint is written.
    pub checkpoint_every: Every,
    /// How many checkpoints are kept.
    pub keep: NonZeroU32,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            data: None,
            train_images: None,
            train_labels: None,
            validation_images: None,
            validation_labels: None,
            test_images: None,
            test_labels: None,
            classes: None,
            data_mode: DataMode::default(),
            init_from: None,
            train: TrainConfig::default(),
            threads: None,
            checkpoint_every: Every::default(),
            keep: const { NonZeroU32::new(2).expect("two is not zero") },
        }
    }
}

impl Settings {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be read, [`Error::Config`] when it is no TOML, has a key that is none, or a value
    /// of another kind.
    pub fn read(path: &Path) -> Result<Settings> {
        Settings::from_bytes(path, &content(path)?)
    }

    /// The keys that stand in the file at `path`.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be read.
    pub fn keys(path: &Path) -> Result<Vec<String>> {
        let bytes = content(path)?;
        Ok(keys_in(std::str::from_utf8(&bytes).unwrap_or_default()))
    }

    /// Reads the content of the file `path`.
    ///
    /// # Errors
    /// [`Error::Config`], as [`Settings::read`].
    pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Settings> {
        let refuse = |found: String, expected: &str| {
            Error::Config(Refusal::new(path.display(), found, expected))
        };
        if bytes.len() as u64 > MAX_LENGTH {
            return Err(refuse(
                format!("more than {MAX_LENGTH} bytes"),
                "a table of settings",
            ));
        }
        let text = std::str::from_utf8(bytes)
            .map_err(|_| refuse("bytes that are no text".to_owned(), "TOML"))?;
        let table: Table = text.parse().map_err(|error: toml::de::Error| {
            let line = error
                .span()
                .map_or(1, |span| 1 + text[..span.start].matches('\n').count());
            let message = error
                .message()
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned();
            let place = format!("{}: line {line}", path.display());
            let (found, expected) = message
                .split_once(", expected ")
                .unwrap_or((&message, "TOML"));
            Error::Config(Refusal::new(place, found, expected))
        })?;
        let known = known_keys();
        for (key, value) in &table {
            if !known.iter().any(|known| known == key) {
                return Err(unknown_key(path, key, &known));
            }
            // One by one, so that the message can name the key.
            let alone = Table::from_iter([(key.clone(), value.clone())]);
            Settings::deserialize(Value::Table(alone)).map_err(|error| {
                let message = error.message().trim().replace('\n', " ");
                let place = format!("{}: {key}", path.display());
                match message.split_once(", expected ") {
                    Some((found, expected)) => Error::Config(Refusal::new(place, found, expected)),
                    None => Error::Config(Refusal::new(place, message, "a value of this setting")),
                }
            })?;
        }
        Settings::deserialize(Value::Table(table))
            .map_err(|error| refuse(error.message().replace('\n', " "), "a table of settings"))
    }

    /// The file as it would be written. Paths that are no text are left out.
    pub fn to_text(&self) -> String {
        format!("{HEAD}{}", self.to_table())
    }

    /// The settings as TOML, without a head.
    pub(crate) fn to_table(&self) -> String {
        let mut settings = self.clone();
        for path in [
            &mut settings.data,
            &mut settings.train_images,
            &mut settings.train_labels,
            &mut settings.validation_images,
            &mut settings.validation_labels,
            &mut settings.test_images,
            &mut settings.test_labels,
            &mut settings.init_from,
        ] {
            path.take_if(|path| path.to_str().is_none());
        }
        toml::to_string(&settings).expect("plain data is always TOML")
    }

    /// [`Settings::write`], without waiting for the disk.
    ///
    /// # Errors
    /// As [`Settings::write`].
    pub fn write_unsynced(&self, path: &Path) -> Result<()> {
        durable::write_unsynced(path, |out| out.write_all(self.to_text().as_bytes()))
    }

    /// Writes the file at `path`, whole or not at all.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        durable::write_atomically(path, |out| out.write_all(self.to_text().as_bytes()))
    }
}

/// The keys that stand in `text`; none where it is no TOML.
pub(super) fn keys_in(text: &str) -> Vec<String> {
    let table: Table = text.parse().unwrap_or_default();
    table.into_iter().map(|(key, _)| key).collect()
}

/// What stands in the file at `path`, up to where it is too long.
fn content(path: &Path) -> Result<Vec<u8>> {
    let file = fs::File::open(path).map_err(Error::io(path, "open"))?;
    let mut bytes = Vec::new();
    let read = file.take(MAX_LENGTH + 1).read_to_end(&mut bytes);
    read.map_err(Error::io(path, "read"))?;
    Ok(bytes)
}

/// Every key there is, by writing down settings that leave nothing out.
fn known_keys() -> Vec<String> {
    let path = Some(PathBuf::new());
    let full = Settings {
        data: path.clone(),
        train_images: path.clone(),
        train_labels: path.clone(),
        validation_images: path.clone(),
        validation_labels: path.clone(),
        test_images: path.clone(),
        test_labels: path.clone(),
        init_from: path,
        classes: Some(2),
        train: TrainConfig::full(),
        threads: Some(NonZeroUsize::MIN),
        ..Settings::default()
    };
    let table = Table::try_from(full).expect("plain data is always TOML");
    // The flags' names for `learning_rate` and `average`.
    let aliases = ["lr", "ema"].map(str::to_owned);
    let keys = table.into_iter().map(|(key, _)| key);
    keys.chain(aliases).collect()
}

fn unknown_key(path: &Path, key: &str, known: &[String]) -> Error {
    /// Less alike than this is nothing that was meant.
    const ALIKE: f64 = 0.6;
    let near = known
        .iter()
        .map(|known| (strsim::jaro_winkler(key, known), known))
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .filter(|(alike, _)| *alike >= ALIKE);
    let refusal = Refusal::new(
        path.display(),
        format!("no setting is called {key}"),
        known.join(", "),
    );
    Error::Config(match near {
        Some((_, near)) => refusal.hint(format!("the nearest is {near}")),
        None => refusal,
    })
}

/// TOML counts to 2⁶³ − 1 and seeds to 2⁶⁴ − 1: larger ones are written as text.
mod seed_in_words {
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

    /// The shortest number that means the same 32 bits: 0.1 and not 0.10000000149011612.
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
