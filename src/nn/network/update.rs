//! The update: pieces of the parameters, each with its gradient over all rows and the optimiser's step against it.

use std::ops::Range;

use multiversion::multiversion;

use super::Network;
use super::activations::Gradients;
use super::pieces::{Part, Place};
use crate::compute::affine::Affine;
use crate::compute::phases::{OwnPiece, OwnUnits};
use crate::compute::shared::{AtomicF64, LINE, Rows};
use crate::kernels::sum_of_squares;
use crate::nn::batch_norm::BatchNorm;
use crate::optim::Step;

impl Network {
    /// The number of pieces in which the parameters are updated.
    pub fn pieces(&self) -> usize {
        self.pieces.len()
    }

    /// The pieces that belong to a worker of `workers`: those whose weights it reads in the passes of its units, if the
    /// layer is divided by units.
    ///
    /// # Panics
    /// Panics if the partition has no such worker.
    pub fn pieces_of(&self, worker: usize, workers: usize) -> Range<usize> {
        self.pieces.of_worker(worker, workers)
    }

    /// The number of terms of the squared norm of the whole gradient.
    pub fn squares(&self) -> usize {
        self.pieces.squares()
    }

    /// The gradient, `dw = xᵀ · dz` or `db = Σ_rows dz`, and the optimiser's step against it, for one piece of the
    /// parameters. The batch normalisation of a layer is updated together with its bias. Pieces of frozen layers stay
    /// as they are.
    ///
    /// # Panics
    /// Panics if the network has no such piece.
    pub fn update(&self, piece: &OwnPiece, of: Gradients, step: &Step) {
        let Place { layer, part } = self.pieces.place(piece.index());
        if self.frozen[layer] {
            return;
        }
        match part {
            Part::Weights(part) => {
                let part = self.part(piece, part);
                let (x, dz) = of.activations.products(layer, &part, of);
                self.layers[layer].update(&part, x, dz, &self.step_of_weights(layer, step));
            }
            Part::Bias(share) => {
                let bias = &self.biases[layer];
                let units = share.columns(bias.width());
                let add = |sums: &mut [f32]| self.add_d_bias(layer, piece, of, units.start, sums);
                // SAFETY: (1) of both functions: the piece contains these biases and, if these are all, the batch
                // normalisation of this layer; layers with batch normalisation are not divided.
                unsafe {
                    bias.update(piece, units.clone(), step, add);
                    if let Some(norm) = self.norms.get(layer) {
                        norm.update(piece, step, of.rows, &of.activations.shard_sums[layer]);
                    }
                }
            }
        }
    }

    /// `sums = sums + db` for the units from `first` on.
    fn add_d_bias(
        &self,
        layer: usize,
        piece: &OwnPiece,
        of: Gradients,
        first: usize,
        sums: &mut [f32],
    ) {
        match of.activations.shard_sums.get(layer) {
            Some(shards) => BatchNorm::add_d_beta(shards, piece, of.rows, sums),
            None => {
                let dz = of.activations.dz_of(layer, piece, of);
                add_column_sums(dz, first - dz.first, sums);
            }
        }
    }

    /// Computes the gradient `g` of one piece and keeps it for [`Network::apply`]. Writes its part of the terms of
    /// `Σ g²`, which are the same ones for every partition, to `squares [squares]`; those of frozen layers are 0.
    ///
    /// # Panics
    /// Panics if the network has no such piece, or if the rule keeps no gradient.
    pub fn keep_gradient(&self, piece: &OwnPiece, of: Gradients, squares: &[AtomicF64]) {
        let Place { layer, part } = self.pieces.place(piece.index());
        if self.frozen[layer] {
            return;
        }
        let [of_weights, of_bias] = self.pieces.squares_of(layer);
        match part {
            Part::Weights(part) => {
                let part = self.part(piece, part);
                let (x, dz) = of.activations.products(layer, &part, of);
                self.layers[layer].keep_gradient(&part, x, dz, &squares[of_weights]);
            }
            Part::Bias(share) => {
                let (bias, squares) = (&self.biases[layer], &squares[of_bias]);
                let units = share.columns(bias.width());
                let add = |sums: &mut [f32]| self.add_d_bias(layer, piece, of, units.start, sums);
                // SAFETY: (1) of both functions: the piece contains these biases and, if these are all, the batch
                // normalisation of this layer; layers with batch normalisation are not divided.
                let of_norm = unsafe {
                    let gradient = bias.keep_gradient(piece, units.clone(), add);
                    let lines = gradient.chunks(LINE).zip(&squares[units.start / LINE..]);
                    lines.for_each(|(line, square)| square.store(sum_of_squares(line)));
                    let sums = of.activations.shard_sums.get(layer);
                    let norm = self.norms.get(layer).zip(sums);
                    norm.map(|(norm, sums)| norm.keep_gradient(piece, of.rows, sums))
                };
                if let (Some(of_norm), Some(square)) = (of_norm, squares.last()) {
                    square.store(of_norm);
                }
            }
        }
    }

    /// The optimiser's step against the gradient of one piece that [`Network::keep_gradient`] kept.
    ///
    /// # Panics
    /// Panics if the network has no such piece, or if the rule keeps no gradient.
    pub fn apply(&self, piece: &OwnPiece, step: &Step) {
        let Place { layer, part } = self.pieces.place(piece.index());
        if self.frozen[layer] {
            return;
        }
        match part {
            Part::Weights(part) => {
                let part = self.part(piece, part);
                self.layers[layer].apply(&part, &self.step_of_weights(layer, step));
            }
            Part::Bias(share) => {
                let bias = &self.biases[layer];
                // SAFETY: (1) of both functions: the piece contains these biases and, if these are all, the batch
                // normalisation of this layer; layers with batch normalisation are not divided.
                unsafe {
                    bias.apply(piece, share.columns(bias.width()), step);
                    if let Some(norm) = self.norms.get(layer) {
                        norm.apply(piece, step);
                    }
                }
            }
        }
    }

    /// The piece of a layer's weights that is a piece of the network.
    fn part(&self, _piece: &OwnPiece, part: usize) -> OwnPiece {
        // SAFETY: each piece of the network is at most one piece of one layer's weights, so (1) and (2) hold for that
        // as they hold for the network's piece, which callers borrow as long as they use the result.
        unsafe { OwnPiece::new(part) }
    }

    /// The number of pieces in which the norm of the hidden units is limited.
    pub fn unit_pieces(&self) -> usize {
        self.hidden().iter().map(Affine::unit_pieces).sum()
    }

    /// Scales the weights into each unit of a piece down to a Euclidean norm of at most `max`, then updates their
    /// average.
    ///
    /// # Panics
    /// Panics if the network has no such piece.
    pub fn limit_units(&self, units: &OwnUnits, max: f32, step: &Step) {
        let mut index = units.index();
        for (layer, &frozen) in self.hidden().iter().zip(&self.frozen) {
            if index < layer.unit_pieces() {
                if frozen {
                    return;
                }
                // SAFETY: each piece of the network's units is one piece of one layer's units, so (1) and (2) hold for
                // that as they hold for `units`.
                let units = unsafe { OwnUnits::new(index) };
                return layer.limit_units(&units, max, step);
            }
            index -= layer.unit_pieces();
        }
        unreachable!("units {index} beyond the last of {}", self.spec);
    }

    /// The layers with hidden units.
    fn hidden(&self) -> &[Affine] {
        &self.layers[..self.layers.len() - 1]
    }

    /// The step of a layer's weights. If their norm is limited afterwards, the average is updated after that.
    fn step_of_weights(&self, index: usize, step: &Step) -> Step {
        let hidden = index + 1 < self.layers.len();
        match step.rule().max_norm {
            Some(_) if hidden => step.without_average(),
            _ => *step,
        }
    }
}

/// `sums = sums + Σ_rows z` for the columns from `first` on.
///
/// Shapes: `z [rows, out]`, `sums [columns]`. Accumulates into `sums`.
fn add_column_sums(z: Rows, first: usize, sums: &mut [f32]) {
    add_rows(z.values, z.stride, first, sums);
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn add_rows(values: &[f32], stride: usize, first: usize, sums: &mut [f32]) {
    /// Columns whose sums stay in registers.
    const WIDE: usize = 4 * LINE;
    let mut wide = sums.chunks_exact_mut(WIDE);
    let mut column = first;
    for sums in &mut wide {
        add_columns::<WIDE>(values, stride, column, sums);
        column += WIDE;
    }
    // The padding of a row completes its last cache line.
    for sums in wide.into_remainder().chunks_mut(LINE) {
        add_columns::<LINE>(values, stride, column, sums);
        column += LINE;
    }
}

/// [`add_rows`] for `N` columns, of which there may be fewer sums.
#[inline(always)]
fn add_columns<const N: usize>(values: &[f32], stride: usize, column: usize, sums: &mut [f32]) {
    let mut in_registers = [0.0; N];
    in_registers[..sums.len()].copy_from_slice(sums);
    for row in values.chunks_exact(stride) {
        for (sum, z) in in_registers.iter_mut().zip(&row[column..column + N]) {
            *sum += z;
        }
    }
    sums.copy_from_slice(&in_registers[..sums.len()]);
}
