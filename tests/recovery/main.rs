//! Runs that are stopped, killed, starved of disk or robbed of their data, through the real binary: what was promised
//! is still there, and a run that goes on ends in the bytes it would have had.
//!
//! `interrupted` sets runs up and looks at what is left of them, `faults` puts a failing system beneath the program; every other file is
//! one thing that goes wrong.
#![cfg(unix)]

#[allow(dead_code, reason = "another target uses the rest")]
#[path = "../command_line/desk.rs"]
mod desk;
#[allow(dead_code, reason = "another target uses the rest")]
#[path = "../command_line/idx_set.rs"]
mod idx_set;

mod changed_data;
mod config_file;
mod failing_disk;
mod faults;
mod interrupted;
mod killed;
mod refused;
mod resumed;
mod search;
mod signals;
