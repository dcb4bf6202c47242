//! The handlers of the signals that stop a command.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use signal_hook::consts::{SIGALRM, SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU};
use signal_hook::{flag, low_level};

use super::clock;

/// The signals that stop a command, in addition to [`ALARM`].
pub const STOPPING: [(i32, &str); 6] = [
    (SIGINT, "SIGINT"),
    (SIGTERM, "SIGTERM"),
    (SIGHUP, "SIGHUP"),
    (SIGUSR1, "SIGUSR1"),
    (SIGUSR2, "SIGUSR2"),
    (SIGXCPU, "SIGXCPU"),
];
/// The signal of the clock, which stops a command if another process sends it.
pub const ALARM: (i32, &str) = (SIGALRM, "SIGALRM");

pub fn install(signal: i32, stop: &Arc<AtomicBool>, number: &Arc<AtomicUsize>) {
    if is_ignored(signal) {
        return;
    }
    // Handlers run in this order, so that the second signal finds the flag of the first. If a handler cannot be
    // installed, the signal ends the program as it does by default.
    let code = 128 + signal;
    // The system sends SIGXCPU again for each second beyond the limit.
    if signal != SIGXCPU {
        drop(flag::register_conditional_shutdown(
            signal,
            code,
            Arc::clone(stop),
        ));
    }
    drop(flag::register_usize(
        signal,
        Arc::clone(number),
        signal as usize,
    ));
    drop(flag::register(signal, Arc::clone(stop)));
    // SAFETY: `start` only stores to atomics and calls `alarm`, which is async-signal-safe.
    drop(unsafe { low_level::register(signal, move || clock::start(signal)) });
}

pub fn ignore_file_size_limit() {
    // SAFETY: no handler is installed, and no other thread runs yet that could install one.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
}

pub fn is_ignored(signal: i32) -> bool {
    // SAFETY: zero bits are a valid `libc::sigaction`, and `sigaction` without a new action only writes the current
    // one to `now`, which is valid for writes.
    unsafe {
        let mut now: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, std::ptr::null(), &mut now) == 0
            && now.sa_sigaction == libc::SIG_IGN
    }
}
