//! Results as text or JSON, into any [`std::io::Write`]. Nothing here decides what goes to which stream.
//!
//! `banner` says what a run will be, `training` what it came to, `profile` where its time went, `evaluation` a network on a test set, `prediction` a class for
//! each item, `inspection` what is in a file, `diagnosis` what is wrong with a machine, `benchmark` how fast it
//! is, `engines` which one is taken, `tuning` a search; `number` is how figures are written, `table` how they are set.

pub mod banner;
pub mod benchmark;
mod comparison;
pub mod diagnosis;
pub mod ending;
pub mod engines;
pub mod epochs;
pub mod evaluation;
pub mod inspection;
pub mod number;
pub mod prediction;
pub mod profile;
pub mod table;
pub mod training;
pub mod tuning;
