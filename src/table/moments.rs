//! Count, range, mean and deviation of numbers that come in parts.
//!
//! Each number is added in a lane that depends only on its row, so that the bits of the sums do not depend on how the rows
//! are divided.

use multiversion::multiversion;

/// How many sums there are, each of every so many-th row.
const LANES: usize = 8;

/// What is known about numbers so far. NaN is not a number.
#[derive(Debug, Clone)]
pub(super) struct Moments {
    lanes: Lanes,
    /// The lane of the next row.
    next: usize,
    /// The first number. Differences from it are added, so that large numbers that differ little are added exactly.
    pivot: Option<f64>,
}

/// The sums in each lane.
#[derive(Debug, Clone)]
struct Lanes {
    counts: [u64; LANES],
    min: [f64; LANES],
    max: [f64; LANES],
    /// The differences from the first number.
    sums: [f64; LANES],
    squares: [f64; LANES],
}

impl Default for Moments {
    fn default() -> Moments {
        Moments {
            lanes: Lanes {
                counts: [0; LANES],
                min: [f64::INFINITY; LANES],
                max: [f64::NEG_INFINITY; LANES],
                sums: [0.0; LANES],
                squares: [0.0; LANES],
            },
            next: 0,
            pivot: None,
        }
    }
}

impl Moments {
    /// Adds the next rows.
    pub fn add(&mut self, values: &[f64]) {
        if self.pivot.is_none() {
            self.pivot = values.iter().copied().find(|value| !value.is_nan());
        }
        let pivot = self.pivot.unwrap_or(0.0);
        let (head, rest) = values.split_at(values.len().min((LANES - self.next) % LANES));
        let (chunks, tail) = rest.as_chunks();
        for &value in head {
            self.lanes.add(self.next, value, pivot);
            self.next = (self.next + 1) % LANES;
        }
        add_chunks(&mut self.lanes, chunks, pivot);
        for &value in tail {
            self.lanes.add(self.next, value, pivot);
            self.next = (self.next + 1) % LANES;
        }
    }

    /// Returns how many numbers there are.
    pub fn count(&self) -> u64 {
        self.lanes.counts.iter().sum()
    }

    /// Returns the smallest number, or infinity.
    pub fn min(&self) -> f64 {
        self.lanes.min.iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// Returns the largest number, or minus infinity.
    pub fn max(&self) -> f64 {
        self.lanes
            .max
            .iter()
            .copied()
            .fold(f64::NEG_INFINITY, f64::max)
    }

    /// Returns the mean, or zero without numbers.
    pub fn mean(&self) -> f64 {
        self.pivot
            .map_or(0.0, |pivot| pivot + self.mean_difference())
    }

    /// Returns the standard deviation of the population.
    ///
    /// The difference of the sums loses at most as many digits as the number of rows has, as one of the numbers is the
    /// pivot.
    pub fn deviation(&self) -> f64 {
        let mean = self.mean_difference();
        let squares = self.lanes.squares.iter().sum::<f64>() / self.count().max(1) as f64;
        let variance = squares - mean * mean;
        // That of numbers that are too large is NaN, which stays.
        if variance < 0.0 { 0.0 } else { variance.sqrt() }
    }

    fn mean_difference(&self) -> f64 {
        self.lanes.sums.iter().sum::<f64>() / self.count().max(1) as f64
    }
}

impl Lanes {
    #[inline(always)]
    fn add(&mut self, lane: usize, value: f64, pivot: f64) {
        let is_number = !value.is_nan();
        let difference = if is_number { value - pivot } else { 0.0 };
        self.counts[lane] += u64::from(is_number);
        self.min[lane] = if value < self.min[lane] {
            value
        } else {
            self.min[lane]
        };
        self.max[lane] = if value > self.max[lane] {
            value
        } else {
            self.max[lane]
        };
        self.sums[lane] += difference;
        self.squares[lane] += difference * difference;
    }
}

/// Adds rows of which the first is in the first lane.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn add_chunks(lanes: &mut Lanes, chunks: &[[f64; LANES]], pivot: f64) {
    let mut own = lanes.clone();
    for chunk in chunks {
        for (lane, &value) in chunk.iter().enumerate() {
            own.add(lane, value, pivot);
        }
    }
    *lanes = own;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(parts: &[&[f64]]) -> Moments {
        let mut moments = Moments::default();
        parts.iter().for_each(|part| moments.add(part));
        moments
    }

    #[test]
    fn large_numbers_that_differ_little_keep_their_deviation() {
        let values: Vec<f64> = (0..1000).map(|row| 1.7e15 + f64::from(row % 2)).collect();
        let moments = of(&[&values]);
        assert_eq!((moments.mean(), moments.deviation()), (1.7e15 + 0.5, 0.5));
        // The pivot is far from the others.
        let values: Vec<f64> = std::iter::once(0.0)
            .chain((0..9999).map(|row| 1e6 + f64::from(row % 2)))
            .collect();
        let mean = values.iter().sum::<f64>() / 1e4;
        let squares: f64 = values
            .iter()
            .map(|value| (value - mean) * (value - mean))
            .sum();
        let moments = of(&[&values]);
        assert!((moments.mean() / mean - 1.0).abs() < 1e-14);
        assert!((moments.deviation() / (squares / 1e4).sqrt() - 1.0).abs() < 1e-11);
    }

    #[test]
    fn equal_numbers_have_no_deviation_and_nan_is_not_a_number() {
        let moments = of(&[&[f64::NAN, 0.1, 0.1], &[0.1, f64::NAN, 0.1]]);
        assert_eq!(
            (moments.count(), moments.mean(), moments.deviation()),
            (4, 0.1, 0.0)
        );
        assert_eq!((moments.min(), moments.max()), (0.1, 0.1));
        let moments = of(&[&[f64::NAN; 20]]);
        assert_eq!(
            (moments.count(), moments.mean(), moments.deviation()),
            (0, 0.0, 0.0)
        );
    }

    #[test]
    fn numbers_that_are_too_large_have_no_finite_deviation() {
        for values in [[-1.7e308, 1.7e308, 0.0], [1e200, -1e200, 3.0]] {
            assert!(!of(&[&values]).deviation().is_finite());
        }
    }

    proptest! {
        /// The bits are the same however the rows are divided.
        #[test]
        fn any_division_of_the_rows_gives_the_same_bits(
            values in proptest::collection::vec(prop_oneof![4 => -1e6f64..1e6, 1 => Just(f64::NAN)], 0..200),
            cuts in proptest::collection::vec(0usize..200, 0..6),
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(values.len())).collect();
            cuts.extend([0, values.len()]);
            cuts.sort_unstable();
            let parts: Vec<&[f64]> = cuts.windows(2).map(|ends| &values[ends[0]..ends[1]]).collect();
            let (one, many) = (of(&[&values]), of(&parts));
            let facts = |moments: &Moments| [moments.mean(), moments.deviation(), moments.min(), moments.max()].map(f64::to_bits);
            prop_assert_eq!(facts(&one), facts(&many));
            prop_assert_eq!(one.count(), many.count());
        }
    }
}
