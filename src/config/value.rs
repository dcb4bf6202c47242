//! The types that settings have: how their values are typed, shown and written to files.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;

use serde::Serialize;
use toml::Value;

use crate::compute::EngineChoice;
use crate::data::{DataMode, Holdout, Scale, TargetScale};
use crate::error::Error;
use crate::nn::{Activation, Init, Task};
use crate::schedule::ScheduleName;
use crate::text_value;

/// The text for a value that is not set.
pub(super) const NONE: &str = "none";

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

    /// Whether a value is a path, which may have bytes that are not text.
    const IS_PATH: bool = false;

    /// Whether a value is a list to which each of several texts adds an entry.
    const IS_LIST: bool = false;

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

impl<T: SettingValue> SettingValue for Option<T> {
    const PLACEHOLDER: &'static str = T::PLACEHOLDER;
    const HAS_NONE: bool = T::HAS_NONE;
    const IS_PATH: bool = T::IS_PATH;

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
    usize: "N", "a whole number";
    NonZeroUsize: "N", "a whole number of at least 1";
    NonZeroU32: "N", "a whole number of at least 1";
}

/// A share may be in per cent.
impl SettingValue for f32 {
    const PLACEHOLDER: &'static str = "X";

    fn parse(text: &str) -> Result<f32, ParseError> {
        // Only a share has to be divided, which would round other numbers twice.
        let number = match text.contains('%') {
            true => text_value::share(text).map(|share| share as f32),
            false => text.trim().parse().ok(),
        };
        number.ok_or_else(|| ParseError::from("expected a number"))
    }

    fn text(&self) -> Option<String> {
        Some(self.to_string())
    }
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

impl SettingValue for String {
    const PLACEHOLDER: &'static str = "NAME";

    fn parse(text: &str) -> Result<String, ParseError> {
        Ok(text.to_owned())
    }

    fn text(&self) -> Option<String> {
        Some(self.clone())
    }
}

impl SettingValue for PathBuf {
    const PLACEHOLDER: &'static str = "FILE";
    const HAS_NONE: bool = false;
    const IS_PATH: bool = true;

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

/// Implements [`SettingValue`] for enums whose values have names. The text `none` unsets an optional setting unless it is
/// one of these names, which `has_none = false` says.
macro_rules! named_values {
    ($($type:ty),+ $(,)?) => {
        $($crate::config::value::named_values!($type: has_none = true);)+
    };
    ($type:ty: has_none = $has_none:literal) => {
        impl $crate::config::value::SettingValue for $type {
            const PLACEHOLDER: &'static str = "NAME";
            const HAS_NONE: bool = $has_none;

            fn choices() -> Vec<&'static str> {
                <$type>::ALL.map(<$type>::name).to_vec()
            }

            fn parse(text: &str) -> Result<$type, $crate::config::value::ParseError> {
                let found = <$type>::ALL.into_iter().find(|value| value.name() == text);
                found.ok_or_else(|| {
                    let names = <$type>::ALL.map(<$type>::name);
                    format!("expected one of {}", names.join(", ")).into()
                })
            }

            fn text(&self) -> Option<String> {
                Some(self.name().to_owned())
            }
        }
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
named_values!(TargetScale: has_none = false);

/// Implements [`SettingValue`] for types that are read from and written as text.
macro_rules! text_values {
    ($($type:ty: $placeholder:literal),+ $(,)?) => {
        $(impl $crate::config::value::SettingValue for $type {
            const PLACEHOLDER: &'static str = $placeholder;

            fn parse(text: &str) -> Result<$type, $crate::config::value::ParseError> {
                text.parse().map_err($crate::config::value::ParseError::Text)
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

    #[test]
    fn values_are_read_as_typed() {
        assert_eq!(<Option<f32>>::parse("0.5").ok(), Some(Some(0.5)));
        assert_eq!(<Option<f32>>::parse("none").ok(), Some(None));
        assert_eq!(f32::parse("0.1%").ok(), Some(0.001));
        assert!(f32::parse("%").is_err() && f32::parse("1%%").is_err());
        assert!(matches!(
            usize::parse("many"),
            Err(ParseError::Text(expected)) if expected == "expected a whole number"
        ));
        assert_eq!(<Vec<usize>>::parse("512, 256").ok(), Some(vec![512, 256]));
        assert_eq!(<Vec<usize>>::parse("none").ok(), Some(Vec::new()));
        assert!(<Vec<usize>>::parse("512,").is_err());
    }

    #[test]
    fn a_number_too_large_for_toml_is_text_or_refused() {
        let large = Value::String(u64::MAX.to_string());
        assert_eq!(u64::MAX.to_toml().ok(), Some(large));
        assert!(usize::MAX.to_toml().is_err());
    }
}
