//! The progress of a search on stderr: a bar over lines where that is a terminal, the lines alone where it is not.

use std::io::{self, Write};
use std::sync::Mutex;
use std::sync::PoisonError;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use perceptor::report::tuning::{header, line, watched};
use perceptor::tune::{Event, Plan};

/// Shows the events of a search.
pub struct Progress {
    bar: ProgressBar,
    quiet: bool,
    plan: Plan,
    rungs: Vec<usize>,
    rung: Mutex<Rung>,
}

/// The rung under way.
#[derive(Default)]
struct Rung {
    of: usize,
    done: usize,
    best: Option<String>,
}

impl Progress {
    /// For the search of `plan`.
    pub fn new(plan: &Plan, quiet: bool) -> Progress {
        let target = match quiet {
            true => ProgressDrawTarget::hidden(),
            false => ProgressDrawTarget::stderr_with_hz(10),
        };
        let style = ProgressStyle::with_template("{prefix} {bar:12} {wide_msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("━╸─");
        let progress = Progress {
            bar: ProgressBar::with_draw_target(None, target).with_style(style),
            quiet,
            plan: plan.clone(),
            rungs: plan.rungs().iter().map(|rung| rung.epochs).collect(),
            rung: Mutex::default(),
        };
        progress.line(&header(plan));
        progress
    }

    /// Takes one event in.
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
                self.bar.reset();
                self.bar
                    .set_prefix(format!("rung {number}/{}", self.rungs.len()));
                self.bar
                    .set_length((trials * (rung.epochs - before)) as u64);
            }
            Event::Epoch => self.bar.inc(1),
            Event::Measured {
                measured,
                config,
                best,
            } => {
                state.done += 1;
                state.best = best.score.as_ref().map(watched);
                self.line(&line(&self.plan, measured, config, best));
            }
        }
        let best = state.best.as_ref().map(|best| format!(", best {best}"));
        self.bar.set_message(format!(
            "{} of {} trials{}",
            state.done,
            state.of,
            best.unwrap_or_default()
        ));
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn line(&self, text: &str) {
        if self.quiet {
            return;
        }
        match self.bar.is_hidden() {
            false => self.bar.println(text),
            // A closed stderr is no reason to stop searching.
            true => drop(writeln!(io::stderr(), "{text}")),
        }
    }
}
