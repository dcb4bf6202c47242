//! Batch normalisation of a hidden layer: `y = f(γ ⊙ x̂ + β)` with `x̂ = (z − mean) / √(var + ε)` and `z = x · w`
//! (S. Ioffe and C. Szegedy, *Batch Normalization*, 2015). β is the layer's bias, which then is nothing else.
//!
//! Mean and variance in training are those of a shard of the batch and not of the whole (ghost batch normalisation: E. Hoffer
//! and others, *Train longer, generalize better*, 2017), so that a worker takes a shard through all layers and back without
//! waiting for others. [`Shards`] cuts by the number of rows alone. A shard of one row is its own mean: x̂ is 0, and y is
//! `f(β)`. Evaluation takes running statistics, which the update moves towards the mean over the shards; frozen layers take
//! them in training too, and keep them.

use std::ops::Range;

use multiversion::multiversion;

use super::activation::{Activation, activate_backward, activate_backward_scaled};
use super::parameter::Parameter;
use super::spec::{Layer, Norm};
use crate::compute::affine::Keeps;
use crate::compute::kernels::flush;
use crate::compute::shared::{LINE, Matrix, Rows, RowsMut};
use crate::error::Result;
use crate::optim::Step;

/// What is added to a variance, ε, as in PyTorch.
pub const EPSILON: f32 = 1e-5;
/// The share m of a batch in the running statistics after it, `r = (1 − m) r + m s`, as in PyTorch.
pub const MOMENTUM: f32 = 0.1;
/// Rows of a shard at the most. Half a batch of 128, which suits two workers; statistics of fewer rows are noisier.
pub const SHARD_ROWS: usize = 64;

/// Columns whose sums stay in registers.
const COLUMNS: usize = 4 * LINE;

/// Puts the normalisation by running statistics into the weights and biases before it: `w = w γ / √(var + ε)` and
/// `b = b − γ mean / √(var + ε)`.
///
/// Shapes: `weight [in · out]`, `bias [out]`. Overwrites both.
pub fn fold(weight: &mut [f32], bias: &mut [f32], norm: Norm<&[f32]>) {
    let wide = |x: f32| f64::from(x);
    let scales = norm.gamma.iter().zip(norm.variance);
    let scales = scales.map(|(&gamma, &variance)| wide(gamma) / wide(variance + EPSILON).sqrt());
    let scales: Vec<f64> = scales.collect();
    for row in weight.chunks_exact_mut(scales.len()) {
        for (w, scale) in row.iter_mut().zip(&scales) {
            *w = (wide(*w) * scale) as f32;
        }
    }
    for ((b, scale), &mean) in bias.iter_mut().zip(&scales).zip(norm.mean) {
        *b = (wide(*b) - wide(mean) * scale) as f32;
    }
}

/// A batch cut into shards: as few as [`SHARD_ROWS`] allows, whose sizes differ by one at the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shards {
    rows: usize,
    count: usize,
}

impl Shards {
    /// The cut of a batch of `rows`.
    pub fn of(rows: usize) -> Shards {
        Shards {
            rows,
            count: rows.div_ceil(SHARD_ROWS),
        }
    }

    /// Number of shards.
    pub fn count(self) -> usize {
        self.count
    }

    /// The rows of a shard.
    pub fn rows(self, shard: usize) -> Range<usize> {
        shard * self.rows / self.count..(shard + 1) * self.rows / self.count
    }

    fn iter(self) -> impl Iterator<Item = Range<usize>> {
        (0..self.count).map(move |shard| self.rows(shard))
    }
}

/// What the shards of a batch leave behind in one layer: a row for each shard.
#[derive(Debug)]
pub(super) struct ShardSums {
    mean: Matrix,
    /// The mean square of the distances from the mean.
    variance: Matrix,
    d_gamma: Matrix,
    d_beta: Matrix,
}

impl ShardSums {
    pub(super) fn zeroed(batch: usize, width: usize) -> Result<ShardSums> {
        let rows = ShardSums::row(batch) + 1;
        Ok(ShardSums {
            mean: Matrix::zeroed(rows, width)?,
            variance: Matrix::zeroed(rows, width)?,
            d_gamma: Matrix::zeroed(rows, width)?,
            d_beta: Matrix::zeroed(rows, width)?,
        })
    }

    /// The row of the shard that begins at row `start` of the batch: where there are several shards, none has fewer
    /// rows than half of the most.
    fn row(start: usize) -> usize {
        start / (SHARD_ROWS / 2)
    }

    /// `sums = sums + Σ_shards of`, shard after shard.
    ///
    /// # Safety
    /// Until the next barrier nobody writes `of`.
    unsafe fn add(of: &Matrix, shards: Shards, sums: &mut [f32]) {
        for shard in shards.iter() {
            let row = ShardSums::row(shard.start);
            // SAFETY: the caller's promise.
            let of = unsafe { of.rows(row..row + 1) };
            sums.iter_mut().zip(of.values).for_each(|(s, x)| *s += x);
        }
    }
}

/// The scales of a layer with the optimiser's slots, and its running statistics.
#[derive(Debug)]
pub(super) struct BatchNorm {
    gamma: Parameter,
    /// Of their slots none but the average is ever moved.
    mean: Parameter,
    variance: Parameter,
}

impl BatchNorm {
    /// What `layer` has in `flat`; none where it is not normalised.
    pub(super) fn new(layer: &Layer, flat: &[f32], keeps: Keeps) -> Result<Option<BatchNorm>> {
        let Some(norm) = layer.norm(flat) else {
            return Ok(None);
        };
        Ok(Some(BatchNorm {
            gamma: Parameter::new(norm.gamma, keeps)?,
            mean: Parameter::new(norm.mean, keeps)?,
            variance: Parameter::new(norm.variance, keeps)?,
        }))
    }

    /// Its three parts.
    pub(super) fn parts(&self) -> Norm<&Parameter> {
        Norm {
            gamma: &self.gamma,
            mean: &self.mean,
            variance: &self.variance,
        }
    }

    /// Takes over a slot of an earlier run.
    pub(super) fn set_slot(&mut self, slot: usize, from: Norm<&[f32]>) {
        self.gamma.set_slot(slot, from.gamma);
        self.mean.set_slot(slot, from.mean);
        self.variance.set_slot(slot, from.variance);
    }

    /// `z = γ ⊙ x̂` with the statistics of the shard `rows`, which go to `sums`.
    ///
    /// Shapes: `z`, `x_hat [rows, out]`. Overwrites both.
    ///
    /// # Safety
    /// Until the next barrier these rows are this worker's alone, and nobody updates.
    pub(super) unsafe fn forward(
        &self,
        rows: Range<usize>,
        z: RowsMut,
        x_hat: RowsMut,
        sums: &ShardSums,
    ) {
        let row = ShardSums::row(rows.start);
        // SAFETY: the caller's promise; a shard has a row of its own.
        unsafe {
            let statistics =
                [&sums.mean, &sums.variance].map(|of| of.rows_mut(row..row + 1).values);
            normalize(z, x_hat, self.gamma.values(), statistics);
        }
    }

    /// `z = γ ⊙ (z − mean) / √(var + ε)` with the running statistics.
    ///
    /// Shapes: `z [rows, out]`. Overwrites it.
    ///
    /// # Safety
    /// Until the next barrier nobody updates.
    pub(super) unsafe fn forward_running(&self, z: RowsMut) {
        // SAFETY: the caller's promise.
        let norm = unsafe {
            Norm {
                gamma: self.gamma.values(),
                mean: self.mean.values(),
                variance: self.variance.values(),
            }
        };
        normalize_by(z, norm);
    }

    /// [`BatchNorm::backward`] where the running statistics were taken, which no gradient goes through: `dz = γ / √(var + ε)
    /// ⊙ du`.
    ///
    /// Shapes: `du [rows, out]`. Overwrites it.
    ///
    /// # Safety
    /// As [`BatchNorm::forward_running`].
    pub(super) unsafe fn backward_running(&self, du: RowsMut) {
        // SAFETY: the caller's promise.
        unsafe { scale_rows(du, self.gamma.values(), self.variance.values()) };
    }

    /// From the gradient at y to that at z: `du = dy ⊙ f'`, `dβ = Σ_rows du`, `dγ = Σ_rows du ⊙ x̂`, and
    /// `dz = γ / √(var + ε) ⊙ (du − (dβ + x̂ ⊙ dγ) / rows)`.
    ///
    /// Shapes: `dy`, `y`, `x_hat [rows, out]`, `beta [out]`. Overwrites `dy`, which then is `dz`; the sums go to `sums`.
    ///
    /// # Safety
    /// As [`BatchNorm::forward`].
    pub(super) unsafe fn backward(
        &self,
        rows: Range<usize>,
        (activation, beta): (Activation, &[f32]),
        mut dy: RowsMut,
        (y, x_hat): (Rows, Rows),
        sums: &ShardSums,
    ) {
        let row = ShardSums::row(rows.start);
        // SAFETY: the caller's promise; a shard has a row of its own.
        unsafe {
            let gamma = self.gamma.values();
            if activation.needs_input() {
                activate_backward_scaled(activation, dy.reborrow(), x_hat, gamma, beta);
            } else {
                activate_backward(activation, dy.reborrow(), y);
            }
            let variance = sums.variance.rows(row..row + 1).values;
            let sums = [&sums.d_gamma, &sums.d_beta].map(|of| of.rows_mut(row..row + 1).values);
            normalize_backward(dy, x_hat, gamma, variance, sums);
        }
    }

    /// `sums = sums + dβ` of a batch of `rows`.
    ///
    /// # Safety
    /// Until the next barrier nobody runs rows.
    pub(super) unsafe fn add_d_beta(of: &ShardSums, rows: usize, sums: &mut [f32]) {
        // SAFETY: the caller's promise.
        unsafe { ShardSums::add(&of.d_beta, Shards::of(rows), sums) };
    }

    /// The optimiser's step of γ, and the running statistics' towards those of a batch of `rows`.
    ///
    /// # Safety
    /// Until the next barrier no other worker reads or updates this layer, and nobody runs rows.
    pub(super) unsafe fn update(&self, step: &Step, rows: usize, sums: &ShardSums) {
        let shards = Shards::of(rows);
        // SAFETY: the caller's promise.
        unsafe {
            let add = |gradient: &mut [f32]| ShardSums::add(&sums.d_gamma, shards, gradient);
            self.gamma.update(step, add);
            self.move_statistics(shards, sums);
            self.follow_statistics(step);
        }
    }

    /// Keeps the gradient of γ for [`BatchNorm::apply`], and moves the running statistics; gives `Σ g²`.
    ///
    /// # Safety
    /// As [`BatchNorm::update`].
    pub(super) unsafe fn keep_gradient(&self, rows: usize, sums: &ShardSums) -> f64 {
        let shards = Shards::of(rows);
        // SAFETY: the caller's promise.
        unsafe {
            self.move_statistics(shards, sums);
            let add = |gradient: &mut [f32]| ShardSums::add(&sums.d_gamma, shards, gradient);
            self.gamma.keep_gradient(add)
        }
    }

    /// The optimiser's step against the gradient that was kept.
    ///
    /// # Safety
    /// As [`BatchNorm::update`].
    pub(super) unsafe fn apply(&self, step: &Step) {
        // SAFETY: the caller's promise.
        unsafe {
            self.gamma.apply(step);
            self.follow_statistics(step);
        }
    }

    /// `r = r + m (s − r)` with s the mean over the shards, each variance that of a sample and not of the rows alone, as in
    /// PyTorch. A batch of one row says nothing of a variance, and moves nothing.
    unsafe fn move_statistics(&self, shards: Shards, sums: &ShardSums) {
        if shards.rows < 2 {
            return;
        }
        for (running, of, unbiased) in [
            (&self.mean, &sums.mean, false),
            (&self.variance, &sums.variance, true),
        ] {
            // SAFETY: the caller's promise.
            let running = unsafe { running.values_mut() };
            for r in running.iter_mut() {
                *r *= 1.0 - MOMENTUM;
            }
            for shard in shards.iter() {
                let (row, rows) = (ShardSums::row(shard.start), shard.len() as f32);
                let correction = if unbiased { rows / (rows - 1.0) } else { 1.0 };
                let share = MOMENTUM / shards.count as f32 * correction;
                // SAFETY: as above.
                let of = unsafe { of.rows(row..row + 1) };
                for (r, s) in running.iter_mut().zip(of.values) {
                    *r += share * s;
                }
            }
            running.iter_mut().for_each(|r| *r = flush(*r));
        }
    }

    /// Lets the averages of the running statistics follow them, as those of the weights do.
    unsafe fn follow_statistics(&self, step: &Step) {
        // SAFETY: the caller's promise.
        unsafe {
            self.mean.follow(step);
            self.variance.follow(step);
        }
    }
}

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

/// Statistics `[mean, variance]` of the rows of z, `x̂` by these, and `z = γ ⊙ x̂`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn normalize(z: RowsMut, x_hat: RowsMut, gamma: &[f32], statistics: [&mut [f32]; 2]) {
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
fn normalize_by(z: RowsMut, norm: Norm<&[f32]>) {
    normalize_rows(z.values, z.stride, norm);
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn normalize_rows(z: &mut [f32], stride: usize, norm: Norm<&[f32]>) {
    by_columns!(
        norm.gamma.len(),
        normalize_columns_by((&mut *z, stride), norm)
    );
}

#[inline(always)]
fn normalize_columns_by<const N: usize>(
    start: usize,
    (z, stride): (&mut [f32], usize),
    norm: Norm<&[f32]>,
) {
    let means = padded::<N>(start, norm.mean);
    let gammas = padded::<N>(start, norm.gamma);
    let variances = padded::<N>(start, norm.variance);
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

/// `du = γ / √(var + ε) ⊙ du`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn scale_rows(du: RowsMut, gamma: &[f32], variance: &[f32]) {
    for row in du.values.chunks_exact_mut(du.stride) {
        for ((d, gamma), &variance) in row.iter_mut().zip(gamma).zip(variance) {
            *d = flush(*d * (gamma * inverse_deviation(variance)));
        }
    }
}

/// `du` as `dy` becomes `dz`; sums `[dγ, dβ]`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn normalize_backward(
    dy: RowsMut,
    x_hat: Rows,
    gamma: &[f32],
    variance: &[f32],
    sums: [&mut [f32]; 2],
) {
    assert_eq!(
        (dy.width, dy.stride),
        (x_hat.width, x_hat.stride),
        "shapes of dy and x̂"
    );
    let [d_gamma, d_beta] = sums;
    let (stride, dy, x_hat) = (dy.stride, dy.values, x_hat.values);
    by_columns!(
        gamma.len(),
        normalize_columns_backward((&mut *dy, x_hat, stride), gamma, variance, d_gamma, d_beta)
    );
}

#[inline(always)]
fn normalize_columns_backward<const N: usize>(
    start: usize,
    (dy, x_hat, stride): (&mut [f32], &[f32], usize),
    gamma: &[f32],
    variance: &[f32],
    d_gamma: &mut [f32],
    d_beta: &mut [f32],
) {
    let share = 1.0 / (dy.len() / stride) as f32;
    let (mut d_gammas, mut d_betas) = ([0.0; N], [0.0; N]);
    for (d, x) in dy.chunks_exact(stride).zip(x_hat.chunks_exact(stride)) {
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
    for (d, x) in dy.chunks_exact_mut(stride).zip(x_hat.chunks_exact(stride)) {
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

    #[test]
    fn shards_are_few_and_even_and_have_rows_of_their_own() {
        for rows in 1..2000 {
            let shards = Shards::of(rows);
            assert_eq!(shards.count(), rows.div_ceil(SHARD_ROWS));
            let lengths: Vec<usize> = shards.iter().map(|shard| shard.len()).collect();
            let most = lengths.iter().max().copied().unwrap_or(0);
            assert_eq!(lengths.iter().sum::<usize>(), rows);
            assert!(most <= SHARD_ROWS && lengths.iter().all(|&length| length + 1 >= most));
            let places: Vec<usize> = shards
                .iter()
                .map(|shard| ShardSums::row(shard.start))
                .collect();
            assert!(places.windows(2).all(|pair| pair[0] < pair[1]), "{rows}");
            assert!(places.last() <= Some(&ShardSums::row(rows)));
        }
    }

    /// Mean, variance and the way back of two rows by hand, in a column among others and in one of the padding's line.
    #[test]
    fn two_rows_normalise_to_one_and_minus_one() {
        for width in [1, 15, 16, 17, 64, 70, 130] {
            let [z, x_hat, dy] = [(); 3].map(|()| Matrix::zeroed(2, width).expect("memory"));
            let sums = ShardSums::zeroed(2, width).expect("memory");
            let gamma = vec![3.0; width];
            // SAFETY: they are ours alone.
            unsafe {
                for (matrix, pair) in [(&z, [1.0, 5.0]), (&dy, [0.5, 0.25])] {
                    for (row, value) in matrix.rows_mut(0..2).iter_mut().zip(pair) {
                        row.fill(value);
                    }
                }
                let statistics = [&sums.mean, &sums.variance].map(|of| of.rows_mut(0..1).values);
                normalize(z.rows_mut(0..2), x_hat.rows_mut(0..2), &gamma, statistics);
                let [mean, variance] = [&sums.mean, &sums.variance].map(|of| of.rows(0..1).values);
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
                let gradients = [&sums.d_gamma, &sums.d_beta].map(|of| of.rows_mut(0..1).values);
                normalize_backward(
                    dy.rows_mut(0..2),
                    x_hat.rows(0..2),
                    &gamma,
                    variance,
                    gradients,
                );
                let [d_gamma, d_beta] =
                    [&sums.d_gamma, &sums.d_beta].map(|of| of.rows(0..1).values);
                assert!((d_gamma[width - 1] + 0.25 * one).abs() < 1e-6);
                assert_eq!(d_beta[width - 1], 0.75);
                // Two rows are always ±1: next to nothing goes back.
                assert!(dy.rows(0..2).values.iter().all(|d| d.abs() < 1e-5));
            }
        }
    }
}
