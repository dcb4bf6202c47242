//! The command `perceptor`; `perceptor --help` describes it.

mod cli;

use std::io::{self, Write};
use std::process::{ExitCode, exit};
use std::thread::Builder;

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
    with_enough_stack(cli::run)
}

/// Runs `command` on a thread with a stack of its own if the limit on the stack of the process (`ulimit -s`) is small.
fn with_enough_stack(command: fn() -> ExitCode) -> ExitCode {
    /// What the parser of the command line and the readers of tables need, with a margin.
    const ENOUGH: u64 = 1 << 20;
    if stack_limit() >= ENOUGH {
        return command();
    }
    let thread = Builder::new().name("perceptor".to_owned());
    match thread.stack_size(2 * ENOUGH as usize).spawn(command) {
        // A panic ends the process.
        Ok(thread) => thread.join().unwrap_or(ExitCode::FAILURE),
        Err(error) => {
            drop(writeln!(
                io::stderr(),
                "error: stack: {error}, expected a thread, as the limit is below {ENOUGH} bytes\n\
                 hint: raise the limit on the stack (`ulimit -s`)"
            ));
            ExitCode::FAILURE
        }
    }
}

/// Returns the limit on the stack of the first thread, in bytes.
fn stack_limit() -> u64 {
    #[cfg(unix)]
    {
        let mut limit = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        // SAFETY: `limit` is valid for writes.
        match unsafe { libc::getrlimit(libc::RLIMIT_STACK, &mut limit) } {
            0 => limit.rlim_cur,
            _ => u64::MAX,
        }
    }
    #[cfg(not(unix))]
    u64::MAX
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
