//! A Python interpreter for the scripts in this folder: `PERCEPTOR_PYTHON`, or `python3`.

use std::env;
use std::path::Path;
use std::process::Command;

use crate::models::stdout_of;

pub struct Python(String);

impl Python {
    /// Returns an interpreter that has these modules, joined by commas. Prints that the test is skipped if `python3` lacks
    /// one; panics if `PERCEPTOR_PYTHON` lacks one.
    pub fn with(modules: &str) -> Option<Python> {
        let found = Python::if_available(modules);
        if let (None, Ok(named)) = (&found, env::var("PERCEPTOR_PYTHON")) {
            panic!("PERCEPTOR_PYTHON: {named} lacks some of {modules}");
        }
        found
    }

    /// Like [`Python::with`], for modules that even `PERCEPTOR_PYTHON` may lack.
    pub fn if_available(modules: &str) -> Option<Python> {
        let python = env::var("PERCEPTOR_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let import = format!("import {modules}");
        let trial = Command::new(&python).args(["-c", &import]).output();
        if trial.is_ok_and(|output| output.status.success()) {
            return Some(Python(python));
        }
        eprintln!("skipped: {python} lacks some of {modules}");
        None
    }

    /// Runs `script`, asserts that it succeeds, and returns its output.
    pub fn run(&self, script: &str, paths: &[&Path]) -> String {
        stdout_of(Command::new(&self.0).args(["-c", script]).args(paths))
    }
}
