//! The linked linear algebra library, held to one thread per call.
//!
//! Blocks of a batch run in parallel, each calling BLAS from its own worker. Threads of OpenBLAS in addition would
//! compete for the cores, change the order of sums, and can corrupt results when calls with different transposes run
//! at once (OpenBLAS issue 5836). An OpenMP build forgets `openblas_set_num_threads(1)` unless `OMP_NUM_THREADS=1` is
//! in the environment at the start (issue 5806), so that case is refused.

use serde::Serialize;

use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};

/// The linear algebra library of this process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Blas {
    /// `OpenBLAS` or `matrixmultiply`.
    pub library: &'static str,
    /// The version that the library reports.
    pub version: String,
    /// The name of the kernels that the library chose for this processor.
    pub kernel: String,
    /// The threading that the library was built with: `serial`, `pthreads`, `openmp`.
    pub threading: &'static str,
    /// The number of threads that a call may use.
    pub threads: usize,
}

/// Asks the library for one thread per call and returns what it reports, whether or not it complies. Cheap to call.
pub fn linked() -> Blas {
    imp::linked()
}

/// Asks the library for one thread per call, before it is called from several threads.
///
/// # Errors
/// Returns [`Error::Blas`] if the library does not comply.
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

    // Naming the crates links the library; without these lines `cblas_sgemm` is undefined.
    use blas_src as _;
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
        // SAFETY: the declarations above are those of the library's header `cblas.h`. The functions take no pointers,
        // and OpenBLAS guards this state with a lock of its own.
        let (threading, threads) = unsafe {
            openblas_set_num_threads(1);
            (openblas_get_parallel(), openblas_get_num_threads())
        };
        let threading = match threading {
            0 => "serial",
            1 => "pthreads",
            _ => "openmp",
        };
        // SAFETY: both functions return pointers to static, null-terminated strings, as `CStr::from_ptr` requires.
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

/// The kernels that matrixmultiply chooses for this processor, by its documented order.
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
    fn the_library_runs_one_thread_per_call_and_reports_its_version() {
        let blas = super::single_threaded().expect("a single-threaded library");
        assert_eq!(blas.threads, 1);
        assert!(blas.version.starts_with("0."), "{blas:?}");
        assert!(!blas.kernel.is_empty());
    }
}
