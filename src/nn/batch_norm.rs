//! Batch normalisation of a hidden layer: `y = f(γ ⊙ x̂ + β)` with `x̂ = (z − mean) / √(var + ε)` and `z = x · w`
//! (S. Ioffe and C. Szegedy, *Batch Normalization*, 2015). β is the layer's bias, which has no other use then.
//!
//! In training, mean and variance are those of a shard of the batch and not of the whole batch (ghost batch
//! normalisation: E. Hoffer and others, *Train longer, generalize better*, 2017), so that a worker takes a shard
//! through all layers and back without waiting for others. [`Shards`] depend only on the number of rows. A shard of one
//! row is its own mean: x̂ is 0, and y is `f(β)`. Evaluation uses running statistics, which the update moves towards
//! the mean over the shards; frozen layers use them in training too, and keep them.

use std::ops::Range;

use super::activation::{Activation, activate_backward, activate_backward_scaled};
use super::parameter::Parameter;
use super::spec::{Layer, Norm};
use crate::compute::affine::Keeps;
use crate::compute::normalization::{self, EPSILON};
use crate::compute::phases::{OwnPiece, OwnRows, RowPhase};
use crate::compute::shared::{Matrix, RowsMut};
use crate::error::Result;
use crate::kernels::{flush, sum_of_squares};
use crate::optim::Step;

/// The share m of a batch in the running statistics after it, `r = (1 − m) r + m s`, as in PyTorch.
pub const MOMENTUM: f32 = 0.1;
/// The largest number of rows in a shard: half a batch of 128, which suits two workers. Statistics of fewer rows are
/// noisier.
pub const SHARD_ROWS: usize = 64;
/// The least number of rows in a shard, except the first.
const MIN_SHARD_ROWS: usize = SHARD_ROWS / 2;

/// Folds the normalisation by running statistics into the weights and biases before it: `w = w γ / √(var + ε)` and
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

/// The division of a batch into shards: as few as [`SHARD_ROWS`] allows, with sizes that differ by at most one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shards {
    rows: usize,
    count: usize,
}

impl Shards {
    /// The shards of a batch of `rows` rows.
    pub fn of(rows: usize) -> Shards {
        Shards {
            rows,
            count: rows.div_ceil(SHARD_ROWS),
        }
    }

    /// The number of shards.
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

/// The statistics of the shards of a batch in one layer, and the sums of their gradients: one row per shard.
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
        let rows = batch.div_ceil(MIN_SHARD_ROWS) + 1;
        Ok(ShardSums {
            mean: Matrix::zeroed(rows, width)?,
            variance: Matrix::zeroed(rows, width)?,
            d_gamma: Matrix::zeroed(rows, width)?,
            d_beta: Matrix::zeroed(rows, width)?,
        })
    }

    /// The row of a shard; disjoint shards have different rows. The first shard has row 0. Any other starts later, and
    /// at least [`MIN_SHARD_ROWS`] rows after the shard before it unless that is the first.
    ///
    /// # Panics
    /// Panics if a shard other than the first has too few rows.
    fn row(shard: &Range<usize>) -> usize {
        assert!(
            shard.start == 0 || shard.len() >= MIN_SHARD_ROWS,
            "a shard of rows {shard:?}"
        );
        shard.start.div_ceil(MIN_SHARD_ROWS)
    }

    /// `sums = sums + Σ_shards of`, shard after shard.
    fn add(of: &Matrix, piece: &OwnPiece, shards: Shards, sums: &mut [f32]) {
        for shard in shards.iter() {
            let row = ShardSums::row(&shard);
            let of = piece.rows(of, row..row + 1);
            sums.iter_mut().zip(of.values).for_each(|(s, x)| *s += x);
        }
    }
}

/// The scales of a layer with the optimiser's slots, and the running statistics of the layer.
#[derive(Debug)]
pub(super) struct BatchNorm {
    gamma: Parameter,
    /// Of the slots of the running statistics, only the average changes.
    mean: Parameter,
    variance: Parameter,
}

impl BatchNorm {
    /// The batch normalisation of `layer` in the flat buffer `flat`; `None` if the layer is not normalised.
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

    /// Copies the values, or one of the slots, to `to`.
    pub(super) fn copy(&mut self, slot: Option<usize>, to: Norm<&mut [f32]>) {
        self.gamma.copy(slot, to.gamma);
        self.mean.copy(slot, to.mean);
        self.variance.copy(slot, to.variance);
    }

    /// Replaces a slot by that of an earlier run.
    pub(super) fn set_slot(&mut self, slot: usize, from: Norm<&[f32]>) {
        self.gamma.set_slot(slot, from.gamma);
        self.mean.set_slot(slot, from.mean);
        self.variance.set_slot(slot, from.variance);
    }

    /// `z = γ ⊙ x̂` with the statistics of the shard `rows`, which are written to `sums`.
    ///
    /// Shapes: `z`, `x_hat [rows, out]`. Overwrites both.
    pub(super) fn forward(&self, rows: &mut OwnRows, z: &Matrix, x_hat: &Matrix, sums: &ShardSums) {
        let row = ShardSums::row(&rows.range());
        let ([], [z, x_hat], phase) = rows.views([], [z, x_hat]);
        // SAFETY: (1) disjoint shards have different rows, so the row is this worker's as the shard is by `OwnRows`;
        // the two matrices are different ones.
        let statistics =
            unsafe { [&sums.mean, &sums.variance].map(|of| of.rows_mut(row..row + 1).values) };
        normalization::normalize(z, x_hat, self.gamma.values(phase), statistics);
    }

    /// The gradient of [`BatchNorm::forward`] and the activation after it: `du = dy ⊙ f'`, `dβ = Σ_rows du`,
    /// `dγ = Σ_rows du ⊙ x̂`, and `dz = γ / √(var + ε) ⊙ (du − (dβ + x̂ ⊙ dγ) / rows)`.
    ///
    /// Shapes: `dy`, `y`, `x_hat [rows, out]`, `beta [out]`. Overwrites `dy` with `dz`; dγ and dβ are written to
    /// `sums`.
    pub(super) fn backward(
        &self,
        rows: &mut OwnRows,
        (activation, beta): (Activation, &Parameter),
        dy: &Matrix,
        (y, x_hat): (&Matrix, &Matrix),
        sums: &ShardSums,
    ) {
        let row = ShardSums::row(&rows.range());
        let ([y, x_hat], [mut dy], phase) = rows.views([y, x_hat], [dy]);
        let gamma = self.gamma.values(phase);
        if activation.needs_input() {
            activate_backward_scaled(activation, dy.reborrow(), x_hat, gamma, beta.values(phase));
        } else {
            activate_backward(activation, dy.reborrow().into(), y.into());
        }
        // SAFETY: (1) disjoint shards have different rows, so the row is this worker's as the shard is by `OwnRows`;
        // the three matrices are different ones.
        let (variance, sums) = unsafe {
            (
                sums.variance.rows(row..row + 1).values,
                [&sums.d_gamma, &sums.d_beta].map(|of| of.rows_mut(row..row + 1).values),
            )
        };
        normalization::normalize_backward(dy, x_hat, gamma, variance, sums);
    }

    /// `z = γ ⊙ (z − mean) / √(var + ε)` with the running statistics.
    ///
    /// Shapes: `z [rows, out]`. Overwrites it.
    pub(super) fn forward_running(&self, z: RowsMut, phase: RowPhase) {
        let [gamma, mean, variance] =
            [&self.gamma, &self.mean, &self.variance].map(|of| of.values(phase));
        normalization::normalize_by(z, gamma, mean, variance);
    }

    /// The gradient of [`BatchNorm::forward_running`], where the statistics are constants: `dz = γ / √(var + ε) ⊙ du`.
    ///
    /// Shapes: `du [rows, out]`. Overwrites `du` with `dz`.
    pub(super) fn backward_running(&self, du: RowsMut, phase: RowPhase) {
        let (gamma, variance) = (self.gamma.values(phase), self.variance.values(phase));
        normalization::normalize_by_backward(du, gamma, variance);
    }

    /// `sums = sums + dβ` of a batch of `rows` rows.
    pub(super) fn add_d_beta(of: &ShardSums, piece: &OwnPiece, rows: usize, sums: &mut [f32]) {
        ShardSums::add(&of.d_beta, piece, Shards::of(rows), sums);
    }

    /// The optimiser's step of γ, and the step of the running statistics towards those of a batch of `rows` rows.
    ///
    /// # Safety
    /// 1. `piece` is the piece of the network that contains this batch normalisation.
    pub(super) unsafe fn update(
        &self,
        piece: &OwnPiece,
        step: &Step,
        rows: usize,
        sums: &ShardSums,
    ) {
        let shards = Shards::of(rows);
        let add = |gradient: &mut [f32]| {
            ShardSums::add(&sums.d_gamma, piece, shards, gradient);
        };
        // SAFETY: (1) of each function is precondition 1 of this function: γ and the statistics are parts of the same
        // piece.
        unsafe {
            self.gamma.update(piece, 0..self.gamma.width(), step, add);
            self.move_statistics(piece, shards, sums);
            self.average_statistics(piece, step);
        }
    }

    /// Keeps the gradient of γ for [`BatchNorm::apply`], and moves the running statistics; returns `Σ dγ²`.
    ///
    /// # Safety
    /// 1. `piece` is the piece of the network that contains this batch normalisation.
    pub(super) unsafe fn keep_gradient(
        &self,
        piece: &OwnPiece,
        rows: usize,
        sums: &ShardSums,
    ) -> f64 {
        let shards = Shards::of(rows);
        let add = |gradient: &mut [f32]| {
            ShardSums::add(&sums.d_gamma, piece, shards, gradient);
        };
        // SAFETY: (1) of each function is precondition 1 of this function: γ and the statistics are parts of the same
        // piece.
        unsafe {
            self.move_statistics(piece, shards, sums);
            sum_of_squares(self.gamma.keep_gradient(piece, 0..self.gamma.width(), add))
        }
    }

    /// The optimiser's step against the gradient that was kept.
    ///
    /// # Safety
    /// 1. `piece` is the piece of the network that contains this batch normalisation.
    pub(super) unsafe fn apply(&self, piece: &OwnPiece, step: &Step) {
        // SAFETY: (1) of each function is precondition 1 of this function: γ and the statistics are parts of the same
        // piece.
        unsafe {
            self.gamma.apply(piece, 0..self.gamma.width(), step);
            self.average_statistics(piece, step);
        }
    }

    /// `r = r + m (s − r)`, where s is the mean over the shards, with the variance of a sample instead of that of the
    /// rows, as in PyTorch. A batch of one row has no such variance and changes nothing.
    ///
    /// # Safety
    /// 1. `piece` is the piece of the network that contains this batch normalisation.
    unsafe fn move_statistics(&self, piece: &OwnPiece, shards: Shards, sums: &ShardSums) {
        if shards.rows < 2 {
            return;
        }
        for (running, of, unbiased) in [
            (&self.mean, &sums.mean, false),
            (&self.variance, &sums.variance, true),
        ] {
            // SAFETY: (1) is precondition 1 of this function: the statistics are parts of the same piece. (2) These
            // values have no other reference while `running` is in use.
            let running = unsafe { running.values_mut(piece) };
            for r in running.iter_mut() {
                *r *= 1.0 - MOMENTUM;
            }
            for shard in shards.iter() {
                let (row, rows) = (ShardSums::row(&shard), shard.len() as f32);
                let correction = if unbiased { rows / (rows - 1.0) } else { 1.0 };
                let share = MOMENTUM / shards.count as f32 * correction;
                let of = piece.rows(of, row..row + 1);
                for (r, s) in running.iter_mut().zip(of.values) {
                    *r += share * s;
                }
            }
            running.iter_mut().for_each(|r| *r = flush(*r));
        }
    }

    /// Updates the averages of the running statistics, as those of the weights are.
    ///
    /// # Safety
    /// 1. `piece` is the piece of the network that contains this batch normalisation.
    unsafe fn average_statistics(&self, piece: &OwnPiece, step: &Step) {
        // SAFETY: (1) of both calls is precondition 1 of this function: the statistics are parts of the same piece.
        unsafe {
            self.mean.update_average(piece, step);
            self.variance.update_average(piece, step);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_few_and_even_and_each_has_its_own_row_of_sums() {
        for rows in 1..2000 {
            let shards = Shards::of(rows);
            assert_eq!(shards.count(), rows.div_ceil(SHARD_ROWS));
            let lengths: Vec<usize> = shards.iter().map(|shard| shard.len()).collect();
            let most = lengths.iter().max().copied().unwrap_or(0);
            assert_eq!(lengths.iter().sum::<usize>(), rows);
            assert!(most <= SHARD_ROWS && lengths.iter().all(|&length| length + 1 >= most));
            let places: Vec<usize> = shards.iter().map(|shard| ShardSums::row(&shard)).collect();
            assert!(places.windows(2).all(|pair| pair[0] < pair[1]), "{rows}");
            assert!(places.last() <= Some(&rows.div_ceil(MIN_SHARD_ROWS)));
        }
    }
}
