//! What a tile is computed of, and what is done with it.

use crate::compute::shared::BlockMut;

/// Floats across the widest panel of any instruction set.
pub(in crate::compute) const MAX_WIDTH: usize = 128;
/// Floats across the widest panel of any instruction set if no zeros are skipped.
pub(in crate::compute) const MAX_DENSE_WIDTH: usize = 48;

/// An operand of a product with its strides.
#[derive(Debug, Clone, Copy)]
pub(in crate::compute) struct Operand<'a> {
    /// The elements, starting with `[0, 0]`.
    pub values: &'a [f32],
    /// Floats from one row of the tile to the next (of `a`; 0 for `b`).
    pub row: usize,
    /// Floats from one `k` to the next.
    pub k: usize,
}

impl<'a> Operand<'a> {
    /// The operand from row `row` on, which it has.
    pub(super) fn starting_at(self, row: usize) -> Operand<'a> {
        Operand {
            values: &self.values[row * self.row..],
            ..self
        }
    }
}

/// What is done with a finished tile `g`.
#[derive(Debug)]
pub(in crate::compute) enum Sink<'a> {
    /// `c = g`.
    Store {
        /// The rows of `c` that the tile covers.
        c: BlockMut<'a>,
    },
    /// `c = c + g`, as if the sum went on from `c`.
    Add {
        /// The rows of `c` that the tile covers.
        c: BlockMut<'a>,
    },
    /// `v = μ v + g` with denormal results replaced by 0, then `w = w − η v`: gradient descent with momentum, applied
    /// while the gradient is in registers.
    Momentum {
        /// The sums so far, which the tile continues, in the rows that it covers; `None` for a sum from zero.
        sums: Option<BlockMut<'a>>,
        /// The rows of the weights that the tile covers.
        w: BlockMut<'a>,
        /// The rows of the velocity that the tile covers.
        v: BlockMut<'a>,
        /// The momentum μ.
        momentum: f32,
        /// The learning rate η.
        learning_rate: f32,
    },
}

impl Sink<'_> {
    /// The rows of the sink from `row` on, which it has.
    #[inline]
    pub(super) fn rows_from(&mut self, row: usize) -> Sink<'_> {
        match self {
            Sink::Store { c } => Sink::Store {
                c: c.rows_from(row),
            },
            Sink::Add { c } => Sink::Add {
                c: c.rows_from(row),
            },
            Sink::Momentum {
                sums,
                w,
                v,
                momentum,
                learning_rate,
            } => Sink::Momentum {
                sums: sums.as_mut().map(|sums| sums.rows_from(row)),
                w: w.rows_from(row),
                v: v.rows_from(row),
                momentum: *momentum,
                learning_rate: *learning_rate,
            },
        }
    }

    /// Whether every block of the sink has at least `rows` rows of at least `width` floats.
    pub(super) fn covers(&self, rows: usize, width: usize) -> bool {
        let fits = |block: &BlockMut| block.rows() >= rows && block.width() >= width;
        match self {
            Sink::Store { c } | Sink::Add { c } => fits(c),
            Sink::Momentum { sums, w, v, .. } => sums.iter().chain([w, v]).all(fits),
        }
    }
}

/// The end of what a strided access reaches: `rows` rows and `steps` steps, with `width` floats at each.
#[inline]
pub(super) fn reach(
    (rows, row): (usize, usize),
    (steps, step): (usize, usize),
    width: usize,
) -> Option<usize> {
    let (Some(last_row), Some(last_step)) = (rows.checked_sub(1), steps.checked_sub(1)) else {
        return Some(0);
    };
    last_row
        .checked_mul(row)?
        .checked_add(last_step.checked_mul(step)?)?
        .checked_add(width)
}
