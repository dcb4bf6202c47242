//! The arithmetic that takes the time, and the workers it runs on.
//!
//! `affine` is the narrow interface: a layer's weights with the three products of training, by one of the three engines of `engine`.
//! Behind it `gemm` is the only caller of matrix libraries, and `tile` over `simd` holds our own micro-kernels.
//! `normalization` normalises columns over rows, `parallel` is the team of workers, `shared` the buffers they share, `blas` asks
//! OpenBLAS who it is and keeps it single-threaded.

pub mod affine;
pub mod blas;
mod engine;
pub mod gemm;
pub mod normalization;
pub mod parallel;
pub mod shared;
#[cfg(target_arch = "x86_64")]
mod simd;
#[cfg(target_arch = "x86_64")]
mod tile;

pub use engine::Engine;
