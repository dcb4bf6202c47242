//! Large numbers that an `f32` would round, so that neighbours become the same number: timestamps, for example.

use super::elements::shortest;
use crate::data::idx::ElementType;
use crate::message::{Key, Message, message};

/// The first whole number that an `f32` cannot tell from the next one: 2²⁴.
const EXACT_IN_F32: f64 = 16_777_216.0;

/// Numbers above 2²⁴ that an `f32` rounds.
#[derive(Debug, Default)]
pub(super) struct Rounded {
    count: u64,
    /// The place and value of the first one.
    first: Option<(String, f64)>,
}

impl Rounded {
    /// Counts `value`, which is at `place`, if it is such a number.
    pub fn count(&mut self, value: f64, place: impl FnOnce() -> String) {
        if value.abs() > EXACT_IN_F32 && f64::from(value as f32) != value {
            self.count += 1;
            self.first.get_or_insert_with(|| (place(), value));
        }
    }

    /// Returns whether there are none.
    pub fn is_none(&self) -> bool {
        self.first.is_none()
    }

    /// Returns the note about elements that are stored as `stored`, which is `given` or follows from them.
    pub fn of_elements(&self, given: Option<ElementType>, stored: ElementType) -> Option<Message> {
        let large = self.words("element")?;
        match (given, stored) {
            (None, _) => {
                let stored = stored.name();
                Some(format!("stored as {stored}, because f32 would round {large}").into())
            }
            (Some(_), ElementType::F32) => Some(message![
                format!("rounded {large} to f32; to keep them, use "),
                Key("type").set_to("f64")
            ]),
            (Some(_), _) => None,
        }
    }

    /// Returns the note about target values, which training always rounds.
    pub fn of_values(&self) -> Option<Message> {
        let large = self.words("target value")?;
        Some(
            format!("rounded {large} to f32; subtract a constant to keep their differences").into(),
        )
    }

    /// Returns `3 elements above 2^24 (such as 1700000001, x.csv: row 2, column 1 (time))`.
    fn words(&self, noun: &str) -> Option<String> {
        let (place, value) = self.first.as_ref()?;
        let plural = if self.count == 1 { "" } else { "s" };
        let (count, value) = (self.count, shortest(*value));
        Some(format!(
            "{count} {noun}{plural} above 2^24 (such as {value}, {place})"
        ))
    }
}
