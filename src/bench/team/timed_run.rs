//! A run whose speed is in question, and the shapes of teams that are worth measuring.

use std::num::NonZeroUsize;

use crate::compute::EngineChoice;
use crate::compute::parallel::Division;
use crate::config::CheckedConfig;
use crate::data::Dataset;
use crate::nn::{Partition, Spec};
use crate::train::{State, TeamShape};

/// A step that takes each thread this long in seconds is not slowed down by more threads.
const LONG_STEP: f64 = 5e-3;
/// A rate that no core exceeds by much, in floating point operations per second.
const FLOPS: f64 = 1e11;
/// The time of a step for each parameter, however small the batch, in seconds: weights, velocities and the transposed
/// copy are read and written, which are 24 bytes.
const SECONDS_PER_PARAMETER: f64 = 1e-9;

/// A run whose speed is in question.
#[derive(Debug, Clone, Copy)]
pub struct TimedRun<'a> {
    /// The settings, in which the engine is not `auto`.
    pub config: &'a CheckedConfig,
    /// The network.
    pub spec: &'a Spec,
    /// The training set.
    pub train: &'a Dataset,
    /// The state that the run starts from; `None` if its weights are drawn.
    pub from: Option<&'a State>,
    /// The largest number of threads.
    pub cores: NonZeroUsize,
}

impl TimedRun<'_> {
    /// The shapes worth measuring, the smallest first. Only the largest is left if steps are long.
    ///
    /// More threads cost barriers, of some microseconds, and weights that change hands, of at most 40 ns for each line
    /// of 16: 2.5 ns for each parameter. A step takes one thread at least 1 ns for each parameter and 6 floating point
    /// operations for each sample and parameter, 0.06 ns. Steps of 5 ms that hardly exceed the former have millions of
    /// parameters: these do not stay in a core's cache from step to step, so no other core has them either. In all
    /// other steps of 5 ms twice the threads save more than they cost.
    pub fn candidates(&self) -> Vec<TeamShape> {
        let samples = self.batch_size() as f64;
        let least = samples * self.spec.training_flops() / FLOPS
            + SECONDS_PER_PARAMETER * self.spec.parameters() as f64;
        let mut candidates = TeamShape::candidates(self.cores);
        candidates.retain(|shape| {
            let is_short = least / shape.threads.get() as f64 <= LONG_STEP;
            let divides = shape.division == Division::default() || self.has_units(shape.threads);
            divides && (shape.threads == self.cores || is_short)
        });
        if least / self.cores.get() as f64 > LONG_STEP {
            candidates.retain(|shape| *shape == TeamShape::of(self.cores));
        }
        candidates
    }

    /// Whether so many workers divide some layers by units, unless told otherwise.
    fn has_units(&self, threads: NonZeroUsize) -> bool {
        let groups = Partition::suggested_groups(self.spec, self.batch_size(), threads.get());
        self.config.engine == EngineChoice::Native && groups > 1
    }

    /// The number of samples in a step.
    pub(super) fn batch_size(&self) -> usize {
        self.config.batch_for(self.train.samples())
    }
}
