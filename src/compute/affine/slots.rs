//! The optimiser's slots of a layer, and the limit on the norm of its units.

use std::ops::Range;

use crate::compute::shared::SharedBuffer;
use crate::optim::{Rule, Slots};

/// What a layer keeps in addition to its weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Keeps {
    /// Slots of the optimiser, each as long as the weights; the average is the last.
    pub slots: usize,
    /// Whether the last slot is an average, which starts as the weights instead of zeros.
    pub average: bool,
    /// Whether the whole gradient is kept for a second pass over it.
    pub gradient: bool,
    /// Whether the rule needs the gradient itself, instead of adding it to a velocity.
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

/// The factor that scales a unit with the squared norm `square` to a norm of at most `max`. A NaN norm leaves the unit
/// as it is; an infinite one makes it NaN, so that divergence is visible.
pub(super) fn shrinking(square: f32, max: f32) -> f32 {
    let norm = square.sqrt();
    match norm > max {
        true if norm.is_infinite() => f32::NAN,
        true => max / norm,
        false => 1.0,
    }
}

/// The numbers in `range` of each slot, to write; empty for slots that do not exist.
///
/// # Safety
/// 1. Nobody else reads or writes `range` of these slots while the result is in use.
#[inline]
pub(crate) unsafe fn write_slots(slots: &[SharedBuffer<f32>], range: Range<usize>) -> Slots<'_> {
    let mut out: Slots = [&mut [], &mut [], &mut []];
    for (out, slot) in out.iter_mut().zip(slots) {
        // SAFETY: precondition 1 of `write` is precondition 1 of this function; each slot is a buffer of its own.
        *out = unsafe { slot.write(range.clone()) };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_with_an_infinite_norm_becomes_nan_and_not_zero() {
        assert_eq!(shrinking(9.0, 6.0), 1.0);
        assert_eq!(shrinking(9.0, 1.5), 0.5);
        assert_eq!(shrinking(f32::NAN, 1.5), 1.0);
        assert!(shrinking(f32::INFINITY, 1.5).is_nan());
    }
}
