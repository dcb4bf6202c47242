//! Checks of single settings.

use crate::error::{Error, Refusal, Result};
use crate::message::{Key, Message};

/// What a setting must be, and whether it is.
pub(super) struct Demand {
    met: bool,
    key: Key,
    found: Message,
    expected: Message,
}

impl Demand {
    /// Describes a setting `key` with the value `found`, which is `expected` if `met`.
    pub fn new(
        met: bool,
        key: Key,
        found: impl Into<Message>,
        expected: impl Into<Message>,
    ) -> Demand {
        Demand {
            met,
            key,
            found: found.into(),
            expected: expected.into(),
        }
    }

    /// Returns an error if the setting is not what it must be.
    pub fn check(self) -> Result<()> {
        match self.met {
            true => Ok(()),
            false => Err(Error::Config(Refusal::new(
                self.key,
                self.found,
                self.expected,
            ))),
        }
    }
}
