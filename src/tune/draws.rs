//! Numbers that a trial draws, on linear and logarithmic scales and rounded to few digits.

use rand::RngExt;

use super::range::Range;
use crate::random::ChaCha8Rng;

/// A range from 0 draws 0 in half of the trials. On a logarithmic scale, the others then draw from the upper end divided by
/// this number.
const SPAN_ABOVE_ZERO: f64 = 1000.0;

/// The random stream of a trial.
pub(super) struct Draws(pub ChaCha8Rng);

impl Draws {
    /// Draws a number from 0 to below 1.
    pub(super) fn share(&mut self) -> f64 {
        self.0.random()
    }

    pub(super) fn seldom(&mut self) -> Seldom {
        Seldom {
            used: self.0.random(),
            share: self.0.random(),
        }
    }
}

/// A draw of a setting that is 0 in half of the trials if its range starts at 0.
pub(super) struct Seldom {
    used: bool,
    share: f64,
}

impl Seldom {
    /// The value on a linear scale, in steps of 1 / `parts`.
    pub(super) fn linear(self, range: Range, parts: f64) -> f64 {
        match range.low == 0.0 && !self.used {
            true => 0.0,
            false => range.clamp((range.linear(self.share) * parts).round() / parts),
        }
    }

    pub(super) fn logarithmic(self, range: Range) -> f64 {
        let above = match range.low {
            0.0 if !self.used || range.high == 0.0 => return 0.0,
            0.0 => Range::new(range.high / SPAN_ABOVE_ZERO, range.high),
            _ => range,
        };
        above.clamp(three_digits(above.logarithmic(self.share)))
    }
}

/// `value` rounded to three digits.
pub(super) fn three_digits(value: f64) -> f64 {
    format!("{value:.2e}").parse().unwrap_or(value)
}

pub(super) fn multiple_of_8(value: f64) -> f64 {
    (value / 8.0).round() * 8.0
}
