//! Training: `step` is the whole way of a batch at a glance, `trainer` repeats it over epochs.
//!
//! `blocks` says which rows a worker takes at a time, `profile` where the time goes, `eval` measures a network on a data
//! set, `metrics` turns predictions into precision and recall.

mod blocks;
pub mod eval;
pub mod metrics;
pub mod profile;
pub mod step;
pub mod trainer;

pub use eval::{Evaluation, Evaluator};
pub use metrics::ClassMetrics;
pub use profile::{Phase, Profile};
pub use step::Stepper;
pub use trainer::{EpochMetrics, Event, Outcome, train};
