//! The error of the functions against `f64`, and their bits in every instruction set.

use super::*;

/// The largest error over `points`, in units in the last place of the exact value.
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
fn functions_keep_to_their_documented_error() {
    let check =
        |name: &str, range: (f32, f32), most, fast: fn(f32) -> f32, exact: fn(f64) -> f64| {
            let worst = worst_ulp(&grid(range.0, range.1), fast, exact);
            assert!(worst <= most, "{name}: {worst}");
        };
    check("exp", (-87.0, 88.0), 2.0, exp, f64::exp);
    check("exp_m1", (-87.0, 88.0), 2.0, exp_m1, f64::exp_m1);
    check("exp_m1 near zero", (-1e-3, 1e-3), 2.0, exp_m1, f64::exp_m1);
    check("sigmoid", (-85.0, 85.0), 3.0, sigmoid, slow::sigmoid);
    check("tanh", (-12.0, 12.0), 3.0, tanh, f64::tanh);
    check("softplus", (-85.0, 85.0), 3.0, softplus, slow::softplus);
    check("silu", (-80.0, 80.0), 4.0, silu, slow::silu);
    check("mish", (-80.0, 80.0), 4.0, mish, slow::mish);
    check("gelu", (-12.5, 12.5), 7.0, gelu, slow::gelu);
    // Normal numbers of all magnitudes, and numbers around 1, where the logarithm is small.
    let magnitudes: Vec<f32> = (0x0080_0000..0x7f80_0000)
        .step_by(997)
        .map(f32::from_bits)
        .collect();
    for points in [magnitudes, grid(0.5, 2.0), grid(0.999, 1.001)] {
        let ln_ulp = worst_ulp(&points, ln, f64::ln);
        assert!(ln_ulp <= 2.0, "ln: {ln_ulp}");
        for x in points.into_iter().filter(|&x| x != 1.0) {
            let exact = f64::from(x).ln();
            let off = (ln_wide(x) - exact).abs() / exact.abs();
            assert!(off <= 1e-15, "ln_wide at {x}: {off}");
        }
    }
}

/// Derivatives cross zero, so their absolute error is checked.
#[test]
fn derivatives_keep_to_their_documented_error() {
    let check = |name: &str, fast: fn(f32) -> f32, exact: fn(f64) -> f64| {
        for x in [grid(-90.0, 90.0), grid(-8.0, 8.0)].concat() {
            let off = (f64::from(fast(x)) - exact(f64::from(x))).abs();
            assert!(off <= 3e-7, "{name} at {x}: {off}");
        }
    };
    check("silu_derivative", silu_derivative, slow::silu_derivative);
    check("mish_derivative", mish_derivative, slow::mish_derivative);
    check("gelu_derivative", gelu_derivative, slow::gelu_derivative);
}

/// The textbook's formulas in `f64`.
mod slow {
    use std::f64::consts::{FRAC_1_SQRT_2, PI};

    pub fn sigmoid(x: f64) -> f64 {
        1.0 / (1.0 + (-x).exp())
    }

    pub fn softplus(x: f64) -> f64 {
        x.max(0.0) + (-x.abs()).exp().ln_1p()
    }

    pub fn silu(x: f64) -> f64 {
        x * sigmoid(x)
    }

    pub fn silu_derivative(x: f64) -> f64 {
        sigmoid(x) * (1.0 + x * (1.0 - sigmoid(x)))
    }

    pub fn mish(x: f64) -> f64 {
        x * softplus(x).tanh()
    }

    pub fn mish_derivative(x: f64) -> f64 {
        let t = softplus(x).tanh();
        t + x * (1.0 - t * t) * sigmoid(x)
    }

    fn normal(x: f64) -> f64 {
        0.5 * libm::erfc(-x * FRAC_1_SQRT_2)
    }

    pub fn gelu(x: f64) -> f64 {
        x * normal(x)
    }

    pub fn gelu_derivative(x: f64) -> f64 {
        normal(x) + x * (-0.5 * x * x).exp() / (2.0 * PI).sqrt()
    }
}

/// Vector code has the bits of portable code, whose error is checked above. Instruction sets that this processor does
/// not have are skipped.
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
        let bits = |numbers: Vec<f32>| numbers.into_iter().map(f32::to_bits).collect::<Vec<_>>();
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            let mut found = points.clone();
            // SAFETY: the processor has AVX2 and FMA, as checked above.
            unsafe { avx2(&mut found, function) };
            assert!(bits(found) == portable, "{name} with AVX2");
        }
        if is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vl") {
            let mut found = points;
            // SAFETY: the processor has AVX-512BW and VL, and so F, as checked above.
            unsafe { avx512(&mut found, function) };
            assert!(bits(found) == portable, "{name} with AVX-512");
        }
    }
    check("exp", exp);
    check("exp_m1", exp_m1);
    check("sigmoid", sigmoid);
    check("tanh", tanh);
    check("softplus", softplus);
    check("silu", silu);
    check("silu_derivative", silu_derivative);
    check("mish", mish);
    check("mish_derivative", mish_derivative);
    check("gelu", gelu);
    check("gelu_derivative", gelu_derivative);
    check("flush", flush);
    check("ln", ln);
    check("ln_wide", |x| ln_wide(x) as f32);
    check("normal_deviate", |x| normal_deviate(x.to_bits()));
}

#[test]
fn large_inputs_give_finite_results_and_nan_stays_nan() {
    assert!(ln(f32::NAN).is_nan() && ln_wide(f32::NAN).is_nan());
    let bounded = [
        exp,
        exp_m1,
        sigmoid,
        tanh,
        silu_derivative,
        mish_derivative,
        gelu_derivative,
    ];
    for function in bounded {
        for x in [-1e30, -1e4, 1e4, 1e30, f32::INFINITY, f32::NEG_INFINITY] {
            assert!(function(x).is_finite(), "{x}");
        }
        assert!(function(f32::NAN).is_nan());
    }
    // These tend to zero on one side and to their input on the other.
    for function in [softplus, silu, mish, gelu] {
        for x in [1e4, 1e30, f32::INFINITY] {
            assert_eq!(function(x), x);
            assert!(function(-x).abs() < 1e-30, "{x}");
        }
        assert!(function(f32::NAN).is_nan());
    }
}
