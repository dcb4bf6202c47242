//! Which linear algebra library is linked in, and that it runs one thread a call.
//!
//! Parallelism is ours: blocks of a batch run side by side, each calling BLAS from its own worker.
//! OpenBLAS threads on top of that would fight over the cores, change the order of sums, and can corrupt
//! results when calls of different transpose kinds run at once (OpenBLAS issue 5836). An OpenMP build
//! forgets `openblas_set_num_threads(1)` unless `OMP_NUM_THREADS=1` stood in the environment before the
//! start (issue 5806), so that case is refused.

use serde::Serialize;

use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};

/// The linear algebra library of this process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Blas {
    /// `OpenBLAS` or `matrixmultiply`.
    pub library: &'static str,
    /// The version as the library states it.
    pub version: String,
    /// The name of the kernels chosen for this processor.
    pub kernel: String,
    /// How the library was built to thread: `serial`, `pthreads`, `openmp`.
    pub threading: &'static str,
    /// Threads a call may use.
    pub threads: usize,
}

/// Asks BLAS for one thread a call and says what it is, whether or not it keeps to that. Cheap; may be called any
/// number of times.
pub fn linked() -> Blas {
    imp::linked()
}

/// [`linked`], for those who will call it from several threads.
///
/// # Errors
/// [`Error::Blas`] when the library does not keep to one thread.
pub fn single_threaded() -> Result<Blas> {
    let blas = linked();
    if blas.threads != 1 {
        return Err(Error::Blas(
            Refusal::new(
                "openblas",
                format!("{} threads after asking for one", blas.threads),
                "1",
            )
            .hint(message![
                "put OPENBLAS_NUM_THREADS=1 before the command, or give ",
                Key("engine").set_to("native")
            ]),
        ));
    }
    if blas.threading == "openmp" && std::env::var("OMP_NUM_THREADS").as_deref() != Ok("1") {
        return Err(Error::Blas(
            Refusal::new(
                "openblas",
                "a build with OpenMP, which does not stay at one thread by itself",
                "OMP_NUM_THREADS=1 in the environment",
            )
            .hint("put OMP_NUM_THREADS=1 before the command, or link the pthreads build"),
        ));
    }
    Ok(blas)
}

#[cfg(any(feature = "openblas", feature = "openblas-static"))]
mod imp {
    use std::ffi::{CStr, c_char, c_int};

    // Naming the crate links the library in; without this line `cblas_sgemm` stays undefined. The build script links
    // the system's library.
    #[cfg(feature = "openblas-static")]
    use openblas_src as _;

    use super::Blas;

    unsafe extern "C" {
        fn openblas_set_num_threads(threads: c_int);
        fn openblas_get_num_threads() -> c_int;
        fn openblas_get_parallel() -> c_int;
        fn openblas_get_config() -> *const c_char;
        fn openblas_get_corename() -> *const c_char;
    }

    pub(super) fn linked() -> Blas {
        // SAFETY: plain calls into the linked library; OpenBLAS guards this state with its own lock.
        let (threading, threads) = unsafe {
            openblas_set_num_threads(1);
            (openblas_get_parallel(), openblas_get_num_threads())
        };
        let threading = match threading {
            0 => "serial",
            1 => "pthreads",
            _ => "openmp",
        };
        // SAFETY: both functions return pointers to static, null-terminated strings.
        let (config, kernel) = unsafe {
            (
                CStr::from_ptr(openblas_get_config()),
                CStr::from_ptr(openblas_get_corename()),
            )
        };
        let config = config.to_string_lossy();
        let version = config
            .split_whitespace()
            .find(|word| word.starts_with(|first: char| first.is_ascii_digit()))
            .unwrap_or("unknown");
        Blas {
            library: "OpenBLAS",
            version: version.to_owned(),
            kernel: kernel.to_string_lossy().into_owned(),
            threading,
            threads: usize::try_from(threads).unwrap_or(0),
        }
    }
}

/// What matrixmultiply picks for this processor, by its own documented order.
pub(super) fn matrixmultiply_kernel() -> &'static str {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    {
        if is_x86_feature_detected!("avx512f") {
            "avx512"
        } else if is_x86_feature_detected!("fma") && is_x86_feature_detected!("avx2") {
            "avx2"
        } else if is_x86_feature_detected!("avx") {
            "avx"
        } else {
            "sse2"
        }
    }
    #[cfg(target_arch = "aarch64")]
    {
        "neon"
    }
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
    {
        "generic"
    }
}

#[cfg(not(any(feature = "openblas", feature = "openblas-static")))]
mod imp {
    use super::Blas;

    pub(super) fn linked() -> Blas {
        Blas {
            library: "matrixmultiply",
            version: env!("PERCEPTOR_MATRIXMULTIPLY").to_owned(),
            kernel: super::matrixmultiply_kernel().to_owned(),
            threading: "serial",
            threads: 1,
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_library_runs_one_thread_a_call_and_says_who_it_is() {
        let blas = super::single_threaded().expect("a single-threaded library");
        assert_eq!(blas.threads, 1);
        assert!(blas.version.starts_with("0."), "{blas:?}");
        assert!(!blas.kernel.is_empty());
    }
}
