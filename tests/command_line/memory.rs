//! Memory that the system does not grant.

#![cfg(target_os = "linux")]

use crate::desk::{Desk, Run};
use crate::idx_set::EasySet;

/// The limit on the address space in kB: room for the weights, but not for the activations of a batch.
const LIMIT: usize = 1 << 20;

#[test]
fn refused_memory_is_an_error_of_the_machine_and_not_of_a_setting() {
    let desk = Desk::with(&EasySet::default());
    let program = desk.command("");
    let script = format!(
        "ulimit -v {LIMIT} && exec '{}' train --data set --threads 1 --engine portable \
         --hidden 1000000 --batch-size 200 --quiet",
        program.get_program().display()
    );
    let mut command = desk.command_of("sh");
    command.args(["-c", &script]);
    let run = Run::of(command);
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert!(run.stderr.starts_with("error: memory: "), "{run:#?}");
    assert!(run.stderr.contains(" bytes were not granted"), "{run:#?}");
    assert!(run.stderr.contains("hint: "), "{run:#?}");
}
