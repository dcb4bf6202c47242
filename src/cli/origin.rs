//! Errors that name a setting as it was written: a flag as a flag, and a key of a file by the file.

use perceptor::message::{Command, Key, Keys, Message, Spelling};
use perceptor::run::Layer;
use perceptor::{Error, Refusal};

use super::spelling::Flags;

/// The file that settings come from, and which settings do.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    file: String,
    given: Vec<&'static str>,
    typed: Vec<&'static str>,
    is_default: bool,
}

impl Origin {
    /// The settings of `file`, over which `flags` win.
    pub fn new(file: String, layer: &Layer, flags: &Layer) -> Origin {
        Origin {
            file,
            given: layer.keys().filter(|key| !flags.gives(key)).collect(),
            typed: flags.keys().collect(),
            is_default: false,
        }
    }

    /// The same settings, which were taken as none were named.
    #[must_use]
    pub fn by_default(self) -> Origin {
        Origin {
            is_default: true,
            ..self
        }
    }

    /// Whether the settings were taken as none were named.
    pub fn is_default(&self) -> bool {
        self.is_default
    }

    /// The name of the file; empty if there is none.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The same error with the settings that it mentions spelled as they were written.
    pub fn locate(&self, error: Error) -> Error {
        error.map_refusal(|refusal| {
            let of_file = refusal
                .place
                .as_key()
                .filter(|key| self.given.contains(&key.0));
            let spelling = Mentions {
                origin: self,
                are_in_file: of_file.is_some(),
            };
            let spelled = |message: &Message| message.settled(&spelling);
            Refusal {
                place: match of_file {
                    Some(Key(key)) => format!("{}: {key}", self.file).into(),
                    None => spelled(&refusal.place),
                },
                found: spelled(&refusal.found),
                expected: spelled(&refusal.expected),
                // What to do next is typed.
                hint: refusal.hint.map(|hint| hint.settled(&Flags)),
            }
        })
    }
}

/// The spelling of the settings that an error mentions: in an error about a file, all that were not typed are keys.
#[derive(Debug)]
struct Mentions<'a> {
    origin: &'a Origin,
    are_in_file: bool,
}

impl Mentions<'_> {
    fn is_key(&self, Key(key): Key) -> bool {
        let is_typed = self.origin.typed.contains(&key);
        self.origin.given.contains(&key) || (self.are_in_file && !is_typed)
    }
}

impl Spelling for Mentions<'_> {
    fn key(&self, key: Key) -> String {
        match self.is_key(key) {
            true => Keys.key(key),
            false => Flags.key(key),
        }
    }

    fn value(&self, key: Key, value: &str) -> String {
        match self.is_key(key) {
            true => Keys.value(key, value),
            false => Flags.value(key, value),
        }
    }

    fn command(&self, command: Command) -> String {
        Flags.command(command)
    }
}
