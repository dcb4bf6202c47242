//! Signs of life: whether the process moves, for a program that asked it to stop and wants to know whether it will.
//!
//! A step, a block of an evaluation and a piece of a file that is written count as a beat. Reading the count is allowed in
//! a signal handler.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

static BEATS: AtomicU64 = AtomicU64::new(0);
static WAITING_FOR_DISK: AtomicUsize = AtomicUsize::new(0);

/// Counts a beat.
pub(crate) fn beat() {
    BEATS.fetch_add(1, Ordering::Relaxed);
}

/// Waits for the disk in `wait`, which may take long without a beat.
pub(crate) fn during_wait<T>(wait: impl FnOnce() -> T) -> T {
    WAITING_FOR_DISK.fetch_add(1, Ordering::Relaxed);
    let done = wait();
    WAITING_FOR_DISK.fetch_sub(1, Ordering::Relaxed);
    beat();
    done
}

/// Returns the number of beats since the process started.
pub fn beats() -> u64 {
    BEATS.load(Ordering::Relaxed)
}

/// Returns whether the process waits for the disk.
pub fn is_waiting_for_disk() -> bool {
    WAITING_FOR_DISK.load(Ordering::Relaxed) > 0
}
