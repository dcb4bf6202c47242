//! OpenBLAS: where its functions come from, calls of them, and their limit to one thread.
//!
//! With the feature `openblas` it is a shared library that is loaded at the first use (`shared`), with
//! `openblas-static` it is a part of the program (`linked`), and without either there is none (`absent`). A run with
//! another engine pays nothing for it: no file is mapped, no thread started.
//!
//! Blocks of a batch run in parallel, each calling BLAS from its own worker. Threads of OpenBLAS in addition would
//! compete for the cores, change the order of sums, and can corrupt results when calls with different transposes run
//! at once (OpenBLAS issue 5836). An OpenMP build forgets `openblas_set_num_threads(1)` unless `OMP_NUM_THREADS=1` is
//! in the environment at the start (issue 5806), so that case is refused.

#[cfg(not(any(feature = "openblas", feature = "openblas-static")))]
mod absent;
#[cfg(any(feature = "openblas", feature = "openblas-static"))]
mod buffers;
#[cfg(any(feature = "openblas", feature = "openblas-static"))]
mod calls;
mod failure;
#[cfg(any(feature = "openblas", feature = "openblas-static"))]
mod functions;
#[cfg(feature = "openblas-static")]
mod linked;
#[cfg(all(feature = "openblas", target_os = "linux"))]
mod one_core;
#[cfg(feature = "openblas")]
mod shared;

use std::sync::OnceLock;

#[cfg(not(any(feature = "openblas", feature = "openblas-static")))]
use absent as symbols;
#[cfg(not(any(feature = "openblas", feature = "openblas-static")))]
pub use absent::OpenBlas;
#[cfg(any(feature = "openblas", feature = "openblas-static"))]
pub use calls::OpenBlas;
#[cfg(feature = "openblas-static")]
use linked as symbols;
#[cfg(feature = "openblas")]
use shared as symbols;

use self::failure::Failure;
use super::blas::Blas;
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};

/// Whether this build can call OpenBLAS. The shared library may still be missing on this machine.
pub const IS_BUILT_IN: bool = cfg!(any(feature = "openblas", feature = "openblas-static"));

/// Returns OpenBLAS, loaded at the first call and held to one thread per call.
///
/// # Errors
/// Returns [`Error::Blas`] if it is not in this build or on this machine, or does not keep to one thread, and
/// [`Error::Memory`] if the system grants no memory for a buffer.
pub fn loaded() -> Result<&'static OpenBlas> {
    static LOADED: OnceLock<Result<OpenBlas, Failure>> = OnceLock::new();
    let loaded = LOADED.get_or_init(|| {
        let openblas = OpenBlas::load()?;
        check_threads(openblas.facts()).map_err(Failure::Library)?;
        Ok(openblas)
    });
    loaded.as_ref().map_err(|failure| match failure.clone() {
        Failure::Library(refusal) => Error::Blas(refusal),
        Failure::Memory(refusal) => Error::Memory(refusal),
    })
}

/// Returns what tells one OpenBLAS from another, without loading it: its file and the kernels that the environment asks
/// for.
pub fn identity() -> String {
    let forced = std::env::var("OPENBLAS_CORETYPE").unwrap_or_default();
    format!("OpenBLAS {} {forced}", symbols::identity())
        .trim_end()
        .to_owned()
}

/// Checks that a call uses one thread.
fn check_threads(blas: &Blas) -> Result<(), Refusal> {
    if blas.threads != 1 {
        return Err(Refusal::new(
            "openblas",
            format!("{} threads after asking for one", blas.threads),
            "1",
        )
        .hint(message![
            "put OPENBLAS_NUM_THREADS=1 before the command, or give ",
            Key("engine").set_to("native")
        ]));
    }
    if blas.threading == "openmp" && std::env::var("OMP_NUM_THREADS").as_deref() != Ok("1") {
        return Err(Refusal::new(
            "openblas",
            "a build with OpenMP, which does not stay at one thread by itself",
            "OMP_NUM_THREADS=1 in the environment",
        )
        .hint("put OMP_NUM_THREADS=1 before the command, or install the pthreads build"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_runs_one_thread_per_call_and_reports_its_version() {
        if !IS_BUILT_IN {
            loaded().expect_err("a build without it");
            return;
        }
        let facts = loaded().expect("OpenBLAS, as at build time").facts();
        assert_eq!(facts.threads, 1);
        assert!(facts.version.starts_with("0."), "{facts:?}");
        assert!(!facts.kernel.is_empty());
    }

    #[test]
    fn more_than_one_thread_per_call_is_refused() {
        let blas = |threading, threads| Blas {
            library: "OpenBLAS",
            version: "0.3.21".to_owned(),
            kernel: "Haswell".to_owned(),
            threading,
            threads,
        };
        assert_eq!(check_threads(&blas("pthreads", 1)), Ok(()));
        let refused = check_threads(&blas("pthreads", 4)).expect_err("four threads");
        assert_eq!(
            refused.to_string(),
            "openblas: 4 threads after asking for one, expected 1"
        );
        if std::env::var_os("OMP_NUM_THREADS").is_none() {
            assert!(check_threads(&blas("openmp", 1)).is_err());
        }
    }
}
