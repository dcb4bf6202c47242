//! Elementwise functions written so that the compiler turns loops over them into vector code.
//!
//! Each is branch-free arithmetic on one `f32`, without fused multiply-add, and gives the same bits in
//! every instruction set. Callers put them into loops under `#[multiversion]`, which picks AVX-512, AVX2
//! or the portable version when the program runs. NaN goes in and comes out, so that a diverging run shows.

use std::f32::consts::{LOG2_E, SQRT_2};

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

/// `ln x`, to 2 ULP for every normal x above 0; NaN stays NaN.
///
/// Method: `x = 2ⁿ (1 + r)` with `√½ ≤ 1 + r < √2`, and a polynomial in `r` (that of S. L. Moshier, *Methods and Programs
/// for Mathematical Functions*, 1989).
#[inline(always)]
pub fn ln(x: f32) -> f32 {
    /// The bits of √½.
    const ROOT_HALF: u32 = 0x3f35_04f3;
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    // The exponent counts from √½ on, and the rest of the bits are a number from there.
    let from_root = x.to_bits().wrapping_sub(ROOT_HALF);
    let n = (from_root as i32 >> 23) as f32;
    let r = f32::from_bits((from_root & 0x007f_ffff).wrapping_add(ROOT_HALF)) - 1.0;
    let p = 7.037_683_6e-2;
    let p = p * r - 1.151_461e-1;
    let p = p * r + 1.167_699_9e-1;
    let p = p * r - 1.242_014_1e-1;
    let p = p * r + 1.424_932_3e-1;
    let p = p * r - 1.666_805_7e-1;
    let p = p * r + 2.000_071_5e-1;
    let p = p * r - 2.499_999_4e-1;
    let p = p * r + 3.333_333e-1;
    let square = r * r;
    let p = p * r * square + n * LN_2_LOW;
    let ln = n * LN_2_HIGH + (r + (p - 0.5 * square));
    if x.is_nan() { x } else { ln }
}

/// The standard normal deviate of 32 random bits, from −6.3 to 6.3: the inverse of the distribution function.
///
/// Method: the highest bit is the sign, and the others are the share `v` of both tails beyond the deviate, which keeps its
/// digits where it is small. The deviate is `√2 · erf⁻¹(1 − v)`, a polynomial in `ln(v (2 − v))` or in its root (M. Giles,
/// *Approximating the erfinv function*, 2010). Off by 10⁻⁶ at most up to ±5.5, and by 6·10⁻⁴ of itself beyond.
#[inline(always)]
pub fn normal(bits: u32) -> f32 {
    const PLACES: f32 = 1.0 / 2_147_483_648.0;
    let place = (bits & 0x7fff_ffff) as i32;
    let v = (place as f32 + 0.5) * PLACES;
    let w = -ln(v * (2.0 - v));
    let near = w - 2.5;
    let p = 2.810_226_4e-8;
    let p = p * near + 3.432_739_4e-7;
    let p = p * near - 3.523_387_7e-6;
    let p = p * near - 4.391_506_5e-6;
    let p = p * near + 2.185_808_7e-4;
    let p = p * near - 1.253_725_1e-3;
    let p = p * near - 4.177_681_6e-3;
    let p = p * near + 2.466_407_3e-1;
    let centre = p * near + 1.501_409_4;
    let far = w.sqrt() - 3.0;
    let p = -2.002_142_6e-4;
    let p = p * far + 1.009_505_6e-4;
    let p = p * far + 1.349_343_2e-3;
    let p = p * far - 3.673_428_4e-3;
    let p = p * far + 5.739_507_7e-3;
    let p = p * far - 7.622_461_3e-3;
    let p = p * far + 9.438_87e-3;
    let p = p * far + 1.001_674;
    let tail = p * far + 2.832_976_8;
    let root = if w < 5.0 { centre } else { tail };
    let magnitude = SQRT_2 * (1.0 - v) * root;
    f32::from_bits(magnitude.to_bits() | (bits & 0x8000_0000))
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
        // All magnitudes of normal numbers, and around 1, where the logarithm itself is small.
        let magnitudes: Vec<f32> = (0x0080_0000..0x7f80_0000)
            .step_by(997)
            .map(f32::from_bits)
            .collect();
        for points in [magnitudes, grid(0.5, 2.0), grid(0.999, 1.001)] {
            let ln_ulp = worst_ulp(&points, ln, f64::ln);
            assert!(ln_ulp <= 2.0, "ln: {ln_ulp}");
        }
    }

    #[test]
    fn normal_deviates_are_those_of_their_shares() {
        // `-statistics.NormalDist().inv_cdf((bits + 0.5) / 2**32)` of Python 3.11.
        for (bits, expected) in [
            (0x0000_0000, 6.337_957_754_553_789),
            (0x0000_0001, 6.166_429_517_819_749),
            (0x0000_03e8, 5.039_851_125_968_711),
            (0x0010_0000, 3.487_103_976_591_69),
            (0x0100_0000, 2.660_067_458_579_971_5),
            (0x1000_0000, 1.534_120_543_405_956_6),
            (0x2000_0000, 1.150_349_379_810_483_1),
            (0x3456_789a, 0.825_850_525_256_150_3),
            (0x4000_0000, 0.674_489_749_829_738_4),
            (0x5abc_def0, 0.373_348_772_437_267_7),
            (0x7fff_0000, 3.824_782_030_008_089_5e-5),
            (0x7fff_ffff, 2.918_099_372_916_623_4e-10),
        ] {
            let found = f64::from(normal(bits));
            let bound = if expected < 5.5 {
                1e-6
            } else {
                6e-4 * expected
            };
            assert!(
                (found - expected).abs() < bound,
                "{bits:x}: {found} for {expected}"
            );
            assert_eq!(normal(bits | 0x8000_0000), -normal(bits));
        }
    }

    /// Over an even sample of all 2³² draws: the moments of N(0, 1), and the share beyond each bound.
    #[test]
    fn normal_deviates_have_the_moments_and_tails_of_the_distribution() {
        const STEP: usize = 251;
        let count = (1usize << 32).div_ceil(STEP) as f64;
        let mut powers = [0.0f64; 4];
        // `2 * statistics.NormalDist().cdf(-bound)` of Python 3.11.
        let tails = [
            (1.0, 3.173_105_078_629_141_5e-1),
            (2.0, 4.550_026_389_635_842e-2),
            (3.0, 2.699_796_063_260_207e-3),
            (4.0, 6.334_248_366_623_996e-5),
        ];
        let mut beyond = tails.map(|_| 0u64);
        for bits in (0..=u32::MAX).step_by(STEP) {
            let z = f64::from(normal(bits));
            let square = z * z;
            for (sum, power) in powers
                .iter_mut()
                .zip([z, square, square * z, square * square])
            {
                *sum += power;
            }
            for (beyond, (bound, _)) in beyond.iter_mut().zip(tails) {
                *beyond += u64::from(z.abs() > bound);
            }
        }
        let [mean, variance, third, fourth] = powers.map(|sum| sum / count);
        assert!(mean.abs() < 1e-5 && third.abs() < 1e-4, "{mean} {third}");
        assert!((variance - 1.0).abs() < 1e-5, "{variance}");
        assert!((fourth - 3.0).abs() < 1e-4, "{fourth}");
        for (beyond, (bound, share)) in beyond.into_iter().zip(tails) {
            let found = beyond as f64 / count;
            assert!(
                (found / share - 1.0).abs() < 1e-3,
                "beyond {bound}: {found}"
            );
        }
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
        check("ln", ln);
        check("normal", |x| normal(x.to_bits()));
    }

    #[test]
    fn ends_of_the_range_stay_finite_and_nan_stays_nan() {
        assert!(ln(f32::NAN).is_nan());
        for function in [exp, sigmoid, tanh] {
            for x in [-1e30, -1e4, 1e4, 1e30, f32::INFINITY, f32::NEG_INFINITY] {
                assert!(function(x).is_finite(), "{x}");
            }
            assert!(function(f32::NAN).is_nan());
        }
    }
}
