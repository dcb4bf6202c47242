//! Signals that ask to stop: the step is finished, the state saved, and the printed command resumes the run.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use crate::desk::{Desk, Run};
use crate::faults::Faults;
use crate::interrupted::{
    LONG, MODEL, UNINTERRUPTED, checkpoints, end, long_desk, send, start, wait_for_checkpoint,
};

#[test]
fn a_signal_saves_the_state_and_prints_a_command_that_resumes() {
    let desk = long_desk();
    let expected = &UNINTERRUPTED.model;
    for (signal, name, code) in [
        (libc::SIGINT, "SIGINT", 130),
        (libc::SIGTERM, "SIGTERM", 143),
        (libc::SIGHUP, "SIGHUP", 129),
        (libc::SIGUSR1, "SIGUSR1", 128 + libc::SIGUSR1),
        (libc::SIGUSR2, "SIGUSR2", 128 + libc::SIGUSR2),
        (libc::SIGALRM, "SIGALRM", 142),
        (libc::SIGXCPU, "SIGXCPU", 152),
    ] {
        drop(std::fs::remove_dir_all(desk.path("out")));
        let line = format!("{LONG} --quiet");
        let mut child = start(desk.command(&line));
        wait_for_checkpoint(&desk, &mut child);
        send(&child, signal);
        let run = end(&line, child);
        assert_eq!(
            (run.code, run.stdout.as_str()),
            (Some(code), ""),
            "{run:#?}"
        );
        let value = |key: &str| {
            let line = run.stderr.lines().find_map(|line| line.strip_prefix(key));
            line.unwrap_or_else(|| panic!("no {key}: {run:#?}"))
                .trim()
                .to_owned()
        };
        assert!(
            value("stopped by ").starts_with(&format!("{name} at ")),
            "{run:#?}"
        );
        let newest = checkpoints(&desk).pop().expect("a checkpoint");
        assert!(newest.ends_with(value("saved")), "{newest:?}: {run:#?}");
        let mut shell = desk.command_of("sh");
        shell.args(["-c", &value("resume")]);
        Run::of(shell).done();
        assert!(desk.read(MODEL) == *expected, "{name}");
    }
}

#[test]
fn a_signal_saves_even_without_checkpoints() {
    let desk = long_desk();
    let expected = &UNINTERRUPTED.model;
    let line = format!("{LONG} --checkpoint-every never");
    let mut child = start(desk.command(&line));
    let clock = Instant::now();
    while !desk.has("out/metrics.csv")
        || desk
            .read("out/metrics.csv")
            .iter()
            .filter(|&&b| b == b'\n')
            .count()
            < 2
    {
        assert!(
            clock.elapsed() < Duration::from_secs(60)
                && child
                    .try_wait()
                    .expect("the state of the process")
                    .is_none()
        );
    }
    send(&child, libc::SIGTERM);
    let run = end(&line, child);
    assert_eq!(run.code, Some(143), "{run:#?}");
    assert_eq!(checkpoints(&desk).len(), 1);
    desk.run("train --resume out --quiet").done();
    assert!(desk.read(MODEL) == *expected);
}

/// Starts a run, sends it SIGTERM once it trains, and returns it with the time since then.
fn started_and_asked_to_stop(desk: &Desk, command: Command) -> (Child, Instant) {
    let child = start(command);
    while !desk.has("out/metrics.csv") {
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(Duration::from_millis(100));
    let clock = Instant::now();
    send(&child, libc::SIGTERM);
    (child, clock)
}

#[test]
fn a_second_signal_ends_the_program_at_once() {
    let Some(faults) = Faults::build() else {
        return;
    };
    let desk = long_desk();
    let line = format!("{LONG} --checkpoint-every never");
    let mut command = desk.command(&line);
    // Syncing takes ten minutes.
    faults.inject(&mut command, "out/checkpoint", "fsync:1+:WAIT");
    let (child, clock) = started_and_asked_to_stop(&desk, command);
    std::thread::sleep(Duration::from_millis(500));
    send(&child, libc::SIGINT);
    let run = end(&line, child);
    assert!(clock.elapsed() < Duration::from_secs(60));
    assert_eq!(run.code, Some(130), "{run:#?}");
    assert!(checkpoints(&desk).is_empty(), "a checkpoint was saved");
    desk.run("train --resume out --quiet").done();
}

#[test]
fn a_program_that_does_not_move_after_a_signal_ends_after_some_seconds() {
    let Some(faults) = Faults::build() else {
        return;
    };
    let desk = long_desk();
    let line = format!("{LONG} --checkpoint-every never");
    let mut command = desk.command(&line);
    // Creating the checkpoint takes ten minutes, and is not a wait for the disk.
    faults.inject(&mut command, "out/checkpoint/.", "open:1+:WAIT");
    let (child, clock) = started_and_asked_to_stop(&desk, command);
    let run = end(&line, child);
    assert!(clock.elapsed() < Duration::from_secs(60));
    assert_eq!(run.code, Some(143), "{run:#?}");
    let message = "error: the program was asked to stop and did not move for some seconds";
    assert!(run.stderr.contains(message), "{run:#?}");
    desk.run("train --resume out --quiet").done();
}

#[test]
fn a_soft_limit_on_processor_time_saves_the_run() {
    let desk = long_desk();
    let program = desk.command("").get_program().to_owned();
    // The system sends SIGXCPU after one second, and again for each further one.
    let line = LONG.replace("--epochs 15", "--epochs 1000000 --quiet");
    let mut shell = desk.command_of("sh");
    shell
        .args(["-c", &format!("ulimit -S -t 1; exec \"$0\" {line}")])
        .arg(program);
    let run = end(&line, start(shell));
    assert_eq!(run.code, Some(152), "{run:#?}");
    assert!(run.stderr.contains("stopped by SIGXCPU at "), "{run:#?}");
    assert!(!checkpoints(&desk).is_empty(), "{run:#?}");
}

#[test]
fn ignored_signals_stay_ignored() {
    let desk = long_desk();
    let program = desk.command("").get_program().to_owned();
    let mut shell = desk.command_of("sh");
    shell
        .args(["-c", &format!("trap '' HUP; exec \"$0\" {LONG} --quiet")])
        .arg(program);
    let mut child = start(shell);
    wait_for_checkpoint(&desk, &mut child);
    send(&child, libc::SIGHUP);
    end(LONG, child).done();
}

#[test]
fn only_one_process_at_a_time_trains_in_a_folder() {
    let desk = long_desk();
    let mut child = start(desk.command(LONG));
    wait_for_checkpoint(&desk, &mut child);
    for line in ["train --resume out", &format!("{LONG} --exist-ok")] {
        let run = desk.run(line);
        assert_eq!(run.code, Some(1), "{run:#?}");
        let message = "error: out: another process trains in this folder, expected one at a time";
        assert!(run.stderr.starts_with(message), "{run:#?}");
    }
    end(LONG, child).done();
}
