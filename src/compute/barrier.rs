//! The barrier of a team, and the counters that deal out pieces of work.
//!
//! The package in `loom/` checks this file under all interleavings and memory orders that the language allows:
//! `cargo test --release --manifest-path loom/Cargo.toml`.

use std::ops::Range;

use super::sync::{AtomicBool, AtomicUsize, Condvar, Mutex, Ordering, PoisonError, wait_awake};

/// The place of the round in [`Barrier::state`]: above the number of sleepers.
const ROUND: usize = 1 << 16;

/// A point that no member of a team passes before all members reach it, any number of times.
///
/// A waiting member spins for the usual short wait, then yields its core, then sleeps.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Barrier {
    members: usize,
    /// The members that reached the barrier in this round.
    arrived: AtomicUsize,
    /// The number of completed rounds times [`ROUND`], plus the number of members that sleep or are about to. Both are
    /// in one number so that the last member to arrive learns of every sleeper that did not see the round end.
    state: AtomicUsize,
    broken: AtomicBool,
    lock: Mutex<()>,
    woken: Condvar,
}

/// The error of a barrier that will never be complete.
#[derive(Debug)]
pub(super) struct Broken;

impl Barrier {
    /// A barrier for `members` members, fewer than 65,536.
    pub(super) fn new(members: usize) -> Barrier {
        assert!(members < ROUND, "a team of {members}");
        Barrier {
            members,
            arrived: AtomicUsize::new(0),
            state: AtomicUsize::new(0),
            broken: AtomicBool::new(false),
            lock: Mutex::new(()),
            woken: Condvar::new(),
        }
    }

    /// Waits until all members are here. Each member sees everything that any member wrote before it arrived.
    ///
    /// # Errors
    /// Returns [`Broken`] if [`Barrier::break_up`] is called before the round is complete.
    pub(super) fn wait(&self) -> Result<(), Broken> {
        // This member saw the end of the last round, and the next round cannot end without it.
        let round = self.state.load(Ordering::Relaxed) / ROUND;
        // Acquire and release: the last member to arrive sees the writes of all others.
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.members {
            self.arrived.store(0, Ordering::Relaxed);
            // Release: members that see the new round see the writes of all.
            let sleepers = self.state.fetch_add(ROUND, Ordering::Release) % ROUND;
            if sleepers > 0 {
                self.wake_all();
            }
            return Ok(());
        }
        let is_complete = || self.state.load(Ordering::Acquire) / ROUND != round;
        let is_broken = || self.broken.load(Ordering::Relaxed);
        if !wait_awake(|| is_complete() || is_broken()) {
            self.sleep(is_complete, is_broken);
        }
        match is_complete() {
            true => Ok(()),
            false => Err(Broken),
        }
    }

    fn sleep(&self, is_complete: impl Fn() -> bool, is_broken: impl Fn() -> bool) {
        let mut guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        // Either the last member to arrive sees this sleeper, and wakes it under the lock, or this sleeper sees the end
        // of the round: both change the same number.
        self.state.fetch_add(1, Ordering::Relaxed);
        while !is_complete() && !is_broken() {
            guard = self
                .woken
                .wait(guard)
                .unwrap_or_else(PoisonError::into_inner);
        }
        self.state.fetch_sub(1, Ordering::Relaxed);
    }

    /// Makes every current and later wait fail, because a member will not come.
    pub(super) fn break_up(&self) {
        self.broken.store(true, Ordering::Relaxed);
        self.wake_all();
    }

    /// Wakes the sleepers. The lock is taken so that none is between its last look and its sleep.
    fn wake_all(&self) {
        let _guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.woken.notify_all();
    }
}

/// Pieces of work, each of which one member takes.
#[derive(Debug)]
#[repr(align(128))]
pub struct Pieces {
    next: AtomicUsize,
}

impl Default for Pieces {
    fn default() -> Pieces {
        Pieces {
            next: AtomicUsize::new(0),
        }
    }
}

impl Pieces {
    /// Calls `work` for pieces that no other member takes, until all `count` pieces are taken.
    pub fn for_each(&self, count: usize, mut work: impl FnMut(usize)) {
        loop {
            // The barrier orders memory; the counter only deals out numbers.
            let piece = self.next.fetch_add(1, Ordering::Relaxed);
            if piece >= count {
                return;
            }
            work(piece);
        }
    }

    /// Makes all pieces available again. Call it in one member, between two barriers with no [`Pieces::for_each`]
    /// between them; otherwise a piece may be taken twice.
    pub fn reset(&self) {
        self.next.store(0, Ordering::Relaxed);
    }
}

/// Pieces of work that belong to the members of a team. A member takes its own pieces, and then those of a member that
/// is late: a piece that is taken by another member has its data in the wrong cache, so few are.
#[derive(Debug)]
pub struct OwnedPieces {
    queues: Box<[Queue]>,
}

/// The number of pieces of a member that are taken, in cache lines of its own.
#[derive(Debug)]
#[repr(align(128))]
struct Queue(AtomicUsize);

/// A member is late if it has more than this part of its pieces left when another has none.
const LATE: usize = 4;

impl OwnedPieces {
    /// Queues for a team of so many members.
    pub fn new(members: usize) -> OwnedPieces {
        OwnedPieces {
            queues: (0..members).map(|_| Queue(AtomicUsize::new(0))).collect(),
        }
    }

    /// Calls `work` for pieces of `member`, then for pieces of others that are late, until all pieces are taken that
    /// this member should take. `pieces_of` returns the pieces of a member, the same to everyone.
    ///
    /// # Panics
    /// Panics if there is no such member.
    pub fn for_each(
        &self,
        member: usize,
        pieces_of: impl Fn(usize) -> Range<usize>,
        mut work: impl FnMut(usize),
    ) {
        let own = pieces_of(member);
        while let Some(piece) = self.take(member, &own) {
            work(piece);
        }
        let others = self.queues.len() - 1;
        for other in (1..=others).map(|step| (member + step) % (others + 1)) {
            let pieces = pieces_of(other);
            let is_late = || {
                // Only a hint: what is taken is decided in `take`.
                let taken = self.queues[other].0.load(Ordering::Relaxed);
                pieces.len().saturating_sub(taken) > (pieces.len() / LATE).max(1)
            };
            while is_late() {
                let Some(piece) = self.take(other, &pieces) else {
                    break;
                };
                work(piece);
            }
        }
    }

    /// The next piece of a member, if one is left.
    fn take(&self, member: usize, pieces: &Range<usize>) -> Option<usize> {
        // The barrier orders memory; the counter only deals out numbers.
        let taken = self.queues[member].0.fetch_add(1, Ordering::Relaxed);
        (taken < pieces.len()).then(|| pieces.start + taken)
    }

    /// Makes all pieces available again, as [`Pieces::reset`] does.
    pub fn reset(&self) {
        for queue in &self.queues {
            queue.0.store(0, Ordering::Relaxed);
        }
    }
}
