//! Training.
//!
//! A run, from the inside out: `step` is one training step, `stepper` repeats it over the batches of a pass, and
//! `epochs` repeats passes, evaluates and saves. `trainer` prepares a run and starts it.
//!
//! Around it: `prepare` derives from the settings what a run needs, `blocks` cuts a batch into blocks of rows,
//! `divergence` stops a run whose loss is not finite, `stopping` decides when a run is over and which epoch is the
//! best, `state` is a run between two steps, `supervisor` decides when it is saved or stopped, `event` reports its
//! progress, and `outcome` is its result. `eval` measures a network on a data set, `readout` turns its outputs into
//! predictions and losses, `range_test` finds a learning rate, and `profile` shows how the workers spend their time.
//! `team_shape` is how a run divides the work of a step.

mod blocks;
pub(crate) mod divergence;
mod epochs;
pub mod eval;
pub mod event;
pub mod outcome;
pub mod prepare;
pub mod profile;
pub mod range_test;
mod readout;
mod samples;
pub mod state;
mod step;
mod stepper;
pub mod stopping;
pub mod supervisor;
pub mod suspect;
mod team_shape;
pub mod trainer;

pub use eval::{Evaluation, Evaluator, Predictions};
pub use event::{Event, EventHandler};
pub use outcome::{Ending, Outcome};
pub use profile::{Phase, Profile};
pub use range_test::{RangeTest, range_test};
pub use state::{Position, State};
pub use stepper::{StepHandler, Stepper};
pub use stopping::Cause;
pub use supervisor::{Next, Supervisor, Unsupervised};
pub use team_shape::TeamShape;
pub use trainer::{Training, train};
