//! A sample of the numbers of a column. Which rows it has depends only on how many there are.

/// The most cells in the samples of all columns of a table.
const CELLS: usize = 1 << 24;

/// The least and the most rows of a sample that is not of all rows.
const ROWS: (usize, usize) = (1 << 16, 1 << 20);

/// Every so many-th number of a column.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    /// The numbers of the rows 0, `stride`, `2 · stride` and so on; NaN for those without one.
    rows: Vec<f64>,
    /// A power of two.
    stride: usize,
    /// How many rows there were so far.
    seen: usize,
    /// The most rows of the sample.
    limit: usize,
}

impl Sample {
    /// Returns the empty sample of a column of a table that has this many columns.
    pub fn of_one_in(columns: usize) -> Sample {
        Sample {
            rows: Vec::new(),
            stride: 1,
            seen: 0,
            limit: (CELLS / columns.max(1)).clamp(ROWS.0, ROWS.1),
        }
    }

    /// Adds the next rows, of which those without a number are NaN.
    pub fn add(&mut self, values: &[f64]) {
        let first = self.seen.next_multiple_of(self.stride) - self.seen;
        let sampled = values.iter().skip(first).step_by(self.stride);
        self.rows.extend(sampled);
        self.seen += values.len();
        while self.rows.len() > self.limit {
            let mut is_even = false;
            self.rows.retain(|_| {
                is_even = !is_even;
                is_even
            });
            self.stride *= 2;
        }
    }

    /// Returns the numbers.
    fn numbers(&self) -> impl Iterator<Item = f64> {
        self.rows.iter().copied().filter(|number| !number.is_nan())
    }

    /// Returns the median; zero without numbers.
    pub fn median(&self) -> f64 {
        median(self.numbers().collect())
    }

    /// Returns how many different numbers there are.
    pub fn distinct(&self) -> usize {
        let mut bits: Vec<u64> = self.numbers().map(f64::to_bits).collect();
        bits.sort_unstable();
        bits.dedup();
        bits.len()
    }

    /// Returns whether no number occurs twice.
    pub fn all_differ(&self) -> bool {
        self.distinct() == self.numbers().count()
    }

    /// Returns the median distance from zero of the numbers that are not zero; zero if there are none.
    pub fn median_magnitude(&self) -> f64 {
        let magnitudes = self.numbers().map(f64::abs);
        median(magnitudes.filter(|&size| size > 0.0).collect())
    }

    /// Returns the mean and the standard deviation of what the numbers become by `map`, and the skewness: the mean of the
    /// cubes of their standardised values, which is 2 for an exponential distribution. All are NaN without numbers.
    pub fn shape(&self, map: impl Fn(f64) -> f64) -> Shape {
        let count = self.numbers().count() as f64;
        let mean_of = |power: i32, centre: f64| {
            let terms = self
                .numbers()
                .map(|number| (map(number) - centre).powi(power));
            terms.sum::<f64>() / count
        };
        let mean = mean_of(1, 0.0);
        let deviation = mean_of(2, mean).sqrt();
        Shape {
            mean,
            deviation,
            skewness: mean_of(3, mean) / deviation.powi(3),
        }
    }
}

/// The distribution of some numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub mean: f64,
    /// The standard deviation of the population.
    pub deviation: f64,
    pub skewness: f64,
}

/// Returns the median of some numbers, or the mean of the two in the middle if their number is even; zero without any.
fn median(mut numbers: Vec<f64>) -> f64 {
    let Some(middle) = numbers.len().checked_sub(1).map(|last| last / 2) else {
        return 0.0;
    };
    let is_even = numbers.len().is_multiple_of(2);
    let (_, &mut lower, above) = numbers.select_nth_unstable_by(middle, f64::total_cmp);
    let upper = above.iter().copied().min_by(f64::total_cmp);
    match upper.filter(|_| is_even) {
        None => lower,
        Some(upper) => lower + (upper - lower) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f64], limit: usize, cuts: &[usize]) -> Sample {
        let mut sample = Sample {
            limit,
            ..Sample::of_one_in(1)
        };
        let mut rest = values;
        for &cut in cuts {
            let (part, next) = rest.split_at(cut.min(rest.len()));
            sample.add(part);
            rest = next;
        }
        sample.add(rest);
        sample
    }

    #[test]
    fn the_rows_do_not_depend_on_how_they_come() {
        let values: Vec<f64> = (0..1000).map(f64::from).collect();
        let expected: Vec<f64> = (0..1000).step_by(16).map(f64::from).collect();
        for cuts in [&[][..], &[1, 2, 3, 500], &[999], &[64, 64, 64, 7]] {
            assert_eq!(of(&values, 64, cuts).rows, expected);
        }
        assert_eq!(of(&values, 1000, &[3]).rows, values);
    }

    #[test]
    fn missing_numbers_do_not_count() {
        let sample = of(&[1.0, f64::NAN, 3.0, 3.0, -8.0], 10, &[2]);
        assert_eq!((sample.median(), sample.distinct()), (2.0, 3));
        assert!(!sample.all_differ());
        assert_eq!(sample.median_magnitude(), 3.0);
        let none = of(&[f64::NAN; 3], 10, &[]);
        assert_eq!((none.median(), none.median_magnitude()), (0.0, 0.0));
    }

    /// The figures are from SciPy: `scipy.stats.skew([1, 2, 3, 10])`.
    #[test]
    fn the_skewness_is_that_of_the_population() {
        let shape = of(&[1.0, 2.0, 3.0, 10.0], 10, &[]).shape(|number| number);
        assert_eq!(shape.mean, 4.0);
        assert!((shape.deviation - 12.5f64.sqrt()).abs() < 1e-12);
        assert!((shape.skewness - 1.018_233_764_908_628_8).abs() < 1e-12);
    }
}
