//! The update: pieces of the parameters, each with its gradient over all rows and the optimiser's step against it.

use std::cmp::Ordering;

use multiversion::multiversion;

use super::Network;
use super::activations::Activations;
use crate::compute::affine::Affine;
use crate::compute::phases::{OwnPiece, OwnUnits};
use crate::compute::shared::Rows;
use crate::nn::batch_norm::BatchNorm;
use crate::optim::Step;

impl Network {
    /// The number of pieces in which the parameters are updated, which depends on the network's shape only.
    pub fn pieces(&self) -> usize {
        self.layers.iter().map(|layer| layer.pieces() + 1).sum()
    }

    /// The gradient, `dw = xᵀ · dz` or `db = Σ_rows dz` over the first `rows` rows, and the optimiser's step against
    /// it, for one piece of the parameters. The batch normalisation of a layer is updated together with its bias.
    /// Pieces of frozen layers stay as they are.
    ///
    /// # Panics
    /// Panics if the network has no such piece.
    pub fn update(&self, piece: &OwnPiece, activations: &Activations, rows: usize, step: &Step) {
        let (index, part) = self.place(piece);
        if self.frozen[index] {
            return;
        }
        match part {
            Some(part) => {
                let (x, dz) = activations.products(index, &part, 0..rows);
                self.layers[index].update(&part, x, dz, &self.step_of_weights(index, step));
            }
            None => {
                let add = |sums: &mut [f32]| self.add_d_bias(index, piece, activations, rows, sums);
                // SAFETY: (1) of both functions: the piece contains the bias and the batch normalisation of this layer.
                unsafe {
                    self.biases[index].update(piece, step, add);
                    if let Some(norm) = self.norms.get(index) {
                        norm.update(piece, step, rows, &activations.shard_sums[index]);
                    }
                }
            }
        }
    }

    /// `sums = sums + db` over the first `rows` rows.
    fn add_d_bias(
        &self,
        index: usize,
        piece: &OwnPiece,
        activations: &Activations,
        rows: usize,
        sums: &mut [f32],
    ) {
        match activations.shard_sums.get(index) {
            Some(of) => BatchNorm::add_d_beta(of, piece, rows, sums),
            None => add_column_sums(piece.rows(activations.dz(index), 0..rows), sums),
        }
    }

    /// Computes the gradient `g` of one piece and keeps it for [`Network::apply`]; returns `Σ g²`, which is 0 for a
    /// frozen layer.
    ///
    /// # Panics
    /// Panics if the network has no such piece, or if the rule keeps no gradient.
    pub fn keep_gradient(&self, piece: &OwnPiece, activations: &Activations, rows: usize) -> f64 {
        let (index, part) = self.place(piece);
        if self.frozen[index] {
            return 0.0;
        }
        match part {
            Some(part) => {
                let (x, dz) = activations.products(index, &part, 0..rows);
                self.layers[index].keep_gradient(&part, x, dz)
            }
            None => {
                let add = |sums: &mut [f32]| self.add_d_bias(index, piece, activations, rows, sums);
                // SAFETY: (1) of both functions: the piece contains the bias and the batch normalisation of this layer.
                unsafe {
                    let square = self.biases[index].keep_gradient(piece, add);
                    let of_norm = self.norms.get(index).map(|norm| {
                        norm.keep_gradient(piece, rows, &activations.shard_sums[index])
                    });
                    square + of_norm.unwrap_or(0.0)
                }
            }
        }
    }

    /// The optimiser's step against the gradient of one piece that [`Network::keep_gradient`] kept.
    ///
    /// # Panics
    /// Panics if the network has no such piece, or if the rule keeps no gradient.
    pub fn apply(&self, piece: &OwnPiece, step: &Step) {
        let (index, part) = self.place(piece);
        if self.frozen[index] {
            return;
        }
        match part {
            Some(part) => self.layers[index].apply(&part, &self.step_of_weights(index, step)),
            // SAFETY: (1) of both functions: the piece contains the bias and the batch normalisation of this layer.
            None => unsafe {
                self.biases[index].apply(piece, step);
                if let Some(norm) = self.norms.get(index) {
                    norm.apply(piece, step);
                }
            },
        }
    }

    /// The number of pieces in which the norm of the hidden units is limited, which depends on the network's shape
    /// only.
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

    /// The layer of a piece, and the piece of its weights; `None` stands for its bias and batch normalisation.
    fn place(&self, piece: &OwnPiece) -> (usize, Option<OwnPiece>) {
        let mut part = piece.index();
        for (index, layer) in self.layers.iter().enumerate() {
            match part.cmp(&layer.pieces()) {
                // SAFETY: each piece of the network is at most one piece of one layer's weights, so (1) and (2) hold
                // for that as they hold for `piece`. Callers use it only as long as they borrow `piece`.
                Ordering::Less => return (index, Some(unsafe { OwnPiece::new(part) })),
                Ordering::Equal => return (index, None),
                Ordering::Greater => part -= layer.pieces() + 1,
            }
        }
        unreachable!("piece {} beyond the last of {}", piece.index(), self.spec);
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
