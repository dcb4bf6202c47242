//! The workers that share the rows of a batch: a Rayon pool of its own, with as many threads as the caller chooses.
//!
//! Training is one parallel region per epoch: every worker runs the same body as a member of a team, takes pieces
//! of work that belong to it or to one that is late, and meets the others at a barrier some times a step. A fork and
//! join for every step costs some microseconds each, which is a good part of the step for small batches (see
//! `benches/NOTES.md`). Which worker takes a piece changes no bit: pieces depend on the network and the batch only, and
//! never share a sum.

use std::num::NonZeroUsize;
use std::thread;

use rayon::{ThreadPool, ThreadPoolBuilder};
use serde::{Deserialize, Serialize};

use super::barrier::Barrier;
pub use super::barrier::{OwnedPieces, Pieces};
use crate::error::{Error, Refusal, Result};
use crate::message::Key;
use crate::named::named;

/// The largest number of threads; no machine has as many cores.
const MAX_THREADS: usize = 4096;

named! {
    /// How workers divide wide layers among themselves: see [`crate::nn::Partition`].
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
    pub enum Division {
        /// By units as far as that is worth it, so that weights stay in the caches of one core.
        #[default]
        Units = "units",
        /// By rows of the batch.
        Rows = "rows",
    }
}

/// A pool of worker threads.
///
/// ```
/// use std::num::NonZeroUsize;
///
/// use perceptor::Workers;
///
/// let workers = Workers::new(NonZeroUsize::MIN)?;
/// assert_eq!(workers.threads(), 1);
/// let all_cores = Workers::new(Workers::available())?;
/// # Ok::<(), perceptor::Error>(())
/// ```
#[derive(Debug)]
pub struct Workers {
    pool: ThreadPool,
    division: Division,
}

impl Workers {
    /// Starts `threads` workers.
    ///
    /// # Errors
    /// Returns [`Error::Config`] if there are more than 4096 threads, or more than the system grants.
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
            division: Division::default(),
        })
    }

    /// The number of cores that this process may use, by affinity and control group.
    pub fn available() -> NonZeroUsize {
        thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
    }

    /// The same workers, who divide wide layers in training by `division`. That decides how fast a step is, and none of
    /// its bits.
    pub fn dividing_by(self, division: Division) -> Workers {
        Workers { division, ..self }
    }

    /// How these workers divide wide layers in training.
    pub fn division(&self) -> Division {
        self.division
    }

    /// Runs `body` on every worker at once, each as a member of one team, and waits for all of them.
    ///
    /// # Panics
    /// Panics if `body` panics in any member; the others then panic at their next barrier.
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

    /// Runs `work` on a worker. Rayon's parallel iterators inside `work` use all workers.
    pub fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        self.pool.install(work)
    }

    /// The number of workers.
    pub fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }
}

/// A worker as a member of a team.
#[derive(Debug, Clone, Copy)]
pub struct Member<'a> {
    index: usize,
    barrier: &'a Barrier,
}

impl Member<'_> {
    /// The number of this member in its team, from 0.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Whether this member does the work that only one member may do.
    pub fn leads(&self) -> bool {
        self.index == 0
    }

    /// Waits until all members are here. Each member then sees everything that any member wrote before.
    ///
    /// # Panics
    /// Panics if another member panics.
    pub fn wait(&self) {
        self.barrier.wait().expect("another worker panicked");
    }
}

/// Breaks the barrier when a member panics; the others would otherwise wait for it forever.
struct BreakOnPanic<'a>(&'a Barrier);

impl Drop for BreakOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.break_up();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    fn workers(threads: usize) -> Workers {
        Workers::new(NonZeroUsize::new(threads).expect("not zero")).expect("workers")
    }

    #[test]
    fn no_member_passes_a_barrier_before_all_reach_it() {
        for threads in [1, 2, 5] {
            let (count, pieces) = (AtomicUsize::new(0), Pieces::default());
            workers(threads).team(|member| {
                for round in 1..=200 {
                    pieces.for_each(17, |_| {
                        count.fetch_add(1, Ordering::Relaxed);
                    });
                    member.wait();
                    assert_eq!(count.load(Ordering::Relaxed), 17 * round);
                    if member.leads() {
                        pieces.reset();
                        // Sometimes long enough for the others to fall asleep.
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
    fn a_panic_in_one_member_ends_all_members() {
        let ended = catch_unwind(AssertUnwindSafe(|| {
            workers(3).team(|member| {
                assert!(!member.leads(), "on purpose");
                member.wait();
            });
        }));
        assert!(ended.is_err());
    }
}
