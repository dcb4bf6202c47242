//! Elementwise functions written so that the compiler turns loops over them into vector code.
//!
//! Each is branch-free arithmetic on one `f32`, without fused multiply-add_rows, and gives the same bits in every
//! instruction set. Callers put them into loops under `#[multiversion]`, which chooses AVX-512, AVX2 or the portable
//! version at run time. NaN inputs give NaN, so that a diverging run is visible. `sums` has loops of its own.

mod exponential;
mod gaussian;
mod sums;

pub use exponential::*;
pub use gaussian::*;
pub use sums::*;

/// `x`, or 0 if `x` is denormal.
///
/// Arithmetic with denormal numbers takes many times as long on some processors, and a velocity without a gradient
/// decays into them and stays there. Numbers below 1.2·10⁻³⁸ become 0. This is done in the arithmetic because Rust does
/// not allow changing the processor's own mode.
#[inline(always)]
pub fn flush(x: f32) -> f32 {
    // A comparison with NaN is false, so NaN is kept.
    if x.abs() < f32::MIN_POSITIVE { 0.0 } else { x }
}

#[cfg(test)]
mod tests;
