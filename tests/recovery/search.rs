//! A search that is killed or stopped goes on to the very table of one that nobody disturbed.

use std::time::{Duration, Instant};

use crate::desk::{Desk, Run};
use crate::idx_set::EasySet;
use crate::interrupted::{end, send, start};

/// A second or so.
const LINE: &str =
    "tune --data set --trials 9 --epochs 9 --width 32..128 --batch-size 8..32 --quiet --out out";

fn desk() -> Desk {
    Desk::with(&EasySet {
        train: 3000,
        ..EasySet::noisy()
    })
}

/// Everything that no clock goes into.
fn table(run: &Run) -> Vec<String> {
    let lines = run.stdout.lines().map(str::to_owned);
    lines.take_while(|line| !line.starts_with("time")).collect()
}

/// The settings that were found, wherever they were.
fn best(desk: &Desk, folder: &str) -> String {
    String::from_utf8(desk.read(&format!("{folder}/best.toml"))).expect("text")
}

/// What to type after a search was ended: what was promised is there from the moment the plan is.
fn go_on(desk: &Desk) -> &'static str {
    match desk.has("out/tune.toml") {
        true => "tune --resume out --quiet",
        false => LINE,
    }
}

#[test]
fn a_search_that_is_killed_again_and_again_finds_the_same() {
    let desk = desk();
    let clock = Instant::now();
    let whole = desk.run(&LINE.replace("--out out", "--out whole"));
    let took = clock.elapsed();
    whole.done();
    let (mut line, mut kills) = (LINE, 0u32);
    // Each time a little later, until it comes through.
    let run = loop {
        let mut child = start(desk.command(line));
        std::thread::sleep(took / 12 * kills.min(11) + Duration::from_millis(3));
        if child.try_wait().expect("asking").is_none() {
            send(&child, libc::SIGKILL);
        }
        let run = end(line, child);
        if run.code == Some(0) {
            break run;
        }
        assert_eq!(run.code, None, "{run:#?}");
        kills += 1;
        assert!(kills < 100, "never through");
        line = go_on(&desk);
    };
    assert!(kills > 2, "killed {kills} times");
    assert_eq!(table(&run), table(&whole), "after {kills} kills");
    assert_eq!(best(&desk, "out"), best(&desk, "whole"));
}

#[test]
fn a_search_that_is_told_to_stop_says_how_to_go_on() {
    let desk = desk();
    let whole = desk.run(&LINE.replace("--out out", "--out whole"));
    let mut child = start(desk.command(LINE));
    let begun = Instant::now();
    // Stopped somewhere in its first rung, or in the next.
    while !desk.has("out/journal.jsonl")
        || desk
            .read("out/journal.jsonl")
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
            < 3
    {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "no trial is done"
        );
        assert!(
            child.try_wait().expect("asking").is_none(),
            "it ended too soon"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
    send(&child, libc::SIGTERM);
    let run = end(LINE, child);
    assert_eq!(run.code, Some(143), "{run:#?}");
    assert!(
        run.stderr
            .starts_with("stopped by SIGTERM\nresume         "),
        "{run:#?}"
    );
    assert!(run.stderr.ends_with(" tune --resume out\n"), "{run:#?}");
    assert!(
        run.value("time").ends_with(", then it was stopped"),
        "{run:#?}"
    );
    let again = desk.run("tune --resume out --threads 3");
    assert_eq!(table(again.done()), table(whole.done()));
}

#[test]
fn a_state_that_is_damaged_costs_time_and_changes_nothing() {
    let desk = desk();
    let whole = desk.run(&LINE.replace("--out out", "--out whole"));
    let run = desk.run(&format!("{LINE} --time 200ms"));
    run.done();
    let mut damaged = 0;
    for name in desk.entries() {
        if name.starts_with("out/trials/") && name.ends_with(".safetensors") {
            desk.put(&name, b"damage");
            damaged += 1;
        }
    }
    let again = desk.run("tune --resume out --time 1h --quiet");
    assert_eq!(table(again.done()), table(whole.done()), "{damaged} states");
}
