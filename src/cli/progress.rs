//! The progress of a run on stderr: a line for each epoch, and a bar within it.

use std::time::Duration;

use perceptor::report::number::{grouped, seconds};
use perceptor::report::train::EpochTable;
use perceptor::train::Event;

use super::bar::Bar;

/// Shows the events of a run.
pub struct Progress {
    bar: Bar,
    epochs: usize,
    table: EpochTable,
}

impl Progress {
    /// Prints the header of `table`, for a run of `epochs`.
    pub fn new(epochs: usize, table: EpochTable, quiet: bool) -> Progress {
        let progress = Progress {
            bar: Bar::new("{prefix} {bar:12} {wide_msg}", quiet),
            epochs,
            table,
        };
        progress.bar.line(&table.header());
        progress
    }

    /// Shows one event.
    pub fn show(&self, event: &Event) {
        match event {
            Event::Epoch(metrics) => self.bar.line(&self.table.line(metrics)),
            &Event::Progress {
                epoch,
                samples,
                of,
                loss,
                elapsed,
            } => {
                if samples == of || !self.bar.is_visible() {
                    return;
                }
                let bar = &self.bar.bar;
                bar.set_prefix(format!("epoch {epoch}/{}", self.epochs));
                bar.set_length(of as u64);
                bar.set_message(self.state(epoch, samples, of, loss, elapsed));
                bar.set_position(samples as u64);
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

    /// Hides the bar while `print` writes something else to stderr.
    pub fn suspend(&self, print: impl FnOnce()) {
        self.bar.bar.suspend(print);
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.bar.finish();
    }
}
