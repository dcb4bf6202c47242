//! Stdout and stderr: closed pipes, full disks, terminals, colours, and names that are not UTF-8.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use perceptor::datasets::generated::{EDITION, GeneratedDigits};

use crate::desk::{Desk, Run};
use crate::idx_set::EasySet;

const MODEL: &str = "model/model.safetensors";

/// Returns the writing end of a pipe without a reader.
fn closed_pipe() -> Stdio {
    let (_, writer) = std::io::pipe().expect("a pipe");
    writer.into()
}

#[test]
fn predict_ends_quietly_when_its_reader_stops_reading() {
    // Half a megabyte of lines, many times the capacity of a pipe.
    let set = EasySet {
        test: 20_000,
        ..EasySet::default()
    };
    let desk = Desk::with_model(&set);
    for format in ["text", "csv", "json"] {
        let line = format!("predict {MODEL} set/t10k-images-idx3-ubyte --format {format}");
        let mut command = desk.command(&line);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("starting the program");
        let mut first = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        stdout.read_line(&mut first).expect("reading");
        assert!(!first.is_empty());
        drop(stdout);
        let run = Run::from_output(line, child.wait_with_output().expect("waiting"));
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:#?}");
    }
}

#[test]
fn every_command_ends_quietly_if_stdout_is_closed() {
    let desk = Desk::with_model(&EasySet::default());
    for line in [
        "train --data set --epochs 1 --quiet --out other",
        "train --data set --epochs 1 --quiet --out another --format json",
        "eval model/model.safetensors --data set",
        "eval model/model.safetensors --data set --format json",
        "predict model/model.safetensors set/t10k-images-idx3-ubyte",
        "data inspect set",
        "data digits --out digits --train 2 --test 1",
        "--help",
    ] {
        let mut command = desk.command(line);
        let output = command
            .stdout(closed_pipe())
            .stderr(Stdio::piped())
            .output();
        let run = Run::from_output(line.to_owned(), output.expect("starting the program"));
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:#?}");
    }
    // The work is done nevertheless.
    assert!(desk.has("other/model.safetensors") && desk.has("digits/t10k-labels-idx1-ubyte"));
}

/// Runs the program with a closed stderr.
fn run_with_closed_stderr(desk: &Desk, line: &str) -> Run {
    let mut command = desk.command(line);
    let output = command
        .stderr(closed_pipe())
        .stdout(Stdio::piped())
        .output();
    Run::from_output(line.to_owned(), output.expect("starting the program"))
}

#[test]
fn exit_codes_are_the_same_if_stderr_is_closed() {
    let desk = Desk::with(&EasySet::default());
    for (line, code) in [
        ("train --data set --epochs 2", 0),
        ("train --data nowhere", 1),
        ("train --data set --lr nan", 2),
        ("train --data set --frobnicate", 2),
        ("train --data set --activation identity --lr 1e30", 3),
    ] {
        let run = run_with_closed_stderr(&desk, line);
        assert_eq!(run.code, Some(code), "{run:#?}");
    }
}

/// Returns a desk with a small set in place of the generated digits in the user's cache.
fn desk_with_cached_digits() -> Desk {
    let desk = Desk::empty();
    let GeneratedDigits { train, test, seed } = GeneratedDigits::default();
    let name = format!("digits-{EDITION}-{train}-{test}-seed{seed}");
    EasySet::default().write(&desk.cache(&name));
    desk
}

#[test]
fn generated_digits_are_cached_and_reused() {
    let desk = desk_with_cached_digits();
    let before = desk.entries();
    let run = desk.run("train --epochs 1 --format json");
    assert_eq!(run.done().json()["data"], "generated digits");
    assert_eq!(run.json()["train_items"], 200);
    let first = run.stderr.lines().next().expect("a line");
    assert!(
        first.starts_with("no --data and no data/mnist: using generated digits in "),
        "{run:#?}"
    );
    assert!(
        first.contains("perceptor data fetch mnist, or name"),
        "{run:#?}"
    );
    desk.run("eval runs/train-1/model.safetensors").done();
    let after: Vec<String> = desk
        .entries()
        .into_iter()
        .filter(|name| !name.starts_with("runs"))
        .collect();
    assert_eq!(after, before);
}

#[test]
fn training_on_generated_digits_succeeds_if_stderr_is_closed() {
    let run = run_with_closed_stderr(&desk_with_cached_digits(), "train --epochs 1");
    assert_eq!(run.code, Some(0), "{run:#?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_under_stdout_is_an_error_and_the_model_is_kept() {
    let desk = Desk::with(&EasySet::default());
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .expect("a full device");
    let line = "train --data set --epochs 1 --quiet --out out";
    let output = desk
        .command(line)
        .stdout(full)
        .stderr(Stdio::piped())
        .output();
    let run = Run::from_output(line.to_owned(), output.expect("starting the program"));
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert!(run.stderr.starts_with("error: stdout: "), "{run:#?}");
    assert!(desk.has("out/model.safetensors"));
}

#[test]
fn colours_follow_the_terminal_and_the_environment() {
    let desk = Desk::empty();
    let stderr = |line: &str, settings: &[(&str, &str)]| {
        let mut command = desk.command(line);
        command.envs(settings.iter().copied());
        Run::of(command).stderr
    };
    for line in ["train --data nowhere", "train --frobnicate"] {
        let plain = stderr(line, &[]);
        assert!(!plain.contains('\x1b'), "{plain:?}");
        let forced = stderr(line, &[("CLICOLOR_FORCE", "1")]);
        assert!(forced.contains("\x1b["), "{forced:?}");
        assert_eq!(
            stderr(line, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]),
            plain
        );
    }
}

#[test]
fn a_model_can_be_written_to_a_folder_whose_name_is_not_utf8() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let name = OsStr::from_bytes(b"out\xff");
    let desk = Desk::with(&EasySet::default());
    if std::fs::write(desk.path("").join(name), b"").is_err() {
        eprintln!("skipped: this file system accepts only UTF-8 names");
        return;
    }
    std::fs::remove_file(desk.path("").join(name)).expect("removing a file");
    for format in ["text", "json"] {
        let mut command = desk.command("train --data set --epochs 1 --quiet --exist-ok");
        command.args(["--format", format]).arg("--out").arg(name);
        let run = Run::of(command);
        run.done();
        assert!(desk.path("").join(name).join("model.safetensors").exists());
    }
}

/// Runs the program in a terminal made by `script` of util-linux and returns what it showed, or `None` without `script`.
#[cfg(target_os = "linux")]
fn on_a_terminal(desk: &Desk, line: &str, kind: &str) -> Option<String> {
    let inside = format!(
        "stty cols 120 rows 40; '{}' {line}",
        desk.command("").get_program().display()
    );
    let mut child = desk
        .command_of("script")
        .args(["--quiet", "--return", "--command", &inside, "/dev/null"])
        .env("TERM", kind)
        .env("SHELL", "/bin/sh")
        .env_remove("NO_COLOR")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let mut shown = Vec::new();
    let mut stdout = child.stdout.take().expect("a pipe");
    stdout.read_to_end(&mut shown).expect("reading");
    let shown = String::from_utf8_lossy(&shown).into_owned();
    assert!(child.wait().expect("waiting").success(), "{shown}");
    Some(shown)
}

#[cfg(target_os = "linux")]
#[test]
fn every_terminal_shows_every_epoch() {
    let desk = Desk::with(&EasySet::default());
    for kind in ["xterm-256color", "dumb"] {
        let line = "train --data set --epochs 3 --hidden 8 --exist-ok --out out";
        let Some(shown) = on_a_terminal(&desk, line, kind) else {
            eprintln!(
                "skipped: script of util-linux is not installed, and no terminal can be made"
            );
            return;
        };
        assert!(shown.contains("epoch  train loss"), "{kind}: {shown:?}");
        for epoch in ["    1    ", "    2    ", "    3    "] {
            assert!(shown.contains(epoch), "{kind}: {shown:?}");
        }
        assert!(kind != "dumb" || !shown.contains('\x1b'), "{shown:?}");
    }
}
