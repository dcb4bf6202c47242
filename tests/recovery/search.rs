//! A search that is killed or stopped resumes to exactly the table of an uninterrupted one.

use std::time::{Duration, Instant};

use crate::desk::{Desk, Run};
use crate::idx_set::EasySet;
use crate::interrupted::{end, send, start};

/// A search of about a second.
const LINE: &str =
    "tune --data set --trials 9 --epochs 9 --width 32..128 --batch-size 8..32 --quiet --out out";

fn desk() -> Desk {
    Desk::with(&EasySet {
        train: 3000,
        ..EasySet::noisy()
    })
}

/// Returns the lines that do not depend on the clock.
fn table(run: &Run) -> Vec<String> {
    let lines = run.stdout.lines().map(str::to_owned);
    lines.take_while(|line| !line.starts_with("time")).collect()
}

/// Returns the settings that a search found.
fn best(desk: &Desk, folder: &str) -> String {
    desk.read_text(&format!("{folder}/best.toml"))
}

/// Returns the command after an interruption: a search can be resumed as soon as its plan is written.
fn next_command(desk: &Desk) -> &'static str {
    match desk.has("out/tune.toml") {
        true => "tune --resume out --quiet",
        false => LINE,
    }
}

#[test]
fn a_search_that_is_killed_repeatedly_finds_the_same_settings() {
    let desk = desk();
    let clock = Instant::now();
    let uninterrupted = desk.run(&LINE.replace("--out out", "--out uninterrupted"));
    let took = clock.elapsed();
    uninterrupted.done();
    let (mut line, mut kills) = (LINE, 0u32);
    // Each time a little later, until it finishes.
    let run = loop {
        let mut child = start(desk.command(line));
        std::thread::sleep(took / 12 * kills.min(11) + Duration::from_millis(3));
        if child
            .try_wait()
            .expect("the state of the process")
            .is_none()
        {
            send(&child, libc::SIGKILL);
        }
        let run = end(line, child);
        if run.code == Some(0) {
            break run;
        }
        assert_eq!(run.code, None, "{run:#?}");
        kills += 1;
        assert!(kills < 100, "the search never finished");
        line = next_command(&desk);
    };
    assert!(kills > 2, "killed {kills} times");
    assert_eq!(table(&run), table(&uninterrupted), "after {kills} kills");
    assert_eq!(best(&desk, "out"), best(&desk, "uninterrupted"));
}

#[test]
fn a_stopped_search_prints_the_command_that_resumes_it() {
    let desk = desk();
    let uninterrupted = desk.run(&LINE.replace("--out out", "--out uninterrupted"));
    let mut child = start(desk.command(LINE));
    let clock = Instant::now();
    // Stopped in its first rung or the next one.
    while !desk.has("out/journal.jsonl")
        || desk
            .read("out/journal.jsonl")
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
            < 3
    {
        assert!(
            clock.elapsed() < Duration::from_secs(60),
            "no trial is done"
        );
        assert!(
            child
                .try_wait()
                .expect("the state of the process")
                .is_none(),
            "the search ended too early"
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
    assert_eq!(table(again.done()), table(uninterrupted.done()));
}

#[test]
fn damaged_states_cost_time_but_change_nothing() {
    let desk = desk();
    let uninterrupted = desk.run(&LINE.replace("--out out", "--out uninterrupted"));
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
    assert_eq!(
        table(again.done()),
        table(uninterrupted.done()),
        "{damaged} states"
    );
}
