//! Estimates how many inputs are zero, and decides whether the first layer skips them.
//!
//! 81 % of MNIST's inputs are zero, and half of Fashion-MNIST's. Only some rows are counted, at places that depend on
//! the number of rows alone: the decision must be the same in every run, because the offset of a scaling, which a layer
//! that skips zeros folds into its products, is rounded differently.

use super::rows::Rows;
use super::scaling::Scaling;
use crate::nn::{Columns, Sparsity};

/// The number of rows that are counted.
const SAMPLE: usize = 512;
/// The least number of inputs of a layer that skips zeros: finding them must be worth it.
const MIN_WIDTH: usize = 64;
/// The density up to which skipping zeros is faster: see `benches/NOTES.md`.
pub(crate) const BREAK_EVEN: f64 = 0.6;

/// What a first layer needs to know of `train` to skip zeros, or `None` if too few inputs are zero for that to be
/// faster. `columns` are those of the training set under `scaling`.
pub fn fit_sparsity(train: &Rows, scaling: Scaling, columns: &Columns) -> Option<Sparsity> {
    if columns.width() < MIN_WIDTH {
        return None;
    }
    let (rows, size) = (train.len().min(SAMPLE), train.element().size());
    let nonzeros = |row: usize| {
        let stored = train.stored(row * train.len() / rows);
        let runs = columns.active().iter();
        let elements = runs.flat_map(|run| stored[run.start * size..run.end * size].chunks(size));
        elements
            .filter(|bytes| bytes.iter().any(|&byte| byte != 0))
            .count()
    };
    let count: usize = (0..rows).map(nonzeros).sum();
    let density = count as f64 / (rows * columns.width()) as f64;
    (density <= BREAK_EVEN).then_some(Sparsity {
        density,
        offset: scaling.offset * scaling.factor,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    const SCALING: Scaling = Scaling {
        offset: 3.0,
        factor: 0.5,
    };

    /// The sparsity of rows of `width` elements, every `nth` of which is not zero.
    fn sparsity(width: usize, nth: usize) -> Option<Sparsity> {
        let value = |(row, column): (usize, usize)| f32::from((row + column).is_multiple_of(nth));
        let x = Array2::from_shape_fn((2000, width), value);
        let rows = Rows::from_array(x.view()).expect("rows");
        fit_sparsity(&rows, SCALING, &Columns::all(width))
    }

    #[test]
    fn zeros_are_skipped_if_there_are_many_in_wide_rows() {
        let found = sparsity(100, 5).expect("sparse rows");
        assert!((found.density - 0.2).abs() < 1e-9);
        assert_eq!(found.offset, 1.5);
        assert_eq!(sparsity(100, 1), None);
        assert_eq!(sparsity(MIN_WIDTH - 1, 5), None);
    }
}
