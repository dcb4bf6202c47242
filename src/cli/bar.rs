//! The bar on stderr: over lines where that is a terminal, the lines alone where it is not.

use std::io::{self, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar, and lines out of its way.
pub struct Bar {
    /// The bar itself, hidden where nobody would see it.
    pub bar: ProgressBar,
    lines: Lines,
}

/// Where lines go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lines {
    Nowhere,
    AboveBar,
    Plain,
}

impl Bar {
    /// A bar that looks like `template`, of indicatif. A quiet one shows nothing, and no lines either.
    pub fn new(template: &str, quiet: bool) -> Bar {
        let target = match quiet {
            true => ProgressDrawTarget::hidden(),
            false => ProgressDrawTarget::stderr_with_hz(10),
        };
        // A bar hides itself, and the lines above it, where stderr is no terminal or a dumb one.
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

    /// Whether the bar itself can be seen.
    pub fn is_seen(&self) -> bool {
        self.lines == Lines::AboveBar
    }

    /// Writes a line.
    pub fn line(&self, text: &str) {
        match self.lines {
            Lines::Nowhere => {}
            Lines::AboveBar => self.bar.println(text),
            // A closed stderr is no reason to stop.
            Lines::Plain => drop(writeln!(io::stderr(), "{text}")),
        }
    }

    /// Takes it away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
