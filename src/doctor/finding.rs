//! The outcome of one check.

use serde::Serialize;

use crate::compute::Engine;
use crate::message::{Message, Spelling};

/// The verdict of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// All is well.
    Ok,
    /// It works, but not as well as it could.
    Warning,
    /// Results or measured times are unreliable, or the program does not run.
    Wrong,
    /// It could not be checked. Another finding has the reason.
    Skipped,
}

/// The outcome of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The name of the check.
    pub check: &'static str,
    /// The engine that was checked, if the check is about one.
    pub engine: Option<&'static str>,
    /// The verdict.
    pub verdict: Verdict,
    /// What was found, in one line.
    pub found: Message,
    /// What to do about it, in one line; `None` if all is well.
    pub cure: Option<Message>,
}

impl Finding {
    pub(super) fn new(check: &'static str, verdict: Verdict, found: impl Into<Message>) -> Finding {
        Finding {
            check,
            engine: None,
            verdict,
            found: found.into(),
            cure: None,
        }
    }

    pub(super) fn ok(check: &'static str, found: impl Into<Message>) -> Finding {
        Finding::new(check, Verdict::Ok, found)
    }

    pub(super) fn warning(check: &'static str, found: impl Into<Message>) -> Finding {
        Finding::new(check, Verdict::Warning, found)
    }

    pub(super) fn wrong(check: &'static str, found: impl Into<Message>) -> Finding {
        Finding::new(check, Verdict::Wrong, found)
    }

    pub(super) fn cure(self, cure: impl Into<Message>) -> Finding {
        Finding {
            cure: Some(cure.into()),
            ..self
        }
    }

    pub(super) fn of(self, engine: Engine) -> Finding {
        Finding {
            engine: Some(engine.name()),
            ..self
        }
    }

    /// Returns the same finding with every mention of a setting spelled by `spelling`.
    pub(super) fn settled(self, spelling: &dyn Spelling) -> Finding {
        Finding {
            found: self.found.settled(spelling),
            cure: self.cure.map(|cure| cure.settled(spelling)),
            ..self
        }
    }
}
