//! Elementwise functions written so that the compiler turns loops over them into vector code.
//!
//! Each is branch-free arithmetic on one `f32`, without fused multiply-add, and gives the same bits in
//! every instruction set. Callers put them into loops under `#[multiversion]`, which picks AVX-512, AVX2
//! or the portable version when the program runs. NaN goes in and comes out, so that a diverging run shows.

use std::f32::consts::LOG2_E;

use multiversion::multiversion;

/// `x`, or 0 where its magnitude is below that of every normal number.
///
/// Arithmetic with denormal numbers takes many times as long on some processors, and a velocity that gets no gradient
/// falls among them and stays. What is flushed is below 1.2·10⁻³⁸. Done in the arithmetic and not by the processor's
/// own mode, which Rust does not allow to be changed.
#[inline(always)]
pub fn flush(x: f32) -> f32 {
    // Written so that NaN is kept.
    if x.abs() < f32::MIN_POSITIVE { 0.0 } else { x }
}

/// `eˣ` to 2 ULP for x in −87..88; beyond that range the value at its end.
///
/// Method: `x = n·ln 2 + r` with `|r| ≤ ln 2 / 2`, a polynomial in `r`, then `n` added to the exponent
/// (W. J. Cody and W. Waite, *Software Manual for the Elementary Functions*, 1980, chapter 6).
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    /// Adding and subtracting 1.5 · 2²³ rounds to the nearest integer.
    const ROUND: f32 = 12_582_912.0;
    /// ln 2 in two parts, the first with trailing zeros, so that `n · LN_2_HIGH` is exact.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let x = if x > 88.0 { 88.0 } else { x };
    let x = if x < -87.0 { -87.0 } else { x };
    let shifted = x * LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * LN_2_HIGH) - n * LN_2_LOW;
    let p = 1.987_569_1e-4;
    let p = p * r + 1.398_199_9e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
    let p = (p * r * r + r) + 1.0;
    let exponent = shifted.to_bits().wrapping_sub(ROUND.to_bits());
    p * f32::from_bits(exponent.wrapping_add(127) << 23)
}

/// The logistic function `1 / (1 + e⁻ˣ)`, to 3 ULP where it is above 10⁻³⁷.
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// `tanh x`, to 3 ULP: a polynomial near zero, where `1 − 2 / (e²ˣ + 1)` would cancel, and that elsewhere.
///
/// The polynomial is that of S. L. Moshier, *Methods and Programs for Mathematical Functions*, 1989.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    let square = x * x;
    let p = -5.704_988_7e-3;
    let p = p * square + 2.063_909e-2;
    let p = p * square - 5.373_971_7e-2;
    let p = p * square + 1.333_144_2e-1;
    let p = p * square - 3.333_328e-1;
    let near = p * square * x + x;
    let far = 1.0 - 2.0 / (exp(2.0 * x.abs()) + 1.0);
    if x.abs() < 0.625 {
        near
    } else {
        far.copysign(x)
    }
}

/// `Σ x²`, in sixteen sums that are put together in `f64`: the same bits in every instruction set.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
pub fn sum_of_squares(numbers: &[f32]) -> f64 {
    let mut sums = [0.0f32; 16];
    let (whole, rest) = numbers.as_chunks::<16>();
    for chunk in whole {
        for (sum, x) in sums.iter_mut().zip(chunk) {
            *sum += x * x;
        }
    }
    for (sum, x) in sums.iter_mut().zip(rest) {
        *sum += x * x;
    }
    sums.iter().copied().map(f64::from).sum()
}

/// `sᵢ = sᵢ + xᵢ²`, as far as there are numbers.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
pub fn add_squares(sums: &mut [f32], numbers: &[f32]) {
    for (sum, x) in sums.iter_mut().zip(numbers) {
        *sum += x * x;
    }
}

/// `xᵢ = xᵢ fᵢ`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
pub fn multiply_by(numbers: &mut [f32], factors: &[f32]) {
    for (x, factor) in numbers.iter_mut().zip(factors) {
        *x *= factor;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest distance from `exact`, in units in the last place, over `points`.
    fn worst_ulp(points: &[f32], fast: fn(f32) -> f32, exact: fn(f64) -> f64) -> f64 {
        points
            .iter()
            .map(|&x| {
                let exact = exact(f64::from(x));
                let nearest = (exact as f32).abs();
                let ulp = f64::from(nearest.next_up()) - f64::from(nearest);
                (f64::from(fast(x)) - exact).abs() / ulp
            })
            .fold(0.0, f64::max)
    }

    fn grid(from: f32, to: f32) -> Vec<f32> {
        let steps = 1_000_003;
        (0..=steps)
            .map(|i| from + (to - from) * (i as f32 / steps as f32))
            .collect()
    }

    #[test]
    fn keeps_to_the_stated_ulp() {
        let exp_ulp = worst_ulp(&grid(-87.0, 88.0), exp, f64::exp);
        assert!(exp_ulp <= 2.0, "exp: {exp_ulp}");
        let logistic = |x: f64| 1.0 / (1.0 + (-x).exp());
        let sigmoid_ulp = worst_ulp(&grid(-85.0, 85.0), sigmoid, logistic);
        assert!(sigmoid_ulp <= 3.0, "sigmoid: {sigmoid_ulp}");
        let tanh_ulp = worst_ulp(&grid(-12.0, 12.0), tanh, f64::tanh);
        assert!(tanh_ulp <= 3.0, "tanh: {tanh_ulp}");
    }

    /// Vector code of a wider instruction set has the bits of the portable path, whose distance from the truth is
    /// tested above. What this processor does not have is left out.
    #[cfg(target_arch = "x86_64")]
    #[test]
    fn every_instruction_set_has_the_same_bits() {
        #[target_feature(enable = "avx2,fma")]
        fn avx2(numbers: &mut [f32], function: impl Fn(f32) -> f32) {
            numbers.iter_mut().for_each(|x| *x = function(*x));
        }
        #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
        fn avx512(numbers: &mut [f32], function: impl Fn(f32) -> f32) {
            numbers.iter_mut().for_each(|x| *x = function(*x));
        }
        fn check(name: &str, function: impl Fn(f32) -> f32 + Copy) {
            let points = [grid(-90.0, 90.0), grid(-1e-37, 1e-37)].concat();
            let portable: Vec<u32> = points.iter().map(|&x| function(x).to_bits()).collect();
            let bits =
                |numbers: Vec<f32>| numbers.into_iter().map(f32::to_bits).collect::<Vec<_>>();
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                let mut found = points.clone();
                // SAFETY: the processor has it.
                unsafe { avx2(&mut found, function) };
                assert!(bits(found) == portable, "{name} with AVX2");
            }
            if is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vl") {
                let mut found = points;
                // SAFETY: the processor has it.
                unsafe { avx512(&mut found, function) };
                assert!(bits(found) == portable, "{name} with AVX-512");
            }
        }
        check("exp", exp);
        check("sigmoid", sigmoid);
        check("tanh", tanh);
        check("flush", flush);
    }

    #[test]
    fn ends_of_the_range_stay_finite_and_nan_stays_nan() {
        for function in [exp, sigmoid, tanh] {
            for x in [-1e30, -1e4, 1e4, 1e30, f32::INFINITY, f32::NEG_INFINITY] {
                assert!(function(x).is_finite(), "{x}");
            }
            assert!(function(f32::NAN).is_nan());
        }
    }
}
