//! Runs that outlive their process: a folder with settings, metrics, checkpoints and finally the model.
//!
//! `folder` is the layout of the folder, `config_file` its `config.toml`, `data_settings` the settings that name data,
//! `precedence` which source of a setting wins, and
//! `recipes` are files of settings that are part of the program. `environment` and `metrics` are records for people and
//! programs. `checkpoint` is the file, `checkpoints` the folder of them, `every` how often one is saved; `saver` writes them
//! during training, `supervisor` saves and stops a run, and `resume` decides whether and from where an earlier run resumes.

pub mod checkpoint;
pub mod checkpoints;
pub mod config_file;
mod data_settings;
pub mod environment;
pub mod every;
pub mod folder;
pub mod metrics;
pub mod precedence;
pub mod recipes;
pub mod resume;
pub mod saved_run;
mod saver;
pub mod supervisor;

pub use checkpoint::{Checkpoint, Identity};
pub use checkpoints::Checkpoints;
pub use config_file::Settings;
pub use environment::Environment;
pub use every::Every;
pub use folder::RunFolder;
pub use precedence::Layer;
pub use recipes::{RECIPES, Recipe};
pub use resume::Resumption;
pub use saved_run::SavedRun;
pub use saver::{IdentitySource, WriteFailure};
pub use supervisor::{Policy, RunSupervisor};
