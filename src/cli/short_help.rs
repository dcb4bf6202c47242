//! The short help of commands with many flags: `-h` shows the common flags with a line for each, `--help` all of them.

use clap::Command;
use clap::builder::Resettable;
use perceptor::run::Settings;

/// What `-h` shows of a command.
pub struct ShortHelp {
    examples: &'static str,
    /// Common flags other than settings, and a line about each.
    flags: &'static [(&'static str, &'static str)],
}

pub const TRAIN: ShortHelp = ShortHelp {
    examples: "\
Examples:
  perceptor train --data DIR --epochs 30
  perceptor train --data houses.csv --target price
  perceptor train --hidden 512,256 --activation relu --batch-size 128
  perceptor train --resume runs/train-1",
    flags: &[
        ("data", "Folder with IDX files, or a table"),
        ("target", "Column of a table to predict"),
        ("recipe", "Start from tested settings; list shows them"),
        ("resume", "Resume the run in this folder"),
        ("out", "Folder of the run [default: runs/train-N]"),
        ("quiet", "Do not show banner and progress"),
    ],
};

pub const TUNE: ShortHelp = ShortHelp {
    examples: "\
Examples:
  perceptor tune --data DIR --trials 81 --time 10m
  perceptor tune --data DIR --width 256..1024 --depth 2 --dropout 0
  perceptor tune --resume runs/tune-1",
    flags: &[
        ("data", "Folder with IDX files, or a table"),
        ("target", "Column of a table to predict"),
        ("trials", "Trials of the first rung"),
        ("time", "Stop after this time, as 10m or 1h 30m"),
        ("lr", "Learning rates, as 0.003..0.5 or 0.1"),
        ("width", "Widths of the hidden layers [default: 64..1024]"),
        ("depth", "Numbers of hidden layers [default: 1..3]"),
        ("batch_size", "Batch sizes [default: 32..512]"),
        ("dropout", "Fractions to drop [default: 0..0.5]"),
        ("config", "Settings of all trials, from a file"),
        ("resume", "Resume the search in this folder"),
        ("out", "Folder of the search [default: runs/tune-N]"),
        ("format", "Output format"),
        ("quiet", "Do not show banner and progress"),
    ],
};

pub const BENCH: ShortHelp = ShortHelp {
    examples: "\
Examples:
  perceptor bench --recipe accurate
  perceptor bench --hidden 512,256 --activation relu --batch-size 128
  perceptor bench --compare before.json",
    flags: &[
        ("data", "Folder with IDX files, or a table"),
        ("target", "Column of a table to predict"),
        ("recipe", "Start from tested settings; list shows them"),
        ("time_to", "Measure the seconds to this test accuracy"),
        ("compare", "Show what is slower or faster than this JSON"),
        ("from", "Read results from this JSON"),
        ("format", "Output format"),
        ("quiet", "Do not show progress"),
    ],
};

/// Limits the `-h` of `command` to `short`. Its `--help` stays as it is.
pub fn shorten(mut command: Command, short: &ShortHelp) -> Command {
    if let Some(examples) = command.get_before_help().cloned() {
        command = command.before_long_help(examples);
    }
    if let Some(notes) = command.get_after_help().cloned() {
        command = command.after_long_help(notes);
    }
    command = command
        .before_help(short.examples)
        .after_help(Resettable::Reset);
    command.mut_args(|arg| {
        let flag = short.flags.iter().find(|(id, _)| arg.get_id() == id);
        let Some((_, line)) = flag else {
            // The flags of settings know whether they are common.
            let is_setting = Settings::setting(arg.get_id().as_str()).is_some();
            return if is_setting {
                arg
            } else {
                arg.hide_short_help(true)
            };
        };
        let arg = arg.hide_short_help(false);
        let all = arg.get_long_help().or(arg.get_help()).cloned();
        let arg = match all {
            Some(all) => arg.long_help(all),
            None => arg,
        };
        // A value name as long as that of its flag leaves no room for the text.
        match arg.get_id() == "format" {
            true => arg.help(*line).value_name("NAME"),
            false => arg.help(*line),
        }
    })
}
