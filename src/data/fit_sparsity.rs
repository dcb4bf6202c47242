//! Estimates how many inputs are zero, and decides whether the first layer skips them.
//!
//! 81 % of MNIST's inputs are zero, and half of Fashion-MNIST's. Only some rows are counted, at places that depend only
//! on the number of rows: the decision must be the same in every run, because the offset of a scaling, which a layer
//! that skips zeros folds into its products, is rounded differently.

use super::rows::Rows;

/// The number of rows that are counted.
const SAMPLE: usize = 512;
/// The least number of features whose zeros are skipped: finding them must be worth it.
const MIN_FEATURES: usize = 64;
/// The density up to which zeros are skipped. At 8 registers of units a product of nonzero inputs takes 1.25 times as
/// long as a product in a dense tile, so that the break-even of the forward product is near 0.8; the update's is lower.
pub const BREAK_EVEN: f64 = 0.6;

/// Returns the estimated share of the elements of `train` that are not zero, 0 to 1, or `None` if too few are zero for
/// a first layer that skips them to be faster.
pub fn fit_density(train: &Rows) -> Option<f64> {
    if train.features() < MIN_FEATURES {
        return None;
    }
    let (rows, size) = (train.len().min(SAMPLE), train.element().size());
    let nonzeros = |row: usize| {
        let elements = train.stored(row * train.len() / rows).chunks(size);
        elements
            .filter(|bytes| bytes.iter().any(|&byte| byte != 0))
            .count()
    };
    let count: usize = (0..rows).map(nonzeros).sum();
    let density = count as f64 / (rows * train.features()) as f64;
    (density <= BREAK_EVEN).then_some(density)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    /// The density of rows of `width` elements, every `nth` of which is not zero.
    fn density(width: usize, nth: usize) -> Option<f64> {
        let value = |(row, column): (usize, usize)| {
            if (row + column).is_multiple_of(nth) {
                1.5
            } else {
                0.0
            }
        };
        let x = Array2::from_shape_fn((2000, width), value);
        fit_density(&Rows::from_array(x.view()).expect("rows"))
    }

    #[test]
    fn zeros_are_skipped_if_there_are_many_in_wide_rows() {
        let found = density(100, 5).expect("sparse rows");
        assert!((found - 0.2).abs() < 1e-9);
        assert_eq!(density(100, 1), None);
        assert_eq!(density(MIN_FEATURES - 1, 5), None);
    }
}
