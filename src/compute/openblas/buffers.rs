//! The buffers that OpenBLAS computes in.
//!
//! Every call takes a buffer of 128 MB of address space, of which it touches some pages. OpenBLAS maps a new one when
//! more calls run at the same time than ever before, and **retries forever if the system refuses it**, as it does under
//! a limit on address space or data. So the library is only called when there is a buffer for the call: one is mapped
//! when the library is loaded, further ones while no call runs, each after the system has shown that it grants as much.
//! If it does not, calls wait for each other.

use std::ptr;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::failure::Failure;
use super::functions::Allocation;
use crate::error::Refusal;
use crate::message::{Key, message};

/// The length of a buffer in OpenBLAS on 64-bit processors, and some room for what the system adds.
const LENGTH: usize = (128 << 20) + (1 << 20);

/// The largest number of buffers, as a common build of OpenBLAS has it.
const MOST: usize = 512;

/// How many buffers there are, and how many calls use one.
#[derive(Debug)]
pub struct Buffers {
    allocation: Option<Allocation>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    mapped: usize,
    in_use: usize,
    /// Whether another buffer may be mapped.
    may_grow: bool,
    /// Whether a call waits until no other runs, in order to map another buffer.
    is_growing: bool,
}

/// A call's right to a buffer, until it is dropped.
pub struct Permit<'a>(&'a Buffers);

impl Buffers {
    /// Maps the first buffer, the only one if calls must run `one_at_a_time`.
    pub fn new(allocation: Option<Allocation>, one_at_a_time: bool) -> Result<Buffers, Failure> {
        if !map(allocation, 1) {
            return Err(not_granted(LENGTH));
        }
        Ok(Buffers {
            allocation,
            state: Mutex::new(State {
                mapped: 1,
                in_use: 0,
                may_grow: !one_at_a_time,
                is_growing: false,
            }),
            changed: Condvar::new(),
        })
    }

    /// Waits until there is a buffer for a call.
    pub fn enter(&self) -> Permit<'_> {
        let mut state = self.lock();
        loop {
            if state.is_growing {
                state = self.wait(state);
            } else if state.in_use < state.mapped {
                state.in_use += 1;
                return Permit(self);
            } else if state.may_grow {
                state.is_growing = true;
                while state.in_use > 0 {
                    state = self.wait(state);
                }
                match map(self.allocation, state.mapped + 1) {
                    true => state.mapped += 1,
                    false => state.may_grow = false,
                }
                state.is_growing = false;
                self.changed.notify_all();
            } else {
                state = self.wait(state);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let woken = self.changed.wait(state);
        woken.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        // Someone can only wait if every buffer was in use, or to map another.
        let may_be_awaited = state.in_use == state.mapped || state.is_growing;
        state.in_use -= 1;
        drop(state);
        if may_be_awaited {
            self.0.changed.notify_all();
        }
    }
}

/// Makes the library have `count` buffers, if the system grants them. No call may run.
fn map(allocation: Option<Allocation>, count: usize) -> bool {
    let Some(Allocation { take, give_back }) = allocation else {
        return is_granted(LENGTH);
    };
    // Not a `Vec`: calls of a training step map buffers, and a step allocates nothing.
    let mut taken = [ptr::null_mut(); MOST];
    let mut last = 0;
    while last < count.min(MOST) && is_granted(LENGTH) {
        // SAFETY: the argument says that a matrix product asks. The library finds the buffer by its own lock.
        taken[last] = unsafe { take(0) };
        if taken[last].is_null() {
            break;
        }
        last += 1;
    }
    for &buffer in &taken[..last] {
        // SAFETY: `take` returned this buffer, which nobody else has and which is given back once. It stays mapped.
        unsafe { give_back(buffer) };
    }
    last == count
}

/// Whether the system grants this process `length` bytes of address space now.
#[cfg(unix)]
pub fn is_granted(length: usize) -> bool {
    let (access, kind) = (
        libc::PROT_READ | libc::PROT_WRITE,
        libc::MAP_PRIVATE | libc::MAP_ANON,
    );
    // SAFETY: a new anonymous mapping, at an address of the system's choice, which nobody has a pointer to when it is
    // unmapped.
    unsafe {
        let address = libc::mmap(ptr::null_mut(), length, access, kind, -1, 0);
        address != libc::MAP_FAILED && libc::munmap(address, length) == 0
    }
}

#[cfg(not(unix))]
pub fn is_granted(_: usize) -> bool {
    true
}

/// The error for `length` bytes of address space that OpenBLAS needs.
pub fn not_granted(length: usize) -> Failure {
    let found = format!("{length} bytes of address space were not granted");
    let refusal = Refusal::new("memory", found, "room for OpenBLAS and a buffer");
    Failure::Memory(refusal.hint(message![
        "raise the limit on address space or data (ulimit -v, -d), or give ",
        Key("engine").set_to("native")
    ]))
}
