//! Text that may mention settings and commands, whose spelling depends on where it is shown.
//!
//! The library knows a setting by its key, `batch_size`. A file and Rust code write `batch_size = 32`, a command line
//! writes `--batch-size 32`. A [`Message`] therefore keeps each mention apart from the text around it, and a
//! [`Spelling`] turns mentions into text at the very end. Text that came from elsewhere, such as a file name, is never
//! searched for mentions.

use std::fmt;
use std::path;

use serde::{Serialize, Serializer};

/// The key of a setting, or the name of an argument, as in `batch_size`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key(pub &'static str);

impl Key {
    /// The mention of this setting together with a value: `batch_size = 32`.
    pub fn set_to(self, value: impl ToString) -> Message {
        Message(vec![Piece::Value(self, value.to_string())])
    }
}

/// The name of a command of the program, as in `import`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Command(pub &'static str);

/// How mentions of settings and commands are written.
pub trait Spelling: fmt::Debug {
    /// A setting without a value.
    fn key(&self, key: Key) -> String;
    /// A setting with its value.
    fn value(&self, key: Key, value: &str) -> String;
    /// A command of the program.
    fn command(&self, command: Command) -> String;
}

/// The spelling of files and Rust code: `batch_size`, `batch_size = 32`.
#[derive(Debug, Clone, Copy)]
pub struct Keys;

impl Spelling for Keys {
    fn key(&self, key: Key) -> String {
        key.0.to_owned()
    }

    fn value(&self, key: Key, value: &str) -> String {
        format!("{} = {value}", key.0)
    }

    fn command(&self, command: Command) -> String {
        format!("the command {}", command.0)
    }
}

/// A part of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Key(Key),
    Value(Key, String),
    Command(Command),
}

/// Text with mentions of settings and commands. [`fmt::Display`] spells them as [`Keys`] does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Message(Vec<Piece>);

impl Message {
    /// The parts one after another, as the macro `message!` passes them.
    pub fn join(parts: impl IntoIterator<Item = Message>) -> Message {
        Message(parts.into_iter().flat_map(|part| part.0).collect())
    }

    /// The text with every mention spelled by `spelling`.
    pub fn spelled(&self, spelling: &dyn Spelling) -> String {
        let pieces = self.0.iter().map(|piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Key(key) => spelling.key(*key),
            Piece::Value(key, value) => spelling.value(*key, value),
            Piece::Command(command) => spelling.command(*command),
        });
        pieces.collect()
    }

    /// The same text with every mention spelled by `spelling`, once and for all.
    #[must_use]
    pub fn settled(&self, spelling: &dyn Spelling) -> Message {
        Message::from(self.spelled(spelling))
    }

    /// The same text with `to` in the place of `from`, which is never part of the name of a setting.
    #[must_use]
    pub(crate) fn replaced(&self, from: &str, to: &str) -> Message {
        let pieces = self.0.iter().cloned().map(|piece| match piece {
            Piece::Text(text) => Piece::Text(text.replace(from, to)),
            other => other,
        });
        Message(pieces.collect())
    }

    /// The key, if the message is nothing but a setting without a value.
    pub fn as_key(&self) -> Option<Key> {
        match self.0[..] {
            [Piece::Key(key)] => Some(key),
            _ => None,
        }
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.spelled(&Keys))
    }
}

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl From<String> for Message {
    fn from(text: String) -> Message {
        Message(vec![Piece::Text(text)])
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Message {
        Message::from(text.to_owned())
    }
}

impl From<&String> for Message {
    fn from(text: &String) -> Message {
        Message::from(text.as_str())
    }
}

/// Numbers are written as [`fmt::Display`] writes them.
macro_rules! from_numbers {
    ($($number:ty),+) => {
        $(impl From<$number> for Message {
            fn from(number: $number) -> Message {
                Message::from(number.to_string())
            }
        })+
    };
}
from_numbers!(usize, u64, f32, f64);

impl From<path::Display<'_>> for Message {
    fn from(path: path::Display<'_>) -> Message {
        Message::from(path.to_string())
    }
}

impl From<Key> for Message {
    fn from(key: Key) -> Message {
        Message(vec![Piece::Key(key)])
    }
}

impl From<Command> for Message {
    fn from(command: Command) -> Message {
        Message(vec![Piece::Command(command)])
    }
}

impl From<&Message> for Message {
    fn from(message: &Message) -> Message {
        message.clone()
    }
}

/// A [`Message`] of several parts, each of which is text, a [`Key`], a [`Command`] or a message.
macro_rules! message {
    ($($part:expr),+ $(,)?) => {
        $crate::message::Message::join([$($crate::message::Message::from($part)),+])
    };
}
pub(crate) use message;

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Shouted;

    impl Spelling for Shouted {
        fn key(&self, key: Key) -> String {
            key.0.to_uppercase()
        }

        fn value(&self, key: Key, value: &str) -> String {
            format!("{}!{value}", key.0.to_uppercase())
        }

        fn command(&self, command: Command) -> String {
            command.0.to_uppercase()
        }
    }

    #[test]
    fn mentions_are_spelled_and_other_text_stays() {
        let file = "hidden = 3";
        let message = message![
            file,
            ": ",
            Key("hidden"),
            " or ",
            Key("lr").set_to(0.5),
            " with ",
            Command("train")
        ];
        let keys = "hidden = 3: hidden or lr = 0.5 with the command train";
        assert_eq!(message.to_string(), keys);
        let shouted = "hidden = 3: HIDDEN or LR!0.5 with TRAIN";
        assert_eq!(message.spelled(&Shouted), shouted);
    }

    #[test]
    fn only_a_single_setting_is_a_key() {
        assert_eq!(Message::from(Key("lr")).as_key(), Some(Key("lr")));
        assert_eq!(Key("lr").set_to(1).as_key(), None);
        assert_eq!(message!["in ", Key("lr")].as_key(), None);
        assert_eq!(Message::from("lr").as_key(), None);
    }
}
