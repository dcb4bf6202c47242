//! Which source of a setting wins: flags over the file, and the file over the defaults.
//!
//! Each source is a [`Layer`], a table of the settings that it gives. A layer over another also removes what no longer
//! makes sense below it: the momentum of an optimiser that the upper layer replaces, or the other paths of a data set that
//! it names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::config_file::{Settings, content, table_of};
use crate::config::setting::{ParseError, Setting};
use crate::error::Result;

/// The settings that one source gives.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Layer {
    given: BTreeMap<&'static str, Given>,
}

/// What a source gives for a setting.
#[derive(Debug, Clone, PartialEq)]
enum Given {
    Value(Value),
    /// A path, which may have bytes that are not text.
    Path(PathBuf),
    /// Nothing, also if a lower layer has a value.
    Unset,
}

impl Layer {
    /// Reads a file of settings.
    ///
    /// # Errors
    /// Returns the errors of [`Settings::read`].
    pub fn read(path: &Path) -> Result<Layer> {
        Layer::from_bytes(path, &content(path)?)
    }

    /// Reads the content of the file `path`.
    ///
    /// # Errors
    /// Returns the errors of [`Settings::from_bytes`].
    pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Layer> {
        let table = table_of(path, bytes)?.into_iter();
        let given = table
            .filter_map(|(key, value)| Some((Settings::setting(&key)?.key, Given::Value(value))));
        Ok(Layer {
            given: given.collect(),
        })
    }

    /// The layer that gives every setting of `settings`. Paths that are not text are left out.
    pub fn of(settings: &Settings) -> Layer {
        let text = settings.to_text();
        Layer::from_bytes(Path::new("settings"), text.as_bytes()).expect("settings are valid")
    }

    /// Gives a setting the value that `text` stands for.
    ///
    /// # Errors
    /// Returns what is accepted if `text` is not a value of the setting.
    pub fn set(&mut self, setting: &Setting, text: &str) -> Result<(), ParseError> {
        let given = match setting.parse(text)? {
            Some(value) => Given::Value(value),
            None => Given::Unset,
        };
        self.given.insert(setting.key, given);
        Ok(())
    }

    /// Adds the entry that `text` stands for to a setting that is a list.
    ///
    /// # Errors
    /// Returns what is accepted if `text` is not an entry of the setting.
    pub fn add(&mut self, setting: &Setting, text: &str) -> Result<(), ParseError> {
        let entries = setting.parse(text)?;
        match (self.given.get_mut(setting.key), entries) {
            (Some(Given::Value(Value::Array(all))), Some(Value::Array(entries))) => {
                all.extend(entries);
                Ok(())
            }
            _ => self.set(setting, text),
        }
    }

    /// Gives a setting that is a path.
    pub fn set_path(&mut self, setting: &Setting, path: PathBuf) {
        self.given.insert(setting.key, Given::Path(path));
    }

    /// Whether the layer gives the setting `key`.
    pub fn gives(&self, key: &str) -> bool {
        self.given.contains_key(key)
    }

    /// The keys of all settings that the layer gives.
    pub fn keys(&self) -> impl Iterator<Item = &'static str> {
        self.given.keys().copied()
    }

    /// The layer without what `other` gives.
    pub fn without(mut self, other: &Layer) -> Layer {
        self.given.retain(|key, _| !other.gives(key));
        self
    }

    /// What the layer gives of the settings for which `is_kept` returns true.
    pub fn only(mut self, is_kept: impl Fn(&Setting) -> bool) -> Layer {
        self.given
            .retain(|key, _| Settings::setting(key).is_some_and(&is_kept));
        self
    }

    /// The layer over `lower`, which keeps what this one neither gives nor makes meaningless.
    pub fn over(self, mut lower: Layer) -> Layer {
        let stays = |key: &str| Settings::setting(key).is_some_and(|it| !self.replaces(it, &lower));
        let kept: Vec<&str> = lower.keys().filter(|key| stays(key)).collect();
        lower.given.retain(|key, _| kept.contains(key));
        lower.given.extend(self.given);
        lower
    }

    /// Whether the layer takes away the value that `lower` gives for `setting`.
    fn replaces(&self, setting: &Setting, lower: &Layer) -> bool {
        let in_set = |key: &str| {
            Settings::setting(key).is_some_and(|it| it.set.is_some() && it.set == setting.set)
        };
        if self.keys().any(in_set) {
            return true;
        }
        let Some(owner) = setting.part_of.and_then(Settings::setting) else {
            return false;
        };
        let changes = self.gives(owner.key) && self.value(owner) != lower.value(owner);
        changes || self.replaces(owner, lower)
    }

    /// The value of `setting` in this layer, or its default.
    fn value(&self, setting: &Setting) -> Option<Value> {
        match self.given.get(setting.key) {
            Some(Given::Value(value)) => Some(value.clone()),
            Some(Given::Path(_) | Given::Unset) => None,
            None => setting.default_value.clone(),
        }
    }

    /// The settings of this layer over the defaults.
    ///
    /// # Errors
    /// Returns [`crate::Error::Config`] if the values do not make settings; those that were read or parsed do.
    pub fn settings(&self) -> Result<Settings> {
        let table: Table = self
            .given
            .iter()
            .filter_map(|(key, given)| match given {
                Given::Value(value) => Some(((*key).to_owned(), value.clone())),
                Given::Path(_) | Given::Unset => None,
            })
            .collect();
        let mut settings = Settings::from_table(Path::new("settings"), table)?;
        for (key, path) in settings.paths_mut() {
            if let Some(Given::Path(given)) = self.given.get(key) {
                *path = Some(given.clone());
            }
        }
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{OptimizerName, TrainConfig};

    fn file(text: &str) -> Layer {
        Layer::from_bytes(Path::new("c"), text.as_bytes()).expect("settings")
    }

    fn flags(given: &[(&str, &str)]) -> Layer {
        let mut layer = Layer::default();
        for (key, text) in given {
            let setting = Settings::setting(key).expect("a setting");
            layer.set(setting, text).expect("a value");
        }
        layer
    }

    fn train(flags: Layer, file: Layer) -> TrainConfig {
        flags.over(file).settings().expect("settings").train
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_over_defaults() {
        let config = train(
            flags(&[("epochs", "5")]),
            file("epochs = 4\nbatch_size = 8"),
        );
        assert_eq!((config.epochs, config.batch_size, config.seed), (5, 8, 1));
    }

    #[test]
    fn none_unsets_what_the_file_gives() {
        let config = train(
            flags(&[("clip_norm", "none")]),
            file("clip_norm = 1.0\nema = 0.9"),
        );
        assert_eq!(config.optimizer.clip_norm, None);
        assert_eq!(config.optimizer.average, Some(0.9));
    }

    #[test]
    fn another_optimizer_has_its_own_numbers() {
        let numbers = "momentum = 0.5\nlr = 0.3\nclip_norm = 1.0";
        let same = train(flags(&[("optimizer", "sgd")]), file(numbers));
        assert_eq!(same.optimizer.momentum, Some(0.5));
        let other = train(
            flags(&[("optimizer", "adam"), ("beta1", "0.8")]),
            file(numbers),
        );
        assert_eq!(other.optimizer.optimizer, OptimizerName::Adam);
        assert_eq!(
            (other.optimizer.momentum, other.optimizer.learning_rate),
            (None, None)
        );
        assert_eq!(other.optimizer.beta1, Some(0.8));
        assert_eq!(other.optimizer.clip_norm, Some(1.0));
    }

    #[test]
    fn another_task_has_its_own_loss() {
        let huber = "task = \"regression\"\nloss = \"huber\"\nhuber_delta = 2.0";
        let config = train(flags(&[("task", "multilabel")]), file(huber));
        assert_eq!((config.task.loss, config.task.huber_delta), (None, None));
        let config = train(flags(&[("loss", "mse")]), file(huber));
        assert_eq!(config.task.huber_delta, None);
    }

    #[test]
    fn paths_of_a_set_are_replaced_together() {
        let paths = file("train_images = \"a\"\ntrain_labels = \"b\"\ntest_images = \"c\"");
        let settings = flags(&[("data", "d")]).over(paths).settings();
        let settings = settings.expect("settings");
        assert_eq!(settings.data, Some(PathBuf::from("d")));
        assert_eq!((settings.train_images, settings.test_images), (None, None));
        let split = file("validation_split = \"0.2\"");
        let files = flags(&[("validation_images", "i"), ("validation_labels", "l")]);
        let settings = files.over(split).settings().expect("settings");
        assert_eq!(settings.train.validation.validation_split, None);
    }
}
