//! The progress of a run on stderr: a line an epoch, and a bar within it.

use std::time::Duration;

use perceptor::report::epochs::EpochTable;
use perceptor::report::number::{grouped, seconds};
use perceptor::train::Event;

use super::bar::Bar;

/// Shows the events of a run.
pub struct Progress {
    bar: Bar,
    epochs: usize,
    table: EpochTable,
}

impl Progress {
    /// For a run of `epochs`, which `table` tells of.
    pub fn new(epochs: usize, table: EpochTable, quiet: bool) -> Progress {
        let progress = Progress {
            bar: Bar::new("{prefix} {bar:12} {wide_msg}", quiet),
            epochs,
            table,
        };
        progress.bar.line(&table.header());
        progress
    }

    /// Takes one event in.
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
                if samples == of || !self.bar.is_seen() {
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

    /// Says something else on stderr, out of the bar's way.
    pub fn aside(&self, say: impl FnOnce()) {
        self.bar.bar.suspend(say);
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish();
    }
}
