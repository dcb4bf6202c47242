//! Training: `step` is the whole way of a batch at a glance, `trainer` repeats it over epochs.
//!
//! `blocks` says which rows a worker takes at a time, `eval` measures a network on a data set, `metrics` turns
//! predictions into precision and recall.

mod blocks;
pub mod eval;
pub mod metrics;
pub mod step;
pub mod trainer;

pub use eval::{Evaluation, Evaluator};
pub use metrics::ClassMetrics;
pub use step::Stepper;
pub use trainer::{EpochMetrics, Event, Outcome, train};
