//! The normal distribution: its distribution function, as a part of GELU, and random deviates.

use std::f32::consts::SQRT_2;

use super::exponential::{clamp, exp_m1_near_zero, ln, reduce};
use super::flush;

/// `x · Φ(x)` with the distribution function Φ of the normal distribution, `x (1 + erf(x / √2)) / 2`, to 7 ULP for
/// results of a magnitude above 10⁻³⁵.
#[inline(always)]
pub fn gelu(x: f32) -> f32 {
    let x = if x < -NORMAL_END { -NORMAL_END } else { x };
    let (_, tail) = normal(x.abs());
    x * if x < 0.0 { tail } else { 1.0 - tail }
}

/// The derivative of [`gelu`], `Φ(x) + x e^(−x²/2) / √2π`, to 3·10⁻⁷.
#[inline(always)]
pub fn gelu_derivative(x: f32) -> f32 {
    const DENSITY_AT_0: f32 = 0.398_942_3;
    let x = clamp(x, NORMAL_END);
    let (e, tail) = normal(x.abs());
    let below = if x < 0.0 { tail } else { 1.0 - tail };
    below + x * (DENSITY_AT_0 * e)
}

/// Beyond this x, `e^(−x²/2)` is denormal.
const NORMAL_END: f32 = 13.15;

/// `e^(−x²/2)` and Φ(−x) for `x ≥ 0`, with x limited to [`NORMAL_END`]; Φ(−x) is 0 instead of denormal.
///
/// Φ(−x) is `e^(−x²/2)` times a function that falls slowly from a half, here a polynomial in `1 / (1 + 0.26 x)` fitted
/// to `erfcx(x / √2) / 2` with a relative error of 2·10⁻⁸. The exponent is computed exactly, in two parts; rounded, it
/// would be wrong by many units.
#[inline(always)]
fn normal(x: f32) -> (f32, f32) {
    let x = if x > NORMAL_END { NORMAL_END } else { x };
    // Half of the digits of x; their square is exact.
    let high = f32::from_bits(x.to_bits() & 0xffff_f000);
    let rest = -0.5 * (x - high) * (x + high);
    let (r, power) = reduce(-0.5 * high * high);
    let e = (exp_m1_near_zero(r + rest) + 1.0) * power;
    let t = 1.0 / (1.0 + 0.26 * x);
    let p = 3.095_254_9e-2;
    let p = p * t - 1.550_170_8e-1;
    let p = p * t + 2.560_449e-1;
    let p = p * t - 1.562_064e-1;
    let p = p * t + 1.646_235_4e-1;
    let p = p * t + 4.943_751_5e-2;
    let p = p * t + 1.034_451_7e-1;
    let p = p * t + 1.029_571_4e-1;
    let p = p * t + 1.037_626_6e-1;
    (e, flush(e * (p * t)))
}

/// The standard normal deviate of 32 random bits, from −6.3 to 6.3: the inverse of the distribution function.
///
/// Method: the highest bit is the sign, and the others are the share `v` of both tails beyond the deviate, which is
/// exact even if it is small. The deviate is `√2 · erf⁻¹(1 − v)`, a polynomial in `ln(v (2 − v))` or in its root (M.
/// Giles, *Approximating the erfinv function*, 2010). The error is at most 10⁻⁶ up to ±5.5, and a relative 6·10⁻⁴
/// beyond.
#[inline(always)]
pub fn normal_deviate(bits: u32) -> f32 {
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

    #[test]
    fn normal_deviates_are_those_of_their_quantiles() {
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
            let found = f64::from(normal_deviate(bits));
            let bound = if expected < 5.5 {
                1e-6
            } else {
                6e-4 * expected
            };
            assert!(
                (found - expected).abs() < bound,
                "{bits:x}: {found} for {expected}"
            );
            assert_eq!(normal_deviate(bits | 0x8000_0000), -normal_deviate(bits));
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
            let z = f64::from(normal_deviate(bits));
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
}
