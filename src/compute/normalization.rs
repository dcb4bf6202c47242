//! Normalisation of columns over rows, for [`crate::nn::batch_norm`].
//!
//! Columns are processed in chunks whose sums stay in registers and whose rows stay in the nearest cache, so that
//! several passes cost little more than one. Sums are taken row after row, which has the same bits in every instruction
//! set.

use multiversion::multiversion;

use crate::compute::shared::{LINE, Rows, RowsMut};
use crate::kernels::flush;

/// The ε that is added to a variance, as in PyTorch.
pub const EPSILON: f32 = 1e-5;

/// The number of columns whose sums stay in registers.
const COLUMNS: usize = 4 * LINE;

/// Runs `$body` for all columns in chunks, with the first column of each chunk as its first argument: first chunks as
/// wide as registers allow, then single cache lines. The last line may end in padding.
macro_rules! by_columns {
    ($width:expr, $body:ident($($argument:expr),*)) => {
        let mut start = 0;
        while start + COLUMNS <= $width {
            $body::<COLUMNS>(start, $($argument),*);
            start += COLUMNS;
        }
        while start < $width {
            $body::<LINE>(start, $($argument),*);
            start += LINE;
        }
    };
}

/// Normalises columns by their own mean and variance: `x̂ = (z − mean) / √(var + ε)`, then `z = γ ⊙ x̂`. The variance
/// is the mean square of the distances from the mean.
///
/// Shapes: `z`, `x_hat [rows, out]`, `gamma [out]`; `statistics` are mean and variance, `[out]` each with the padding
/// of a matrix row. Overwrites all except `gamma`.
///
/// # Panics
/// Panics if z and x̂ differ in shape.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
pub fn normalize(z: RowsMut, x_hat: RowsMut, gamma: &[f32], statistics: [&mut [f32]; 2]) {
    assert_eq!(
        (z.width, z.stride),
        (x_hat.width, x_hat.stride),
        "shapes of z and x̂"
    );
    let [mean, variance] = statistics;
    let (stride, z, x_hat) = (z.stride, z.values, x_hat.values);
    by_columns!(
        gamma.len(),
        normalize_columns((z, x_hat, stride), gamma, mean, variance)
    );
}

#[inline(always)]
fn normalize_columns<const N: usize>(
    start: usize,
    (z, x_hat, stride): (&mut [f32], &mut [f32], usize),
    gamma: &[f32],
    mean: &mut [f32],
    variance: &mut [f32],
) {
    let share = 1.0 / (z.len() / stride) as f32;
    let means = {
        let mut sums = [0.0; N];
        for row in z.chunks_exact(stride) {
            let row = &row[start..start + N];
            for n in 0..N {
                sums[n] += row[n];
            }
        }
        sums.map(|sum| sum * share)
    };
    let variances = {
        let mut sums = [0.0; N];
        for row in z.chunks_exact(stride) {
            let row = &row[start..start + N];
            for n in 0..N {
                let distance = row[n] - means[n];
                sums[n] += distance * distance;
            }
        }
        sums.map(|sum| sum * share)
    };
    let scales = variances.map(inverse_deviation);
    let gammas = padded::<N>(start, gamma);
    for (z, x_hat) in z
        .chunks_exact_mut(stride)
        .zip(x_hat.chunks_exact_mut(stride))
    {
        let (z, x_hat) = (&mut z[start..start + N], &mut x_hat[start..start + N]);
        for n in 0..N {
            let x = (z[n] - means[n]) * scales[n];
            x_hat[n] = x;
            z[n] = gammas[n] * x;
        }
    }
    mean[start..start + N].copy_from_slice(&means);
    variance[start..start + N].copy_from_slice(&variances);
}

/// Normalises columns by the given mean and variance: `z = γ ⊙ (z − mean) / √(var + ε)`.
///
/// Shapes: `z [rows, out]`, the others `[out]`. Overwrites `z`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
pub fn normalize_by(z: RowsMut, gamma: &[f32], mean: &[f32], variance: &[f32]) {
    let (z, stride) = (z.values, z.stride);
    by_columns!(
        gamma.len(),
        normalize_columns_by((&mut *z, stride), gamma, mean, variance)
    );
}

#[inline(always)]
fn normalize_columns_by<const N: usize>(
    start: usize,
    (z, stride): (&mut [f32], usize),
    gamma: &[f32],
    mean: &[f32],
    variance: &[f32],
) {
    let [gammas, means, variances] = [gamma, mean, variance].map(|of| padded::<N>(start, of));
    let mut factors = [0.0; N];
    for n in 0..N {
        factors[n] = gammas[n] * inverse_deviation(variances[n]);
    }
    for row in z.chunks_exact_mut(stride) {
        let row = &mut row[start..start + N];
        for n in 0..N {
            row[n] = (row[n] - means[n]) * factors[n];
        }
    }
}

/// The gradient of [`normalize_by`]: `dz = γ / √(var + ε) ⊙ du`.
///
/// Shapes: `du [rows, out]`, the others `[out]`. Overwrites `du` with `dz`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
pub fn normalize_by_backward(du: RowsMut, gamma: &[f32], variance: &[f32]) {
    for row in du.values.chunks_exact_mut(du.stride) {
        for ((d, gamma), &variance) in row.iter_mut().zip(gamma).zip(variance) {
            *d = flush(*d * (gamma * inverse_deviation(variance)));
        }
    }
}

/// The gradient of [`normalize`], from `du` at `γ ⊙ x̂ + β`: `dβ = Σ_rows du`, `dγ = Σ_rows du ⊙ x̂`, and `dz = γ /
/// √(var + ε) ⊙ (du − (dβ + x̂ ⊙ dγ) / rows)`.
///
/// Shapes: `du`, `x_hat [rows, out]`, `gamma [out]`; `variance` and `sums`, which are dγ and dβ, `[out]` each with the
/// padding of a matrix row. Overwrites `du` with `dz`, and `sums`.
///
/// # Panics
/// Panics if du and x̂ differ in shape.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
pub fn normalize_backward(
    du: RowsMut,
    x_hat: Rows,
    gamma: &[f32],
    variance: &[f32],
    sums: [&mut [f32]; 2],
) {
    assert_eq!(
        (du.width, du.stride),
        (x_hat.width, x_hat.stride),
        "shapes of du and x̂"
    );
    let [d_gamma, d_beta] = sums;
    let (stride, du, x_hat) = (du.stride, du.values, x_hat.values);
    by_columns!(
        gamma.len(),
        normalize_columns_backward((&mut *du, x_hat, stride), gamma, variance, d_gamma, d_beta)
    );
}

#[inline(always)]
fn normalize_columns_backward<const N: usize>(
    start: usize,
    (du, x_hat, stride): (&mut [f32], &[f32], usize),
    gamma: &[f32],
    variance: &[f32],
    d_gamma: &mut [f32],
    d_beta: &mut [f32],
) {
    let share = 1.0 / (du.len() / stride) as f32;
    let (mut d_gammas, mut d_betas) = ([0.0; N], [0.0; N]);
    for (d, x) in du.chunks_exact(stride).zip(x_hat.chunks_exact(stride)) {
        let (d, x) = (&d[start..start + N], &x[start..start + N]);
        for n in 0..N {
            d_betas[n] += d[n];
            d_gammas[n] += d[n] * x[n];
        }
    }
    let gammas = padded::<N>(start, gamma);
    let (mut factors, mut of_x, mut of_all) = ([0.0; N], [0.0; N], [0.0; N]);
    for n in 0..N {
        factors[n] = gammas[n] * inverse_deviation(variance[start + n]);
        (of_x[n], of_all[n]) = (d_gammas[n] * share, d_betas[n] * share);
    }
    for (d, x) in du.chunks_exact_mut(stride).zip(x_hat.chunks_exact(stride)) {
        let (d, x) = (&mut d[start..start + N], &x[start..start + N]);
        for n in 0..N {
            d[n] = flush(factors[n] * (d[n] - of_all[n] - x[n] * of_x[n]));
        }
    }
    d_gamma[start..start + N].copy_from_slice(&d_gammas);
    d_beta[start..start + N].copy_from_slice(&d_betas);
}

/// `1 / √(var + ε)`.
#[inline(always)]
fn inverse_deviation(variance: f32) -> f32 {
    1.0 / (variance + EPSILON).sqrt()
}

/// `N` numbers from `start` on, with zeros beyond the end.
#[inline(always)]
fn padded<const N: usize>(start: usize, numbers: &[f32]) -> [f32; N] {
    let mut padded = [0.0; N];
    let numbers = &numbers[start..numbers.len().min(start + N)];
    padded[..numbers.len()].copy_from_slice(numbers);
    padded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::shared::Matrix;

    /// Computed by hand, in the last column of several widths, whose line may end in padding.
    #[test]
    fn two_rows_normalise_to_one_and_minus_one() {
        for width in [1, 15, 16, 17, 64, 70, 130] {
            let zeroed = |rows| Matrix::zeroed(rows, width).expect("memory");
            let [mut z, mut x_hat, mut du] = [(); 3].map(|()| zeroed(2));
            let mut sums = [(); 4].map(|()| zeroed(1));
            let [means, variances, d_gammas, d_betas] = &mut sums;
            let gamma = vec![3.0; width];
            for (matrix, pair) in [(&mut z, [1.0, 5.0]), (&mut du, [0.5, 0.25])] {
                for (row, value) in matrix.all_mut().iter_mut().zip(pair) {
                    row.fill(value);
                }
            }
            let statistics = [&mut *means, &mut *variances].map(|of| of.all_mut().values);
            normalize(z.all_mut(), x_hat.all_mut(), &gamma, statistics);
            let [mean, variance] = [means, variances].map(|of| of.all_mut().values);
            assert_eq!((mean[width - 1], variance[width - 1]), (3.0, 4.0));
            let one = 2.0 / (4.0f32 + EPSILON).sqrt();
            let (z, x_hat) = (z.all_mut(), x_hat.all_mut());
            let rows = z.values.chunks_exact(z.stride);
            let rows = rows.zip(x_hat.values.chunks_exact(x_hat.stride));
            for ((z, x_hat), sign) in rows.zip([-one, one]) {
                assert!((x_hat[width - 1] - sign).abs() < 1e-6);
                assert_eq!(z[width - 1], 3.0 * x_hat[width - 1]);
                assert!(z[width..].iter().all(|&z| z == 0.0), "padding of {width}");
            }
            let gradients = [&mut *d_gammas, &mut *d_betas].map(|of| of.all_mut().values);
            normalize_backward(du.all_mut(), x_hat.as_rows(), &gamma, variance, gradients);
            let [d_gamma, d_beta] = [d_gammas, d_betas].map(|of| of.all_mut().values);
            assert!((d_gamma[width - 1] + 0.25 * one).abs() < 1e-6);
            assert_eq!(d_beta[width - 1], 0.75);
            // Two rows are always ±1, so their gradient is nearly zero.
            assert!(du.all_mut().values.iter().all(|d| d.abs() < 1e-5));
        }
    }
}
