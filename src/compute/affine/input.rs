//! The inputs of a layer, and which of them are not zero.

use crate::compute::nonzeros::ByFeature;
use crate::compute::shared::Rows;

/// The inputs of a layer, `[rows, in]`.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The inputs.
    pub values: Rows<'a>,
    /// Which of them are not zero, for a layer that skips zeros.
    pub nonzeros: Option<Bits<'a>>,
}

/// A bit for each input that is not zero.
#[derive(Debug, Clone, Copy)]
pub enum Bits<'a> {
    /// For a forward product: `[rows, in / 64]`.
    ByRow(Rows<'a, u64>),
    /// For the gradient of the weights.
    ByFeature(ByFeature<'a>),
}

impl<'a> From<Rows<'a>> for Input<'a> {
    fn from(values: Rows<'a>) -> Input<'a> {
        Input {
            values,
            nonzeros: None,
        }
    }
}

impl<'a> Input<'a> {
    pub(super) fn by_row(&self) -> Rows<'a, u64> {
        match self.nonzeros {
            Some(Bits::ByRow(bits)) => bits,
            other => panic!("a forward product that skips zeros, with {other:?}"),
        }
    }

    pub(super) fn by_feature(&self) -> ByFeature<'a> {
        match self.nonzeros {
            Some(Bits::ByFeature(bits)) => bits,
            other => panic!("a gradient that skips zeros, with {other:?}"),
        }
    }
}
