//! The workers that share a batch out: a Rayon pool of its own, of a size the caller chooses.
//!
//! The thread that calls [`Workers::run`] waits while the workers do everything, so `threads` is the
//! number of cores in use. Nothing here decides how work is cut: that depends on network and batch alone.

use std::num::NonZeroUsize;
use std::thread;

use rayon::{ThreadPool, ThreadPoolBuilder};

use super::blas::{self, Blas};
use crate::error::{Error, Refusal, Result};

/// More threads than any machine this runs on has cores.
const MAX_THREADS: usize = 4096;

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
    /// [`Error::Config`] for more threads than 4096 or than the system grants, [`Error::Blas`] when BLAS
    /// cannot be held to one thread.
    pub fn new(threads: NonZeroUsize) -> Result<Workers> {
        let refuse = |found: String, expected: String| {
            Error::Config(Refusal::new("--threads", found, expected))
        };
        if threads.get() > MAX_THREADS {
            return Err(refuse(threads.to_string(), format!("1 to {MAX_THREADS}")));
        }
        let blas = blas::single_threaded()?;
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
        Ok(Workers { pool, blas })
    }

    /// Cores this process may use, by affinity and control group.
    pub fn available() -> NonZeroUsize {
        thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
    }

    /// Runs `work` on a worker; parallel iterators inside it use all of them.
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
