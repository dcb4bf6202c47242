//! Signal handlers: Ctrl-C (SIGINT), SIGTERM, SIGHUP and the warnings of schedulers (SIGUSR1, SIGUSR2, SIGALRM, SIGXCPU) stop a
//! command in order, SIGBUS reports a truncated file, and SIGXFSZ, the limit on the size of files, becomes an error of the
//! write.
//!
//! A second signal ends the program at once, except SIGXCPU, which the system repeats, and SIGALRM, which is the clock. The
//! clock ends the program, too, if it does not move for some seconds after the first signal. Signals that were ignored when the program started stay ignored, so that `nohup` and background jobs of a shell
//! work as expected. On systems other than Unix no handlers are installed.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The exit code after a data file was truncated while it was read.
#[cfg(unix)]
const TRUNCATED: u8 = 5;

/// Asks a command to stop on Ctrl-C, SIGTERM, SIGHUP or the warning of a scheduler.
#[derive(Debug, Clone, Default)]
pub struct StopSignals {
    /// Becomes true with the first signal.
    pub stop: Arc<AtomicBool>,
    number: Arc<AtomicUsize>,
}

impl StopSignals {
    /// Installs handlers: the first signal sets `stop`, the second ends the program at once, and so does a clock if the program
    /// does not move any more.
    pub fn install() -> StopSignals {
        let signals = StopSignals::default();
        #[cfg(unix)]
        for (signal, _) in unix::STOPPING {
            unix::install(signal, &signals.stop, &signals.number);
        }
        #[cfg(unix)]
        {
            // An alarm that was ignored when the program started stops nothing.
            let flags = (Arc::clone(&signals.stop), Arc::clone(&signals.number));
            clock::install((!unix::is_ignored(libc::SIGALRM)).then_some(flags));
        }
        signals
    }

    /// Returns the name and the exit code, 128 + its number, of the signal that was received.
    pub fn received(&self) -> Option<(&'static str, u8)> {
        match self.number.load(Ordering::Relaxed) {
            0 => None,
            number => Some((name(number), (128 + number) as u8)),
        }
    }
}

fn name(number: usize) -> &'static str {
    #[cfg(unix)]
    for (signal, name) in unix::STOPPING.into_iter().chain([unix::ALARM]) {
        if number == signal as usize {
            return name;
        }
    }
    let _ = number;
    "a signal"
}

/// The message for a truncated file, if a command has set one.
static MESSAGE: OnceLock<String> = OnceLock::new();
#[cfg(unix)]
const TRUNCATED_MESSAGE: &str = "\
error: a mapped file was truncated while it was read (SIGBUS), expected it to stay unchanged
hint: use files that no other program writes to
";

/// Installs the handlers of every command: one reports a mapped file that was truncated, and ends the program with exit code
/// 5; a write beyond the limit on the size of files fails like one to a full disk.
pub fn prepare() {
    #[cfg(unix)]
    {
        unix::report_truncated_files();
        unix::ignore_file_size_limit();
    }
}

/// Ends the program with `code` if what libraries do at its end takes more than some seconds.
pub fn end_soon(code: u8) {
    #[cfg(unix)]
    clock::end_soon(code);
    #[cfg(not(unix))]
    let _ = code;
}

/// Sets the hint that follows the error about a truncated file. Only the first call in a process counts.
pub fn set_truncation_hint(hint: &str) {
    drop(MESSAGE.set(format!(
        "error: a mapped data file was truncated while it was read (SIGBUS), expected it to stay unchanged\n\
         hint: {hint}\n"
    )));
}

#[cfg(unix)]
mod clock;

#[cfg(unix)]
mod unix {
    use super::*;
    use signal_hook::consts::{SIGALRM, SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU};
    use signal_hook::{flag, low_level};

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

    pub fn report_truncated_files() {
        extern "C" fn end(_: libc::c_int) {
            let message = MESSAGE.get().map_or(TRUNCATED_MESSAGE, String::as_str);
            // SAFETY: `write` and `_exit` are async-signal-safe, and `message` is valid for reads of its length.
            unsafe {
                libc::write(2, message.as_ptr().cast(), message.len());
                libc::_exit(i32::from(TRUNCATED));
            }
        }
        // Replaces the handler that was there: Rust's own removes itself when it is called, and a second worker that reads
        // the same file would then end the program without a message.
        // SAFETY: zero bits are a valid `libc::sigaction`; `end` has the signature of a handler and calls only
        // functions that are async-signal-safe; the old action may be null.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = end as *const () as usize;
            action.sa_flags = libc::SA_ONSTACK;
            libc::sigaction(libc::SIGBUS, &action, std::ptr::null_mut());
        }
    }
}
