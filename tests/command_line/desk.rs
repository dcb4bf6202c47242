//! A temporary folder to work in, and the program run in it.
//!
//! Command lines are written as they are typed, split at white space: `desk.run("train --data set")`. The environment
//! cannot change what is tested: colour settings are removed, and each desk has a cache of its own, in which the engines
//! are already measured, as on a machine that has trained before. A command that does not end within minutes is killed
//! and fails its test.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;
use std::time::Duration;

use perceptor::bench::EngineTable;
use serde_json::Value;
use tempfile::TempDir;

use crate::idx_set::EasySet;

/// Long enough for a debug build on a busy machine.
const TIME_LIMIT: Duration = Duration::from_secs(120);

/// What a crashed program prints.
const CRASH: [&str; 3] = ["panicked", "internal error", "RUST_BACKTRACE"];

pub struct Desk {
    folder: TempDir,
    cache: TempDir,
}

/// The exit code and the output of a command.
#[derive(Debug)]
pub struct Run {
    #[allow(dead_code, reason = "printed when an assertion fails")]
    line: String,
    /// `None` if a signal ended the program.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Desk {
    pub fn empty() -> Desk {
        static TABLE: LazyLock<EngineTable> =
            LazyLock::new(|| EngineTable::measure().expect("memory"));
        let desk = Desk::of_a_newcomer();
        TABLE
            .write(&desk.cache("engines.json"))
            .expect("writing the table");
        desk
    }

    /// Returns an empty desk with an empty cache.
    pub fn of_a_newcomer() -> Desk {
        let [folder, cache] = [(); 2].map(|()| tempfile::tempdir().expect("a temporary folder"));
        Desk { folder, cache }
    }

    /// Returns a desk with `set` in the folder `set`.
    pub fn with(set: &EasySet) -> Desk {
        let desk = Desk::empty();
        set.write(&desk.path("set"));
        desk
    }

    /// Returns a desk with `set` in the folder `set` and a model trained on it in `model/model.safetensors`.
    pub fn with_model(set: &EasySet) -> Desk {
        let desk = Desk::with(set);
        desk.run("train --data set --epochs 3 --hidden 8 --out model --quiet")
            .done();
        desk
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns a path in the program's cache.
    pub fn cache(&self, name: &str) -> PathBuf {
        self.cache.path().join("perceptor").join(name)
    }

    pub fn put(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).expect("writing a file");
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Returns the contents of a text file.
    pub fn read_text(&self, name: &str) -> String {
        String::from_utf8(self.read(name)).expect("text")
    }

    pub fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).expect("removing a file");
    }

    pub fn has(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    /// Returns the names of all files and folders on the desk, except the folder `runs` itself.
    pub fn entries(&self) -> Vec<String> {
        let mut found = Vec::new();
        walk(self.folder.path(), Path::new(""), &mut found);
        found.retain(|name| name != "runs");
        found.sort();
        found
    }

    /// Returns all of [`Desk::entries`], each regular file with its contents.
    fn contents(&self) -> Vec<(String, Vec<u8>)> {
        let content = |name: &String| match fs::symlink_metadata(self.path(name)) {
            Ok(about) if about.is_file() => fs::read(self.path(name)).unwrap_or_default(),
            _ => Vec::new(),
        };
        let entries = self.entries().into_iter();
        entries.map(|name| (name.clone(), content(&name))).collect()
    }

    /// Returns the program with arguments, not started yet.
    pub fn command(&self, line: &str) -> Command {
        let mut command = self.command_of(assert_cmd::cargo::cargo_bin!("perceptor"));
        command.args(line.split_whitespace());
        command
    }

    /// Returns another program, not started yet, in the folder of this desk and with its cache.
    pub fn command_of(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.folder.path())
            .env("XDG_CACHE_HOME", self.cache.path());
        for setting in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
            command.env_remove(setting);
        }
        command
    }

    /// Runs the program to its end.
    pub fn run(&self, line: &str) -> Run {
        Run::of(self.command(line))
    }

    /// Runs the program and asserts that it fails with `code` and exactly this message, and changes no file.
    pub fn refuses(&self, line: &str, code: i32, message: &str) -> Run {
        self.refuses_in_parts(line, code, &[&format!("{message}\n")])
    }

    /// Like [`Desk::refuses`], but the message only has to start with the first part and contain the others in this order.
    pub fn refuses_in_parts(&self, line: &str, code: i32, parts: &[&str]) -> Run {
        let before = self.contents();
        let run = self.run(line);
        assert_eq!(run.code, Some(code), "{run:#?}");
        assert_eq!(run.stdout, "", "{run:#?}");
        for word in CRASH {
            assert!(!run.stderr.contains(word), "{run:#?}");
        }
        let error = run
            .stderr
            .lines()
            .position(|line| line.starts_with("error: "));
        let error = error.unwrap_or_else(|| panic!("no error on stderr: {run:#?}"));
        let mut rest: String = run
            .stderr
            .lines()
            .skip(error)
            .map(|l| l.to_owned() + "\n")
            .collect();
        rest.drain(.."error: ".len());
        assert!(rest.starts_with(parts[0]), "expected {parts:?}: {run:#?}");
        let mut rest = rest.as_str();
        for part in parts {
            let at = rest.find(part);
            let at = at.unwrap_or_else(|| panic!("expected {part:?}: {run:#?}"));
            rest = &rest[at + part.len()..];
        }
        let after = self.contents();
        let names = |contents: &[(String, Vec<u8>)]| -> Vec<String> {
            contents.iter().map(|(name, _)| name.clone()).collect()
        };
        assert_eq!(names(&after), names(&before), "the files differ: {run:#?}");
        for ((name, after), (_, before)) in after.iter().zip(&before) {
            assert!(after == before, "{name} changed: {run:#?}");
        }
        run
    }

    /// Trains with these flags and returns the bytes of the model.
    pub fn model_of(&self, flags: &str) -> Vec<u8> {
        self.run(&format!("train {flags} --out fresh --exist-ok --quiet"))
            .done();
        self.read("fresh/model.safetensors")
    }

    /// Trains with these flags and returns the JSON report.
    pub fn report_of(&self, flags: &str) -> Value {
        let run = self.run(&format!("train {flags} --quiet --format json"));
        run.done().json()
    }

    /// Trains on the folder `set` with these flags and returns the test accuracy.
    pub fn accuracy_of(&self, flags: &str) -> f64 {
        number(&self.report_of(&format!("--data set {flags}"))["test_accuracy"])
    }
}

impl Run {
    pub fn of(command: Command) -> Run {
        let line = format!("{command:?}");
        let mut command = assert_cmd::Command::from_std(command);
        let output = command.timeout(TIME_LIMIT).output();
        Run::from_output(line, output.expect("starting the program"))
    }

    pub fn from_output(line: String, output: Output) -> Run {
        Run {
            line,
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Asserts that the program succeeded.
    pub fn done(&self) -> &Run {
        assert_eq!(self.code, Some(0), "{self:#?}");
        assert!(!self.stderr.contains("error"), "{self:#?}");
        self
    }

    /// Parses stdout as exactly one JSON value.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// Returns the hint of the error.
    pub fn hint(&self) -> &str {
        let mut lines = self.stderr.lines();
        let hint = lines.find_map(|line| line.strip_prefix("hint: "));
        hint.unwrap_or_else(|| panic!("no hint: {self:#?}"))
    }

    /// Returns what follows `key` on a line of stdout.
    pub fn value(&self, key: &str) -> &str {
        let mut lines = self.stdout.lines();
        let value = lines.find_map(|line| line.strip_prefix(key));
        value
            .unwrap_or_else(|| panic!("no {key}: {self:#?}"))
            .trim()
    }
}

/// Returns a JSON number.
pub fn number(value: &Value) -> f64 {
    let number = value.as_f64();
    number.unwrap_or_else(|| panic!("{value}, expected a number"))
}

fn walk(root: &Path, below: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(root.join(below)).expect("reading a folder") {
        let entry = entry.expect("an entry");
        let path = below.join(entry.file_name());
        found.push(path.display().to_string());
        if entry.file_type().expect("a type").is_dir() {
            walk(root, &path, found);
        }
    }
}
