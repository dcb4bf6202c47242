//! The settings of a training run.
//!
//! [`TrainConfig`] is one flat table in a file; in code its fields are grouped by theme, each group with its requirements
//! beside its fields. The data have checks of their own, and the number of threads is a setting of the workers, as it
//! changes no bit of the result. `setting` describes settings for every place that reads or lists them, and `value` has the
//! types of their values.

mod class_weight;
mod optimizer;
mod regularization;
mod requirement;
mod schedule;
pub mod setting;
mod size;
mod table;
mod task;
mod threads;
mod train_config;
mod validation;
pub(crate) mod value;

pub use self::class_weight::ClassWeight;
pub use self::optimizer::{LearningRate, OptimizerConfig, OptimizerName};
pub use self::regularization::RegularizationConfig;
pub use self::schedule::ScheduleConfig;
pub use self::size::Size;
pub use self::table::{Columns, Mark, TableConfig};
pub use self::task::{LossName, TaskConfig};
pub use self::threads::Threads;
pub use self::train_config::{CheckedConfig, TrainConfig};
pub(crate) use self::validation::validation_set;
pub use self::validation::{Accuracy, EarlyStop, MaxTime, ValidationConfig};
pub use crate::data::holdout::Holdout;
