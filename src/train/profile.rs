//! How the workers spend their time, phase by phase.
//!
//! Each worker has a clock, which it reads when one phase ends and the next begins; the times are summed after a pass.
//! A clock that is off compiles to nothing.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// What a worker spends its time on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Reading samples and scaling them to inputs.
    Gather,
    /// Drawing dropout and noise on inputs; only in runs that use them.
    Noise,
    /// The pass from inputs to logits.
    Forward,
    /// Batch normalisation, forward and backward, with the derivative of the activation after it.
    Normalization,
    /// The loss and its gradient.
    Loss,
    /// The gradient back to the first hidden layer.
    Backward,
    /// The gradient of the weights, the update by the optimiser, and the transpose for the next step.
    Update,
    /// The update once the norm of the whole gradient is known.
    Clipping,
    /// Limiting the norm of each unit's weights.
    MaxNorm,
    /// Evaluation on the validation or test set.
    Evaluation,
    /// Waiting at a barrier, and the little that one worker does for all.
    Waiting,
}

impl Phase {
    /// Every phase in the order of a step.
    pub const ALL: [Phase; 11] = [
        Phase::Gather,
        Phase::Noise,
        Phase::Forward,
        Phase::Normalization,
        Phase::Loss,
        Phase::Backward,
        Phase::Update,
        Phase::Clipping,
        Phase::MaxNorm,
        Phase::Evaluation,
        Phase::Waiting,
    ];

    /// Whether only some runs have this phase.
    pub fn is_optional(self) -> bool {
        matches!(
            self,
            Phase::Noise | Phase::Normalization | Phase::Clipping | Phase::MaxNorm
        )
    }

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Gather => "gather",
            Phase::Noise => "noise",
            Phase::Forward => "forward",
            Phase::Normalization => "batch norm",
            Phase::Loss => "loss",
            Phase::Backward => "backward",
            Phase::Update => "update",
            Phase::Clipping => "clipping",
            Phase::MaxNorm => "max-norm",
            Phase::Evaluation => "evaluation",
            Phase::Waiting => "waiting",
        }
    }
}

/// The time spent in each phase, summed over workers, and the work done in it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Profile {
    times: [Duration; Phase::ALL.len()],
    flops: [f64; Phase::ALL.len()],
}

impl Profile {
    /// Adds time in a phase.
    pub fn add(&mut self, phase: Phase, time: Duration) {
        self.times[phase as usize] += time;
    }

    /// Adds floating point operations of matrix products to a phase.
    pub fn add_flops(&mut self, phase: Phase, flops: f64) {
        self.flops[phase as usize] += flops;
    }

    /// Adds the times and operations of another profile.
    pub fn add_all(&mut self, other: &Profile) {
        for phase in Phase::ALL {
            self.add(phase, other.time(phase));
            self.add_flops(phase, other.flops(phase));
        }
    }

    /// Time in a phase, summed over workers.
    pub fn time(&self, phase: Phase) -> Duration {
        self.times[phase as usize]
    }

    /// Floating point operations of matrix products in a phase, summed over workers.
    pub fn flops(&self, phase: Phase) -> f64 {
        self.flops[phase as usize]
    }

    /// The share of a phase in the total time, 0 to 1; 0 if no time was measured.
    pub fn share(&self, phase: Phase) -> f64 {
        let all: Duration = self.times.iter().sum();
        if all.is_zero() {
            0.0
        } else {
            self.time(phase).as_secs_f64() / all.as_secs_f64()
        }
    }
}

/// The clock of a worker, which measures nothing unless `ON`.
#[derive(Debug)]
pub(super) struct Clock<const ON: bool> {
    profile: Profile,
    last: Option<Instant>,
}

impl<const ON: bool> Clock<ON> {
    /// Starts the clock.
    pub(super) fn start() -> Clock<ON> {
        Clock {
            profile: Profile::default(),
            last: ON.then(Instant::now),
        }
    }

    /// Ends `phase`: the time since the last call belongs to it.
    #[inline(always)]
    pub(super) fn end(&mut self, phase: Phase) {
        if let (true, Some(last)) = (ON, self.last) {
            let now = Instant::now();
            self.profile.add(phase, now - last);
            self.last = Some(now);
        }
    }

    /// The measured times.
    pub(super) fn into_profile(self) -> Profile {
        self.profile
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread::sleep;

    #[test]
    fn time_belongs_to_the_phase_that_ends() {
        let mut clock = Clock::<true>::start();
        sleep(Duration::from_millis(20));
        clock.end(Phase::Gather);
        sleep(Duration::from_millis(5));
        clock.end(Phase::Update);
        let profile = clock.into_profile();
        assert!(profile.time(Phase::Gather) >= Duration::from_millis(20));
        assert!(profile.time(Phase::Update) >= Duration::from_millis(5));
        assert_eq!(profile.time(Phase::Loss), Duration::ZERO);
        let shares: f64 = Phase::ALL
            .into_iter()
            .map(|phase| profile.share(phase))
            .sum();
        assert!((shares - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_clock_that_is_off_measures_nothing() {
        let mut clock = Clock::<false>::start();
        clock.end(Phase::Gather);
        assert_eq!(clock.into_profile(), Profile::default());
    }
}
