//! The optimiser's slots of a layer, and the limit on the norm of its units.

use std::ops::Range;

use crate::compute::shared::SharedBuffer;
use crate::optim::{Rule, Slots};

/// What a layer keeps beside its weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Keeps {
    /// Slots of the optimiser, as long as the weights each; the average is the last.
    pub slots: usize,
    /// Whether the last slot is an average, which begins as the weights and not as zeros.
    pub average: bool,
    /// Whether the gradient is kept for a second pass over all of it.
    pub gradient: bool,
    /// Whether the gradient is more than a velocity that is added to.
    pub scratch: bool,
}

impl Keeps {
    /// What `rule` needs.
    pub fn of(rule: &Rule) -> Keeps {
        Keeps {
            slots: rule.slots().len(),
            average: rule.average.is_some(),
            gradient: rule.clip_norm.is_some(),
            scratch: rule.plain_momentum().is_none(),
        }
    }
}

/// The factor that takes a unit whose squared norm is `square` to a norm of at most `most`; a unit that is no number
/// stays as it is, and one whose square is beyond all numbers becomes none.
pub(super) fn shrinking(square: f32, most: f32) -> f32 {
    let norm = square.sqrt();
    match norm > most {
        true if norm.is_infinite() => f32::NAN,
        true => most / norm,
        false => 1.0,
    }
}

/// The same `range` of each slot, to write; empty where there is none.
///
/// # Safety
/// As [`SharedBuffer::write`].
pub(crate) unsafe fn write_slots(slots: &[SharedBuffer<f32>], range: Range<usize>) -> Slots<'_> {
    let mut out: Slots = [&mut [], &mut [], &mut []];
    for (out, slot) in out.iter_mut().zip(slots) {
        // SAFETY: the caller's promise.
        *out = unsafe { slot.write(range.clone()) };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_whose_norm_is_beyond_all_numbers_shows_and_is_not_emptied() {
        assert_eq!(shrinking(9.0, 6.0), 1.0);
        assert_eq!(shrinking(9.0, 1.5), 0.5);
        assert_eq!(shrinking(f32::NAN, 1.5), 1.0);
        assert!(shrinking(f32::INFINITY, 1.5).is_nan());
    }
}
