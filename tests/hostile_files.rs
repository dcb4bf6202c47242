//! Files that somebody damaged: whatever the bytes, they are refused or used, and nothing panics.
//!
//! The same that `cargo +nightly fuzz run` does for as long as one lets it, here for a moment: over the good files in
//! `fuzz/seeds`, over what fuzzing found (`fuzz/found`), and over damaged copies of both.

#[path = "../fuzz/targets.rs"]
mod targets;

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use targets::{TARGETS, Target};

/// The files of a target in one folder below `fuzz`, where there is that.
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
fn what_fuzzing_found_is_mended() {
    for (name, run) in TARGETS {
        for bytes in files("found", name) {
            run(&bytes);
        }
    }
}

#[test]
fn good_files_are_taken_and_damaged_ones_never_panic() {
    for target in TARGETS {
        let good = files("seeds", target.0);
        assert!(good.len() >= 2, "{}: no seeds", target.0);
        for bytes in &good {
            assert!(target.1(bytes), "{}: a seed is refused", target.0);
        }
        damage(target, good);
    }
}

/// Runs `target` over files with a few bytes changed and the end cut off.
fn damage((name, run): Target, files: Vec<Vec<u8>>) {
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4);
    let cut = prop::option::weighted(0.3, any::<prop::sample::Index>());
    let damaged = (prop::sample::select(files), changes, cut);
    // What goes by way of files waits for the disk.
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
