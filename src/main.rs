//! The command `perceptor`; `perceptor --help` describes it.

mod cli;

use std::io::{self, Write};
use std::process::{ExitCode, exit};

fn main() -> ExitCode {
    // A panic is a bug in perceptor; the user gets one line to report, not a backtrace.
    std::panic::set_hook(Box::new(|panic| {
        // A closed stderr must not cause another panic.
        let written = writeln!(
            io::stderr(),
            "internal error: {panic}\n\
             hint: this is a bug in perceptor, please report it with the command you ran"
        );
        drop(written);
        exit(70);
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
