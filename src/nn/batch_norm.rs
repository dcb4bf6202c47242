//! Batch normalisation of a hidden layer: `y = f(γ ⊙ x̂ + β)` with `x̂ = (z − mean) / √(var + ε)` and `z = x · w`
//! (S. Ioffe and C. Szegedy, *Batch Normalization*, 2015). β is the layer's bias, which then is nothing else.
//!
//! Mean and variance in training are those of a shard of the batch and not of the whole (ghost batch normalisation: E. Hoffer
//! and others, *Train longer, generalize better*, 2017), so that a worker takes a shard through all layers and back without
//! waiting for others. [`Shards`] cuts by the number of rows alone. A shard of one row is its own mean: x̂ is 0, and y is
//! `f(β)`. Evaluation takes running statistics, which the update moves towards the mean over the shards; frozen layers take
//! them in training too, and keep them.

use std::ops::Range;

use super::activation::{Activation, activate_backward, activate_backward_scaled};
use super::parameter::Parameter;
use super::spec::{Layer, Norm};
use crate::compute::affine::Keeps;
use crate::compute::normalization::{self, EPSILON};
use crate::compute::shared::{Matrix, Rows, RowsMut};
use crate::error::Result;
use crate::kernels::flush;
use crate::optim::Step;

/// The share m of a batch in the running statistics after it, `r = (1 − m) r + m s`, as in PyTorch.
pub const MOMENTUM: f32 = 0.1;
/// Rows of a shard at the most. Half a batch of 128, which suits two workers; statistics of fewer rows are noisier.
pub const SHARD_ROWS: usize = 64;

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
            normalization::normalize(z, x_hat, self.gamma.values(), statistics);
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
        unsafe {
            let [gamma, mean, variance] =
                [&self.gamma, &self.mean, &self.variance].map(|of| of.values());
            normalization::normalize_by(z, gamma, mean, variance);
        }
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
        unsafe {
            normalization::normalize_by_backward(du, self.gamma.values(), self.variance.values());
        }
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
            normalization::normalize_backward(dy, x_hat, gamma, variance, sums);
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
}
