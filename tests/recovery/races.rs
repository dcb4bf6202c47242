//! Two processes that write to the same place, and one that is killed while it writes: there is one set, the old or the new
//! one, whole, and what killed processes left is removed by the next one.
//!
//! `PERCEPTOR_TRIALS` sets the number of trials of each race; `cargo race-tests` prints their results.

use std::collections::BTreeMap;
use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::desk::{Desk, Run};
use crate::faults::Faults;
use crate::idx_set::{EasySet, SPLITMIX64_STEP, splitmix64};
use crate::interrupted::{end, send, start};

const BUSY: &str = "another process writes to this folder, expected one at a time";

fn trials(default: u64) -> u64 {
    let trials = std::env::var("PERCEPTOR_TRIALS");
    trials.map_or(default, |text| text.parse().expect("a number of trials"))
}

/// Pseudo-random numbers, which differ from run to run.
struct Random(u64);

impl Random {
    fn new() -> Random {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let seed = now.map_or(1, |now| now.as_nanos() as u64);
        println!("seed {seed}");
        Random(seed)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(SPLITMIX64_STEP);
        splitmix64(self.0) % end
    }
}

/// Writes tables that convert to five files: the same names for every `first`, with other contents.
fn put_table(desk: &Desk, name: &str, first: u8) {
    let more: String = (0..2000).map(|row| format!("{},a\n", row % 200)).collect();
    let rows = format!("x,label\n{first},a\n2,b\n3,c\n{more}");
    desk.put(name, rows.as_bytes());
}

/// A command that writes a set of files to the folder `set`: with other contents for every number.
const WRITERS: [fn(u8) -> String; 2] = [
    |number| format!("data convert {number}.csv --test 1.csv --out set --quiet"),
    |number| format!("data digits --train 300 --test 40 --seed {number} --threads 1 --out set"),
];

fn desk() -> Desk {
    let desk = Desk::empty();
    put_table(&desk, "1.csv", 1);
    put_table(&desk, "9.csv", 9);
    desk
}

/// The contents of files by name.
type Files = BTreeMap<String, Vec<u8>>;

/// Returns all files in the folder `set`, also hidden ones.
fn files(desk: &Desk) -> Files {
    let names = desk.entries().into_iter();
    let names = names.filter(|name| name.starts_with("set/") && desk.path(name).is_file());
    names.map(|name| (name.clone(), desk.read(&name))).collect()
}

/// Returns the files of a data set, without hidden ones.
fn set_of(mut files: Files) -> Files {
    files.retain(|name, _| !name.starts_with("set/."));
    files
}

fn started(desk: &Desk, line: &str) -> Child {
    start(desk.command(line))
}

/// Starts two commands, the second one some milliseconds after the first.
fn race(desk: &Desk, lines: [&str; 2], delay: Duration) -> [Run; 2] {
    let first = started(desk, lines[0]);
    sleep(delay);
    let second = started(desk, lines[1]);
    [end(lines[0], first), end(lines[1], second)]
}

#[test]
fn of_two_writers_one_writes_and_the_other_is_refused() {
    let mut random = Random::new();
    for writer in WRITERS {
        let lines = [1, 9].map(writer);
        let desk = desk();
        let whole = lines.each_ref().map(|line| {
            desk.run(line).done();
            let files = files(&desk);
            std::fs::remove_dir_all(desk.path("set")).expect("removing the set");
            files
        });
        let (mut busy, trials) = (0, trials(10));
        for _ in 0..trials {
            let delay = Duration::from_micros(random.below(50_000));
            let runs = race(&desk, [&lines[0], &lines[1]], delay);
            let done: Vec<usize> = (0..2).filter(|&at| runs[at].code == Some(0)).collect();
            assert_eq!(done.len(), 1, "{delay:?}: {runs:#?}");
            assert!(files(&desk) == whole[done[0]], "{delay:?}: {runs:#?}");
            let refused = &runs[1 - done[0]];
            let is_busy = refused.stderr.contains(BUSY);
            let exists = refused
                .stderr
                .contains("exists already, expected a folder without");
            assert!(is_busy || exists, "{delay:?}: {refused:#?}");
            busy += usize::from(is_busy);
            std::fs::remove_dir_all(desk.path("set")).expect("removing the set");
        }
        println!("{}: {trials} trials, {busy} refused as busy", lines[0]);
    }
}

#[test]
fn two_writers_with_force_leave_one_of_both_sets() {
    let mut random = Random::new();
    for writer in WRITERS {
        let lines = [1, 9].map(|number| format!("{} --force", writer(number)));
        let desk = desk();
        let whole = lines.each_ref().map(|line| {
            desk.run(line).done();
            files(&desk)
        });
        for _ in 0..trials(5) {
            let delay = Duration::from_micros(random.below(50_000));
            let runs = race(&desk, [&lines[0], &lines[1]], delay);
            let last = (0..2).rev().find(|&at| runs[at].code == Some(0));
            let last = last.unwrap_or_else(|| panic!("{delay:?}: {runs:#?}"));
            let is_both = runs.iter().all(|run| run.code == Some(0));
            let found = files(&desk);
            assert!(
                found == whole[last] || (is_both && found == whole[0]),
                "{delay:?}: {runs:#?}"
            );
            for run in &runs {
                assert!(run.code == Some(0) || run.stderr.contains(BUSY), "{run:#?}");
            }
        }
    }
}

#[test]
fn a_writer_that_is_killed_leaves_the_old_or_the_new_set() {
    let mut random = Random::new();
    for writer in WRITERS {
        let desk = desk();
        let lines = [1, 9].map(|number| format!("{} --force", writer(number)));
        let whole = lines.each_ref().map(|line| {
            desk.run(line).done();
            files(&desk)
        });
        let clock = Instant::now();
        desk.run(&lines[0]).done();
        let duration = clock.elapsed().as_micros() as u64;
        let (mut current, mut kills, trials) = (0, 0, trials(10));
        for trial in 0..trials {
            let other = 1 - current;
            let child = started(&desk, &lines[other]);
            sleep(Duration::from_micros(random.below(duration)));
            send(&child, libc::SIGKILL);
            let run = end(&lines[other], child);
            kills += usize::from(run.code.is_none());
            desk.run("data inspect set --items 0").done();
            let left = set_of(files(&desk));
            current = usize::from(left != set_of(whole[0].clone()));
            assert!(
                left == set_of(whole[current].clone()),
                "trial {trial}: {:?}",
                left.keys()
            );
            assert!(
                run.code.is_none() || current == other,
                "trial {trial}: {run:#?}"
            );
            // The next writer removes what was left.
            if trial % 3 == 0 {
                desk.run(&lines[current]).done();
                assert!(files(&desk) == whole[current], "trial {trial}");
            }
        }
        println!("{}: {trials} trials, {kills} kills", lines[0]);
    }
}

#[test]
fn a_writer_killed_at_any_system_call_leaves_the_old_or_the_new_set() {
    let Some(faults) = Faults::build() else {
        return;
    };
    for writer in WRITERS {
        let desk = desk();
        let lines = [1, 9].map(|number| format!("{} --force", writer(number)));
        let [new, old] = lines.each_ref().map(|line| {
            desk.run(line).done();
            files(&desk)
        });
        for nth in 1.. {
            let mut command = desk.command(&lines[0]);
            faults.inject(&mut command, "set/", &format!("any:{nth}:KILL"));
            let run = end(&lines[0], start(command));
            if run.code == Some(0) {
                assert!(nth > 20, "only {nth} calls");
                break;
            }
            assert_eq!(run.code, None, "call {nth}: {run:#?}");
            desk.run("data inspect set --items 0").done();
            let left = set_of(files(&desk));
            assert!(
                [&old, &new]
                    .map(|whole| set_of(whole.clone()))
                    .contains(&left),
                "call {nth}: {:?}",
                left.keys()
            );
            desk.run(&lines[1]).done();
            assert!(files(&desk) == old, "call {nth}: {:?}", files(&desk).keys());
        }
    }
}

/// Checks that one of two racing runs succeeded, and returns the other.
fn the_refused(runs: &[Run]) -> &Run {
    let done = runs.iter().filter(|run| run.code == Some(0)).count();
    assert_eq!(done, 1, "{runs:#?}");
    let refused = runs.iter().find(|run| run.code != Some(0));
    refused.expect("a refusal")
}

#[test]
fn of_two_exports_to_a_file_one_is_refused() {
    let desk = Desk::with_model(&EasySet::default());
    let mut random = Random::new();
    let line = "export model/model.safetensors --to onnx --out out.onnx";
    for _ in 0..trials(5) {
        let runs = race(
            &desk,
            [line, line],
            Duration::from_micros(random.below(3000)),
        );
        let refused = the_refused(&runs);
        let words = "out.onnx: exists already, expected no such file, or --force to replace it";
        assert!(refused.stderr.contains(words), "{refused:#?}");
        desk.remove("out.onnx");
        assert!(!desk.entries().iter().any(|name| name.ends_with(".part")));
    }
    // What a killed export left.
    desk.put(".out.onnxAbCdEf.part", b"half");
    desk.run(line).done();
    assert!(!desk.has(".out.onnxAbCdEf.part"));
}

#[test]
fn of_two_runs_or_searches_in_a_folder_one_is_refused() {
    let desk = Desk::with(&EasySet::default());
    let mut random = Random::new();
    for (line, refusals) in [
        (
            "train --data set --epochs 1 --hidden 4 --out out --quiet --threads 1",
            [
                "another process trains in this folder",
                "already exists, expected a folder without a run",
            ],
        ),
        (
            "tune --data set --epochs 1 --trials 2 --out out --quiet --threads 1",
            [
                "another process trains in this folder",
                "already exists, expected a folder without a search",
            ],
        ),
    ] {
        for _ in 0..trials(4) {
            let runs = race(
                &desk,
                [line, line],
                Duration::from_micros(random.below(100_000)),
            );
            let refused = the_refused(&runs);
            let is_refused = refusals.iter().any(|words| refused.stderr.contains(words));
            assert!(is_refused, "{refused:#?}");
            std::fs::remove_dir_all(desk.path("out")).expect("removing the run");
        }
    }
}
