//! Injected system errors: `faults.c`, compiled with the C compiler that a build needs anyway, and preloaded into the program.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

/// The compiled library.
pub struct Faults {
    folder: TempDir,
}

impl Faults {
    /// Compiles the library, or prints that the test is skipped if that is impossible.
    pub fn build() -> Option<Faults> {
        if !cfg!(all(target_os = "linux", target_env = "gnu")) {
            eprintln!("skipped: faults can be injected only on Linux with the GNU C library");
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

    /// Makes the calls of `command` that concern a path containing `part` fail as `fault` describes, for example
    /// `fsync:2+:5`.
    pub fn inject(&self, command: &mut Command, part: &str, fault: &str) {
        command
            .env("LD_PRELOAD", self.library())
            .env("FAULT_PATH", part)
            .env("FAULT", fault);
    }
}
