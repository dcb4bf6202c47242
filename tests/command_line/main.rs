//! The program as its users run it: every test runs the real binary in a folder of its own and checks exit code,
//! stdout, stderr and the files it leaves.
//!
//! `idx_set` writes data sets, `desk` runs the binary; every other file tests one aspect of the program. The data sets
//! are so small that training takes milliseconds.

mod bad_archives;
mod bad_files;
mod bad_models;
mod bad_settings;
mod batch_norm;
mod class_names;
mod compared;
mod convert;
mod data_sets;
mod desk;
mod engines;
mod eval;
mod export;
mod fetch;
mod formats;
mod halves;
mod help;
mod idx_set;
mod import;
mod inputs;
mod learning_rate;
mod limits;
mod losses;
mod memory;
mod model_file;
mod model_show;
mod names;
mod network;
mod output_folder;
mod predict;
mod predict_files;
mod recipes;
mod regularization;
mod same_model;
mod settings_files;
mod streams;
mod table_columns;
mod table_forms;
mod tables;
mod tasks;
mod threads;
mod training;
mod tune;
mod validation;

#[path = "../mnist/mod.rs"]
mod mnist;
#[path = "../web/mod.rs"]
mod web;
#[path = "../zip_file/mod.rs"]
mod zip_file;
