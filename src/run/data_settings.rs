//! Which data the settings name, IDX files or a table, and which settings belong to which.

use std::path::{Path, PathBuf};

use super::config_file::Settings;
use crate::data::folder::{self, DEFAULT_FOLDER};
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, Message, message};
use crate::table::is_table;

type Named<'a> = (Key, &'a Option<PathBuf>);

impl Settings {
    /// Returns the table to train on; `None` if the data are IDX files.
    pub fn table_path(&self) -> Option<&Path> {
        let path = self.data.as_deref()?;
        // Whatever else a path names is meant as a table if the settings are those of one.
        let is_meant = || !path.is_dir() && self.table.first_given().is_some();
        (is_table(path).unwrap_or(false) || is_meant()).then_some(path)
    }

    /// Checks that settings of the data which belong together are given together, and that their paths are text.
    ///
    /// # Errors
    /// Returns [`Error::Config`] if they are not, or if a setting needs a validation set and there is none.
    pub fn check_paths(&self) -> Result<()> {
        self.check_texts()?;
        self.table.check()?;
        match self.table_path() {
            Some(path) => self.check_table(path)?,
            None => self.check_idx_files()?,
        }
        let validation = &self.train.validation;
        let named = [
            (Key("validation_images"), &self.validation_images),
            (Key("validation_data"), &self.validation_data),
        ];
        let named = named.iter().find(|(_, path)| path.is_some());
        let split = validation.validation_split;
        if let (Some(_), Some((key, _))) = (split, named) {
            let found = message!["given together with ", Key("validation_split")];
            return refuse(*key, found, "one of them");
        }
        if let (Some(split), Some(images)) = (split, self.found_validation()) {
            let found = format!("{split}, although there is {}", images.display());
            let expected = "one of the two";
            let refusal = Refusal::new(Key("validation_split"), found, expected);
            return Err(Error::Config(refusal.hint(message![
                "omit ",
                Key("validation_split"),
                ", or name the files one by one with ",
                Key("train_images"),
                " and so on"
            ])));
        }
        // Whether there is a test set is known once the data are open.
        validation.check_sets(split.is_some() || self.has_validation_files(), true)
    }

    /// Whether there is a validation set of its own, named or in the folder of the data.
    pub fn has_validation_files(&self) -> bool {
        let named = [&self.validation_images, &self.validation_data];
        named.iter().any(|path| path.is_some()) || self.found_validation().is_some()
    }

    /// Returns the validation images in the folder of the data, which are used if no others are named.
    fn found_validation(&self) -> Option<PathBuf> {
        if self.validation_images.is_some() || self.train_images.is_some() {
            return None;
        }
        let folder = self.data.as_deref().unwrap_or(DEFAULT_FOLDER.as_ref());
        folder::validation_images(folder)
    }

    /// Checks that all paths are text, also from the root on, as a run records them so.
    ///
    /// # Errors
    /// Returns [`Error::Config`] for the first one that is not.
    pub fn check_texts(&self) -> Result<()> {
        let mut settings = self.clone();
        for (key, path) in settings.paths_mut() {
            let absolute = path.take().and_then(|path| std::path::absolute(path).ok());
            if let Some(path) = absolute.filter(|path| path.to_str().is_none()) {
                let found = format!("{path:?}, which is not UTF-8");
                let refusal = Refusal::new(Key(key), found, "a path that config.toml can record");
                return Err(Error::Config(refusal.hint(
                    "rename the folder, or name it through a symbolic link from elsewhere",
                )));
            }
        }
        Ok(())
    }

    /// Checks the settings of training on IDX files.
    fn check_idx_files(&self) -> Result<()> {
        let pairs: [[Named; 2]; 3] = [
            [
                (Key("train_images"), &self.train_images),
                (Key("train_labels"), &self.train_labels),
            ],
            [
                (Key("test_images"), &self.test_images),
                (Key("test_labels"), &self.test_labels),
            ],
            [
                (Key("validation_images"), &self.validation_images),
                (Key("validation_labels"), &self.validation_labels),
            ],
        ];
        for [(images, path), (labels, other)] in pairs {
            let without = |key: Key, other: Key| {
                let found = message!["given without ", other];
                refuse(key, found, message![other, " as well"])
            };
            match (path, other) {
                (Some(_), None) => return without(images, labels),
                (None, Some(_)) => return without(labels, images),
                (Some(_), Some(_)) if self.data.is_some() && images != Key("validation_images") => {
                    let found = message!["given together with ", Key("data")];
                    return refuse(images, found, "one of them");
                }
                _ => {}
            }
        }
        let tables = [
            (Key("test_data"), &self.test_data),
            (Key("validation_data"), &self.validation_data),
        ];
        let table = tables.into_iter().find(|(_, path)| path.is_some());
        let memory = self.table_memory.map(|_| Key("table_memory"));
        let given = table.map(|(key, _)| key);
        let given = given.or(self.table.first_given()).or(memory);
        match given {
            None => Ok(()),
            Some(key) => {
                let found = match &self.data {
                    Some(folder) => format!("given with the folder {}", folder.display()),
                    None => "given without a table".to_owned(),
                };
                let expected = message!["a table to train on, named with ", Key("data")];
                refuse(key, found, expected)
            }
        }
    }

    /// Checks the settings of training on the table at `path`.
    fn check_table(&self, path: &Path) -> Result<()> {
        let idx = [
            (Key("train_images"), self.train_images.is_some()),
            (Key("train_labels"), self.train_labels.is_some()),
            (Key("sample_weights"), self.sample_weights.is_some()),
            (Key("test_images"), self.test_images.is_some()),
            (Key("test_labels"), self.test_labels.is_some()),
            (Key("validation_images"), self.validation_images.is_some()),
            (Key("validation_labels"), self.validation_labels.is_some()),
        ];
        if let Some((key, _)) = idx.into_iter().find(|(_, is_given)| *is_given) {
            let found = format!("given with the table {}", path.display());
            let expected = message![
                "tables, named with ",
                Key("test_data"),
                " and ",
                Key("validation_data")
            ];
            return refuse(key, found, expected);
        }
        if let Some(classes) = self.classes {
            let found = format!("{classes} with the table {}", path.display());
            return refuse(
                Key("classes"),
                found,
                "none, as the target decides about the classes",
            );
        }
        Ok(())
    }
}

fn refuse(key: Key, found: impl Into<Message>, expected: impl Into<Message>) -> Result<()> {
    Err(Error::Config(Refusal::new(key, found, expected)))
}
