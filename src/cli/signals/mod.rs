//! Signal handlers.
//!
//! Ctrl-C (SIGINT), SIGTERM, SIGHUP and the warnings of schedulers (SIGUSR1, SIGUSR2, SIGALRM, SIGXCPU) stop a command in
//! order (`unix`), SIGBUS reports a truncated file (`truncation`), and SIGXFSZ, the limit on the size of files, becomes an
//! error of the write.
//!
//! A second signal ends the program at once, except SIGXCPU, which the system repeats, and SIGALRM, which is the clock. The
//! clock ends the program, too, if it does not move for some seconds after the first signal (`clock`). Signals that were
//! ignored when the program started stay ignored, so that `nohup` and background jobs of a shell work as expected. On
//! systems other than Unix no handlers are installed.

#[cfg(unix)]
mod clock;
mod truncation;
#[cfg(unix)]
mod unix;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

pub use self::truncation::set_truncation_hint;

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

/// Installs the handlers of every command: one reports a mapped file that was truncated, and ends the program with exit code
/// 5; a write beyond the limit on the size of files fails like one to a full disk.
pub fn prepare() {
    #[cfg(unix)]
    {
        truncation::report_truncated_files();
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
