//! Chooses how many threads train a network, from rates that are measured on the network itself.
//!
//! Some networks are slower on two threads than on one: a step of microseconds is shorter than what the threads spend
//! on waiting for each other and on weights that change hands. So `measure` takes some steps of a run's own settings on
//! its own data with each candidate, `work` names everything that decides the rates, and `kept` keeps them in the table
//! of engines, so that the next start measures nothing. No bit of a model depends on the choice.

mod kept;
mod measure;
mod timed_run;
mod work;

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

pub use self::kept::KeptTeams;
pub use self::measure::measure;
pub use self::timed_run::TimedRun;
use crate::train::TeamShape;

/// The share of the highest rate above which fewer threads are preferred. The highest of a few short runs repeats
/// within about 3 %, so a smaller difference says nothing; fewer threads leave cores to other programs, and lose less
/// when cores are slow to answer each other. With the error of both rates the choice stays within 5 % of the best.
const TIE: f64 = 0.97;

/// The speed of training with one shape of team.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TeamRate {
    /// The shape.
    #[serde(flatten)]
    pub shape: TeamShape,
    /// Samples trained on per second, in the fastest run.
    pub samples_per_second: f64,
}

/// The shape of team that trains, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TeamChoice {
    /// The shape.
    #[serde(skip)]
    pub shape: TeamShape,
    /// The number of cores that this process may use.
    pub cores: NonZeroUsize,
    /// Why the shape was chosen.
    pub by: ChosenBy,
    /// The rates that it was chosen by, if it was.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rates: Vec<TeamRate>,
}

/// Why a shape of team was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChosenBy {
    /// The number of threads is a setting.
    Setting,
    /// There is nothing to choose from: one core.
    OneCore,
    /// A step is so long that all cores are certainly fastest: see [`TimedRun::candidates`].
    LongSteps,
    /// The rates were measured now.
    Measurement,
    /// The rates were measured at an earlier start.
    EarlierMeasurement,
    /// The rates could not be measured, so that all cores were taken.
    Default,
}

impl TeamChoice {
    /// The choice without rates: a team of this number of `threads`.
    pub fn of(threads: NonZeroUsize, cores: NonZeroUsize, by: ChosenBy) -> TeamChoice {
        TeamChoice {
            shape: TeamShape::of(threads),
            cores,
            by,
            rates: Vec::new(),
        }
    }

    /// The choice from `rates`; all cores if there are none.
    pub fn from_rates(rates: Vec<TeamRate>, cores: NonZeroUsize, by: ChosenBy) -> TeamChoice {
        match fastest(&rates) {
            None => TeamChoice::of(cores, cores, ChosenBy::Default),
            Some(shape) => TeamChoice {
                shape,
                cores,
                by,
                rates,
            },
        }
    }

    /// Whether perceptor chose, as opposed to the user.
    pub fn is_auto(&self) -> bool {
        self.by != ChosenBy::Setting
    }
}

/// Chooses the shape with the highest of `rates`, or one with fewer threads whose rate is hardly lower; `None` if there
/// are no rates.
pub fn fastest(rates: &[TeamRate]) -> Option<TeamShape> {
    let highest = rates.iter().map(|rate| rate.samples_per_second);
    let highest = highest.max_by(f64::total_cmp)?;
    let near = rates
        .iter()
        .filter(|rate| rate.samples_per_second >= TIE * highest);
    let chosen = near.min_by(|a, b| {
        let faster = b.samples_per_second.total_cmp(&a.samples_per_second);
        a.shape.threads.cmp(&b.shape.threads).then(faster)
    });
    chosen.map(|rate| rate.shape)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rate(threads: usize, samples_per_second: f64) -> TeamRate {
        let threads = NonZeroUsize::new(threads).expect("not zero");
        TeamRate {
            shape: TeamShape::of(threads),
            samples_per_second,
        }
    }

    fn chosen(rates: &[TeamRate]) -> usize {
        fastest(rates).expect("rates").threads.get()
    }

    proptest! {
        #[test]
        fn the_choice_is_never_slower_than_the_best_by_more_than_5_percent(
            rates in prop::collection::vec((1usize..5000, 1e-3f64..1e9), 1..20)
        ) {
            let rates: Vec<TeamRate> = rates.into_iter().map(|(n, r)| rate(n, r)).collect();
            let shape = fastest(&rates).expect("rates");
            let of_shape = rates.iter().filter(|rate| rate.shape == shape);
            let chosen = of_shape.map(|rate| rate.samples_per_second).fold(0.0, f64::max);
            let best = rates.iter().map(|rate| rate.samples_per_second).fold(0.0, f64::max);
            prop_assert!(chosen >= 0.95 * best);
        }
    }

    #[test]
    fn the_fastest_is_chosen_and_fewer_threads_if_they_are_as_fast() {
        assert_eq!(fastest(&[]), None);
        assert_eq!(chosen(&[rate(1, 2.7e6), rate(2, 1.6e6)]), 1);
        assert_eq!(chosen(&[rate(1, 2.4e5), rate(2, 3.4e5)]), 2);
        assert_eq!(chosen(&[rate(1, 98.0), rate(2, 100.0)]), 1);
        assert_eq!(chosen(&[rate(1, 96.0), rate(2, 100.0)]), 2);
        // The order does not matter.
        assert_eq!(chosen(&[rate(8, 100.0), rate(4, 99.0), rate(2, 40.0)]), 4);
    }

    #[test]
    fn without_rates_all_cores_are_taken() {
        let cores = NonZeroUsize::new(6).expect("not zero");
        let choice = TeamChoice::from_rates(Vec::new(), cores, ChosenBy::Measurement);
        assert_eq!(choice, TeamChoice::of(cores, cores, ChosenBy::Default));
    }
}
