//! The update: pieces of the parameters, each with its gradient over all rows and the optimiser's step against it.

use std::cmp::Ordering;

use multiversion::multiversion;

use super::{Activations, Network};
use crate::compute::affine::Affine;
use crate::compute::shared::Rows;
use crate::nn::batch_norm::BatchNorm;
use crate::optim::Step;

impl Network {
    /// In how many pieces the parameters are updated: by the network's shape alone.
    pub fn pieces(&self) -> usize {
        self.layers.iter().map(|layer| layer.pieces() + 1).sum()
    }

    /// The gradient, `dw = xᵀ · dz` or `db = Σ_rows dz` over the first `rows` rows, and the optimiser's step against it,
    /// for one piece of the parameters. What batch normalisation keeps of a layer goes with its bias. Pieces of frozen layers
    /// stay as they are.
    ///
    /// # Safety
    /// Until the next barrier no other worker takes this piece, and none runs rows forward or backward.
    ///
    /// # Panics
    /// When there is no such piece.
    pub unsafe fn update(&self, piece: usize, activations: &Activations, rows: usize, step: &Step) {
        let (index, part) = self.place(piece);
        let layer = &self.layers[index];
        if self.frozen[index] {
            return;
        }
        // SAFETY: the caller's promise.
        unsafe {
            let d_z = activations.d_z(index).rows(0..rows);
            match part {
                Some(piece) => {
                    let x = activations.before(index).rows(0..rows);
                    layer.update(piece, x, d_z, &self.for_weights(index, step));
                }
                None => {
                    let add = |sums: &mut [f32]| self.add_d_bias(index, activations, rows, sums);
                    self.biases[index].update(step, add);
                    if let Some(norm) = self.norms.get(index) {
                        norm.update(step, rows, &activations.shard_sums[index]);
                    }
                }
            }
        }
    }

    /// `sums = sums + db` over the first `rows` rows.
    ///
    /// # Safety
    /// As [`Network::update`].
    unsafe fn add_d_bias(
        &self,
        index: usize,
        activations: &Activations,
        rows: usize,
        sums: &mut [f32],
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            match activations.shard_sums.get(index) {
                Some(of) => BatchNorm::add_d_beta(of, rows, sums),
                None => add_column_sums(activations.d_z(index).rows(0..rows), sums),
            }
        }
    }

    /// The gradient of one piece, kept for [`Network::apply`]; gives `Σ g²`, which is 0 for a frozen layer.
    ///
    /// # Safety
    /// As [`Network::update`].
    ///
    /// # Panics
    /// When there is no such piece, or the rule keeps no gradient.
    pub unsafe fn keep_gradient(
        &self,
        piece: usize,
        activations: &Activations,
        rows: usize,
    ) -> f64 {
        let (index, part) = self.place(piece);
        if self.frozen[index] {
            return 0.0;
        }
        // SAFETY: the caller's promise.
        unsafe {
            let d_z = activations.d_z(index).rows(0..rows);
            match part {
                Some(piece) => {
                    let x = activations.before(index).rows(0..rows);
                    self.layers[index].keep_gradient(piece, x, d_z)
                }
                None => {
                    let add = |sums: &mut [f32]| self.add_d_bias(index, activations, rows, sums);
                    let square = self.biases[index].keep_gradient(add);
                    let norm = self.norms.get(index);
                    let of_norm =
                        norm.map(|norm| norm.keep_gradient(rows, &activations.shard_sums[index]));
                    square + of_norm.unwrap_or(0.0)
                }
            }
        }
    }

    /// The optimiser's step against the gradient of one piece that was kept.
    ///
    /// # Safety
    /// As [`Network::update`].
    ///
    /// # Panics
    /// When there is no such piece, or the rule keeps no gradient.
    pub unsafe fn apply(&self, piece: usize, step: &Step) {
        let (index, part) = self.place(piece);
        if self.frozen[index] {
            return;
        }
        // SAFETY: the caller's promise.
        unsafe {
            match part {
                Some(piece) => self.layers[index].apply(piece, &self.for_weights(index, step)),
                None => {
                    self.biases[index].apply(step);
                    if let Some(norm) = self.norms.get(index) {
                        norm.apply(step);
                    }
                }
            }
        }
    }

    /// In how many pieces the hidden units are held to a norm: by the network's shape alone.
    pub fn unit_pieces(&self) -> usize {
        self.hidden().iter().map(Affine::unit_pieces).sum()
    }

    /// Scales the weights into each unit of a piece down to a Euclidean norm of at most `most`, and lets their average
    /// follow.
    ///
    /// # Safety
    /// As [`Network::update`], with pieces of units.
    ///
    /// # Panics
    /// When there is no such piece.
    pub unsafe fn limit_units(&self, piece: usize, most: f32, step: &Step) {
        let mut piece = piece;
        for (layer, &frozen) in self.hidden().iter().zip(&self.frozen) {
            if piece < layer.unit_pieces() {
                if frozen {
                    return;
                }
                // SAFETY: the caller's promise.
                return unsafe { layer.limit_units(piece, most, step) };
            }
            piece -= layer.unit_pieces();
        }
        unreachable!("units {piece} beyond the last of {}", self.spec);
    }

    /// The layers with hidden units.
    fn hidden(&self) -> &[Affine] {
        &self.layers[..self.layers.len() - 1]
    }

    /// The step of a layer's weights: where they are still to be held to a norm, the average follows after that.
    fn for_weights(&self, index: usize, step: &Step) -> Step {
        let hidden = index + 1 < self.layers.len();
        match step.rule().max_norm {
            Some(_) if hidden => step.without_average(),
            _ => *step,
        }
    }

    /// The layer of a piece, and which piece of its weights that is; none is its bias and all that goes with it.
    fn place(&self, piece: usize) -> (usize, Option<usize>) {
        let mut piece = piece;
        for (index, layer) in self.layers.iter().enumerate() {
            match piece.cmp(&layer.pieces()) {
                Ordering::Less => return (index, Some(piece)),
                Ordering::Equal => return (index, None),
                Ordering::Greater => piece -= layer.pieces() + 1,
            }
        }
        unreachable!("piece {piece} beyond the last of {}", self.spec);
    }
}

/// `sums = sums + Σ_rows z`.
///
/// Shapes: `z [rows, out]`, `sums [out]`. Accumulates into `sums`.
fn add_column_sums(z: Rows, sums: &mut [f32]) {
    add_rows(z.values, z.stride, sums);
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn add_rows(values: &[f32], stride: usize, sums: &mut [f32]) {
    for row in values.chunks_exact(stride) {
        for (sum, z) in sums.iter_mut().zip(row) {
            *sum += z;
        }
    }
}
