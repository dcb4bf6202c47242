//! C: the exported header compiles with all warnings as errors, and predicts the same.

use std::env;
use std::process::Command;

use crate::models::{Models, stdout_of};

/// Returns `$CC`, or `cc` without that variable, if it runs. Otherwise prints that the test is skipped.
pub fn compiler() -> Option<String> {
    let compiler = env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let trial = Command::new(&compiler).arg("--version").output();
    if trial.is_ok_and(|output| output.status.success()) {
        return Some(compiler);
    }
    eprintln!("skipped: no C compiler {compiler}");
    None
}

#[test]
fn a_header_compiles_without_a_warning_and_predicts_the_same() {
    let Some(compiler) = compiler() else { return };
    let models = Models::get();
    for trained in &models.models {
        let header = trained.export("--to c --name digits", "digits.h");
        let folder = header.parent().expect("a folder");
        std::fs::write(folder.join("predict.c"), include_str!("predict.c")).expect("writing");
        let mut build = Command::new(&compiler);
        build
            .args("-std=c99 -Wall -Wextra -Wconversion -Werror -pedantic -O2".split(' '))
            .args(["predict.c", "-o", "predict", "-lm"]);
        stdout_of(build.current_dir(folder));
        let mut predict = Command::new(folder.join("predict"));
        trained.assert_predicts(&stdout_of(predict.arg(&models.images)));
    }
}
