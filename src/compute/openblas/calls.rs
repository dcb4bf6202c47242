//! OpenBLAS's functions, and `sgemm` over views.

use std::ffi::{CStr, c_int};

use ndarray::{ArrayView2, ArrayViewMut2};

use super::buffers::Buffers;
use super::failure::Failure;
use super::functions::{Functions, Sgemm};
#[cfg(feature = "openblas-static")]
use super::linked as symbols;
#[cfg(feature = "openblas")]
use super::shared as symbols;
use crate::compute::blas::Blas;
use crate::error::Refusal;
use crate::message::{Key, message};

/// `CblasRowMajor`, `CblasNoTrans` and `CblasTrans` of `cblas.h`.
const ROW_MAJOR: c_int = 101;
const PLAIN: c_int = 111;
const TRANSPOSED: c_int = 112;

/// OpenBLAS with one thread per call, and at least one buffer to compute in.
#[derive(Debug)]
pub struct OpenBlas {
    sgemm: Sgemm,
    buffers: Buffers,
    facts: Blas,
}

impl OpenBlas {
    /// Loads the library, asks it for one thread per call and maps the first buffer.
    pub(in crate::compute) fn load() -> Result<OpenBlas, Failure> {
        let functions = symbols::load()?;
        let (facts, has_wide_integers) = describe(&functions);
        if has_wide_integers {
            let found = "a build with 64-bit integers";
            let refusal = Refusal::new("openblas", found, "one with 32-bit integers");
            let hint = message!["give ", Key("engine").set_to("native")];
            return Err(Failure::Library(refusal.hint(hint)));
        }
        // A serial build may lack the locks that calls at the same time need, and does not say so.
        let one_at_a_time = facts.threading == "serial" && !symbols::HAS_LOCKS;
        Ok(OpenBlas {
            sgemm: functions.sgemm,
            buffers: Buffers::new(functions.allocation, one_at_a_time)?,
            facts,
        })
    }

    /// Describes the library.
    pub fn facts(&self) -> &Blas {
        &self.facts
    }

    /// `c = a · b + beta · c`.
    ///
    /// Shapes: `a [m, k]`, `b [k, n]`, `c [m, n]`, each with unit stride along one axis.
    ///
    /// # Panics
    /// Panics if the shapes do not match, or an operand has no unit stride.
    pub(in crate::compute) fn multiply(
        &self,
        a: ArrayView2<f32>,
        b: ArrayView2<f32>,
        beta: f32,
        mut c: ArrayViewMut2<f32>,
    ) {
        let ((m, k), n) = (a.dim(), b.ncols());
        assert_eq!((b.nrows(), c.dim()), (k, (m, n)), "shapes of a product");
        let into = Operand::of(c.view());
        if into.transposed {
            // cᵀ = bᵀ · aᵀ, in rows.
            return self.multiply(
                b.reversed_axes(),
                a.reversed_axes(),
                beta,
                c.reversed_axes(),
            );
        }
        let (left, right) = (Operand::of(a), Operand::of(b));
        let size = |size: usize| c_int::try_from(size).expect("a size below 2³¹");
        let _buffer = self.buffers.enter();
        // SAFETY: `sgemm` reads `a [m, k]` and `b [k, n]` and writes `c [m, n]`, whose rows, or columns if transposed,
        // are `stride` elements apart. The views borrow all elements, `c` mutably; the assertion above checks the
        // shapes, and `Operand::of` that each stride spans a row. The library does not keep the pointers.
        unsafe {
            (self.sgemm)(
                ROW_MAJOR,
                left.order(),
                right.order(),
                size(m),
                size(n),
                size(k),
                1.0,
                a.as_ptr(),
                size(left.stride),
                b.as_ptr(),
                size(right.stride),
                beta,
                c.as_mut_ptr(),
                size(into.stride),
            );
        }
    }
}

/// How the elements of a view lie in memory.
struct Operand {
    transposed: bool,
    stride: usize,
}

impl Operand {
    /// Finds the axis of unit stride. The stride of an axis of length 1 means nothing.
    fn of(view: ArrayView2<f32>) -> Operand {
        let (rows, columns) = view.dim();
        let [down, along] = [view.strides()[0], view.strides()[1]];
        let transposed = along != 1 && columns > 1;
        let (unit, step, lines, length) = match transposed {
            false => (along, down, rows, columns),
            true => (down, along, columns, rows),
        };
        assert!(
            unit == 1 || length <= 1,
            "unit stride along one axis of {:?}",
            view.strides()
        );
        let stride = match lines {
            0 | 1 => length,
            _ => usize::try_from(step).expect("a positive stride"),
        };
        assert!(stride >= length, "rows that do not overlap");
        Operand {
            transposed,
            stride: stride.max(1),
        }
    }

    fn order(&self) -> c_int {
        if self.transposed { TRANSPOSED } else { PLAIN }
    }
}

/// Asks the library for one thread per call and for what it is, and whether its integers are wider than `c_int`.
fn describe(functions: &Functions) -> (Blas, bool) {
    // SAFETY: the header `cblas.h` declares the functions with these types. They take no pointers, and OpenBLAS guards
    // this state with a lock of its own.
    let (threading, threads) = unsafe {
        (functions.set_num_threads)(1);
        ((functions.get_parallel)(), (functions.get_num_threads)())
    };
    let threading = match threading {
        0 => "serial",
        1 => "pthreads",
        _ => "openmp",
    };
    // SAFETY: both functions return pointers to static, null-terminated strings, as `CStr::from_ptr` requires.
    let (config, kernel) = unsafe {
        (
            CStr::from_ptr((functions.get_config)()),
            CStr::from_ptr((functions.get_corename)()),
        )
    };
    let config = config.to_string_lossy();
    let version = config
        .split_whitespace()
        .find(|word| word.starts_with(|first: char| first.is_ascii_digit()))
        .unwrap_or("unknown");
    let facts = Blas {
        library: "OpenBLAS",
        version: version.to_owned(),
        kernel: kernel.to_string_lossy().into_owned(),
        threading,
        threads: usize::try_from(threads).unwrap_or(0),
    };
    (facts, config.contains("USE64BITINT"))
}
