//! A layer for matrix libraries: row-major weights, each product one call of [`gemm`].
//!
//! Plain momentum rides in the product: `v = μ v + xᵀ · dz` is a GEMM with β = μ. Other rules have a gradient buffer.
//! Libraries may sum in another order at the edge of a matrix, so pieces are cut by the weights' shape alone.

use std::ops::Range;

use super::super::gemm::{self, Library};
use super::super::shared::{Rows, RowsMut, SharedBuffer};
use super::slots::{Keeps, shrinking, write_slots};
use crate::error::Result;
use crate::kernels::{add_squares, multiply_by, sum_of_squares};
use crate::optim::Step;

/// Pieces of the weights, where these are large enough to cut.
const PIECES: usize = 8;
/// Rows of the weights in a piece, at least: thinner products are slow.
const MIN_ROWS: usize = 48;

/// Units that are held to a norm at a time.
const UNITS: usize = 64;

/// Weights and slots, `[in, out]` row-major.
#[derive(Debug)]
pub struct GemmLayer {
    library: Library,
    weight: SharedBuffer<f32>,
    slots: Vec<SharedBuffer<f32>>,
    /// None where the gradient goes straight into a velocity.
    gradient: Option<SharedBuffer<f32>>,
    keeps: Keeps,
    fan_in: usize,
    fan_out: usize,
}

impl GemmLayer {
    pub(super) fn new(
        from: &[f32],
        (fan_in, fan_out): (usize, usize),
        keeps: Keeps,
        library: Library,
    ) -> Result<GemmLayer> {
        let zeroed = || SharedBuffer::zeroed(from.len());
        let mut layer = GemmLayer {
            library,
            weight: zeroed()?,
            slots: (0..keeps.slots).map(|_| zeroed()).collect::<Result<_>>()?,
            gradient: keeps.scratch.then(zeroed).transpose()?,
            keeps,
            fan_in,
            fan_out,
        };
        layer.weight.as_mut_slice().copy_from_slice(from);
        if keeps.average {
            layer.set_slot(keeps.slots - 1, from);
        }
        Ok(layer)
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

    /// Where a piece lies in the weights.
    fn range(&self, piece: usize) -> Range<usize> {
        let inputs = self.piece(piece);
        inputs.start * self.fan_out..inputs.end * self.fan_out
    }

    pub(super) unsafe fn update(&self, piece: usize, x: Rows, dz: Rows, step: &Step) {
        let range = self.range(piece);
        match step.rule().plain_momentum() {
            // SAFETY: this piece is this worker's alone, by the caller's promise.
            Some(momentum) => unsafe {
                let velocity = self.slots[0].write(range.clone());
                self.multiply_into(piece, x, dz, momentum, velocity);
                step.descend(self.weight.write(range), velocity);
            },
            // SAFETY: as above.
            None => unsafe {
                self.gradient_of(piece, x, dz);
                self.apply(piece, step);
            },
        }
    }

    pub(super) unsafe fn keep_gradient(&self, piece: usize, x: Rows, dz: Rows) -> f64 {
        // SAFETY: passed on.
        sum_of_squares(unsafe { self.gradient_of(piece, x, dz) })
    }

    pub(super) unsafe fn apply(&self, piece: usize, step: &Step) {
        let range = self.range(piece);
        // SAFETY: this piece is this worker's alone, by the caller's promise.
        unsafe {
            let gradient = self.kept_gradient().write(range.clone());
            let weight = self.weight.write(range.clone());
            let mut slots = write_slots(&self.slots, range);
            step.apply(weight, &mut slots, gradient);
        }
    }

    fn kept_gradient(&self) -> &SharedBuffer<f32> {
        let gradient = self.gradient.as_ref();
        gradient.expect("a layer that keeps its gradient")
    }

    /// The gradient of a piece, in the buffer that is kept for it.
    unsafe fn gradient_of(&self, piece: usize, x: Rows, dz: Rows) -> &[f32] {
        // SAFETY: this piece is this worker's alone, by the caller's promise.
        let gradient = unsafe { self.kept_gradient().write(self.range(piece)) };
        self.multiply_into(piece, x, dz, 0.0, gradient);
        gradient
    }

    /// `out = β out + xᵀ · dz` for a piece.
    fn multiply_into(&self, piece: usize, x: Rows, dz: Rows, beta: f32, out: &mut [f32]) {
        let inputs = self.piece(piece);
        let x = gemm::columns(x, inputs.clone()).reversed_axes();
        let out = gemm::matrix_mut(out, inputs.len(), self.fan_out);
        gemm::multiply(self.library, x, gemm::rows(dz), beta, out);
    }

    pub(super) fn unit_pieces(&self) -> usize {
        self.fan_out.div_ceil(UNITS)
    }

    pub(super) unsafe fn limit_units(&self, piece: usize, most: f32, step: &Step) {
        let units = piece * UNITS..self.fan_out.min((piece + 1) * UNITS);
        let rows = (0..self.fan_in).map(|row| {
            let start = row * self.fan_out;
            start + units.start..start + units.end
        });
        let mut factors = [0.0; UNITS];
        for row in rows.clone() {
            // SAFETY: these units are this worker's alone, by the caller's promise.
            let weights = unsafe { self.weight.read(row) };
            add_squares(&mut factors, weights);
        }
        let factors = factors.map(|square| shrinking(square, most));
        let shrinks = factors.iter().any(|factor| *factor != 1.0);
        for row in rows {
            // SAFETY: as above.
            let weights = unsafe { self.weight.write(row.clone()) };
            if shrinks {
                multiply_by(weights, &factors);
            }
            if self.keeps.average {
                // SAFETY: as above.
                step.follow(
                    unsafe { self.slots[self.keeps.slots - 1].write(row) },
                    weights,
                );
            }
        }
    }

    pub(super) fn set_slot(&mut self, slot: usize, from: &[f32]) {
        self.slots[slot].as_mut_slice().copy_from_slice(from);
    }

    pub(super) unsafe fn copy_weight(&self, weight: &mut [f32]) {
        // SAFETY: nobody updates the weights, by the caller's promise.
        weight.copy_from_slice(unsafe { self.weight.read(0..self.weight.len()) });
    }

    pub(super) unsafe fn copy_slot(&self, slot: usize, to: &mut [f32]) {
        // SAFETY: as above.
        to.copy_from_slice(unsafe { self.slots[slot].read(0..self.weight.len()) });
    }
}
