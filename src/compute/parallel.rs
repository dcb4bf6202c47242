//! The workers that share a batch out: a Rayon pool of its own, of a size the caller chooses.
//!
//! Training is one parallel region an epoch: every worker runs the same body as a member of a team, takes pieces
//! of work by a shared counter, and meets the others at a barrier twice a step. A fork and join for every step
//! costs some microseconds each, which at small batches is a good part of the step (see `benches/NOTES.md`). Who
//! takes which piece changes no bit: pieces are cut by network and batch, and never share a sum.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{hint, thread};

use rayon::{ThreadPool, ThreadPoolBuilder};

use super::blas::{self, Blas};
use crate::error::{Error, Refusal, Result};
use crate::message::Key;

/// More threads than any machine this runs on has cores.
const MAX_THREADS: usize = 4096;

/// Looks at the barrier before giving the core to others: some microseconds, the usual wait.
const SPINS: usize = 400;
/// How long the core is given to others again and again before going to sleep, so that a long wait burns nothing. Far
/// longer than it takes to wake a sleeper: else one late worker sends the others to sleep, who then are late in turn.
const PATIENCE: Duration = Duration::from_millis(2);

/// A pool of worker threads, with BLAS held to one thread in each.
#[derive(Debug)]
pub struct Workers {
    pool: ThreadPool,
    blas: Blas,
}

impl Workers {
    /// Starts `threads` workers.
    ///
    /// # Errors
    /// [`Error::Config`] for more threads than 4096 or than the system grants.
    pub fn new(threads: NonZeroUsize) -> Result<Workers> {
        let refuse = |found: String, expected: String| {
            Error::Config(Refusal::new(Key("threads"), found, expected))
        };
        if threads.get() > MAX_THREADS {
            return Err(refuse(threads.to_string(), format!("1 to {MAX_THREADS}")));
        }
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads.get())
            .thread_name(|worker| format!("worker-{worker}"))
            .build()
            .map_err(|error| {
                refuse(
                    format!("{threads} threads could not be started ({error})"),
                    "fewer".to_owned(),
                )
            })?;
        Ok(Workers {
            pool,
            blas: blas::linked(),
        })
    }

    /// Cores this process may use, by affinity and control group.
    pub fn available() -> NonZeroUsize {
        thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
    }

    /// Runs `body` on every worker at once, each as a member of one team, and waits for all.
    ///
    /// # Panics
    /// When `body` panics in any member; the others are then woken from their barrier to panic too.
    pub fn team(&self, body: impl Fn(Member) + Sync) {
        let barrier = Barrier::new(self.threads());
        self.pool.broadcast(|context| {
            let guard = BreakOnPanic(&barrier);
            body(Member {
                index: context.index(),
                barrier: &barrier,
            });
            drop(guard);
        });
    }

    /// Runs `work` on a worker; Rayon's parallel iterators inside it use all of them.
    pub fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        self.pool.install(work)
    }

    /// Number of workers.
    pub fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// The linear algebra library the workers call.
    pub fn blas(&self) -> &Blas {
        &self.blas
    }
}

/// One worker's place in a team.
#[derive(Debug, Clone, Copy)]
pub struct Member<'a> {
    index: usize,
    barrier: &'a Barrier,
}

impl Member<'_> {
    /// Which of the team this is, from 0.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Whether this member does what only one may do.
    pub fn leads(&self) -> bool {
        self.index == 0
    }

    /// Waits until all members are here. What any of them wrote before, all of them see after.
    pub fn wait(&self) {
        self.barrier.wait();
    }
}

/// Pieces of work, each taken by one member.
#[derive(Debug, Default)]
pub struct Pieces {
    next: AtomicUsize,
}

impl Pieces {
    /// Takes pieces until all `count` are taken, by whomever.
    pub fn take_each(&self, count: usize, mut work: impl FnMut(usize)) {
        loop {
            // The barrier orders memory; the counter only deals out.
            let piece = self.next.fetch_add(1, Ordering::Relaxed);
            if piece >= count {
                return;
            }
            work(piece);
        }
    }

    /// Puts all pieces back. Between two barriers at which nobody takes any.
    pub fn put_back(&self) {
        self.next.store(0, Ordering::Relaxed);
    }
}

/// Where a team meets: spins for the usual short wait, then gives way, then sleeps.
#[derive(Debug)]
struct Barrier {
    members: usize,
    arrived: AtomicUsize,
    meeting: AtomicUsize,
    sleepers: AtomicUsize,
    broken: AtomicBool,
    lock: Mutex<()>,
    woken: Condvar,
}

impl Barrier {
    fn new(members: usize) -> Barrier {
        Barrier {
            members,
            arrived: AtomicUsize::new(0),
            meeting: AtomicUsize::new(0),
            sleepers: AtomicUsize::new(0),
            broken: AtomicBool::new(false),
            lock: Mutex::new(()),
            woken: Condvar::new(),
        }
    }

    fn wait(&self) {
        let meeting = self.meeting.load(Ordering::Acquire);
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.members {
            self.arrived.store(0, Ordering::Relaxed);
            // Sequentially consistent, as is the count of sleepers: one of the two sees the other.
            self.meeting
                .store(meeting.wrapping_add(1), Ordering::SeqCst);
            self.wake();
            return;
        }
        let over = || {
            assert!(
                !self.broken.load(Ordering::Relaxed),
                "another worker panicked"
            );
            self.meeting.load(Ordering::SeqCst) != meeting
        };
        for _ in 0..SPINS {
            if over() {
                return;
            }
            hint::spin_loop();
        }
        let patient_until = Instant::now() + PATIENCE;
        while Instant::now() < patient_until {
            if over() {
                return;
            }
            thread::yield_now();
        }
        let mut guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        while !over() {
            guard = self
                .woken
                .wait(guard)
                .unwrap_or_else(PoisonError::into_inner);
        }
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
    }

    fn wake(&self) {
        if self.sleepers.load(Ordering::SeqCst) > 0 {
            let _guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
            self.woken.notify_all();
        }
    }
}

/// Wakes the others when a member panics, who would else wait for it forever.
struct BreakOnPanic<'a>(&'a Barrier);

impl Drop for BreakOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.broken.store(true, Ordering::SeqCst);
            let _guard = self.0.lock.lock().unwrap_or_else(PoisonError::into_inner);
            self.0.woken.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    fn workers(threads: usize) -> Workers {
        Workers::new(NonZeroUsize::new(threads).expect("not zero")).expect("workers")
    }

    #[test]
    fn nobody_passes_a_barrier_before_all_are_there() {
        for threads in [1, 2, 5] {
            let (count, pieces) = (AtomicUsize::new(0), Pieces::default());
            workers(threads).team(|member| {
                for round in 1..=200 {
                    pieces.take_each(17, |_| {
                        count.fetch_add(1, Ordering::Relaxed);
                    });
                    member.wait();
                    assert_eq!(count.load(Ordering::Relaxed), 17 * round);
                    if member.leads() {
                        pieces.put_back();
                        // Now and then long enough for the others to fall asleep.
                        if round % 50 == 0 {
                            thread::sleep(Duration::from_millis(5));
                        }
                    }
                    member.wait();
                }
            });
        }
    }

    #[test]
    fn a_panic_in_one_member_ends_all() {
        let ended = catch_unwind(AssertUnwindSafe(|| {
            workers(3).team(|member| {
                assert!(!member.leads(), "on purpose");
                member.wait();
            });
        }));
        assert!(ended.is_err());
    }
}
