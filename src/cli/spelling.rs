//! How the command line writes the settings and commands that messages of the library mention.

use perceptor::message::{Command, Key, Spelling};

/// Settings as flags: `--batch-size`, `--batch-size 32`.
#[derive(Debug, Clone, Copy)]
pub struct Flags;

impl Spelling for Flags {
    fn key(&self, key: Key) -> String {
        let name = match key {
            Key("learning_rate") => "lr",
            Key("average") => "ema",
            Key(name) => name,
        };
        format!("--{}", name.replace('_', "-"))
    }

    fn value(&self, key: Key, value: &str) -> String {
        format!("{} {value}", self.key(key))
    }

    fn command(&self, command: Command) -> String {
        format!("perceptor {}", command.0)
    }
}
