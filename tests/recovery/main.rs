//! Runs of the real binary that are stopped, killed, or lose their disk or data: everything saved is still there, and the
//! resumed run ends with the same bytes as an uninterrupted one.
//!
//! `interrupted` starts runs and lists the files they leave, `faults` injects system errors; every other file is one kind
//! of failure. Tests that need faults or a mounted file system are skipped where the system does not allow them.
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
mod races;
mod refused;
mod resumed;
mod search;
mod signals;
mod table_cache;
mod tables;
