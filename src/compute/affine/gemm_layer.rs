//! A layer for matrix libraries: row-major weights, each product one call of [`gemm`].
//!
//! Plain momentum is part of the product: `v = μ v + xᵀ · dz` is a GEMM with β = μ. Other rules use a gradient buffer.
//! Libraries may sum in another order at the edge of a matrix, so the pieces depend on the weights' shape only.

use std::ops::Range;

use super::super::gemm::{self, Library};
use super::super::phases::{OwnPiece, OwnUnits, RowPhase, Share};
use super::super::shared::{AtomicF64, BlockMut, Rows, SharedBuffer};
use super::input::Input;
use super::slots::{Keeps, shrinking, write_slots};
use crate::error::Result;
use crate::kernels::{add_squares, multiply_by, sum_of_squares};
use crate::optim::Step;

/// The number of pieces of weights that are large enough to divide.
const PIECES: usize = 8;
/// The least number of rows of the weights in a piece: thinner products are slow.
const MIN_ROWS: usize = 48;

/// Units in a piece of units.
const UNITS: usize = 64;

/// Weights and slots, `[in, out]` row-major.
#[derive(Debug)]
pub struct GemmLayer {
    library: Library,
    weight: SharedBuffer<f32>,
    slots: Vec<SharedBuffer<f32>>,
    /// `None` if the gradient is added to a velocity at once.
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

    /// All weights, for as long as the row phase lasts.
    fn weight<'a>(&'a self, _phase: RowPhase<'a>) -> &'a [f32] {
        // SAFETY: (1) the phase proves that nobody writes parameters.
        unsafe { self.weight.read(0..self.weight.len()) }
    }

    pub(super) fn forward(&self, x: Input, z: BlockMut, share: Share, phase: RowPhase) {
        assert_eq!(share, Share::ALL, "a share of the units of a library");
        let (x, z) = (x.dense(), z.into_rows());
        let weight = gemm::matrix(self.weight(phase), self.fan_in, self.fan_out);
        gemm::multiply(self.library, gemm::rows(x), weight, 0.0, gemm::rows_mut(z));
    }

    pub(super) fn backward(&self, dz: Rows, dx: BlockMut, share: Share, phase: RowPhase) {
        assert_eq!(share, Share::ALL, "a share of the inputs of a library");
        let dx = dx.into_rows();
        let weight = gemm::matrix(self.weight(phase), self.fan_in, self.fan_out);
        gemm::multiply(
            self.library,
            gemm::rows(dz),
            weight.reversed_axes(),
            0.0,
            gemm::rows_mut(dx),
        );
    }

    pub(super) fn pieces(&self) -> usize {
        self.fan_in.div_ceil(self.piece_rows())
    }

    pub(super) fn groups(&self) -> usize {
        1
    }

    pub(super) fn squares(&self) -> usize {
        self.pieces()
    }

    fn piece_rows(&self) -> usize {
        self.fan_in.div_ceil(PIECES).max(MIN_ROWS).min(self.fan_in)
    }

    /// The rows of the weights in a piece; pieces are disjoint.
    fn inputs(&self, piece: &OwnPiece) -> Range<usize> {
        let start = piece.index() * self.piece_rows();
        start..(start + self.piece_rows()).min(self.fan_in)
    }

    /// The range of a piece in the weights, the slots and the gradient.
    fn range(&self, piece: &OwnPiece) -> Range<usize> {
        let inputs = self.inputs(piece);
        inputs.start * self.fan_out..inputs.end * self.fan_out
    }

    pub(super) fn update(&self, piece: &OwnPiece, x: Input, dz: Rows, step: &Step) {
        let range = self.range(piece);
        match step.rule().plain_momentum() {
            Some(momentum) => {
                // SAFETY: (1) the range lies in the piece, which is this worker's, and the parameters that a row phase
                // reads are not in use, by preconditions 1 and 2 of `OwnPiece::new`.
                let velocity = unsafe { self.slots[0].write(range.clone()) };
                self.multiply_into(piece, x, dz, momentum, velocity);
                // SAFETY: (1) as for the velocity: the range lies in the piece, which `OwnPiece` gives to this worker.
                let weight = unsafe { self.weight.write(range) };
                step.descend(weight, velocity);
            }
            None => {
                self.gradient_of(piece, x, dz);
                self.apply(piece, step);
            }
        }
    }

    pub(super) fn keep_gradient(
        &self,
        piece: &OwnPiece,
        x: Input,
        dz: Rows,
        squares: &[AtomicF64],
    ) {
        squares[piece.index()].store(sum_of_squares(self.gradient_of(piece, x, dz)));
    }

    pub(super) fn apply(&self, piece: &OwnPiece, step: &Step) {
        let range = self.range(piece);
        // SAFETY: (1) the range lies in the piece, which `OwnPiece` gives to this worker; the buffers are different
        // ones.
        let (gradient, weight, mut slots) = unsafe {
            (
                self.kept_gradient().write(range.clone()),
                self.weight.write(range.clone()),
                write_slots(&self.slots, range),
            )
        };
        step.apply(weight, &mut slots, gradient);
    }

    fn kept_gradient(&self) -> &SharedBuffer<f32> {
        let gradient = self.gradient.as_ref();
        gradient.expect("a layer that keeps its gradient")
    }

    /// The gradient of a piece, in the buffer that is kept for it.
    fn gradient_of<'a>(&'a self, piece: &'a OwnPiece, x: Input, dz: Rows) -> &'a [f32] {
        // SAFETY: (1) the range lies in the piece, which `OwnPiece` gives to this worker. Both callers are done with
        // the result before they use the piece again.
        let gradient = unsafe { self.kept_gradient().write(self.range(piece)) };
        self.multiply_into(piece, x, dz, 0.0, gradient);
        gradient
    }

    /// `out = β out + xᵀ · dz` for a piece.
    fn multiply_into(&self, piece: &OwnPiece, x: Input, dz: Rows, beta: f32, out: &mut [f32]) {
        let inputs = self.inputs(piece);
        let x = gemm::columns(x.dense(), inputs.clone()).reversed_axes();
        let out = gemm::matrix_mut(out, inputs.len(), self.fan_out);
        gemm::multiply(self.library, x, gemm::rows(dz), beta, out);
    }

    pub(super) fn unit_pieces(&self) -> usize {
        self.fan_out.div_ceil(UNITS)
    }

    pub(super) fn limit_units(&self, units: &OwnUnits, max: f32, step: &Step) {
        let first = units.index() * UNITS;
        let columns = first..self.fan_out.min(first + UNITS);
        let rows = (0..self.fan_in).map(|row| {
            let start = row * self.fan_out;
            start + columns.start..start + columns.end
        });
        let mut factors = [0.0; UNITS];
        for row in rows.clone() {
            // SAFETY: (1) `row` has weights of these units only, which `OwnUnits` gives to this worker.
            let weights = unsafe { self.weight.read(row) };
            add_squares(&mut factors, weights);
        }
        let factors = factors.map(|square| shrinking(square, max));
        let shrinks = factors.iter().any(|factor| *factor != 1.0);
        for row in rows {
            // SAFETY: (1) `row` has weights of these units only, which `OwnUnits` gives to this worker.
            let weights = unsafe { self.weight.write(row.clone()) };
            if shrinks {
                multiply_by(weights, &factors);
            }
            if self.keeps.average {
                // SAFETY: (1) the averages of these weights are this worker's as the weights are, in another buffer.
                let average = unsafe { self.slots[self.keeps.slots - 1].write(row) };
                step.update_average(average, weights);
            }
        }
    }

    pub(super) fn copy_weight(&mut self, to: &mut [f32]) {
        to.copy_from_slice(self.weight.as_mut_slice());
    }

    pub(super) fn copy_slot(&mut self, slot: usize, to: &mut [f32]) {
        to.copy_from_slice(self.slots[slot].as_mut_slice());
    }

    pub(super) fn set_slot(&mut self, slot: usize, from: &[f32]) {
        self.slots[slot].as_mut_slice().copy_from_slice(from);
    }
}
