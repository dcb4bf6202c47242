//! The description of a setting, from which flags, file keys, help, the documentation and the tuner are made.
//!
//! The macro `settings!` declares a struct of settings. The doc comment of a field is its help text; its key is the name
//! of the field; [`SettingValue`] reads and writes its type. Everything else follows the field as options, which are
//! methods of [`Setting`].

use toml::Value;

pub use super::value::{ParseError, SettingValue};

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
    /// Whether its value is a list, and its flag adds an entry each time it is given.
    pub is_list: bool,
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
            is_path: T::IS_PATH,
            is_list: T::IS_LIST,
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
                #[serde(skip_serializing_if = "crate::config::value::SettingValue::is_unset")]
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
}
