//! The inputs of a layer, and which of them are not zero.

use crate::compute::elements::Elements;
use crate::compute::nonzeros::ByFeature;
use crate::compute::shared::Rows;

/// The inputs of a layer, `[rows, in]`.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a> {
    /// For a layer that computes all products.
    Dense(Rows<'a>),
    /// For a layer that skips zeros.
    Sparse(Elements<'a>, Bits<'a>),
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
        Input::Dense(values)
    }
}

impl<'a> Input<'a> {
    /// The number of rows.
    pub(super) fn rows(&self) -> usize {
        match self {
            Input::Dense(values) => values.rows(),
            Input::Sparse(values, _) => values.rows(),
        }
    }

    /// The number of inputs.
    pub(super) fn width(&self) -> usize {
        match self {
            Input::Dense(values) => values.width,
            Input::Sparse(values, _) => values.width(),
        }
    }

    pub(super) fn dense(&self) -> Rows<'a> {
        match *self {
            Input::Dense(values) => values,
            other => panic!("a layer that computes all products, with {other:?}"),
        }
    }

    #[cfg(target_arch = "x86_64")]
    pub(super) fn by_row(&self) -> (Elements<'a>, Rows<'a, u64>) {
        match *self {
            Input::Sparse(values, Bits::ByRow(bits)) => (values, bits),
            other => panic!("a forward product that skips zeros, with {other:?}"),
        }
    }

    #[cfg(target_arch = "x86_64")]
    pub(super) fn by_feature(&self) -> (Elements<'a>, ByFeature<'a>) {
        match *self {
            Input::Sparse(values, Bits::ByFeature(bits)) => (values, bits),
            other => panic!("a gradient that skips zeros, with {other:?}"),
        }
    }
}
