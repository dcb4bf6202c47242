//! A layer for the micro-kernels: weights that stay packed from the first step to the last.
//!
//! Weights and slots are in [`Panels`]. A layer whose input needs a gradient also keeps `wᵀ` packed the same way, and
//! rewrites it with each update. No product here packs anything, and the optimiser works on the gradient while it is in
//! registers, or in the nearest cache. A piece of the weights is some rows of one group of columns: a worker that
//! always has the same group is the only one to touch its weights and slots.

mod update;

use std::ops::Range;

use super::super::phases::{OwnPiece, OwnUnits, RowPhase, Share};
use super::super::shared::{BlockMut, LINE, Rows, SharedBuffer};
use super::super::simd::finish_streaming;
use super::super::tile::{InstructionSet, MAX_WIDTH, Stores};
use super::input::Input;
use super::options::{AffineOptions, LONG_BATCH};
use super::panels::{Layout, Panels, Widths};
use super::slots::{Keeps, shrinking};
use super::sparse_layer::{SPARSE_PIECE_ROWS, ZeroSkipping};
use crate::error::Result;
use crate::kernels::{add_squares, multiply_by};
use crate::optim::Step;

/// Rows of the weights in a piece: two cache lines of `x` per sample, which stay in the cache for all panels.
const PIECE_ROWS: usize = 32;
/// Rows of the weights in a piece if workers divide them: as many as shares of units are multiples of.
const SHARED_PIECE_ROWS: usize = LINE;
/// Rows of the weights in a piece for batches of more than [`DEPTH`] rows, of which so many share the part of `dz` that
/// is in a core's cache.
const LONG_PIECE_ROWS: usize = 64;
/// The fewest weights of a layer whose transposed copy is written past the caches. With its weights and velocity it has
/// 24 MB or more, so that no cache keeps it until the next step.
const STREAMED: usize = 1 << 21;
/// The most rows of a batch that are summed before the next panel: their part of `x` and `dz` stays in the caches.
const DEPTH: usize = LONG_BATCH;

/// Weights, slots, the gradient if it is kept, and transposed weights if they are needed, all in panels.
#[derive(Debug)]
pub struct NativeLayer {
    set: InstructionSet,
    weight: Panels,
    slots: Vec<SharedBuffer<f32>>,
    /// Kept between two passes over it, or the sums of a long batch so far.
    gradient: Option<SharedBuffer<f32>>,
    transposed: Option<Panels>,
    keeps: Keeps,
    zeros: Option<ZeroSkipping>,
    /// Rows of the weights in a piece.
    piece_rows: usize,
}

impl NativeLayer {
    pub(super) fn new(
        from: &[f32],
        (fan_in, fan_out): (usize, usize),
        options: AffineOptions,
        keeps: Keeps,
        set: InstructionSet,
    ) -> Result<NativeLayer> {
        let widths = match options.skips_zeros {
            Some(_) => Widths::sparse(set, options.rows),
            None => Widths::dense(set),
        };
        let layout = Layout::new(set, (fan_in, fan_out), options.unit_groups, widths);
        let weight = Panels::zeroed(layout)?;
        let zeroed = || weight.layout.zeroed();
        let slots = (0..keeps.slots).map(|_| zeroed()).collect::<Result<_>>()?;
        let is_long = options.rows > DEPTH;
        let keeps_gradient = keeps.gradient || is_long;
        let gradient = keeps_gradient.then(zeroed).transpose()?;
        let zeros = options.skips_zeros;
        let zeros = zeros.map(|offset| ZeroSkipping::new(offset, (fan_in, fan_out)));
        let mut layer = NativeLayer {
            set,
            weight,
            slots,
            gradient,
            transposed: None,
            keeps,
            zeros: zeros.transpose()?,
            piece_rows: match options.skips_zeros {
                _ if options.by_inputs => SHARED_PIECE_ROWS,
                _ if is_long => LONG_PIECE_ROWS,
                Some(_) => SPARSE_PIECE_ROWS,
                None => PIECE_ROWS,
            },
        };
        layer.weight.pack(from);
        if keeps.average {
            layer.set_slot(keeps.slots - 1, from);
        }
        if options.inputs_need_gradient {
            let widths = Widths::dense(set);
            let layout = Layout::new(set, (fan_out, fan_in), options.input_groups, widths);
            layer.transposed = Some(Panels::zeroed(layout)?);
        }
        for piece in 0..layer.pieces() {
            // SAFETY: (1) and (2) no other token for this layer exists, which no other thread knows yet.
            layer.derive(&unsafe { OwnPiece::new(piece) });
        }
        Ok(layer)
    }

    pub(super) fn forward(&self, x: Input, z: BlockMut, share: Share, phase: RowPhase) {
        match &self.zeros {
            Some(zeros) => zeros.forward(&self.weight, x, z, share, phase),
            None => self.weight.multiply(x.dense(), z, share, phase),
        }
    }

    pub(super) fn add_forward(&self, x: Rows, z: BlockMut, phase: RowPhase) {
        self.weight.multiply_some(x, z, phase);
    }

    pub(super) fn backward(&self, dz: Rows, dx: BlockMut, share: Share, phase: RowPhase) {
        let transposed = self.transposed.as_ref();
        let transposed = transposed.expect("a layer whose input needs a gradient");
        transposed.multiply(dz, dx, share, phase);
    }

    /// The number of pieces of a group of columns.
    fn chunks(&self) -> usize {
        self.weight.layout.rows.div_ceil(self.piece_rows)
    }

    pub(super) fn groups(&self) -> usize {
        self.weight.layout.groups()
    }

    pub(super) fn pieces(&self) -> usize {
        self.chunks() * self.groups()
    }

    /// The number of the rows of a piece among the rows of all pieces.
    fn chunk(&self, piece: &OwnPiece) -> usize {
        piece.index() % self.chunks()
    }

    /// The rows of the weights in a piece. Pieces differ in their rows or in their panels.
    fn inputs(&self, piece: &OwnPiece) -> Range<usize> {
        let start = self.chunk(piece) * self.piece_rows;
        start..(start + self.piece_rows).min(self.weight.layout.rows)
    }

    /// The panels of the weights in a piece.
    fn panels(&self, piece: &OwnPiece) -> Range<usize> {
        self.weight.layout.group(piece.index() / self.chunks())
    }

    /// Brings what is derived from a piece of the weights up to date: the transposed panels, and sums of columns.
    fn derive(&self, piece: &OwnPiece) {
        if let Some(transposed) = &self.transposed {
            self.transpose(transposed, piece);
        }
        if let Some(zeros) = &self.zeros {
            let place = (self.inputs(piece), self.panels(piece));
            zeros.sum_columns(&self.weight, place, piece);
        }
    }

    /// Copies a piece of the weights to the transposed panels.
    fn transpose(&self, transposed: &Panels, piece: &OwnPiece) {
        let (layout, to_layout) = (&self.weight.layout, &transposed.layout);
        let (lanes, inputs) = (self.set.lanes(), self.inputs(piece));
        let stores = match layout.rows * layout.columns >= STREAMED {
            true => Stores::Streaming,
            false => Stores::Cached,
        };
        // As many rows as a register has lanes are neighbours in one panel of the transpose.
        for start in inputs.clone().step_by(lanes) {
            let rows = lanes.min(inputs.end - start);
            let to_panel = to_layout.panel_of(start);
            let to_column = start - to_layout.first_column(to_panel);
            for panel in self.panels(piece) {
                let (column, width) = (layout.first_column(panel), layout.width(panel));
                // SAFETY: (1) rows of the piece, which `OwnPiece` gives to this worker.
                let block = unsafe {
                    self.weight
                        .values
                        .read(layout.range(panel, start..start + rows))
                };
                let columns = layout.columns_of(panel).len();
                let to_row = to_layout.width(to_panel);
                let to = to_layout.at(to_panel, column) + to_column;
                let out = transposed
                    .values
                    .pointer(to..to + (columns - 1) * to_row + lanes);
                // SAFETY: (1) `pointer` checks the end of `columns` rows of `lanes` floats. They are the transpose of
                // rows of the piece and, in its last panel, padding after them, which only the worker with its
                // `OwnPiece` touches. (2) Streaming is finished below, before the worker returns its piece.
                unsafe {
                    let (from, to) = ((block, width), (out, to_row));
                    self.set.transpose(from, (rows, columns), to, stores);
                }
            }
        }
        if stores == Stores::Streaming {
            finish_streaming();
        }
    }

    pub(super) fn unit_pieces(&self) -> usize {
        self.weight.layout.count()
    }

    pub(super) fn limit_units(&self, units: &OwnUnits, max: f32, step: &Step) {
        let (panel, layout) = (units.index(), &self.weight.layout);
        let width = layout.width(panel);
        let range = layout.range(panel, 0..layout.rows);
        // SAFETY: (1) the panel has weights of these units only, which `OwnUnits` gives to this worker.
        let weights = unsafe { self.weight.values.write(range.clone()) };
        let mut factors = [0.0; MAX_WIDTH];
        let factors = &mut factors[..width];
        for row in weights.chunks_exact(width) {
            add_squares(factors, row);
        }
        for factor in factors.iter_mut() {
            *factor = shrinking(*factor, max);
        }
        if factors.iter().any(|factor| *factor != 1.0) {
            for row in weights.chunks_exact_mut(width) {
                multiply_by(row, factors);
            }
            for (unit, &factor) in layout.columns_of(panel).zip(&*factors) {
                self.scale_transposed(units, unit, factor);
            }
        }
        if let Some(zeros) = &self.zeros {
            zeros.sum_columns_of(&self.weight, units);
        }
        if self.keeps.average {
            // SAFETY: (1) the averages of these weights are this worker's as the weights are, in another buffer.
            let average = unsafe { self.slots[self.keeps.slots - 1].write(range) };
            step.update_average(average, weights);
        }
    }

    /// Scales the transposed weights into a unit among `units`, if there are any.
    fn scale_transposed(&self, _units: &OwnUnits, unit: usize, factor: f32) {
        let Some(transposed) = self.transposed.as_ref().filter(|_| factor != 1.0) else {
            return;
        };
        let layout = &transposed.layout;
        for panel in 0..layout.count() {
            let range = layout.range(panel, unit..unit + 1);
            // SAFETY: (1) the transposed weights into one of the units, which `OwnUnits` gives to this worker.
            let row = unsafe { transposed.values.write(range) };
            row.iter_mut().for_each(|w| *w *= factor);
        }
    }

    pub(super) fn copy_weight(&mut self, to: &mut [f32]) {
        self.weight.layout.unpack(&mut self.weight.values, to);
    }

    pub(super) fn copy_slot(&mut self, slot: usize, to: &mut [f32]) {
        self.weight.layout.unpack(&mut self.slots[slot], to);
    }

    pub(super) fn set_slot(&mut self, slot: usize, from: &[f32]) {
        self.weight.layout.pack(from, &mut self.slots[slot]);
    }
}

#[cfg(test)]
mod tests;
