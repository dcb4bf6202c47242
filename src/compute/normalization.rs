//! Normalisation over rows, a column at a time: [`crate::nn::batch_norm`] says what for.
//!
//! Columns are taken in chunks whose sums stay in registers, and a chunk's rows in the nearest cache, so that the passes over
//! them cost little more than one. Sums are taken row after row: the same bits in every instruction set.

use multiversion::multiversion;

use crate::compute::shared::{LINE, Rows, RowsMut};
use crate::kernels::flush;

/// What is added to a variance, ε, as in PyTorch.
pub const EPSILON: f32 = 1e-5;

/// Columns whose sums stay in registers.
const COLUMNS: usize = 4 * LINE;

/// Runs `$body` over columns in chunks, with the first column of each as `$start`: as wide ones as registers hold, then by
/// lines. The last line may end in padding.
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

/// Mean and variance of the rows of z, the variance as the mean square of the distances from the mean; `x̂ = (z − mean) /
/// √(var + ε)` by these, and `z = γ ⊙ x̂`.
///
/// Shapes: `z`, `x_hat [rows, out]`, `gamma [out]`, `statistics` mean and variance, each with the padding of a row of a
/// matrix. Overwrites all but `gamma`.
///
/// # Panics
/// When z and x̂ differ in shape.
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

/// `z = γ ⊙ (z − mean) / √(var + ε)`.
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

/// The way back through [`normalize_by`]: `dz = γ / √(var + ε) ⊙ du`.
///
/// Shapes: `du [rows, out]`, the others `[out]`. Overwrites `du`, which then is `dz`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
pub fn normalize_by_backward(du: RowsMut, gamma: &[f32], variance: &[f32]) {
    for row in du.values.chunks_exact_mut(du.stride) {
        for ((d, gamma), &variance) in row.iter_mut().zip(gamma).zip(variance) {
            *d = flush(*d * (gamma * inverse_deviation(variance)));
        }
    }
}

/// The way back through [`normalize`], from `du` at `γ ⊙ x̂ + β`: `dβ = Σ_rows du`, `dγ = Σ_rows du ⊙ x̂`, and `dz = γ /
/// √(var + ε) ⊙ (du − (dβ + x̂ ⊙ dγ) / rows)`.
///
/// Shapes: `du`, `x_hat [rows, out]`, `gamma [out]`, `variance` and `sums`, which are dγ and dβ, as the statistics there.
/// Overwrites `du`, which then is `dz`, and `sums`.
///
/// # Panics
/// When du and x̂ differ in shape.
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

/// `N` numbers from `start` on, zeros where there are none.
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

    /// By hand, in the last column of several widths, whose line may end in padding.
    #[test]
    fn two_rows_normalise_to_one_and_minus_one() {
        for width in [1, 15, 16, 17, 64, 70, 130] {
            let [z, x_hat, du] = [(); 3].map(|()| Matrix::zeroed(2, width).expect("memory"));
            let sums = [(); 4].map(|()| Matrix::zeroed(1, width).expect("memory"));
            let [means, variances, d_gammas, d_betas] = &sums;
            let gamma = vec![3.0; width];
            // SAFETY: they are ours alone.
            unsafe {
                for (matrix, pair) in [(&z, [1.0, 5.0]), (&du, [0.5, 0.25])] {
                    for (row, value) in matrix.rows_mut(0..2).iter_mut().zip(pair) {
                        row.fill(value);
                    }
                }
                let statistics = [means, variances].map(|of| of.rows_mut(0..1).values);
                normalize(z.rows_mut(0..2), x_hat.rows_mut(0..2), &gamma, statistics);
                let [mean, variance] = [means, variances].map(|of| of.rows(0..1).values);
                assert_eq!((mean[width - 1], variance[width - 1]), (3.0, 4.0));
                let one = 2.0 / (4.0f32 + EPSILON).sqrt();
                for row in 0..2 {
                    let sign = if row == 0 { -one } else { one };
                    let (z, x_hat) = (z.rows(row..row + 1), x_hat.rows(row..row + 1));
                    assert!((x_hat.values[width - 1] - sign).abs() < 1e-6);
                    assert_eq!(z.values[width - 1], 3.0 * x_hat.values[width - 1]);
                    // The padding stays zero.
                    assert!(z.values[width..].iter().all(|&z| z == 0.0), "width {width}");
                }
                let gradients = [d_gammas, d_betas].map(|of| of.rows_mut(0..1).values);
                normalize_backward(
                    du.rows_mut(0..2),
                    x_hat.rows(0..2),
                    &gamma,
                    variance,
                    gradients,
                );
                let [d_gamma, d_beta] = [d_gammas, d_betas].map(|of| of.rows(0..1).values);
                assert!((d_gamma[width - 1] + 0.25 * one).abs() < 1e-6);
                assert_eq!(d_beta[width - 1], 0.75);
                // Two rows are always ±1: next to nothing goes back.
                assert!(du.rows(0..2).values.iter().all(|d| d.abs() < 1e-5));
            }
        }
    }
}
