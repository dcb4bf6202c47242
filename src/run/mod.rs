//! A run that outlives its process: a folder with its settings, its metrics, its checkpoints and at last its model.
//!
//! `folder` says what lies where, `settings` is `config.toml`, `recipes` are
//! files of settings in the program, `environment` and `metrics` are records for people and
//! programs; `checkpoint` is the file, `shelf` the folder of them, `every` how often there is one; `saver` writes them
//! beside the training, `keeper` looks after a run, `resume` says whether and where an earlier one goes on.

pub mod checkpoint;
pub mod checkpoints;
pub mod config_file;
pub mod environment;
pub mod every;
pub mod folder;
pub mod keeper;
pub mod metrics;
pub mod recipes;
pub mod resume;
pub mod saved_run;
mod saver;

pub use checkpoint::{Checkpoint, Identity};
pub use checkpoints::Shelf;
pub use config_file::Settings;
pub use environment::Environment;
pub use every::Every;
pub use folder::RunFolder;
pub use keeper::{Care, Keeper};
pub use recipes::{RECIPES, Recipe};
pub use resume::Resumption;
pub use saved_run::SavedRun;
pub use saver::{Failure, Identifier};
