//! The rates of teams that are kept from one start to the next.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::TeamRate;
use crate::train::TeamShape;

/// The number of works that are kept, the newest ones: the file is read at every start.
const MOST: usize = 64;
/// How long rates are kept: a day.
const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// The number of measurements, each at another start, after which rates are no longer measured again.
const ENOUGH: u32 = 3;
/// The share of the highest rate below which another moment does not make a shape the fastest. How fast cores answer
/// each other changes from minute to minute, and with it the rates, by a quarter and more.
const CLEAR: f64 = 0.7;

/// The rates of teams at some works, the oldest first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeptTeams(Vec<Kept>);

/// The rates of teams at one work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Kept {
    /// The name of the work.
    work: String,
    /// When the rates were first measured, in seconds since 1970.
    measured: u64,
    /// How many times they were measured; 0 in files of earlier versions.
    #[serde(default)]
    measurements: u32,
    /// The highest rate of each shape.
    rates: Vec<TeamRate>,
}

impl Kept {
    /// Whether the choice would stay the same if it were measured again: the second-fastest shape is far behind, or
    /// there were several measurements.
    fn is_settled(&self) -> bool {
        let mut rates: Vec<f64> = self
            .rates
            .iter()
            .map(|rate| rate.samples_per_second)
            .collect();
        rates.sort_by(|a, b| b.total_cmp(a));
        let is_clear = matches!(rates[..], [first, second, ..] if second < CLEAR * first);
        is_clear || self.measurements >= ENOUGH
    }

    fn applies(&self, candidates: &[TeamShape], now: u64) -> bool {
        // A time in the future is that of a wrong clock.
        let is_recent = now
            .checked_sub(self.measured)
            .is_some_and(|age| age < LIFETIME.as_secs());
        let mut shapes = self.rates.iter().map(|rate| &rate.shape);
        is_recent && !self.rates.is_empty() && shapes.all(|shape| candidates.contains(shape))
    }
}

impl KeptTeams {
    /// Returns the rates at `work` if they are settled. Returns `None` if they must be measured: never before, long
    /// before `now`, for other shapes than `candidates`, or too rarely for rates that are close.
    pub fn find(
        &self,
        work: &str,
        candidates: &[TeamShape],
        now: SystemTime,
    ) -> Option<Vec<TeamRate>> {
        let kept = self.at(work)?;
        let is_usable = kept.applies(candidates, seconds(now)) && kept.is_settled();
        is_usable.then(|| kept.rates.clone())
    }

    /// Keeps `rates` at `work`, measured `now`, and drops the oldest works if there are too many. Returns the highest
    /// rate of each shape in this measurement and the kept ones that still apply.
    pub fn keep(
        &mut self,
        work: String,
        mut rates: Vec<TeamRate>,
        now: SystemTime,
    ) -> Vec<TeamRate> {
        let now = seconds(now);
        let shapes: Vec<TeamShape> = rates.iter().map(|rate| rate.shape).collect();
        let earlier = self.at(&work).filter(|kept| kept.applies(&shapes, now));
        let (mut measured, mut measurements) = (now, 1);
        if let Some(kept) = earlier {
            measured = kept.measured;
            measurements += kept.measurements.min(ENOUGH);
            for rate in &mut rates {
                let same = kept.rates.iter().filter(|kept| kept.shape == rate.shape);
                let highest = same.map(|kept| kept.samples_per_second);
                rate.samples_per_second = highest.fold(rate.samples_per_second, f64::max);
            }
        }
        self.0.retain(|kept| kept.work != work);
        self.0.push(Kept {
            work,
            measured,
            measurements,
            rates: rates.clone(),
        });
        self.0.drain(..self.0.len().saturating_sub(MOST));
        rates
    }

    fn at(&self, work: &str) -> Option<&Kept> {
        self.0.iter().rev().find(|kept| kept.work == work)
    }

    /// Whether every rate is a finite number above 0.
    pub(in crate::bench) fn is_valid(&self) -> bool {
        let mut rates = self.0.iter().flat_map(|kept| &kept.rates);
        rates.all(|rate| rate.samples_per_second.is_finite() && rate.samples_per_second > 0.0)
    }
}

fn seconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;

    fn rates(first: f64, others: f64) -> Vec<TeamRate> {
        let candidates = candidates().into_iter().zip([first, others, others]);
        let rate = |(shape, samples_per_second)| TeamRate {
            shape,
            samples_per_second,
        };
        candidates.map(rate).collect()
    }

    fn candidates() -> Vec<TeamShape> {
        TeamShape::candidates(NonZeroUsize::new(2).expect("not zero"))
    }

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn rates_are_found_until_they_are_old() {
        let mut kept = KeptTeams::default();
        let clear = rates(3.0, 1.0);
        kept.keep("a".to_owned(), clear.clone(), at(1000));
        let found = |work, now| kept.find(work, &candidates(), at(now));
        assert_eq!(found("a", 1000), Some(clear.clone()));
        assert_eq!(found("a", 999 + LIFETIME.as_secs()), Some(clear));
        assert_eq!(found("a", 1000 + LIFETIME.as_secs()), None);
        assert_eq!(found("a", 999), None);
        assert_eq!(found("b", 1000), None);
        assert_eq!(kept.find("a", &candidates()[1..], at(1000)), None);
        kept.keep("a".to_owned(), Vec::new(), at(1000));
        assert_eq!(kept.find("a", &candidates(), at(1000)), None);
    }

    #[test]
    fn close_rates_are_measured_three_times_and_the_highest_counts() {
        let mut kept = KeptTeams::default();
        let mut measure = |first, others, now| {
            let highest = kept.keep("a".to_owned(), rates(first, others), at(now));
            (highest, kept.find("a", &candidates(), at(now)))
        };
        assert_eq!(measure(486.0, 444.0, 0), (rates(486.0, 444.0), None));
        assert_eq!(measure(470.0, 600.0, 5), (rates(486.0, 600.0), None));
        let highest = rates(490.0, 600.0);
        assert_eq!(measure(490.0, 400.0, 9), (highest.clone(), Some(highest)));
        // Rates of yesterday do not count.
        let new = (rates(1.0, 1.0), None);
        assert_eq!(measure(1.0, 1.0, LIFETIME.as_secs()), new);
    }

    #[test]
    fn the_oldest_works_are_dropped() {
        let mut kept = KeptTeams::default();
        for work in 0..2 * MOST {
            kept.keep(work.to_string(), rates(3.0, 1.0), at(work as u64));
            kept.keep("again".to_owned(), rates(3.0, 1.0), at(work as u64));
        }
        assert_eq!(kept.0.len(), MOST);
        let last = 2 * MOST - 1;
        let found = |work: &str| kept.find(work, &candidates(), at(last as u64));
        assert!(found("again").is_some());
        assert!(found(&last.to_string()).is_some());
        assert_eq!(found("0"), None);
    }
}
