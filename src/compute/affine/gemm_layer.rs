//! A layer for matrix libraries: row-major weights, each product one call of [`gemm`].
//!
//! The momentum rides in the product: `v = μ v + xᵀ · dz` is a GEMM with β = μ, so there is no gradient buffer.
//! Libraries may sum in another order at the edge of a matrix, so pieces are cut by the weights' shape alone.

use std::ops::Range;

use super::super::gemm::{self, Library};
use super::super::shared::{Rows, RowsMut, SharedBuffer};
use crate::error::Result;
use crate::optim::Sgd;

/// Pieces of the weights, where these are large enough to cut.
const PIECES: usize = 8;
/// Rows of the weights in a piece, at least: thinner products are slow.
const MIN_ROWS: usize = 48;

/// Weights and velocity, `[in, out]` row-major.
#[derive(Debug)]
pub struct GemmLayer {
    library: Library,
    weight: SharedBuffer<f32>,
    velocity: SharedBuffer<f32>,
    fan_in: usize,
    fan_out: usize,
}

impl GemmLayer {
    pub(super) fn new(
        from: &[f32],
        (fan_in, fan_out): (usize, usize),
        library: Library,
    ) -> Result<GemmLayer> {
        let mut weight = SharedBuffer::zeroed(from.len())?;
        weight.as_mut_slice().copy_from_slice(from);
        Ok(GemmLayer {
            library,
            weight,
            velocity: SharedBuffer::zeroed(from.len())?,
            fan_in,
            fan_out,
        })
    }

    pub(super) unsafe fn forward(&self, x: Rows, z: RowsMut) {
        // SAFETY: nobody updates the weights, by the caller's promise.
        let weight = unsafe { self.weight.read(0..self.weight.len()) };
        let weight = gemm::matrix(weight, self.fan_in, self.fan_out);
        gemm::multiply(self.library, gemm::rows(x), weight, 0.0, gemm::rows_mut(z));
    }

    pub(super) unsafe fn backward(&self, dz: Rows, dx: RowsMut) {
        // SAFETY: as above.
        let weight = unsafe { self.weight.read(0..self.weight.len()) };
        let weight = gemm::matrix(weight, self.fan_in, self.fan_out).reversed_axes();
        gemm::multiply(
            self.library,
            gemm::rows(dz),
            weight,
            0.0,
            gemm::rows_mut(dx),
        );
    }

    pub(super) fn pieces(&self) -> usize {
        self.fan_in.div_ceil(self.piece_rows())
    }

    fn piece_rows(&self) -> usize {
        self.fan_in.div_ceil(PIECES).max(MIN_ROWS).min(self.fan_in)
    }

    /// The rows of the weights in a piece.
    fn piece(&self, piece: usize) -> Range<usize> {
        let start = piece * self.piece_rows();
        start..(start + self.piece_rows()).min(self.fan_in)
    }

    pub(super) unsafe fn update(&self, piece: usize, x: Rows, dz: Rows, sgd: Sgd) {
        let inputs = self.piece(piece);
        let range = inputs.start * self.fan_out..inputs.end * self.fan_out;
        // SAFETY: this piece is this worker's alone, by the caller's promise.
        let (weight, velocity) =
            unsafe { (self.weight.write(range.clone()), self.velocity.write(range)) };
        let x = gemm::columns(x, inputs.clone()).reversed_axes();
        let new_velocity = gemm::matrix_mut(velocity, inputs.len(), self.fan_out);
        gemm::multiply(self.library, x, gemm::rows(dz), sgd.momentum, new_velocity);
        sgd.step(weight, velocity);
    }

    pub(super) fn set_velocity(&mut self, from: &[f32]) {
        self.velocity.as_mut_slice().copy_from_slice(from);
    }

    pub(super) unsafe fn copy_weight(&self, weight: &mut [f32]) {
        // SAFETY: nobody updates the weights, by the caller's promise.
        weight.copy_from_slice(unsafe { self.weight.read(0..self.weight.len()) });
    }

    pub(super) unsafe fn copy_velocity(&self, velocity: &mut [f32]) {
        // SAFETY: as above.
        velocity.copy_from_slice(unsafe { self.velocity.read(0..self.velocity.len()) });
    }
}
