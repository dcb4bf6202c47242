//! `perceptor train`: settings from flags, a file and the defaults become a run, which `session` trains in its folder.
//!
//! The flags of settings are made from their descriptions (see [`super::setting_flags`]), and `perceptor::run::precedence`
//! decides which source of a setting wins.

mod notices;
mod output;
mod session;

use std::io;
use std::path::PathBuf;
use std::time::Instant;

use clap::{ArgMatches, Args};
use perceptor::Model;
use perceptor::config::setting::Setting;
use perceptor::run::{Layer, Resumption, Settings};

use self::output::OutputArgs;
use self::session::{Plan, Session};
use super::failure::Failure;
use super::origin::Origin;
use super::presets::{PresetArgs, checked, merge, survey, write_recipes};
use super::setting_flags::{COMMON, Selection, SettingFlags, check_resumed};
use super::table::Surveyed;

const EXAMPLES: &str = "\
Examples:
  perceptor train                                     data/mnist, or generated digits without it
  perceptor train --data DIR --epochs 30              the tutorial's network on your own IDX files
  perceptor train --data houses.csv --target price    a table, and the column to predict
  perceptor train --recipe quick                      settings by name; --recipe list shows them
  perceptor train --hidden 512,256 --activation relu --batch-size 128 --lr 0.05
  perceptor train --resume runs/train-1               resume a stopped run
  perceptor train --config runs/train-1/config.toml --lr 0.05
  perceptor train --format json --quiet > run.json    for programs";

/// Flags that may be given with --resume, in addition to settings that may change.
const WITH_RESUME: [&str; 6] = ["resume", "format", "profile", "quiet", "verbose", "help"];

/// Train a network
#[derive(Debug, Args)]
#[command(before_help = EXAMPLES)]
pub struct TrainArgs {
    #[command(flatten)]
    settings: SettingFlags<EverySetting>,
    #[command(flatten)]
    presets: PresetArgs,
    /// Resume the run in this folder; the result is bit-identical
    ///
    /// Only --epochs, --max-time, --threads, data paths, and checkpoint and output options may change.
    #[arg(long, value_name = "RUN", help_heading = COMMON, conflicts_with_all = ["recipe", "config"])]
    resume: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
}

/// `perceptor train` has a flag for every setting.
struct EverySetting;

impl Selection for EverySetting {
    fn settings() -> Vec<Setting> {
        Settings::all().to_vec()
    }
}

impl TrainArgs {
    pub fn run(self, matches: &ArgMatches) -> Result<(), Failure> {
        let start = Instant::now();
        if self.presets.list() {
            return Ok(write_recipes(&mut io::stdout().lock())?);
        }
        let flags = self.settings.layer()?;
        let resumption = self.resumption(matches)?;
        let (file, origin) = self.file(resumption.as_ref(), &flags)?;
        let plan = plan(flags, file, resumption).map_err(|error| origin.locate(error))?;
        let session = Session::open(&self.output, plan, &origin);
        let session = session.map_err(|error| origin.locate(error))?;
        session.run(start)
    }

    /// The run to resume.
    fn resumption(&self, matches: &ArgMatches) -> perceptor::Result<Option<Resumption>> {
        let Some(path) = &self.resume else {
            return Ok(None);
        };
        let hint = "start another run with --config RUN/config.toml and this flag";
        let may_change = |setting: &Setting| setting.may_change;
        check_resumed(matches, &WITH_RESUME, ("the run", hint), may_change)?;
        Resumption::open(path).map(Some)
    }

    /// The settings of a file, and for errors where they come from.
    fn file(
        &self,
        resumption: Option<&Resumption>,
        flags: &Layer,
    ) -> perceptor::Result<(Layer, Origin)> {
        let Some(resumption) = resumption else {
            return self.presets.layer(flags);
        };
        let path = resumption.folder.config();
        let layer = Layer::read(&path)?;
        let origin = Origin::new(path.display().to_string(), &layer, flags);
        Ok((layer, origin))
    }
}

/// Merges the sources of settings. Of the data only a table is read, which decides about the task.
fn plan(flags: Layer, file: Layer, resumption: Option<Resumption>) -> perceptor::Result<Plan> {
    let Some(mut resumption) = resumption else {
        let (settings, table) = merge(flags, file)?;
        return Ok(Plan {
            settings,
            table,
            resumption: None,
        });
    };
    let given = flags.over(file);
    // What the checkpoint adds to a file of an earlier version.
    let target_scale = resumption.settings.train.task.target_scale;
    resumption.settings = checked(given.clone())?;
    let task = &mut resumption.settings.train.task;
    task.target_scale = task.target_scale.or(target_scale);
    let settings = resumption.settings.clone();
    let table = match (
        settings.table_path(),
        resumption.schema(),
        &settings.init_from,
    ) {
        (Some(path), Some(schema), _) => Some(Surveyed::by_schema(path, schema)),
        (Some(_), None, Some(model)) => Surveyed::by_model(&settings, &Model::load(model)?)?,
        _ => survey(&settings, &given)?,
    };
    Ok(Plan {
        settings,
        table,
        resumption: Some(resumption),
    })
}

#[cfg(test)]
mod tests {
    use clap::{Command, FromArgMatches};

    use super::*;

    /// Parses flags of `perceptor train`.
    fn parse(flags: &[String]) -> (ArgMatches, TrainArgs) {
        let command = TrainArgs::augment_args(Command::new("train"));
        let words = std::iter::once("train".to_owned()).chain(flags.iter().cloned());
        let matches = command.try_get_matches_from(words);
        let matches = matches.unwrap_or_else(|error| panic!("{flags:?}: {error}"));
        let args = TrainArgs::from_arg_matches(&matches).expect("the same flags");
        (matches, args)
    }

    /// Returns the flag of a setting with a value, and the flag that it requires.
    fn flags(setting: &Setting) -> (Vec<String>, &str) {
        let texts = [
            "7",
            "0.25",
            "1,2",
            "98%",
            "1h",
            "balanced",
            "true",
            "some/path",
        ];
        let texts = setting.choices.iter().chain(&texts);
        let text = texts.copied().find(|text| setting.parse(text).is_ok());
        let text = text.unwrap_or_else(|| panic!("{}: no example", setting.key));
        let flag =
            |setting: &Setting, text| format!("--{}={text}", setting.short_key().replace('_', "-"));
        let other = setting.requires.and_then(Settings::setting);
        let other = other.map(|other| flag(other, "other/path"));
        let flags = std::iter::once(flag(setting, text)).chain(other);
        (flags.collect(), text)
    }

    #[test]
    fn every_setting_is_a_flag() {
        for setting in Settings::all() {
            let (flags, text) = flags(setting);
            let (_, args) = parse(&flags);
            let typed = args.settings.layer().expect("a layer");
            let mut keys: Vec<&str> = typed.keys().collect();
            keys.retain(|key| setting.requires != Some(key));
            assert_eq!(keys, [setting.key]);
            let mut expected = Layer::default();
            expected.set(setting, text).expect("a value");
            let value = |layer: Layer| {
                let text = layer.settings().expect("settings").to_text();
                text.lines()
                    .find(|line| line.starts_with(setting.key))
                    .map(str::to_owned)
            };
            assert_eq!(value(typed), value(expected), "{}", setting.key);
        }
    }

    #[test]
    fn every_setting_is_refused_on_resuming_unless_it_may_change() {
        for setting in Settings::all() {
            let (mut flags, _) = flags(setting);
            flags.push("--resume=run".to_owned());
            let (matches, _) = parse(&flags);
            let may_change = |setting: &Setting| setting.may_change;
            let checked = check_resumed(&matches, &WITH_RESUME, ("the run", "hint"), may_change);
            assert_eq!(checked.is_ok(), setting.may_change, "{}", setting.key);
        }
    }
}
