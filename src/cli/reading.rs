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
    /// The options of a table for `model`.
    ///
    /// # Errors
    /// Returns [`Error::Config`] if a flag is given and the model was not trained on a table.
    pub fn options(&self, model: &Model) -> Result<TableOptions> {
        let layer = self.layer()?;
        if let (Some(key), None) = (layer.keys().next(), &model.schema) {
            let flag = format!("--{key}");
            let expected = "a model that was trained on a table";
            return Err(Error::Config(Refusal::new(
                flag,
                "given for a model of IDX files",
                expected,
            )));
        }
        Ok(cached(layer.settings()?.table.reading()))
    }
}
