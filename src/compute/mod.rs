//! The arithmetic that takes the time: matrix products, vectorised loops, and the workers they run on.
//!
//! `blas` asks the linear algebra library who it is and keeps it single-threaded, `gemm` is the only
//! caller of it, `kernels` holds the elementwise functions, `parallel` the pool of workers.

pub mod blas;
pub mod gemm;
pub mod kernels;
pub mod parallel;
