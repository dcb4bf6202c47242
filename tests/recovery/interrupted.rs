//! Runs to interrupt, long enough to be caught and short enough to be repeated, and the files that they leave.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use crate::desk::{Desk, Run};
use crate::idx_set::EasySet;

/// Longer than any step of a test takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub const MODEL: &str = "out/model.safetensors";

/// A run of milliseconds, with seven steps per epoch.
pub const SHORT: &str = "train --data set --hidden 20,12 --activation tanh --epochs 4 --out out";

/// A run of about a second.
pub const LONG: &str =
    "train --data set --hidden 200,100 --activation relu --lr 0.01 --epochs 15 --out out";

/// The model and the settings of an uninterrupted [`LONG`], which is trained once for all tests.
pub static UNINTERRUPTED: LazyLock<Uninterrupted> = LazyLock::new(|| {
    let desk = long_desk();
    Uninterrupted {
        model: uninterrupted(&desk, LONG),
        config: desk.read("uninterrupted/config.toml"),
    }
});

pub struct Uninterrupted {
    pub model: Vec<u8>,
    pub config: Vec<u8>,
}

/// Returns a desk with a set for [`SHORT`].
pub fn short_desk() -> Desk {
    Desk::with(&EasySet::noisy())
}

/// Returns a desk with a set for [`LONG`].
pub fn long_desk() -> Desk {
    Desk::with(&EasySet {
        train: 20_000,
        ..EasySet::noisy()
    })
}

/// Returns the model of an uninterrupted run that saves no checkpoints.
pub fn uninterrupted(desk: &Desk, line: &str) -> Vec<u8> {
    let line = line.replace("--out out", "--out uninterrupted");
    desk.run(&format!(
        "{line} --checkpoint-every never --exist-ok --quiet"
    ))
    .done();
    desk.read("uninterrupted/model.safetensors")
}

/// Returns the checkpoints of the run in `out`, the newest last.
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

/// Returns the temporary files in the folders of the run in `out`.
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

/// Waits until the run in `out` has a checkpoint.
///
/// # Panics
///
/// Panics if the program ends first.
pub fn wait_for_checkpoint(desk: &Desk, child: &mut Child) {
    let start = Instant::now();
    while checkpoints(desk).is_empty() {
        assert!(start.elapsed() < PATIENCE, "no checkpoint");
        let ended = child.try_wait().expect("the state of the process");
        assert!(
            ended.is_none(),
            "the run ended before its first checkpoint: {ended:?}"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
}

pub fn send(child: &Child, signal: i32) {
    let id = i32::try_from(child.id()).expect("a process id");
    // SAFETY: a plain system call; the child has not been waited for yet, so the id is still its own.
    assert_eq!(unsafe { libc::kill(id, signal) }, 0, "sending a signal");
}

pub fn end(line: &str, child: Child) -> Run {
    Run::from_output(line.to_owned(), child.wait_with_output().expect("waiting"))
}
