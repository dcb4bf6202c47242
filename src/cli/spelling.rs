//! How the command line writes the settings and commands that messages of the library mention.

use perceptor::config::setting::Setting;
use perceptor::message::{Command, Key, Spelling};
use perceptor::run::Settings;

/// Settings as flags: `--batch-size`, `--batch-size 32`, `--dates`, `--header=false`.
#[derive(Debug, Clone, Copy)]
pub struct Flags;

impl Spelling for Flags {
    fn key(&self, key: Key) -> String {
        let name = Settings::setting(key.0).map_or(key.0, Setting::short_key);
        format!("--{}", name.replace('_', "-"))
    }

    fn value(&self, key: Key, value: &str) -> String {
        let is_switch = |setting: &Setting| setting.choices == ["true", "false"];
        let flag = self.key(key);
        match Settings::setting(key.0).is_some_and(is_switch) {
            true if value == "true" => flag,
            true => format!("{flag}={value}"),
            false => format!("{flag} {value}"),
        }
    }

    fn command(&self, command: Command) -> String {
        format!("perceptor {}", command.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_they_are_typed() {
        for (key, value, text) in [
            ("batch_size", "32", "--batch-size 32"),
            ("learning_rate", "0.1", "--lr 0.1"),
            ("dates", "true", "--dates"),
            ("header", "false", "--header=false"),
            ("config", "a.toml", "--config a.toml"),
        ] {
            assert_eq!(Flags.value(Key(key), value), text);
        }
    }
}
