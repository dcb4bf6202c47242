//! `eˣ` and `ln x`, and functions composed of them.

use std::f32::consts::LOG2_E;

/// `eˣ` to 2 ULP for x in −87..88; beyond that range, the value at the nearer end.
///
/// Method: `x = n·ln 2 + r` with `|r| ≤ ln 2 / 2`, a polynomial in `r`, then `n` added to the exponent
/// (W. J. Cody and W. Waite, *Software Manual for the Elementary Functions*, 1980, chapter 6).
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let (r, power) = reduce(x);
    (exp_m1_near_zero(r) + 1.0) * power
}

/// `eˣ − 1` to 2 ULP for x in −87..88, also near zero, where `exp(x) − 1` would cancel.
#[inline(always)]
pub fn exp_m1(x: f32) -> f32 {
    let (r, power) = reduce(x);
    exp_m1_near_zero(r) * power + (power - 1.0)
}

/// `r` and `2ⁿ` with `x = n·ln 2 + r` and `|r| ≤ ln 2 / 2`, for x in −87..88 or the nearer end of that range.
#[inline(always)]
pub(super) fn reduce(x: f32) -> (f32, f32) {
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
    let exponent = shifted.to_bits().wrapping_sub(ROUND.to_bits());
    (r, f32::from_bits(exponent.wrapping_add(127) << 23))
}

/// `eʳ − 1` for `|r|` up to a little over `ln 2 / 2`.
#[inline(always)]
pub(super) fn exp_m1_near_zero(r: f32) -> f32 {
    let p = 1.987_569_1e-4;
    let p = p * r + 1.398_199_9e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
    p * r * r + r
}

/// The logistic function `1 / (1 + e⁻ˣ)`, to 3 ULP for results above 10⁻³⁷.
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// `tanh x`, to 3 ULP: `m / (m + 2)` with `m = e²ˣ − 1`, which does not cancel near zero.
///
/// `x = n·½ ln 2 + r` as for [`exp`], and a minimax polynomial for `e²ʳ − 1`.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    /// Adding 1.5 · 2²³ + 127 rounds to the nearest integer, and leaves the exponent of a float in the lowest bits.
    const ROUND: f32 = 12_582_912.0 + 127.0;
    /// ½ ln 2 in two parts, the first with trailing zeros, so that `n · HALF_LN_2_HIGH` is exact.
    const HALF_LN_2_HIGH: f32 = 0.346_679_7;
    const HALF_LN_2_LOW: f32 = -1.060_972_2e-4;
    // The result is ±1 from 9.02 on.
    let x = clamp(x, 20.0);
    let shifted = x * (2.0 * LOG2_E) + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * HALF_LN_2_HIGH) - n * HALF_LN_2_LOW;
    let p = 8.888_878e-2;
    let p = p * r + 2.678_082e-1;
    let p = p * r + 6.666_742e-1;
    let p = p * r + 1.333_320_5;
    let p = p * r + 1.999_999_9;
    let p = p * r * r + (r + r);
    let power = f32::from_bits(shifted.to_bits() << 23);
    let m = p * power + (power - 1.0);
    m / (m + 2.0)
}

/// `ln(1 + eˣ)`, to 3 ULP for results above 10⁻³⁷, as `max(0, x) + ln(1 + e^−|x|)`, which does not overflow.
///
/// `ln(1 + w)` is `2 artanh s` with `s = w / (2 + w)`, at most 1/3 here, by a polynomial in `s²`.
#[inline(always)]
pub fn softplus(x: f32) -> f32 {
    let w = exp(-x.abs());
    let s = w / (2.0 + w);
    let square = s * s;
    let p = 1.215_057_9e-1;
    let p = p * square + 1.071_380_2e-1;
    let p = p * square + 1.430_844_5e-1;
    let p = p * square + 1.999_943_9e-1;
    let p = p * square + 3.333_333_8e-1;
    // A comparison with NaN is false, so NaN is kept.
    let positive = if x < 0.0 { 0.0 } else { x };
    positive + 2.0 * (p * square * s + s)
}

/// `x · σ(x)` with the logistic function σ, to 4 ULP for results of a magnitude above 10⁻³⁵.
#[inline(always)]
pub fn silu(x: f32) -> f32 {
    let x = if x < -87.0 { -87.0 } else { x };
    x * sigmoid(x)
}

/// The derivative of [`silu`], `σ(x) (1 + x (1 − σ(x)))`, to 3·10⁻⁷.
#[inline(always)]
pub fn silu_derivative(x: f32) -> f32 {
    let x = clamp(x, 87.0);
    let e = exp(-x);
    let s = 1.0 / (1.0 + e);
    // `e * s` is 1 − σ(x) without cancellation.
    s * (1.0 + x * (e * s))
}

/// `x · tanh(ln(1 + eˣ))`, to 4 ULP for results of a magnitude above 10⁻³⁵.
///
/// The hyperbolic tangent of the logarithm is rational in `eˣ`: see `tanh_of_softplus`.
#[inline(always)]
pub fn mish(x: f32) -> f32 {
    let x = if x < -87.0 { -87.0 } else { x };
    let (_, above, below) = tanh_of_softplus(x);
    x * (above / below)
}

/// The derivative of [`mish`], to 3·10⁻⁷: with `t = tanh(ln(1 + eˣ))` it is `t + x (1 − t²) σ(x)`.
#[inline(always)]
pub fn mish_derivative(x: f32) -> f32 {
    let x = clamp(x, 87.0);
    let (w, above, below) = tanh_of_softplus(x);
    // (1 − t²) σ(x) is 4 eˣ (1 + eˣ) over the square of the denominator of t, scaled by w⁴ if that is scaled by w².
    let power = if x > 0.0 { w * w } else { w };
    above / below + x * (4.0 * power * (1.0 + w) / (below * below))
}

/// `w = e^−|x|`, and the numerator and denominator of `tanh(ln(1 + eˣ)) = (e²ˣ + 2eˣ) / (e²ˣ + 2eˣ + 2)`; for x above
/// zero both are multiplied by `w²`, so that nothing overflows.
#[inline(always)]
fn tanh_of_softplus(x: f32) -> (f32, f32, f32) {
    let w = exp(-x.abs());
    let positive = x > 0.0;
    let above = if positive {
        1.0 + 2.0 * w
    } else {
        w * (w + 2.0)
    };
    let below = above + if positive { 2.0 * (w * w) } else { 2.0 };
    (w, above, below)
}

/// `ln x`, to 2 ULP for every normal x above 0; NaN for NaN.
///
/// Method: `x = 2ⁿ (1 + r)` with `√½ ≤ 1 + r < √2`, and a polynomial in `r` (from S. L. Moshier, *Methods and Programs
/// for Mathematical Functions*, 1989).
#[inline(always)]
pub fn ln(x: f32) -> f32 {
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let (n, r) = reduce_ln(x);
    let n = n as f32;
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

/// `ln x` in `f64`, to a relative error of 10⁻¹⁵, for every normal x above 0; NaN for NaN.
///
/// `ln(2ⁿ m)` with `√½ ≤ m < √2` is `n ln 2 + 2 artanh s` with `s = (m − 1) / (m + 1)`, by its series.
#[inline(always)]
pub fn ln_wide(x: f32) -> f64 {
    let (n, r) = reduce_ln(x);
    let r = f64::from(r);
    let s = r / (r + 2.0);
    let square = s * s;
    let p = 1.0 / 21.0;
    let p = p * square + 1.0 / 19.0;
    let p = p * square + 1.0 / 17.0;
    let p = p * square + 1.0 / 15.0;
    let p = p * square + 1.0 / 13.0;
    let p = p * square + 1.0 / 11.0;
    let p = p * square + 1.0 / 9.0;
    let p = p * square + 1.0 / 7.0;
    let p = p * square + 1.0 / 5.0;
    let p = p * square + 1.0 / 3.0;
    let artanh = p * square * s + s;
    let ln = f64::from(n) * std::f64::consts::LN_2 + (artanh + artanh);
    if x.is_nan() { f64::NAN } else { ln }
}

/// `n` and `r` with `x = 2ⁿ (1 + r)` and `√½ ≤ 1 + r < √2`, for normal x above 0.
#[inline(always)]
fn reduce_ln(x: f32) -> (i32, f32) {
    /// The bits of √½.
    const ROOT_HALF: u32 = 0x3f35_04f3;
    // The exponent is counted from √½, and the other bits are the mantissa relative to √½.
    let from_root = x.to_bits().wrapping_sub(ROOT_HALF);
    let r = f32::from_bits((from_root & 0x007f_ffff).wrapping_add(ROOT_HALF)) - 1.0;
    (from_root as i32 >> 23, r)
}

/// `x` limited to `−end..=end`; NaN stays NaN.
#[inline(always)]
pub(super) fn clamp(x: f32, end: f32) -> f32 {
    // A comparison with NaN is false, so NaN is kept.
    let x = if x > end { end } else { x };
    if x < -end { -end } else { x }
}
