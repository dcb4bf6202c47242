//! OpenBLAS as a part of the program.
//!
//! Its constructor runs before `main`. openblas-src builds it without a thread pool unless `OPENBLAS_USE_THREAD` is in
//! the environment of the build.

use std::ffi::{c_char, c_int, c_void};

// Naming the crates links the library.
use blas_src as _;
use openblas_src as _;

use super::failure::Failure;
use super::functions::{Allocation, Functions};

/// Whether calls may run at the same time in a build without threads: the same variable makes openblas-src add the
/// locks.
pub const HAS_LOCKS: bool = option_env!("OPENBLAS_USE_LOCKING").is_some();

unsafe extern "C" {
    fn cblas_sgemm(
        order: c_int,
        a_order: c_int,
        b_order: c_int,
        m: c_int,
        n: c_int,
        k: c_int,
        alpha: f32,
        a: *const f32,
        a_stride: c_int,
        b: *const f32,
        b_stride: c_int,
        beta: f32,
        c: *mut f32,
        c_stride: c_int,
    );
    fn openblas_set_num_threads(threads: c_int);
    fn openblas_get_num_threads() -> c_int;
    fn openblas_get_parallel() -> c_int;
    fn openblas_get_config() -> *const c_char;
    fn openblas_get_corename() -> *const c_char;
    fn blas_memory_alloc(purpose: c_int) -> *mut c_void;
    fn blas_memory_free(buffer: *mut c_void);
}

pub fn load() -> Result<Functions, Failure> {
    Ok(Functions {
        sgemm: cblas_sgemm,
        set_num_threads: openblas_set_num_threads,
        get_num_threads: openblas_get_num_threads,
        get_parallel: openblas_get_parallel,
        get_config: openblas_get_config,
        get_corename: openblas_get_corename,
        allocation: Some(Allocation {
            take: blas_memory_alloc,
            give_back: blas_memory_free,
        }),
    })
}

/// A build has one OpenBLAS.
pub fn identity() -> String {
    "linked in".to_owned()
}
