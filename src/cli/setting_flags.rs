//! The flags of settings, made from the descriptions of the library.

use std::fmt;
use std::marker::PhantomData;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, ValueParser};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, value_parser};
use perceptor::config::setting::{ParseError, Setting};
use perceptor::message::{Key, Spelling};
use perceptor::run::{Layer, Settings};
use perceptor::{Error, Refusal, Result};

use super::spelling::Flags;

/// The heading of flags that the short help lists.
pub const COMMON: &str = "Common";

/// The settings that a command has flags for.
pub trait Selection: 'static {
    fn settings() -> Vec<Setting>;
}

/// The settings that were typed as flags.
pub struct SettingFlags<S> {
    /// Paths, which may have bytes that are not text.
    paths: Vec<(Setting, PathBuf)>,
    texts: Vec<(Setting, String)>,
    selection: PhantomData<S>,
}

impl<S> SettingFlags<S> {
    /// The typed settings as a layer over files and defaults.
    ///
    /// # Errors
    /// Returns the errors of files that a setting is read from.
    pub fn layer(&self) -> Result<Layer> {
        let mut layer = Layer::default();
        for (setting, path) in &self.paths {
            layer.set_path(setting, path.clone());
        }
        for (setting, text) in &self.texts {
            let given = match setting.is_list {
                true => layer.add(setting, text),
                false => layer.set(setting, text),
            };
            given.map_err(|error| match error {
                ParseError::File(error) => error,
                ParseError::Text(expected) => {
                    let expected = expected.trim_start_matches("expected ");
                    Error::Config(Refusal::new(Key(setting.key), text, expected))
                }
            })?;
        }
        Ok(layer)
    }
}

impl<S> fmt::Debug for SettingFlags<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paths = self.paths.iter();
        let paths = paths.map(|(setting, path)| (setting.key, path.display().to_string()));
        let texts = self.texts.iter();
        let texts = texts.map(|(setting, text)| (setting.key, text.clone()));
        f.debug_map().entries(paths.chain(texts)).finish()
    }
}

impl<S: Selection> Args for SettingFlags<S> {
    fn augment_args(command: Command) -> Command {
        let (common, others): (Vec<_>, Vec<_>) = S::settings()
            .into_iter()
            .partition(|setting| setting.is_common);
        command.args(common.into_iter().chain(others).map(flag))
    }

    fn augment_args_for_update(command: Command) -> Command {
        SettingFlags::<S>::augment_args(command)
    }
}

impl<S: Selection> FromArgMatches for SettingFlags<S> {
    fn from_arg_matches(matches: &ArgMatches) -> std::result::Result<SettingFlags<S>, clap::Error> {
        let mut flags = SettingFlags {
            paths: Vec::new(),
            texts: Vec::new(),
            selection: PhantomData,
        };
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(
        &mut self,
        matches: &ArgMatches,
    ) -> std::result::Result<(), clap::Error> {
        for setting in S::settings() {
            if !is_typed(matches, setting.key) {
                continue;
            }
            if setting.is_path {
                let path = matches.get_one::<PathBuf>(setting.key).cloned();
                self.paths.extend(path.map(|path| (setting, path)));
            } else {
                let texts = matches.get_many::<String>(setting.key).into_iter();
                let texts = texts.flatten().map(|text| (setting.clone(), text.clone()));
                self.texts.extend(texts);
            }
        }
        Ok(())
    }
}

/// Gives the setting `key` the value that `text` stands for.
///
/// # Panics
/// Panics if there is no such setting or value.
pub fn set(layer: &mut Layer, key: &str, text: &str) {
    let setting = Settings::setting(key).expect("a setting");
    layer.set(setting, text).expect("a value of the setting");
}

/// Whether the flag `id` was typed.
pub fn is_typed(matches: &ArgMatches, id: &str) -> bool {
    matches.value_source(id) == Some(ValueSource::CommandLine)
}

/// Checks that only settings that may change, and the flags `free`, are given when something resumes.
///
/// # Errors
/// Returns [`Error::Config`] with the first other flag; `what` is resumed, and `hint` tells what to do instead.
pub fn check_resumed(
    matches: &ArgMatches,
    free: &[&str],
    (what, hint): (&str, &str),
    may_change: impl Fn(&Setting) -> bool,
) -> Result<()> {
    let fixed = matches.ids().map(|id| id.as_str()).find(|id| {
        // Structs of flags are groups, whose names begin with a capital.
        let is_group = id.starts_with(|first: char| first.is_ascii_uppercase());
        let may_change = free.contains(id) || Settings::setting(id).is_some_and(&may_change);
        is_typed(matches, id) && !is_group && !may_change
    });
    match fixed {
        None => Ok(()),
        Some(id) => {
            let place = match Settings::setting(id) {
                Some(setting) => Flags.key(Key(setting.key)),
                None => format!("--{}", id.replace('_', "-")),
            };
            let expected = format!("the setting that {what} started with");
            let refusal = Refusal::new(place, "given with --resume", expected);
            Err(Error::Config(refusal.hint(hint)))
        }
    }
}

/// The flag of a setting.
fn flag(setting: Setting) -> Arg {
    let heading = match setting.is_common {
        true => COMMON,
        false => setting.heading.name(),
    };
    let (short, long) = help(&setting);
    let mut arg = Arg::new(setting.key)
        .long(long_name(setting.short_key()))
        .value_name(setting.placeholder)
        .allow_negative_numbers(true)
        .help_heading(heading)
        .hide_short_help(!setting.is_common)
        .help(short)
        .long_help(long)
        .value_parser(parser(&setting))
        .conflicts_with_all(setting.conflicts);
    if setting.is_list {
        arg = arg.action(ArgAction::Append);
    }
    if setting.alias.is_some() {
        arg = arg.alias(long_name(setting.key));
    }
    if let Some(other) = setting.requires {
        arg = arg.requires(other);
    }
    if setting.choices == ["true", "false"] {
        arg = arg
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .hide_possible_values(true);
    }
    arg
}

fn long_name(key: &str) -> String {
    key.replace('_', "-")
}

/// The parser of a value, which leaves it as text.
fn parser(setting: &Setting) -> ValueParser {
    if setting.is_path {
        return value_parser!(PathBuf);
    }
    if !setting.choices.is_empty() {
        return PossibleValuesParser::new(setting.choices.clone()).into();
    }
    let setting = setting.clone();
    ValueParser::from(move |text: &str| match setting.parse(text) {
        Err(ParseError::Text(expected)) => Err(expected),
        // What is wrong with a file is reported when the command runs.
        Ok(_) | Err(ParseError::File(_)) => Ok(text.to_owned()),
    })
}

/// The help of a setting in the short and the long form.
fn help(setting: &Setting) -> (String, String) {
    /// Longer defaults are left out of the short form.
    const SHORT: usize = 24;
    let paragraphs = setting.paragraphs();
    let mut paragraphs = paragraphs.iter().map(|text| with_flags(text));
    let summary = paragraphs.next().unwrap_or_default();
    let summary = summary.trim_end_matches('.');
    let default = |is_shown: &dyn Fn(&str) -> bool| {
        let default = setting.default.as_deref().filter(|text| is_shown(text));
        default.map_or_else(String::new, |text| format!(" [default: {text}]"))
    };
    let short = format!("{summary}{}", default(&|text| text.len() <= SHORT));
    let mut long = format!("{summary}{}", default(&|_| true));
    for paragraph in paragraphs {
        long += &format!("\n\n{paragraph}");
    }
    (short, long)
}

/// `text` with the settings that it mentions in backticks as flags: `init = uniform` becomes `--init uniform`.
fn with_flags(text: &str) -> String {
    let spell = |(index, part): (usize, &str)| {
        // Parts with an odd index are between backticks.
        if index % 2 == 0 {
            return part.to_owned();
        }
        let (key, value) = match part.split_once(" = ") {
            Some((key, value)) => (key, Some(value)),
            None => (part, None),
        };
        match (Settings::setting(key), value) {
            (Some(setting), Some(value)) => Flags.value(Key(setting.key), value),
            (Some(setting), None) => Flags.key(Key(setting.key)),
            (None, _) => part.to_owned(),
        }
    };
    text.split('`').enumerate().map(spell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mentions_in_backticks_become_flags() {
        let text = "With `init = uniform`, see `learning_rate` or `he`.";
        assert_eq!(with_flags(text), "With --init uniform, see --lr or he.");
    }
}
