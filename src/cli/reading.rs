//! The flags of how a table is read by the schema of a model.

use perceptor::config::setting::Setting;
use perceptor::run::Settings;
use perceptor::table::TableOptions;
use perceptor::{Error, Model, Refusal, Result};

use super::setting_flags::{Selection, SettingFlags};
use super::table::cached;

/// The settings of the text of a table; what its columns become is in the schema.
const KEYS: [&str; 4] = ["delimiter", "decimal", "comment", "missing"];

/// Flags for the text of a table.
#[derive(Debug)]
pub struct Reading;

impl Selection for Reading {
    fn settings() -> Vec<Setting> {
        let settings = Settings::all().iter();
        let settings = settings.filter(|setting| KEYS.contains(&setting.key));
        settings.cloned().collect()
    }
}

impl SettingFlags<Reading> {
    /// The options of rows of numbers, for a model of IDX files.
    ///
    /// # Errors
    /// Returns [`Error::Config`] if a flag has no meaning for them.
    pub fn of_numbers(&self) -> Result<TableOptions> {
        let layer = self.layer()?;
        let is_other = |key: &&str| !["delimiter", "decimal"].contains(key);
        match layer.keys().find(is_other) {
            Some(key) => Err(not_of_table(key)),
            None => Ok(layer.settings()?.table.reading()),
        }
    }

    /// The options of a table for `model`.
    ///
    /// # Errors
    /// Returns [`Error::Config`] if a flag is given and the model was not trained on a table.
    pub fn options(&self, model: &Model) -> Result<TableOptions> {
        let layer = self.layer()?;
        if let (Some(key), None) = (layer.keys().next(), &model.schema) {
            return Err(not_of_table(key));
        }
        Ok(cached(layer.settings()?.table.reading()))
    }
}

/// Returns the error for a flag of tables that is given for another model.
fn not_of_table(key: &str) -> Error {
    let expected = "a model that was trained on a table";
    Error::Config(Refusal::new(
        format!("--{key}"),
        "given for a model of IDX files",
        expected,
    ))
}
