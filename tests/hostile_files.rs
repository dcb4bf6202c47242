//! Damaged files: whatever their bytes, they are refused or used, and nothing panics.
//!
//! This runs for a moment what `cargo +nightly fuzz run` runs for as long as it is allowed: the valid files in
//! `fuzz/seeds`, the files that fuzzing found (`fuzz/found`), and damaged copies of the valid ones.

#[path = "../fuzz/targets.rs"]
mod targets;

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use targets::{TARGETS, Target};

/// Returns the files of a target in one folder below `fuzz`, if the folder exists.
fn files(kind: &str, name: &str) -> Vec<Vec<u8>> {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let Ok(entries) = fs::read_dir(fuzz.join(kind).join(name)) else {
        return Vec::new();
    };
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a file").path()).collect();
    paths.sort();
    let read = |path| fs::read(path).expect("reading a file");
    paths.iter().map(read).collect()
}

#[test]
fn files_found_by_fuzzing_never_panic() {
    for (name, run) in TARGETS {
        for bytes in files("found", name) {
            run(&bytes);
        }
    }
}

#[test]
fn valid_files_are_accepted_and_damaged_ones_never_panic() {
    for target in TARGETS {
        let valid = files("seeds", target.0);
        assert!(valid.len() >= 2, "{}: no seeds", target.0);
        for bytes in &valid {
            assert!(target.1(bytes), "{}: a seed was refused", target.0);
        }
        run_damaged(target, valid);
    }
}

/// Runs a target over copies of `files` with a few bytes changed and sometimes the end removed.
fn run_damaged((name, run): Target, files: Vec<Vec<u8>>) {
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4);
    let cut = prop::option::weighted(0.3, any::<prop::sample::Index>());
    let damaged = (prop::sample::select(files), changes, cut);
    // These targets wait for the disk.
    let cases = match name {
        "convert" | "pictures" => 300,
        _ => 2000,
    };
    let mut runner = TestRunner::new(Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    });
    let outcome = runner.run(&damaged, |(mut bytes, changes, cut)| {
        for (at, with) in changes {
            let at = at.index(bytes.len());
            bytes[at] = with;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        run(&bytes);
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{name}: {error}"));
}
