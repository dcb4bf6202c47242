//! The matrix products, and the workers that compute them.
//!
//! `affine` is the narrow interface: the weights of a layer with the three products of training, computed by one of the
//! engines in `engine`. `gemm` is the only caller of matrix libraries; `tile` has Perceptor's own micro-kernels over
//! the registers of `simd`. `normalization` normalises columns over rows. `parallel` is the team of workers, which
//! meets at `barrier`; `shared` has the buffers of a team, and `phases` the proof of what a worker may touch in them.
//! `blas` describes libraries; `openblas` loads OpenBLAS, holds it to one thread and calls it.

pub mod affine;
mod barrier;
pub mod blas;
pub mod elements;
mod engine;
pub mod gemm;
pub mod nonzeros;
pub mod normalization;
pub mod openblas;
pub mod parallel;
pub mod phases;
pub mod shared;
#[cfg(target_arch = "x86_64")]
mod simd;
mod sync;
#[cfg(target_arch = "x86_64")]
mod tile;

pub use engine::{Engine, EngineChoice};
#[cfg(target_arch = "x86_64")]
pub use simd::{Avx2, Avx512};
