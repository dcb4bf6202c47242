//! What the system tells a running command: to stop, or that a mapped file was cut short.
//!
//! Signals that were ignored when the program started stay ignored, so that `nohup` and background jobs of a shell
//! work as they should. Elsewhere than on Unix the system's own ways are left as they are.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The exit code after a data file was cut short while it was read.
#[cfg(unix)]
const CUT_SHORT: u8 = 5;

/// Asks a command to stop when the user, the system or the terminal does.
#[derive(Debug, Clone, Default)]
pub struct StopSignals {
    /// Becomes true with the first signal.
    pub stop: Arc<AtomicBool>,
    number: Arc<AtomicUsize>,
}

impl StopSignals {
    /// Heeds SIGINT, SIGTERM and SIGHUP from now on: the first is remembered, the second ends the program at once.
    pub fn heed() -> StopSignals {
        let signals = StopSignals::default();
        #[cfg(unix)]
        for signal in unix::STOPPING {
            unix::heed(signal, &signals.stop, &signals.number);
        }
        signals
    }

    /// The name and the exit code of the signal that came, 128 and its number.
    pub fn came(&self) -> Option<(&'static str, u8)> {
        match self.number.load(Ordering::Relaxed) {
            0 => None,
            number => Some((name(number), (128 + number) as u8)),
        }
    }
}

fn name(number: usize) -> &'static str {
    #[cfg(unix)]
    for (signal, name) in unix::STOPPING
        .into_iter()
        .zip(["SIGINT", "SIGTERM", "SIGHUP"])
    {
        if number == signal as usize {
            return name;
        }
    }
    let _ = number;
    "a signal"
}

/// What is said of a file that was cut short, where a command has more to say than that.
static WORDS: OnceLock<String> = OnceLock::new();
#[cfg(unix)]
const CUT_SHORT_WORDS: &str = "\
error: a mapped file was cut short while it was read (SIGBUS), expected it to stay as it was opened
hint: use files that nobody writes to meanwhile
";

/// Ends the program in words and with exit code 5 where a mapped file ends before the place that is read.
pub fn heed_cut_files() {
    #[cfg(unix)]
    unix::heed_cut_files();
}

/// What to do about a file that is cut short from now on; said once a process.
pub fn explain_cut_files(hint: &str) {
    drop(WORDS.set(format!(
        "error: a mapped data file was cut short while it was read (SIGBUS), expected it to stay as it was opened\n\
         hint: {hint}\n"
    )));
}

#[cfg(unix)]
mod unix {
    use super::*;
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::flag;

    pub const STOPPING: [i32; 3] = [SIGINT, SIGTERM, SIGHUP];

    pub fn heed(signal: i32, stop: &Arc<AtomicBool>, number: &Arc<AtomicUsize>) {
        if is_ignored(signal) {
            return;
        }
        // In the order in which they run: the second signal finds the flag of the first. Where the system takes no
        // handler, a signal ends the program as it always did.
        let code = 128 + signal;
        drop(flag::register_conditional_shutdown(
            signal,
            code,
            Arc::clone(stop),
        ));
        drop(flag::register_usize(
            signal,
            Arc::clone(number),
            signal as usize,
        ));
        drop(flag::register(signal, Arc::clone(stop)));
    }

    fn is_ignored(signal: i32) -> bool {
        // SAFETY: zero bits are a valid `libc::sigaction`, and `sigaction` without a new action only writes the current
        // one to `now`, which is valid for writes.
        unsafe {
            let mut now: libc::sigaction = std::mem::zeroed();
            libc::sigaction(signal, std::ptr::null(), &mut now) == 0
                && now.sa_sigaction == libc::SIG_IGN
        }
    }

    pub fn heed_cut_files() {
        extern "C" fn end(_: libc::c_int) {
            let words = WORDS.get().map_or(CUT_SHORT_WORDS, String::as_str);
            // SAFETY: `write` and `_exit` are async-signal-safe, and `words` is valid for reads of its length.
            unsafe {
                libc::write(2, words.as_ptr().cast(), words.len());
                libc::_exit(i32::from(CUT_SHORT));
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
