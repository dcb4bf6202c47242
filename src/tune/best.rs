//! The best trial of a search: its settings, its model, and the error if there is none.

use super::draws::three_digits;
use super::range::Range;
use super::search::{Work, best};
use crate::durable;
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, Message, message};
use crate::train::suspect::suspect;

/// How far below the searched learning rates others are proposed if all trials diverged.
const LOWER: f64 = 100.0;

impl Work<'_, '_> {
    /// Writes the settings and the model of the best trial so far, if there is one and they are not written yet.
    pub(super) fn write_best(&self) -> Result<()> {
        let (best, written, subject) = {
            let journal = &self.lock().journal;
            let written = journal.written().cloned();
            (best(journal), written, journal.subject.clone())
        };
        let is_there = self.folder.best().is_file() && self.folder.model().is_file();
        let Some(best) = best.filter(|best| !(is_there && written.as_ref() == Some(best))) else {
            return Ok(());
        };
        let plan = self.search.plan;
        let config = plan.config(best.trial).check()?;
        let workers = self.workers(&config, self.search.threads)?;
        let trial = self.trial(best.trial, &config, &subject);
        match trial.model(&best, &workers)? {
            Some(model) => model.save(&self.folder.model())?,
            None if trial.is_stopped() => return Ok(()),
            // Another model is not the best one.
            None => self.folder.drop_model()?,
        }
        let mut settings = plan.settings.clone();
        settings.train = plan.config(best.trial);
        let score = best
            .score
            .map_or_else(String::new, |score| score.to_string());
        let text = format!(
            "# The best of {} trials so far: number {}, on the validation set {score}, after {} of {} epochs.\n\
             # `perceptor train` with this file as config trains it completely, and measures it on the test set.\n\n{}",
            plan.trials,
            best.trial,
            best.epochs_text(),
            settings.train.epochs,
            settings.to_table()
        );
        durable::write_atomically(&self.folder.best(), |out| out.write_all(text.as_bytes()))?;
        self.lock().journal.add_written(best)
    }

    /// The error for a search in which no trial has a finite loss.
    pub(super) fn all_diverged(&self) -> Error {
        let (plan, train) = (self.search.plan, &self.search.data.train);
        let found = match plan.trials {
            1 => "the only trial diverged".to_owned(),
            trials => format!("all {trials} trials diverged"),
        };
        let cause = suspect(&plan.settings.train, train);
        let refusal = Refusal::new("tune", found, "a finite loss in one of them");
        Error::Run(refusal.hint(cause.hint(self.lower_rates())))
    }

    /// How to search below the learning rates of this search.
    fn lower_rates(&self) -> Message {
        let plan = self.search.plan;
        let fixed = plan
            .settings
            .train
            .optimizer
            .resolved()
            .rate()
            .unwrap_or(1.0);
        let range = plan
            .space
            .lr
            .unwrap_or(Range::new(fixed.into(), fixed.into()));
        let lower = Range::new(three_digits(range.low / LOWER), three_digits(range.low));
        message![
            "search lower learning rates, with ",
            Key("learning_rate").set_to(lower)
        ]
    }
}
