//! An interpreter for the scripts beside this file: `PERCEPTOR_PYTHON`, or `python3`.

use std::env;
use std::path::Path;
use std::process::Command;

use crate::models::stdout_of;

pub struct Python(String);

impl Python {
    /// An interpreter that has these modules, joined by commas. Says that the test is skipped where `python3` has not;
    /// an interpreter that was named must have them.
    pub fn with(modules: &str) -> Option<Python> {
        let found = Python::where_there_is(modules);
        if let (None, Ok(named)) = (&found, env::var("PERCEPTOR_PYTHON")) {
            panic!("PERCEPTOR_PYTHON: {named} has not all of {modules}");
        }
        found
    }

    /// As [`Python::with`], for what even a named interpreter may lack.
    pub fn where_there_is(modules: &str) -> Option<Python> {
        let python = env::var("PERCEPTOR_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let import = format!("import {modules}");
        let trial = Command::new(&python).args(["-c", &import]).output();
        if trial.is_ok_and(|output| output.status.success()) {
            return Some(Python(python));
        }
        eprintln!("skipped: {python} has not all of {modules}");
        None
    }

    /// What `script` prints, which must succeed.
    pub fn run(&self, script: &str, paths: &[&Path]) -> String {
        stdout_of(Command::new(&self.0).args(["-c", script]).args(paths))
    }
}
