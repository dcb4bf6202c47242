//! Ends a program that was asked to stop and does not move any more: a step, a block of an evaluation and a piece of a file
//! count as movement. The clock is SIGALRM, once a second; its handler only reads and stores atomics.

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use perceptor::pulse;

/// How long a program may stand still after it was asked to stop, in seconds.
const PATIENCE: u64 = 5;
/// How long it may wait for the disk.
const PATIENCE_FOR_DISK: u64 = 60;
/// How many average steps it may stand still: a step of a large network takes seconds.
const PATIENCE_IN_STEPS: u64 = 5;

const MESSAGE: &str = "\
error: the program was asked to stop and did not move for some seconds, expected the end of a step
hint: a checkpoint that was saved before is valid; train --resume continues from it
";

/// When handlers were installed.
static START: OnceLock<Instant> = OnceLock::new();
/// The exit code.
static CODE: AtomicI32 = AtomicI32::new(0);
/// The beats at the last tick, and the ticks since they changed.
static BEATS: AtomicU64 = AtomicU64::new(0);
static STILL: AtomicU32 = AtomicU32::new(0);
/// Whether the command has ended, and only the exit of the process is waited for.
static ENDED: AtomicBool = AtomicBool::new(false);

/// The flag that asks the command to stop, and the number of the signal that set it.
type Flags = (Arc<AtomicBool>, Arc<AtomicUsize>);

/// What an alarm from another process sets.
static FLAGS: OnceLock<Flags> = OnceLock::new();

/// Installs the handler of the clock, which stands until [`start`] or [`end_soon`] is called. An alarm before that is from
/// another process, and sets `flags`.
pub(super) fn install(flags: Option<Flags>) {
    if let Some(flags) = flags {
        FLAGS.get_or_init(|| flags);
    }
    START.get_or_init(Instant::now);
    // SAFETY: zero bits are a valid `libc::sigaction`; `tick` has the signature of a handler and calls only functions that are
    // async-signal-safe; the old action may be null.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = tick as *const () as usize;
        action.sa_flags = libc::SA_RESTART;
        libc::sigaction(libc::SIGALRM, &action, std::ptr::null_mut());
    }
}

/// Starts the clock, in the handler of `signal`. It does not start anew with a later signal.
pub(super) fn start(signal: i32) {
    let (code, relaxed) = (128 + signal, Ordering::Relaxed);
    if CODE.compare_exchange(0, code, relaxed, relaxed).is_err() {
        return;
    }
    // SAFETY: `alarm` is async-signal-safe.
    unsafe { libc::alarm(1) };
}

/// Ends the process with `code` after some seconds.
pub(super) fn end_soon(code: u8) {
    install(None);
    CODE.store(i32::from(code), Ordering::Relaxed);
    STILL.store(0, Ordering::Relaxed);
    ENDED.store(true, Ordering::Relaxed);
    // SAFETY: a plain system call.
    unsafe { libc::alarm(1) };
}

extern "C" fn tick(_: libc::c_int) {
    if CODE.load(Ordering::Relaxed) == 0 && !ENDED.load(Ordering::Relaxed) {
        // Nothing asked the clock to run, so this alarm is from another process.
        if let Some((stop, number)) = FLAGS.get() {
            number.store(libc::SIGALRM as usize, Ordering::Relaxed);
            stop.store(true, Ordering::Relaxed);
            start(libc::SIGALRM);
        }
        return;
    }
    let still = match pulse::beats() {
        beats if beats == BEATS.swap(beats, Ordering::Relaxed) => {
            STILL.fetch_add(1, Ordering::Relaxed) + 1
        }
        _ => {
            STILL.store(0, Ordering::Relaxed);
            0
        }
    };
    let has_ended = ENDED.load(Ordering::Relaxed);
    if u64::from(still) < if has_ended { PATIENCE } else { patience() } {
        // SAFETY: `alarm` is async-signal-safe.
        unsafe { libc::alarm(1) };
        return;
    }
    // SAFETY: `write` and `_exit` are async-signal-safe, and the message is valid for reads of its length.
    unsafe {
        if !has_ended {
            libc::write(2, MESSAGE.as_ptr().cast(), MESSAGE.len());
        }
        libc::_exit(CODE.load(Ordering::Relaxed));
    }
}

/// Returns how many seconds the program may stand still.
fn patience() -> u64 {
    if pulse::is_waiting_for_disk() {
        return PATIENCE_FOR_DISK;
    }
    let seconds = START.get().map_or(0, |start| start.elapsed().as_secs());
    let step = seconds.checked_div(pulse::beats()).unwrap_or(seconds);
    PATIENCE.max(PATIENCE_IN_STEPS * step)
}
