//! Progress on stderr: a bar over lines where that is a terminal, the lines alone where it is not.

use std::io::{self, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use perceptor::report::epochs::EpochTable;
use perceptor::report::number::{grouped, seconds};
use perceptor::train::Event;

/// Shows the events of a run.
pub struct Progress {
    bar: ProgressBar,
    epochs: usize,
    table: EpochTable,
    /// None where nothing is to be shown.
    lines: Option<Lines>,
}

enum Lines {
    AboveBar,
    Plain,
}

impl Progress {
    /// For a run of `epochs`, which `table` tells of.
    pub fn new(epochs: usize, table: EpochTable, quiet: bool) -> Progress {
        let target = match quiet {
            true => ProgressDrawTarget::hidden(),
            false => ProgressDrawTarget::stderr_with_hz(10),
        };
        // A bar hides itself, and the lines above it, where stderr is no terminal or a dumb one.
        let lines = match (quiet, target.is_hidden()) {
            (true, _) => None,
            (false, false) => Some(Lines::AboveBar),
            (false, true) => Some(Lines::Plain),
        };
        let style = ProgressStyle::with_template("{prefix} {bar:12} {wide_msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("━╸─");
        let progress = Progress {
            bar: ProgressBar::with_draw_target(None, target).with_style(style),
            epochs,
            table,
            lines,
        };
        progress.line(&table.header());
        progress
    }

    /// Takes one event in.
    pub fn show(&self, event: &Event) {
        match event {
            Event::Epoch(metrics) => self.line(&self.table.line(metrics)),
            &Event::Progress {
                epoch,
                samples,
                of,
                loss,
                elapsed,
            } => {
                if samples == of || !matches!(self.lines, Some(Lines::AboveBar)) {
                    return;
                }
                self.bar
                    .set_prefix(format!("epoch {epoch}/{}", self.epochs));
                self.bar.set_length(of as u64);
                self.bar
                    .set_message(self.state(epoch, samples, of, loss, elapsed));
                self.bar.set_position(samples as u64);
            }
        }
    }

    fn state(
        &self,
        epoch: usize,
        samples: usize,
        of: usize,
        loss: f64,
        elapsed: Duration,
    ) -> String {
        let rate = samples as f64 / elapsed.as_secs_f64();
        let left = (of - samples + (self.epochs - epoch) * of) as f64 / rate;
        format!(
            "loss {loss:.4}  {} samples/s  {} left",
            grouped(rate as usize),
            seconds(left)
        )
    }

    /// Says something else on stderr, out of the bar's way.
    pub fn aside(&self, say: impl FnOnce()) {
        self.bar.suspend(say);
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn line(&self, text: &str) {
        match self.lines {
            None => {}
            Some(Lines::AboveBar) => self.bar.println(text),
            // A closed stderr is no reason to stop training.
            Some(Lines::Plain) => drop(writeln!(io::stderr(), "{text}")),
        }
    }
}
