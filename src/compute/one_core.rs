//! The calling thread on one core, for as long as a value lives.
//!
//! OpenBLAS starts a pool with a thread for each core of the thread that loads it, and nothing set afterwards ends it.
//! With one core there is no pool. `OPENBLAS_NUM_THREADS=1` would prevent it too, but changing the environment is unsound
//! while other threads may read it.
//!
//! New threads often start on the core of the thread that made them, and the system takes some milliseconds to move them
//! to another, in which two workers that wait for each other are slower than one. A worker that is held on a core of its
//! own for a moment stays there.

/// Cores in a set: eight times as many as glibc's `cpu_set_t` has.
const WORDS: usize = 128;
const LENGTH: usize = size_of::<[u64; WORDS]>();

/// Holds the calling thread on one core, and returns it to its cores when dropped. Other threads keep theirs.
#[derive(Debug)]
pub struct OneCore {
    /// The cores to return to; `None` if the system does not allow the change.
    before: Option<[u64; WORDS]>,
}

impl OneCore {
    /// Holds the thread on the core `number` of those it may use, counted from 0 and again from the first one after the
    /// last.
    pub fn hold(number: usize) -> OneCore {
        let before = affinity().and_then(|cores| {
            let all = (0..WORDS * 64).filter(|&core| cores[core / 64] >> (core % 64) & 1 == 1);
            let core = all.clone().nth(number % all.count().max(1))?;
            let mut one = [0; WORDS];
            one[core / 64] = 1 << (core % 64);
            set_affinity(&one).then_some(cores)
        });
        OneCore { before }
    }
}

impl Drop for OneCore {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            set_affinity(before);
        }
    }
}

fn affinity() -> Option<[u64; WORDS]> {
    let mut cores = [0; WORDS];
    // SAFETY: the system writes at most `LENGTH` bytes, the length of the array. 0 is the calling thread.
    let failed = unsafe { libc::sched_getaffinity(0, LENGTH, cores.as_mut_ptr().cast()) };
    (failed == 0).then_some(cores)
}

fn set_affinity(cores: &[u64; WORDS]) -> bool {
    // SAFETY: the system reads `LENGTH` bytes, the length of the array. 0 is the calling thread.
    unsafe { libc::sched_setaffinity(0, LENGTH, cores.as_ptr().cast()) == 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thread_is_on_one_core_and_returns_to_its_cores() {
        let before = affinity().expect("cores");
        for number in [0, 1, 1000] {
            let held = OneCore::hold(number);
            let cores: u32 = affinity()
                .expect("cores")
                .iter()
                .map(|w| w.count_ones())
                .sum();
            drop(held);
            assert_eq!((cores, affinity()), (1, Some(before)));
        }
    }
}
