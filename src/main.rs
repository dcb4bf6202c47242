//! The command `perceptor`; `perceptor --help` describes it.

mod cli;

use std::io::{self, Write};
use std::process::{ExitCode, exit};

fn main() -> ExitCode {
    // A panic is a bug in perceptor; the user gets one line to report, not a backtrace.
    std::panic::set_hook(Box::new(|panic| {
        let panic = panic.to_string();
        // As a thread starts, the standard library allocates its stack for signals, and panics if it gets none.
        let is_refused = panic.contains("failed to allocate an alternative stack");
        let (code, message) = match is_refused {
            true => (
                1,
                "error: memory: a thread got no stack for signals, expected room for one\n\
                 hint: raise the limit on memory (`ulimit -v` or `ulimit -d`)"
                    .to_owned(),
            ),
            false => (
                70,
                format!(
                    "internal error: {panic}\n\
                     hint: this is a bug in perceptor, please report it with the command you ran"
                ),
            ),
        };
        // A closed stderr must not cause another panic.
        drop(writeln!(io::stderr(), "{message}"));
        exit(code);
    }));
    use_one_heap();
    cli::run()
}

/// Makes all threads share one heap. glibc reserves 64 MiB of address space for each thread otherwise, and a training step
/// allocates nothing.
fn use_one_heap() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: no other thread runs yet, as `mallopt` requires.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}
