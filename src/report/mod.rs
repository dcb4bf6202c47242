//! Results as text or JSON, into any [`std::io::Write`]. Nothing here decides what goes to which stream.
//!
//! `banner` says what a run will be, `train` what it came to, `profile` where its time went, `eval` a network on a test set, `predict` a class for
//! each item, `inspect` what is in a file, `doctor` what is wrong with a machine, `bench` how fast it
//! is, `engines` which one is taken, `tune` a search; `number` is how figures are written, `table` how they are set.

pub mod banner;
pub mod bench;
mod bench_compare;
pub mod doctor;
pub mod ending;
pub mod engines;
pub mod epochs;
pub mod eval;
pub mod inspect;
pub mod number;
pub mod predict;
pub mod profile;
pub mod table;
pub mod train;
pub mod tune;
