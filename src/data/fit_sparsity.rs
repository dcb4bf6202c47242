//! Estimates how many inputs are zero, and decides whether the first layer skips them.
//!
//! 81 % of MNIST's inputs are zero, and half of Fashion-MNIST's. Only some rows are counted, at places that depend only
//! on the number of rows: the decision must be the same in every run, because the offset of a scaling, which a layer
//! that skips zeros folds into its products, is rounded differently.

use super::rows::Rows;

/// The number of places whose rows are counted.
const PLACES: usize = 128;
/// Rows that are counted at a place. Mapping the pages of a place takes longer than counting its rows.
const ROWS_PER_PLACE: usize = 4;
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
    let (all, size) = (train.len(), train.element().size());
    // Places do not overlap.
    let places = (all / ROWS_PER_PLACE).clamp(1, PLACES);
    let (mut rows, mut count) = (0, 0);
    for place in 0..places {
        let start = place * all / places;
        for row in start..all.min(start + ROWS_PER_PLACE) {
            count += count_nonzeros(train.stored(row), size);
            rows += 1;
        }
    }
    let density = count as f64 / (rows * train.features()) as f64;
    (density <= BREAK_EVEN).then_some(density)
}

/// Counts the elements, `size` bytes each, that have a byte other than 0. Each size has its own loop, which the compiler
/// vectorises: a run counts before its first step.
fn count_nonzeros(bytes: &[u8], size: usize) -> usize {
    fn count<const SIZE: usize>(bytes: &[u8]) -> usize {
        let (elements, _) = bytes.as_chunks::<SIZE>();
        elements.iter().filter(|&&bytes| bytes != [0; SIZE]).count()
    }
    match size {
        1 => count::<1>(bytes),
        2 => count::<2>(bytes),
        4 => count::<4>(bytes),
        8 => count::<8>(bytes),
        size => unreachable!("elements of {size} bytes"),
    }
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

    #[test]
    fn an_element_counts_once_whichever_byte_is_set() {
        for size in [1, 2, 4, 8] {
            for byte in 0..size {
                let mut bytes = vec![0; 100 * size];
                bytes
                    .chunks_mut(size)
                    .step_by(3)
                    .for_each(|element| element[byte] = 128);
                assert_eq!(count_nonzeros(&bytes, size), 34, "byte {byte} of {size}");
            }
        }
    }
}
