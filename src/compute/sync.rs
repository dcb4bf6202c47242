//! The synchronisation that [`super::barrier`] is built on: that of the standard library.
//!
//! The package in `loom/` compiles the barrier with loom's types under the same names, and tries all interleavings.

pub(super) use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
pub(super) use std::sync::{Condvar, Mutex, PoisonError};

use std::time::{Duration, Instant};
use std::{hint, thread};

/// How often a waiting worker looks before it yields its core: some microseconds, the usual wait.
const SPINS: usize = 400;
/// How long a waiting worker yields its core before it sleeps, so that long waits use no processor time. This is far
/// longer than waking a sleeper takes; otherwise one late worker sends the others to sleep, which makes them late.
const PATIENCE: Duration = Duration::from_millis(2);

/// Waits for a short time until `is_over` returns true; returns whether it did.
pub(super) fn wait_awake(is_over: impl Fn() -> bool) -> bool {
    for _ in 0..SPINS {
        if is_over() {
            return true;
        }
        hint::spin_loop();
    }
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        if is_over() {
            return true;
        }
        thread::yield_now();
    }
    false
}
