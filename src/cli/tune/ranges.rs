//! The flags of `perceptor tune` that set what is searched, made from the table of searched settings.

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, ValueEnum, value_parser};
use perceptor::TrainConfig;
use perceptor::run::Settings;
use perceptor::tune::{Range, SEARCHED, Searched, Space};

const HEADING: &str =
    "Ranges: LOW..HIGH, or one number to fix it; from 0, half of the trials have 0";

/// The ranges that were typed.
#[derive(Debug)]
pub struct RangeFlags {
    typed: Vec<(&'static Searched, Range)>,
    pub batch_norm: Option<BatchNorm>,
}

/// Which trials have batch normalisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BatchNorm {
    Try,
    On,
    Off,
}

/// The identifier of a flag: `lr`, `batch_size`.
fn id(searched: &Searched) -> &'static str {
    Settings::setting(searched.key).map_or(searched.key, |setting| setting.short_key())
}

/// What the flag of a range sets.
fn summary(searched: &Searched) -> String {
    let summary =
        Settings::setting(searched.key).map(|setting| setting.paragraphs().swap_remove(0));
    let summary = match (summary, searched.key) {
        (_, "learning_rate") => "Learning rate.".to_owned(),
        (Some(summary), _) => summary,
        (None, "width") => "Width of every hidden layer.".to_owned(),
        (None, _) => "Number of hidden layers.".to_owned(),
    };
    summary.trim_end_matches('.').to_owned()
}

impl Args for RangeFlags {
    fn augment_args(command: Command) -> Command {
        let ranges = SEARCHED.iter().map(|searched| {
            let help = format!(
                "{}, {} [default: {}]",
                summary(searched),
                searched.scale,
                searched.default
            );
            Arg::new(id(searched))
                .long(id(searched).replace('_', "-"))
                .value_name("RANGE")
                .allow_negative_numbers(true)
                .help_heading(HEADING)
                .hide_short_help(true)
                .value_parser(|text: &str| text.parse::<Range>())
                .help(help)
        });
        let batch_norm = Arg::new("batch_norm")
            .long("batch-norm")
            .value_name("BATCH_NORM")
            .help_heading(HEADING)
            .hide_short_help(true)
            .value_parser(value_parser!(BatchNorm))
            .help("Batch normalisation of every hidden layer: in half of the trials, all or none [default: try]");
        command.args(ranges).arg(batch_norm)
    }

    fn augment_args_for_update(command: Command) -> Command {
        RangeFlags::augment_args(command)
    }
}

impl FromArgMatches for RangeFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<RangeFlags, clap::Error> {
        let typed = SEARCHED.iter().filter_map(|searched| {
            let range = matches.get_one::<Range>(id(searched))?;
            Some((searched, *range))
        });
        Ok(RangeFlags {
            typed: typed.collect(),
            batch_norm: matches.get_one("batch_norm").copied(),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = RangeFlags::from_arg_matches(matches)?;
        Ok(())
    }
}

impl RangeFlags {
    /// Returns the typed ranges, and otherwise those that suit `config`, except of settings that are fixed by a file.
    pub fn space(&self, config: &TrainConfig, is_fixed: &dyn Fn(&str) -> bool) -> Space {
        let is_part_of_hidden = |key: &str| ["width", "depth"].contains(&key);
        let typed = |key: &str| self.typed.iter().find(|(searched, _)| searched.key == key);
        // Width and depth make one setting.
        let is_hidden_fixed =
            is_fixed("hidden") && typed("width").is_none() && typed("depth").is_none();
        let mut space = Space::around(config.optimizer.optimizer, config.task.task);
        for searched in &SEARCHED {
            let is_fixed = match is_part_of_hidden(searched.key) {
                true => is_hidden_fixed,
                false => is_fixed(searched.key),
            };
            match typed(searched.key) {
                Some((_, range)) => (searched.set)(&mut space, Some(*range)),
                None if is_fixed => (searched.set)(&mut space, None),
                None => {}
            }
        }
        space.batch_norm = match self.batch_norm {
            Some(which) => which == BatchNorm::Try,
            None => !is_fixed("batch_norm"),
        };
        space
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_searched_setting_has_a_range() {
        let mut found: Vec<&str> = SEARCHED.iter().map(|searched| searched.key).collect();
        found.retain(|key| !["width", "depth"].contains(key));
        found.extend(["hidden", "batch_norm"]);
        found.sort_unstable();
        let searched = Settings::all().iter().filter(|setting| setting.is_searched);
        let mut expected: Vec<&str> = searched.map(|setting| setting.key).collect();
        expected.sort_unstable();
        assert_eq!(found, expected);
    }
}
