//! How the command line writes the settings and commands that messages of the library mention.

use perceptor::config::setting::Setting;
use perceptor::message::{Command, Key, Spelling};
use perceptor::run::Settings;

/// Settings as flags: `--batch-size`, `--batch-size 32`.
#[derive(Debug, Clone, Copy)]
pub struct Flags;

impl Spelling for Flags {
    fn key(&self, key: Key) -> String {
        let name = Settings::setting(key.0).map_or(key.0, Setting::short_key);
        format!("--{}", name.replace('_', "-"))
    }

    fn value(&self, key: Key, value: &str) -> String {
        format!("{} {value}", self.key(key))
    }

    fn command(&self, command: Command) -> String {
        format!("perceptor {}", command.0)
    }
}
