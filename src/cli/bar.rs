//! A progress bar on stderr below a log of lines. If stderr is not a terminal, only the lines are printed.

use std::io::{self, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A progress bar, and lines printed above it.
pub struct Bar {
    /// The bar itself; hidden if stderr is not a terminal.
    pub bar: ProgressBar,
    lines: Lines,
}

/// Where lines are printed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lines {
    Nowhere,
    AboveBar,
    Plain,
}

impl Bar {
    /// Creates a bar from a template of indicatif. A quiet one shows neither bar nor lines.
    pub fn new(template: &str, quiet: bool) -> Bar {
        let target = match quiet {
            true => ProgressDrawTarget::hidden(),
            false => ProgressDrawTarget::stderr_with_hz(10),
        };
        // A bar hides itself, and the lines above it, if stderr is not a terminal or a dumb one.
        let lines = match (quiet, target.is_hidden()) {
            (true, _) => Lines::Nowhere,
            (false, false) => Lines::AboveBar,
            (false, true) => Lines::Plain,
        };
        let style = ProgressStyle::with_template(template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("━╸─");
        let bar = ProgressBar::with_draw_target(None, target).with_style(style);
        Bar { bar, lines }
    }

    /// Whether the bar is visible.
    pub fn is_visible(&self) -> bool {
        self.lines == Lines::AboveBar
    }

    /// Prints a line above the bar.
    pub fn line(&self, text: &str) {
        match self.lines {
            Lines::Nowhere => {}
            Lines::AboveBar => self.bar.println(text),
            // A closed stderr must not end the command.
            Lines::Plain => drop(writeln!(io::stderr(), "{text}")),
        }
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
