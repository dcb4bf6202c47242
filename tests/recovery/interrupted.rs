//! Runs to interrupt: long enough to be caught, short enough to be repeated, and what is left of them.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::desk::{Desk, Run};
use crate::idx_set::EasySet;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub const MODEL: &str = "out/model.safetensors";

/// Seven steps an epoch, milliseconds in all.
pub const SHORT: &str = "train --data set --hidden 20,12 --activation tanh --epochs 4 --out out";

/// Some seconds in all.
pub const LONG: &str =
    "train --data set --hidden 200,100 --activation relu --lr 0.01 --epochs 30 --out out";

/// A desk with a set for [`SHORT`].
pub fn short_desk() -> Desk {
    Desk::with(&EasySet::noisy())
}

/// A desk with a set for [`LONG`].
pub fn long_desk() -> Desk {
    Desk::with(&EasySet {
        train: 20_000,
        ..EasySet::noisy()
    })
}

/// The model of a run that nobody disturbed and that saved nothing on its way.
pub fn undisturbed(desk: &Desk, line: &str) -> Vec<u8> {
    let line = line.replace("--out out", "--out undisturbed");
    desk.run(&format!(
        "{line} --checkpoint-every never --exist-ok --quiet"
    ))
    .done();
    desk.read("undisturbed/model.safetensors")
}

/// The checkpoints of the run in `out`, the newest last.
pub fn checkpoints(desk: &Desk) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(desk.path("out/checkpoint")) else {
        return Vec::new();
    };
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let named = |path: &PathBuf| {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        name.starts_with("epoch-") && name.ends_with(".safetensors")
    };
    let mut found: Vec<PathBuf> = paths.filter(named).collect();
    found.sort();
    found
}

/// Temporary files in the folders of the run in `out`.
pub fn leftovers(desk: &Desk) -> Vec<String> {
    let entries = desk.entries().into_iter();
    entries
        .filter(|name| name.starts_with("out/") && name.ends_with(".part"))
        .collect()
}

pub fn start(mut command: Command) -> Child {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().expect("starting the program")
}

/// Waits until the run in `out` has a checkpoint; panics when the program ends first.
pub fn wait_for_checkpoint(desk: &Desk, child: &mut Child) {
    let start = Instant::now();
    while checkpoints(desk).is_empty() {
        assert!(start.elapsed() < PATIENCE, "no checkpoint");
        let ended = child.try_wait().expect("asking");
        assert!(
            ended.is_none(),
            "the run ended before its first checkpoint: {ended:?}"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
}

pub fn send(child: &Child, signal: i32) {
    let id = i32::try_from(child.id()).expect("a process id");
    // SAFETY: a plain system call; the child is not waited for yet, so the id is its own.
    assert_eq!(unsafe { libc::kill(id, signal) }, 0, "sending a signal");
}

pub fn end(line: &str, child: Child) -> Run {
    Run::from_output(line.to_owned(), child.wait_with_output().expect("waiting"))
}
