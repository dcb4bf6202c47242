//! The functions of OpenBLAS that are called.

use std::ffi::{c_char, c_int, c_void};

/// `cblas_sgemm`.
pub type Sgemm = unsafe extern "C" fn(
    c_int,
    c_int,
    c_int,
    c_int,
    c_int,
    c_int,
    f32,
    *const f32,
    c_int,
    *const f32,
    c_int,
    f32,
    *mut f32,
    c_int,
);

/// The functions that are called, with the types of `cblas.h`.
#[derive(Debug, Clone, Copy)]
pub struct Functions {
    pub sgemm: Sgemm,
    pub set_num_threads: unsafe extern "C" fn(c_int),
    pub get_num_threads: unsafe extern "C" fn() -> c_int,
    pub get_parallel: unsafe extern "C" fn() -> c_int,
    pub get_config: unsafe extern "C" fn() -> *const c_char,
    pub get_corename: unsafe extern "C" fn() -> *const c_char,
    pub allocation: Option<Allocation>,
}

/// What every call takes its buffer from and returns it to. Not part of `cblas.h`, but exported since GotoBLAS.
#[derive(Debug, Clone, Copy)]
pub struct Allocation {
    pub take: unsafe extern "C" fn(c_int) -> *mut c_void,
    pub give_back: unsafe extern "C" fn(*mut c_void),
}
