//! Training: `step` is the whole way of a batch at a glance, `trainer` repeats it over epochs.
//!
//! `shards` decides how a batch is cut, `reduce` sums the shards' gradients in fixed order and updates,
//! `eval` measures a network on a data set, `metrics` turns predictions into precision and recall.

pub mod eval;
pub mod metrics;
mod reduce;
pub mod shards;
pub mod step;
pub mod trainer;

pub use eval::{Evaluation, Evaluator};
pub use metrics::ClassMetrics;
pub use step::Stepper;
pub use trainer::{EpochMetrics, Event, Outcome, train};
