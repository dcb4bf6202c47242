//! What the value of a setting must be.

use crate::error::{Error, Refusal, Result};
use crate::message::{Key, Message};

/// A requirement on a setting, and whether it is met.
pub(super) struct Requirement {
    is_met: bool,
    key: Key,
    found: Message,
    expected: Message,
}

impl Requirement {
    /// A requirement on the setting `key`, whose value is `found`.
    pub fn new(
        is_met: bool,
        key: Key,
        found: impl Into<Message>,
        expected: impl Into<Message>,
    ) -> Requirement {
        Requirement {
            is_met,
            key,
            found: found.into(),
            expected: expected.into(),
        }
    }

    /// A number that is finite and above 0.
    pub fn above_zero(key: Key, number: f32) -> Requirement {
        let is_met = number.is_finite() && number > 0.0;
        Requirement::new(is_met, key, number, "a finite number above 0")
    }

    /// A share from 0 to below 1.
    pub fn share(key: Key, share: f32) -> Requirement {
        Requirement::new((0.0..1.0).contains(&share), key, share, "0 to below 1")
    }

    /// A count from 1 to 2³² − 1.
    pub fn count(key: Key, count: usize) -> Requirement {
        let is_met = (1..=u32::MAX as usize).contains(&count);
        Requirement::new(is_met, key, count, "1 to 4294967295")
    }

    /// Checks the requirement.
    ///
    /// # Errors
    /// Returns [`Error::Config`] if it is not met.
    pub fn check(self) -> Result<()> {
        match self.is_met {
            true => Ok(()),
            false => Err(Error::Config(Refusal::new(
                self.key,
                self.found,
                self.expected,
            ))),
        }
    }
}
