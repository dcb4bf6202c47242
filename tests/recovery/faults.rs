//! A failing system: `faults.c`, compiled with the C compiler that a build needs anyway and loaded beneath the program.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

/// The compiled library.
pub struct Faults {
    folder: TempDir,
}

impl Faults {
    /// Compiles it. None, in words, where that cannot be done.
    pub fn build() -> Option<Faults> {
        if !cfg!(all(target_os = "linux", target_env = "gnu")) {
            eprintln!("skipped: faults are injected on Linux with the GNU library alone");
            return None;
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recovery/faults.c");
        let faults = Faults { folder };
        let built = Command::new("cc")
            .args(["-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o"])
            .arg(faults.library())
            .arg(source)
            .arg("-ldl")
            .status();
        match built {
            Err(error) => {
                eprintln!("skipped: no C compiler ({error})");
                None
            }
            Ok(status) => {
                assert!(status.success(), "compiling {source}");
                Some(faults)
            }
        }
    }

    fn library(&self) -> PathBuf {
        self.folder.path().join("faults.so")
    }

    /// Lets `fault`, as `fsync:2+:5`, befall the calls of `command` that concern a path with `part` in it.
    pub fn inject(&self, command: &mut Command, part: &str, fault: &str) {
        command
            .env("LD_PRELOAD", self.library())
            .env("FAULT_PATH", part)
            .env("FAULT", fault);
    }
}
