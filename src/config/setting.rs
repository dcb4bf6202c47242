//! The description of a setting, from which flags, file keys, help, the documentation and the tuner are made.
//!
//! The macro `settings!` declares a struct of settings. The doc comment of a field is its help text; its key is the name
//! of the field; [`SettingValue`] reads and writes its type. Everything else follows the field as options, which are
//! methods of [`Setting`].

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;

use serde::Serialize;
use toml::Value;

use crate::compute::EngineChoice;
use crate::data::{DataMode, Holdout, Scale};
use crate::error::Error;
use crate::nn::{Activation, Init, Task};
use crate::schedule::ScheduleName;

/// The text for a value that is not set.
const NONE: &str = "none";

/// A theme of settings, in the order of the help and the documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Heading {
    /// The data set and how it is read.
    Data,
    /// What is predicted, and the loss.
    Task,
    /// The layers and their initial weights.
    Network,
    /// Epochs, batches and the seed.
    Training,
    /// The optimiser and its numbers.
    Optimizer,
    /// The learning rate over the run.
    Schedule,
    /// What reduces overfitting.
    Regularization,
    /// The validation set, and when a run ends early.
    Validation,
    /// Threads and engine.
    Compute,
    /// Checkpoints.
    Runs,
}

impl Heading {
    /// The heading as it is printed.
    pub fn name(self) -> &'static str {
        match self {
            Heading::Data => "Data",
            Heading::Task => "Task",
            Heading::Network => "Network",
            Heading::Training => "Training",
            Heading::Optimizer => "Optimiser",
            Heading::Schedule => "Learning rate schedule",
            Heading::Regularization => "Regularisation",
            Heading::Validation => "Validation",
            Heading::Compute => "Compute",
            Heading::Runs => "Runs",
        }
    }
}

/// Why text is not a value of a setting.
#[derive(Debug)]
pub enum ParseError {
    /// What is accepted instead: `expected a number`.
    Text(String),
    /// The text names a file that cannot be read as a value.
    File(Error),
}

impl From<String> for ParseError {
    fn from(expected: String) -> ParseError {
        ParseError::Text(expected)
    }
}

impl From<&str> for ParseError {
    fn from(expected: &str) -> ParseError {
        ParseError::Text(expected.to_owned())
    }
}

/// A type that settings have.
pub trait SettingValue: Serialize + Sized {
    /// The placeholder in usage lines.
    const PLACEHOLDER: &'static str;

    /// Whether the text `none` unsets an optional setting of this type.
    const HAS_NONE: bool = true;

    /// All values as text, if there are few.
    fn choices() -> Vec<&'static str> {
        Vec::new()
    }

    /// Reads a value as typed.
    ///
    /// # Errors
    /// Returns what is accepted if `text` is not a value.
    fn parse(text: &str) -> Result<Self, ParseError>;

    /// The value as typed; `None` if it has no short text.
    fn text(&self) -> Option<String>;

    /// Whether the value means that the setting is not set, so that files leave it out.
    fn is_unset(&self) -> bool {
        false
    }

    /// The value in a file.
    ///
    /// # Errors
    /// Returns an error if a number is too large for TOML.
    fn to_toml(&self) -> Result<Value, ParseError> {
        Value::try_from(self).map_err(|_| ParseError::from("expected a smaller number"))
    }
}

/// The description of one setting.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The key in files and the name of the field: `learning_rate`.
    pub key: &'static str,
    /// A shorter key that files accept and flags use: `lr`.
    pub alias: Option<&'static str>,
    /// The theme it is listed under.
    pub heading: Heading,
    /// The placeholder of its value: `X`.
    pub placeholder: &'static str,
    /// All its values, if there are few.
    pub choices: Vec<&'static str>,
    /// Its default as typed, or a description of it; `None` if there is nothing to say.
    pub default: Option<String>,
    /// Its default in a file; `None` if it is not set by default.
    pub default_value: Option<Value>,
    /// Whether the short help lists it.
    pub is_common: bool,
    /// Whether it may change when a run is resumed.
    pub may_change: bool,
    /// Whether `tune` searches for its best value.
    pub is_searched: bool,
    /// Whether its value is a path, which may have bytes that are not text.
    pub is_path: bool,
    /// The setting to whose value this one belongs: the momentum belongs to the optimiser.
    pub part_of: Option<&'static str>,
    /// The name of the settings that are replaced together with it, such as all paths of a data set.
    pub set: Option<&'static str>,
    /// The setting that must be given with it.
    pub requires: Option<&'static str>,
    /// Settings that cannot be given with it.
    pub conflicts: &'static [&'static str],
    doc: &'static str,
    parse: fn(&str) -> Result<Option<Value>, ParseError>,
}

impl Setting {
    /// The setting `key` of type `T`, described by its doc comment.
    pub(crate) fn new<T: SettingValue>(
        key: &'static str,
        heading: Heading,
        doc: &'static str,
        default: &T,
    ) -> Setting {
        let default_value = match default.is_unset() {
            true => None,
            false => default.to_toml().ok(),
        };
        Setting {
            key,
            alias: None,
            heading,
            placeholder: T::PLACEHOLDER,
            choices: T::choices(),
            default: default.text(),
            default_value,
            is_common: false,
            may_change: false,
            is_searched: false,
            is_path: !T::HAS_NONE,
            part_of: None,
            set: None,
            requires: None,
            conflicts: &[],
            doc,
            parse: |text| {
                let value = T::parse(text)?;
                match value.is_unset() {
                    true => Ok(None),
                    false => value.to_toml().map(Some),
                }
            },
        }
    }

    pub(crate) fn alias(mut self, alias: &'static str) -> Setting {
        self.alias = Some(alias);
        self
    }

    /// Lists it under another theme than that of its struct.
    pub(crate) fn under(mut self, heading: Heading) -> Setting {
        self.heading = heading;
        self
    }

    pub(crate) fn placeholder(mut self, placeholder: &'static str) -> Setting {
        self.placeholder = placeholder;
        self
    }

    /// Describes a default that depends on other settings.
    pub(crate) fn default(mut self, text: &str) -> Setting {
        self.default = Some(text.to_owned());
        self
    }

    pub(crate) fn common(mut self) -> Setting {
        self.is_common = true;
        self
    }

    pub(crate) fn may_change(mut self) -> Setting {
        self.may_change = true;
        self
    }

    pub(crate) fn searched(mut self) -> Setting {
        self.is_searched = true;
        self
    }

    pub(crate) fn part_of(mut self, setting: &'static str) -> Setting {
        self.part_of = Some(setting);
        self
    }

    pub(crate) fn set(mut self, set: &'static str) -> Setting {
        self.set = Some(set);
        self
    }

    pub(crate) fn requires(mut self, setting: &'static str) -> Setting {
        self.requires = Some(setting);
        self
    }

    pub(crate) fn conflicts(mut self, settings: &'static [&'static str]) -> Setting {
        self.conflicts = settings;
        self
    }

    /// The shortest key that it is known by.
    pub fn short_key(&self) -> &'static str {
        self.alias.unwrap_or(self.key)
    }

    /// The description, a paragraph each; the first one is a summary.
    pub fn paragraphs(&self) -> Vec<String> {
        let lines: Vec<&str> = self.doc.lines().map(str::trim).collect();
        let paragraphs = lines.split(|line| line.is_empty());
        let paragraphs = paragraphs.map(|lines| lines.join(" "));
        paragraphs.filter(|text| !text.is_empty()).collect()
    }

    /// Reads a value as typed, in the form that files have; `None` if the text unsets the setting.
    ///
    /// # Errors
    /// Returns what is accepted if `text` is not a value.
    pub fn parse(&self, text: &str) -> Result<Option<Value>, ParseError> {
        (self.parse)(text)
    }
}

/// Declares a struct of settings together with their defaults and descriptions.
///
/// Each field is `key | "alias": type = default => options;`, with a doc comment that becomes the help text. Groups are
/// structs of settings whose fields appear among those of the struct.
macro_rules! settings {
    (
        $(#[$meta:meta])*
        pub struct $name:ident, $heading:ident {
            $(
                $(#[doc = $doc:literal])+
                $key:ident $(| $alias:literal)? : $type:ty = $default:expr
                    $(=> $($option:ident $(($($argument:expr),+))?),+)?;
            )*
        }
        $(groups {
            $(
                $(#[$group_meta:meta])*
                $group:ident: $group_type:ty;
            )+
        })?
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(default)]
        pub struct $name {
            $(
                $(#[doc = $doc])+
                $(#[serde(alias = $alias)])?
                #[serde(skip_serializing_if = "crate::config::setting::SettingValue::is_unset")]
                pub $key: $type,
            )*
            $($(
                $(#[$group_meta])*
                pub $group: $group_type,
            )+)?
        }

        impl Default for $name {
            fn default() -> $name {
                $name {
                    $($key: $default,)*
                    $($($group: <$group_type>::default(),)+)?
                }
            }
        }

        impl $name {
            /// Returns the descriptions of all settings of this struct and its groups.
            pub fn descriptions() -> Vec<$crate::config::setting::Setting> {
                use $crate::config::setting::{Heading, Setting};
                let own = vec![$({
                    let default: $type = $default;
                    let doc = concat!($($doc, "\n"),+);
                    Setting::new(stringify!($key), Heading::$heading, doc, &default)
                        $(.alias($alias))?
                        $($(.$option($($($argument),+)?))+)?
                }),*];
                #[allow(unused_mut, reason = "a struct without groups")]
                let mut all: Vec<Setting> = own;
                $($(all.extend(<$group_type>::descriptions());)+)?
                all
            }
        }
    };
}
pub(crate) use settings;

impl<T: SettingValue> SettingValue for Option<T> {
    const PLACEHOLDER: &'static str = T::PLACEHOLDER;
    const HAS_NONE: bool = T::HAS_NONE;

    fn choices() -> Vec<&'static str> {
        T::choices()
    }

    fn parse(text: &str) -> Result<Option<T>, ParseError> {
        match text {
            NONE if T::HAS_NONE => Ok(None),
            _ => T::parse(text).map(Some),
        }
    }

    fn text(&self) -> Option<String> {
        match self {
            Some(value) => value.text(),
            None => T::HAS_NONE.then(|| NONE.to_owned()),
        }
    }

    fn is_unset(&self) -> bool {
        self.is_none()
    }
}

/// Numbers, which are typed as Rust has them.
macro_rules! numbers {
    ($($type:ty: $placeholder:literal, $expected:literal;)+) => {
        $(impl SettingValue for $type {
            const PLACEHOLDER: &'static str = $placeholder;

            fn parse(text: &str) -> Result<$type, ParseError> {
                text.trim().parse().map_err(|_| ParseError::from(concat!("expected ", $expected)))
            }

            fn text(&self) -> Option<String> {
                Some(self.to_string())
            }
        })+
    };
}
numbers! {
    f32: "X", "a number";
    usize: "N", "a whole number";
    NonZeroUsize: "N", "a whole number of at least 1";
    NonZeroU32: "N", "a whole number of at least 1";
}

impl SettingValue for u64 {
    const PLACEHOLDER: &'static str = "N";

    fn parse(text: &str) -> Result<u64, ParseError> {
        text.trim()
            .parse()
            .map_err(|_| ParseError::from("expected a whole number, 0 to 18446744073709551615"))
    }

    fn text(&self) -> Option<String> {
        Some(self.to_string())
    }

    /// TOML counts to 2⁶³ − 1; larger numbers are text.
    fn to_toml(&self) -> Result<Value, ParseError> {
        Ok(match i64::try_from(*self) {
            Ok(number) => Value::Integer(number),
            Err(_) => Value::String(self.to_string()),
        })
    }
}

impl SettingValue for bool {
    const PLACEHOLDER: &'static str = "BOOL";

    fn choices() -> Vec<&'static str> {
        vec!["true", "false"]
    }

    fn parse(text: &str) -> Result<bool, ParseError> {
        text.parse()
            .map_err(|_| ParseError::from("expected true or false"))
    }

    fn text(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl SettingValue for PathBuf {
    const PLACEHOLDER: &'static str = "FILE";
    const HAS_NONE: bool = false;

    fn parse(text: &str) -> Result<PathBuf, ParseError> {
        Ok(PathBuf::from(text))
    }

    fn text(&self) -> Option<String> {
        None
    }
}

/// The widths of the hidden layers.
impl SettingValue for Vec<usize> {
    const PLACEHOLDER: &'static str = "N,N,...";

    fn parse(text: &str) -> Result<Vec<usize>, ParseError> {
        if text == NONE {
            return Ok(Vec::new());
        }
        let widths = text.split(',').map(|width| width.trim().parse());
        let widths: Result<Vec<usize>, _> = widths.collect();
        widths
            .map_err(|_| ParseError::from("expected widths joined by commas, as 512,256, or none"))
    }

    fn text(&self) -> Option<String> {
        let widths: Vec<String> = self.iter().map(usize::to_string).collect();
        Some(match widths.is_empty() {
            true => NONE.to_owned(),
            false => widths.join(","),
        })
    }
}

/// Names of layers; none by default.
impl SettingValue for Vec<String> {
    const PLACEHOLDER: &'static str = "NAME,NAME,...";

    fn parse(text: &str) -> Result<Vec<String>, ParseError> {
        let names = text.split(',').filter(|name| *name != NONE);
        Ok(names.map(str::to_owned).collect())
    }

    fn text(&self) -> Option<String> {
        Some(match self.is_empty() {
            true => NONE.to_owned(),
            false => self.join(","),
        })
    }

    fn is_unset(&self) -> bool {
        self.is_empty()
    }
}

/// Implements [`SettingValue`] for enums whose values have names.
macro_rules! named_values {
    ($($type:ty),+ $(,)?) => {
        $(impl $crate::config::setting::SettingValue for $type {
            const PLACEHOLDER: &'static str = "NAME";

            fn choices() -> Vec<&'static str> {
                <$type>::ALL.map(<$type>::name).to_vec()
            }

            fn parse(text: &str) -> Result<$type, $crate::config::setting::ParseError> {
                let found = <$type>::ALL.into_iter().find(|value| value.name() == text);
                found.ok_or_else(|| {
                    let names = <$type>::ALL.map(<$type>::name);
                    format!("expected one of {}", names.join(", ")).into()
                })
            }

            fn text(&self) -> Option<String> {
                Some(self.name().to_owned())
            }
        })+
    };
}
pub(crate) use named_values;

named_values!(
    Activation,
    DataMode,
    EngineChoice,
    Init,
    Scale,
    ScheduleName,
    Task
);

/// Implements [`SettingValue`] for types that are read from and written as text.
macro_rules! text_values {
    ($($type:ty: $placeholder:literal),+ $(,)?) => {
        $(impl $crate::config::setting::SettingValue for $type {
            const PLACEHOLDER: &'static str = $placeholder;

            fn parse(text: &str) -> Result<$type, $crate::config::setting::ParseError> {
                text.parse().map_err($crate::config::setting::ParseError::Text)
            }

            fn text(&self) -> Option<String> {
                Some(self.to_string())
            }
        })+
    };
}
pub(crate) use text_values;

text_values!(Holdout: "SHARE|N");

#[cfg(test)]
mod tests {
    use super::*;

    settings! {
        /// Settings of a test.
        pub struct Sample, Training {
            /// The first line.
            /// Still the first paragraph.
            ///
            /// The second one.
            learning_rate | "lr": Option<f32> = None => default("depends"), common, part_of("kind");
            /// How many.
            count: usize = 3;
        }
    }

    #[test]
    fn a_declaration_describes_its_settings() {
        let [rate, count] = &Sample::descriptions()[..] else {
            panic!("two settings");
        };
        assert_eq!((rate.key, rate.short_key()), ("learning_rate", "lr"));
        assert!(rate.is_common && !rate.may_change);
        assert_eq!(rate.default.as_deref(), Some("depends"));
        assert_eq!(
            rate.paragraphs(),
            [
                "The first line. Still the first paragraph.",
                "The second one."
            ]
        );
        assert_eq!(count.default.as_deref(), Some("3"));
        assert_eq!(count.default_value, Some(Value::Integer(3)));
        assert_eq!(
            Sample::default(),
            Sample {
                learning_rate: None,
                count: 3
            }
        );
    }

    #[test]
    fn values_are_read_as_typed() {
        let settings = Sample::descriptions();
        assert_eq!(settings[0].parse("0.5").ok(), Some(Some(Value::Float(0.5))));
        assert_eq!(settings[0].parse("none").ok(), Some(None));
        assert!(matches!(
            settings[1].parse("many"),
            Err(ParseError::Text(expected)) if expected == "expected a whole number"
        ));
        assert_eq!(<Vec<usize>>::parse("512, 256").ok(), Some(vec![512, 256]));
        assert_eq!(<Vec<usize>>::parse("none").ok(), Some(Vec::new()));
        assert!(<Vec<usize>>::parse("512,").is_err());
        let large = Value::String(u64::MAX.to_string());
        assert_eq!(u64::MAX.to_toml().ok(), Some(large));
    }
}
