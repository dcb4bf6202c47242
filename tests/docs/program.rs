//! The program, run in a folder of its own.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;
use std::time::Duration;

use tempfile::TempDir;

use crate::sources;

/// Long enough for a debug build on a busy machine.
const TIME_LIMIT: Duration = Duration::from_secs(120);

/// The commands whose flags prose may name.
pub const COMMANDS: [&str; 15] = [
    "",
    "train",
    "tune",
    "eval",
    "predict",
    "export",
    "import",
    "model show",
    "bench",
    "doctor",
    "data",
    "data convert",
    "data digits",
    "data fetch",
    "data inspect",
];

/// Flags of cargo that the pages name.
pub const CARGO_FLAGS: [&str; 2] = ["--features", "--no-default-features"];

pub struct Folder {
    folder: TempDir,
    cache: TempDir,
    helps: Mutex<HashMap<Vec<String>, String>>,
}

impl Folder {
    pub fn empty() -> Folder {
        let [folder, cache] = [(); 2].map(|()| tempfile::tempdir().expect("a temporary folder"));
        Folder {
            folder,
            cache,
            helps: Mutex::default(),
        }
    }

    /// A folder with all files that the pages name.
    pub fn with_sources() -> Folder {
        let folder = Folder::empty();
        sources::write(&folder);
        folder
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, and the folders above it.
    pub fn put(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("making a folder");
        fs::write(path, bytes).expect("writing a file");
    }

    pub fn run(&self, words: &[String]) -> Output {
        let mut command = self.command_of(assert_cmd::cargo::cargo_bin!("perceptor"));
        command.args(words);
        let mut command = assert_cmd::Command::from_std(command);
        command
            .timeout(TIME_LIMIT)
            .output()
            .expect("starting the program")
    }

    /// A program, not yet started, in this folder and with a cache of its own.
    pub fn command_of(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command
            .current_dir(self.folder.path())
            .env("XDG_CACHE_HOME", self.cache.path());
        command
    }

    /// The long help of a command.
    pub fn help(&self, command: &[String]) -> String {
        let mut helps = self.helps.lock().expect("no test has panicked here");
        let help = helps.entry(command.to_vec()).or_insert_with(|| {
            let words: Vec<_> = command
                .iter()
                .cloned()
                .chain(["--help".to_owned()])
                .collect();
            let run = self.run(&words);
            assert!(run.status.success(), "{words:?}: {run:#?}");
            String::from_utf8(run.stdout).expect("text")
        });
        help.clone()
    }
}
