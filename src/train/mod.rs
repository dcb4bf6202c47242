//! Training: `step` is the whole way of a batch at a glance, `trainer` repeats it over epochs.
//!
//! `prepare` is what there is to do before, `blocks` says which rows a worker takes at a time, `state` is a run
//! between two steps, `supervisor` who looks after it, `stopping` when it is over, `outcome` what it tells;
//! `range_test` looks for a learning rate, `profile` says where the time goes, `eval` measures a network on a data
//! set, `metrics` turns predictions into precision and recall.

mod blocks;
pub(crate) mod divergence;
mod epochs;
pub mod eval;
pub mod event;
pub mod outcome;
pub mod prepare;
pub mod profile;
pub mod range_test;
pub mod state;
mod step;
mod stepper;
pub mod stopping;
pub mod supervisor;
pub mod trainer;

pub use eval::{Evaluation, Evaluator, Predictions};
pub use event::{Event, EventHandler};
pub use outcome::{Ending, Outcome};
pub use profile::{Phase, Profile};
pub use range_test::{RangeTest, range_test};
pub use state::{Place, State};
pub use stepper::{OnStep, Stepper};
pub use stopping::Cause;
pub use supervisor::{Supervisor, Then, Unsupervised};
pub use trainer::{Training, train};
