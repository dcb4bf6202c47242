//! The calling thread on one core, while OpenBLAS is loaded.
//!
//! OpenBLAS starts a pool with a thread for each core of the thread that loads it, and nothing set afterwards ends it.
//! With one core there is no pool. `OPENBLAS_NUM_THREADS=1` would prevent it too, but changing the environment is
//! unsound while other threads may read it.

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
    pub fn hold() -> OneCore {
        let before = affinity();
        let mut one = [0; WORDS];
        let first = before.and_then(|cores| cores.iter().position(|&word| word != 0));
        let before = before.zip(first).and_then(|(cores, word)| {
            one[word] = 1 << cores[word].trailing_zeros();
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
        let held = OneCore::hold();
        let cores: u32 = affinity()
            .expect("cores")
            .iter()
            .map(|w| w.count_ones())
            .sum();
        drop(held);
        assert_eq!((cores, affinity()), (1, Some(before)));
    }
}
