//! The rate of each phase of a step: its share of the time, its products per second, and these against the peak.
//!
//! They come from passes with a clock for each worker, apart from the timed runs, because reading clocks takes time.

use serde::{Deserialize, Serialize};

use super::peak::Peak;
use crate::train::{Phase, Profile};

/// One phase's share of the time of all workers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PhaseShare {
    /// The phase.
    pub phase: Phase,
    /// Time spent in it, summed over the workers, in seconds.
    pub seconds: f64,
    /// The share of the time of all workers, 0 to 1.
    pub share: f64,
    /// 10⁹ floating point operations of matrix products per second while all workers are in it; `None` without
    /// products.
    pub gflops: Option<f64>,
    /// That rate as a share of the peak, 0 to 1.
    pub of_peak: Option<f64>,
}

/// The phases that the run has, compared with the `peak` of as many threads.
pub fn shares(profile: &Profile, peak: &Peak) -> Vec<PhaseShare> {
    let share = |phase| {
        let seconds = profile.time(phase).as_secs_f64();
        let together = seconds / peak.threads as f64;
        let gflops = 1e-9 * profile.flops(phase) / together;
        let gflops = Some(gflops).filter(|rate| rate.is_finite() && *rate > 0.0);
        PhaseShare {
            phase,
            seconds,
            share: profile.share(phase),
            gflops,
            of_peak: gflops.map(|rate| rate / peak.gflops),
        }
    };
    let took_part = |phase: &Phase| !(phase.is_optional() && profile.time(*phase).is_zero());
    Phase::ALL
        .into_iter()
        .filter(took_part)
        .map(share)
        .collect()
}

/// The phases of training at one number of threads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Phases {
    /// Worker threads.
    pub threads: usize,
    /// The number of steps with clocks.
    pub steps: usize,
    /// The phases that took time, in the order of a step.
    pub phases: Vec<PhaseRate>,
}

/// A phase as part of a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PhaseRate {
    /// The time of a step that a worker spends in it on average, in seconds.
    pub seconds_per_step: f64,
    /// Its share and rate over all steps.
    #[serde(flatten)]
    pub share: PhaseShare,
}

impl Phases {
    /// The phases of `steps` steps, compared with the `peak` of as many threads.
    ///
    /// # Panics
    /// Panics if there are no steps.
    pub fn new(profile: &Profile, steps: usize, peak: &Peak) -> Phases {
        assert!(steps > 0, "no steps");
        let shares = shares(profile, peak)
            .into_iter()
            .filter(|it| it.seconds > 0.0);
        let rate = |share: PhaseShare| PhaseRate {
            seconds_per_step: share.seconds / (peak.threads * steps) as f64,
            share,
        };
        Phases {
            threads: peak.threads,
            steps,
            phases: shares.map(rate).collect(),
        }
    }

    /// The time of a step with clocks, in seconds.
    pub fn seconds_per_step(&self) -> f64 {
        self.phases.iter().map(|phase| phase.seconds_per_step).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_step_is_the_sum_of_its_phases() {
        let mut profile = Profile::default();
        profile.add(Phase::Forward, Duration::from_secs(6));
        profile.add_flops(Phase::Forward, 3e11);
        profile.add(Phase::Waiting, Duration::from_secs(2));
        let peak = Peak {
            threads: 2,
            gflops: 400.0,
            samples: Vec::new(),
        };
        let found = Phases::new(&profile, 10, &peak);
        // Eight seconds of two workers in ten steps.
        assert_eq!(found.seconds_per_step(), 0.4);
        let [forward, waiting] = &found.phases[..] else {
            panic!("two phases took time: {found:?}");
        };
        assert_eq!(
            (forward.share.phase, forward.seconds_per_step),
            (Phase::Forward, 0.3)
        );
        // 300 GFLOP in 6 s of worker time, which is 3 s of two workers.
        assert_eq!(
            (forward.share.gflops, forward.share.of_peak),
            (Some(100.0), Some(0.25))
        );
        assert_eq!((waiting.share.share, waiting.share.gflops), (0.25, None));
    }
}
