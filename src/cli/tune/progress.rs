//! The progress of a search on stderr: a line per trial, and a bar for the rung.

use std::sync::Mutex;
use std::sync::PoisonError;

use perceptor::report::tune::{header, line, watched};
use perceptor::tune::{Event, Plan};

use super::super::bar::Bar;

/// Shows the events of a search.
pub struct Progress {
    bar: Bar,
    plan: Plan,
    rungs: Vec<usize>,
    rung: Mutex<Rung>,
}

/// The current rung.
#[derive(Default)]
struct Rung {
    of: usize,
    done: usize,
    best: Option<String>,
}

impl Progress {
    /// Shows the search of `plan`.
    pub fn new(plan: &Plan, quiet: bool) -> Progress {
        let progress = Progress {
            bar: Bar::new("{prefix} {bar:12} {wide_msg}", quiet),
            plan: plan.clone(),
            rungs: plan.rungs().iter().map(|rung| rung.epochs).collect(),
            rung: Mutex::default(),
        };
        progress.bar.line(&header(plan));
        progress
    }

    /// Shows an event.
    pub fn show(&self, event: &Event) {
        let mut state = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        match *event {
            Event::Rung {
                number,
                rung,
                trials,
            } => {
                let before = if number > 1 {
                    self.rungs[number - 2]
                } else {
                    0
                };
                (state.of, state.done) = (trials, 0);
                self.bar.bar.reset();
                self.bar
                    .bar
                    .set_prefix(format!("rung {number}/{}", self.rungs.len()));
                self.bar
                    .bar
                    .set_length((trials * (rung.epochs - before)) as u64);
            }
            Event::Epoch => self.bar.bar.inc(1),
            Event::Measured {
                measured,
                config,
                best,
            } => {
                state.done += 1;
                state.best = best.score.as_ref().map(watched);
                self.bar.line(&line(&self.plan, measured, config, best));
            }
        }
        let best = state.best.as_ref().map(|best| format!(", best {best}"));
        self.bar.bar.set_message(format!(
            "{} of {} trials{}",
            state.done,
            state.of,
            best.unwrap_or_default()
        ));
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.bar.finish();
    }
}
