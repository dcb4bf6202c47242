//! The rates of teams that are kept from one start to the next.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::TeamRate;
use crate::train::TeamShape;

/// The number of works that are kept, the newest ones: the file is read at every start.
const MOST: usize = 64;
/// How long rates are kept: a day. They are measured in milliseconds, which may have been bad ones.
const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// The rates of teams at some works, the oldest first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeptTeams(Vec<Kept>);

/// The rates of teams at one work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Kept {
    /// The name of the work.
    work: String,
    /// When the rates were measured, in seconds since 1970.
    measured: u64,
    rates: Vec<TeamRate>,
}

impl KeptTeams {
    /// Returns the rates at `work`; `None` if they were not measured, long before `now`, or for other shapes than
    /// `candidates`.
    pub fn find(
        &self,
        work: &str,
        candidates: &[TeamShape],
        now: SystemTime,
    ) -> Option<Vec<TeamRate>> {
        let now = seconds(now);
        let kept = self.0.iter().rev().find(|kept| kept.work == work)?;
        // A time in the future is that of a wrong clock.
        let age = now.checked_sub(kept.measured)?;
        let mut shapes = kept.rates.iter().map(|rate| &rate.shape);
        let applies = age < LIFETIME.as_secs() && shapes.all(|shape| candidates.contains(shape));
        (applies && !kept.rates.is_empty()).then(|| kept.rates.clone())
    }

    /// Keeps the `rates` at `work`, measured `now`, and drops the oldest ones if there are too many.
    pub fn keep(&mut self, work: String, rates: Vec<TeamRate>, now: SystemTime) {
        self.0.retain(|kept| kept.work != work);
        let measured = seconds(now);
        self.0.push(Kept {
            work,
            measured,
            rates,
        });
        self.0.drain(..self.0.len().saturating_sub(MOST));
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

    fn rates(first: f64) -> Vec<TeamRate> {
        let candidates = candidates().into_iter().zip([first, 2.0, 3.0]);
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
        kept.keep("a".to_owned(), rates(1.0), at(1000));
        let found = |work, now| kept.find(work, &candidates(), at(now));
        assert_eq!(found("a", 1000), Some(rates(1.0)));
        assert_eq!(found("a", 999 + LIFETIME.as_secs()), Some(rates(1.0)));
        assert_eq!(found("a", 1000 + LIFETIME.as_secs()), None);
        assert_eq!(found("a", 999), None);
        assert_eq!(found("b", 1000), None);
        assert_eq!(kept.find("a", &candidates()[1..], at(1000)), None);
        kept.keep("a".to_owned(), Vec::new(), at(1000));
        assert_eq!(kept.find("a", &candidates(), at(1000)), None);
    }

    #[test]
    fn new_rates_replace_old_ones_and_the_oldest_are_dropped() {
        let mut kept = KeptTeams::default();
        for work in 0..2 * MOST {
            kept.keep(work.to_string(), rates(1.0), at(work as u64));
            kept.keep("again".to_owned(), rates(work as f64), at(work as u64));
        }
        assert_eq!(kept.0.len(), MOST);
        let last = 2 * MOST - 1;
        let found = |work: &str| kept.find(work, &candidates(), at(last as u64));
        assert_eq!(found("again"), Some(rates(last as f64)));
        assert!(found(&last.to_string()).is_some());
        assert_eq!(found("0"), None);
    }
}
