//! SIGKILL at random moments and at every system call made while saving: the run folder is always readable, and the resumed
//! run ends with the same bytes.
//!
//! `PERCEPTOR_TRIALS` sets the number of random trials; `cargo kill-tests` prints their results.

use std::time::{Duration, Instant};

use crate::desk::Desk;
use crate::faults::Faults;
use crate::idx_set::{SPLITMIX64_STEP, splitmix64};
use crate::interrupted::{
    MODEL, SHORT, checkpoints, end, leftovers, long_desk, send, short_desk, start, uninterrupted,
};

/// A run of about half a second, during which a state is being saved nearly all the time.
const LINE: &str = "train --data set --hidden 300,200 --activation relu --batch-size 64 --lr 0.01 --epochs 3 --out out \
     --checkpoint-every 1step --quiet";

/// Returns a pseudo-random number below `end`.
fn draw(state: &mut u64, end: u64) -> u64 {
    *state = state.wrapping_add(SPLITMIX64_STEP);
    splitmix64(*state) % end
}

/// Returns the command after a kill: a run can be resumed as soon as its settings are written.
fn next_command(desk: &Desk) -> String {
    match desk.has("out/config.toml") {
        true => "train --resume out --quiet --checkpoint-every 1step".to_owned(),
        false => LINE.to_owned(),
    }
}

#[test]
fn a_run_killed_at_random_moments_ends_with_the_same_bytes() {
    let trials = std::env::var("PERCEPTOR_TRIALS")
        .map_or(6, |text| text.parse().expect("a number of trials"));
    let desk = long_desk();
    let clock = Instant::now();
    let expected = uninterrupted(
        &desk,
        LINE.split(" --checkpoint-every").next().unwrap_or(LINE),
    );
    let duration = clock.elapsed().as_micros() as u64;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let seed = now.map_or(1, |now| now.as_nanos() as u64);
    println!("seed {seed}, {trials} trials, a run takes {duration} µs");
    let (mut random, mut kills, mut in_saving, mut before_any) = (seed, 0, 0, 0);
    for trial in 0..trials {
        let mut line = LINE.to_owned();
        loop {
            let mut child = start(desk.command(&line));
            // Some runs finish, so that every trial ends.
            std::thread::sleep(Duration::from_micros(draw(
                &mut random,
                duration + duration / 4,
            )));
            if child
                .try_wait()
                .expect("the state of the process")
                .is_none()
            {
                send(&child, libc::SIGKILL);
            }
            let run = end(&line, child);
            if run.code == Some(0) {
                break;
            }
            assert_eq!(run.code, None, "seed {seed}, trial {trial}: {run:#?}");
            kills += 1;
            in_saving += usize::from(!leftovers(&desk).is_empty());
            before_any += usize::from(checkpoints(&desk).is_empty());
            line = next_command(&desk);
        }
        assert!(
            desk.read(MODEL) == expected,
            "seed {seed}, trial {trial}: the model differs"
        );
        assert_eq!(
            leftovers(&desk),
            Vec::<String>::new(),
            "seed {seed}, trial {trial}"
        );
        std::fs::remove_dir_all(desk.path("out")).expect("removing the run");
    }
    println!(
        "{trials} trials, {kills} kills, {in_saving} of them in the middle of saving, {before_any} before any checkpoint"
    );
}

#[test]
fn a_run_killed_at_any_system_call_while_saving_ends_with_the_same_bytes() {
    let Some(faults) = Faults::build() else {
        return;
    };
    let desk = short_desk();
    let expected = uninterrupted(&desk, SHORT);
    let mut call = 1;
    // Calls that concern the run folder: open, write, sync, rename, remove.
    for folder in ["out/checkpoint", "out/"] {
        for nth in 1.. {
            let mut command = desk.command(&format!("{SHORT} --quiet"));
            faults.inject(&mut command, folder, &format!("any:{nth}:KILL"));
            let run = end(SHORT, start(command));
            if run.code == Some(0) {
                // Beyond the last call.
                assert!(nth > 10, "only {nth} calls in {folder}");
                break;
            }
            assert_eq!(run.code, None, "{folder}, call {nth}: {run:#?}");
            let line = match desk.has("out/config.toml") {
                true => "train --resume out --quiet",
                false => SHORT,
            };
            desk.run(line).done();
            assert!(desk.read(MODEL) == expected, "{folder}, call {nth}");
            assert_eq!(
                leftovers(&desk),
                Vec::<String>::new(),
                "{folder}, call {nth}"
            );
            std::fs::remove_dir_all(desk.path("out")).expect("removing the run");
            call += 1;
        }
        std::fs::remove_dir_all(desk.path("out")).expect("removing the run");
    }
    println!("killed at {call} calls");
}
