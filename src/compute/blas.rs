//! What is known about a linear algebra library.

use serde::Serialize;

/// A linear algebra library.
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

/// Returns the description of matrixmultiply.
pub fn matrixmultiply() -> Blas {
    Blas {
        library: "matrixmultiply",
        version: env!("PERCEPTOR_MATRIXMULTIPLY").to_owned(),
        kernel: matrixmultiply_kernel().to_owned(),
        threading: "serial",
        threads: 1,
    }
}

/// The kernels that matrixmultiply chooses for this processor, by its documented order.
fn matrixmultiply_kernel() -> &'static str {
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
