//! Statistics of a few timed runs: median, range, and confidence.
//!
//! Timings are skewed and have outliers, so nothing here assumes a normal distribution: runs are summarised by their
//! median, and its uncertainty by the interval between two order statistics (H. A. David and H. N. Nagaraja, *Order
//! Statistics*, 2003, section 7.1).

use serde::{Deserialize, Serialize};

/// The confidence that the interval of a median has at least, if there are enough runs.
const WANTED_CONFIDENCE: f64 = 0.9;

/// The median, the range and the scatter of some runs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The middle run, or the mean of the middle two.
    pub median: f64,
    /// The smallest run.
    pub min: f64,
    /// The largest run.
    pub max: f64,
    /// `(max − min) / median`, a share of 1.
    pub spread: f64,
}

impl Summary {
    /// The summary of `values`.
    ///
    /// # Panics
    /// Panics if there are none.
    pub fn of(values: &[f64]) -> Summary {
        let sorted = sorted(values);
        let (median, min, max) = (median(values), sorted[0], sorted[sorted.len() - 1]);
        Summary {
            median,
            min,
            max,
            spread: (max - min) / median,
        }
    }
}

/// A median with its confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The median of the runs.
    pub median: f64,
    /// The lower end of the interval.
    pub low: f64,
    /// The upper end of the interval.
    pub high: f64,
    /// The probability that such an interval contains the true median, 0 to 1; 0 for a single run.
    pub confidence: f64,
}

impl Estimate {
    /// The median of `values` with the narrowest interval of order statistics that contains the true median in nine of
    /// ten cases, or with the whole range if there are too few values for that (fewer than 5).
    ///
    /// The k-th smallest and k-th largest of n values enclose the true median with probability
    /// `1 − 2·P(B ≤ k − 1)`, where B counts heads in n throws of a coin, whatever the values' distribution.
    ///
    /// # Panics
    /// Panics if there are no values.
    pub fn of(values: &[f64]) -> Estimate {
        let sorted = sorted(values);
        let n = sorted.len();
        let (mut cut, mut confidence) = (1, 0.0);
        let (mut term, mut tail) = (0.5f64.powi(n as i32), 0.0);
        for k in 1..=n.div_ceil(2) {
            tail += term;
            term *= (n + 1 - k) as f64 / k as f64;
            let sure = 1.0 - 2.0 * tail;
            if k == 1 || sure >= WANTED_CONFIDENCE {
                (cut, confidence) = (k, sure.max(0.0));
            }
        }
        Estimate {
            median: median(values),
            low: sorted[cut - 1],
            high: sorted[n - cut],
            confidence,
        }
    }

    /// The ratio of `after` to `before`, run by run, so that whatever slows down a whole round cancels out.
    ///
    /// # Panics
    /// Panics if there are no runs, or if their numbers differ.
    pub fn of_ratio(after: &[f64], before: &[f64]) -> Estimate {
        assert_eq!(after.len(), before.len(), "runs come in pairs");
        let ratios: Vec<f64> = after.iter().zip(before).map(|(a, b)| a / b).collect();
        Estimate::of(&ratios)
    }
}

/// The median of `values`: the middle one, or the mean of the middle two.
///
/// # Panics
/// Panics if there are none.
pub fn median(values: &[f64]) -> f64 {
    let sorted = sorted(values);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        (sorted[middle - 1] + sorted[middle]) / 2.0
    }
}

/// The mean of `values`; `None` if there are none.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The standard deviation of `values` as a sample (divisor n − 1); `None` if there are fewer than two.
pub fn deviation(values: &[f64]) -> Option<f64> {
    let mean = mean(values).filter(|_| values.len() > 1)?;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((squares / (values.len() - 1) as f64).sqrt())
}

fn sorted(values: &[f64]) -> Vec<f64> {
    assert!(!values.is_empty(), "no values");
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_the_middle_or_the_mean_of_the_middle_two() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), 2.5);
        assert_eq!(median(&[7.0]), 7.0);
    }

    #[test]
    fn the_spread_is_the_range_over_the_median() {
        let summary = Summary::of(&[100.0, 110.0, 90.0, 95.0, 102.0]);
        // (110 − 90) / 100.
        assert_eq!(
            (summary.median, summary.min, summary.max, summary.spread),
            (100.0, 90.0, 110.0, 0.2)
        );
    }

    #[test]
    fn the_interval_of_five_runs_is_their_range() {
        // 1 − 2 · (1/2)⁵ = 15/16.
        let found = Estimate::of(&[5.0, 1.0, 3.0, 2.0, 4.0]);
        assert_eq!((found.low, found.median, found.high), (1.0, 3.0, 5.0));
        assert_eq!(found.confidence, 0.9375);
    }

    #[test]
    fn the_interval_of_eight_runs_excludes_the_outermost() {
        // 1 − 2 · (1 + 8) / 2⁸ = 238/256; the third from either end would give 1 − 2 · 37/256, too little.
        let values: Vec<f64> = (1..=8).map(f64::from).collect();
        let found = Estimate::of(&values);
        assert_eq!((found.low, found.median, found.high), (2.0, 4.5, 7.0));
        assert_eq!(found.confidence, 0.9296875);
    }

    #[test]
    fn too_few_runs_have_their_range_with_a_low_confidence() {
        // 1 − 2 · (1/2)³ = 3/4.
        let found = Estimate::of(&[3.0, 1.0, 2.0]);
        assert_eq!((found.low, found.high, found.confidence), (1.0, 3.0, 0.75));
        let single = Estimate::of(&[3.0]);
        assert_eq!(
            (single.low, single.high, single.confidence),
            (3.0, 3.0, 0.0)
        );
    }

    #[test]
    fn a_ratio_is_computed_run_by_run() {
        // 20/10, 9/5, 38/20: the second round was slow for both.
        let found = Estimate::of_ratio(&[20.0, 9.0, 38.0], &[10.0, 5.0, 20.0]);
        assert_eq!((found.low, found.median, found.high), (1.8, 1.9, 2.0));
    }

    #[test]
    fn mean_and_deviation_by_hand() {
        // Deviations −2, 0, 2: √(8 / 2).
        assert_eq!(mean(&[1.0, 3.0, 5.0]), Some(3.0));
        assert_eq!(deviation(&[1.0, 3.0, 5.0]), Some(2.0));
        assert_eq!((mean(&[]), deviation(&[1.0])), (None, None));
    }
}
