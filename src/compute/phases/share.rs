//! The division of a layer's units into shares.

use std::ops::Range;

use crate::compute::shared::LINE;

/// A share of the units of every layer: one of `of` groups that are as equal as whole cache lines allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// The number of the group, from 0.
    pub index: usize,
    /// The number of groups.
    pub of: usize,
}

impl Share {
    /// All units.
    pub const ALL: Share = Share { index: 0, of: 1 };

    /// The units of this share in a layer of `width` units; maybe none.
    pub fn columns(self, width: usize) -> Range<usize> {
        let lines = width.div_ceil(LINE);
        let edge = |index: usize| (index * lines / self.of * LINE).min(width);
        edge(self.index)..edge(self.index + 1)
    }
}
