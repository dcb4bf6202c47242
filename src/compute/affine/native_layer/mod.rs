//! A layer for the micro-kernels: weights that stay packed from the first step to the last.
//!
//! Weights and slots are in [`Panels`]. A layer whose input needs a gradient also keeps `wᵀ` packed the same way, and
//! rewrites it with each update. No product here packs anything, and the optimiser works on the gradient while it is in
//! registers, or in the nearest cache. A piece of the weights is some rows of one group of columns: a worker that
//! always has the same group is the only one to touch its weights and slots.

use std::ops::Range;

use super::super::phases::{OwnPiece, OwnUnits, RowPhase, Share};
use super::super::shared::{AtomicF64, BlockMut, Rows, SharedBuffer};
use super::super::tile::{InstructionSet, MAX_TILE, MAX_WIDTH, Operand, Sink};
use super::input::Input;
use super::options::{AffineOptions, LONG_BATCH};
use super::panels::{Layout, Panels};
use super::slots::{Keeps, shrinking, write_slots};
use super::sparse_layer::{SPARSE_PIECE_ROWS, TakeTile, ZeroSkipping};

use crate::error::Result;
use crate::kernels::{add_squares, multiply_by};
use crate::optim::Step;

/// Rows of the weights in a piece: one cache line of `x` per sample, which stays in the cache for all panels.
const PIECE_ROWS: usize = 16;
/// Rows of the weights in a piece for batches of more than [`DEPTH`] rows, of which so many share the part of `dz` that
/// is in a core's cache.
const LONG_PIECE_ROWS: usize = 64;
/// The most rows of a batch that are summed before the next panel: their part of `x` and `dz` stays in the caches.
const DEPTH: usize = LONG_BATCH;
/// Columns whose squares are summed together; every register is a multiple of them.
const SQUARE_COLUMNS: usize = 8;
/// The most floats of a gradient that are computed at a time.
const MAX_GRADIENT: usize = SPARSE_PIECE_ROWS * MAX_WIDTH;

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

/// Takes a tile of the gradient: its range in the weights, the width of its rows, the sums so far, and the function
/// that computes the rest into a sink.
type TakeRest<'a> = dyn FnMut(Range<usize>, usize, Option<&mut [f32]>, &dyn Fn(Sink)) + 'a;

impl NativeLayer {
    pub(super) fn new(
        from: &[f32],
        (fan_in, fan_out): (usize, usize),
        options: AffineOptions,
        keeps: Keeps,
        set: InstructionSet,
    ) -> Result<NativeLayer> {
        let most = match options.skips_zeros {
            Some(_) => set.sparse_registers(),
            None => set.tile_registers(),
        };
        let layout = Layout::new(set, (fan_in, fan_out), options.unit_groups, most);
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
            let most = set.tile_registers();
            let layout = Layout::new(set, (fan_out, fan_in), options.input_groups, most);
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
            None => self.weight.multiply(x.values, z, share, phase),
        }
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

    pub(super) fn update(&self, piece: &OwnPiece, x: Input, dz: Rows, step: &Step) {
        let momentum = step.rule().plain_momentum();
        self.for_tiles(piece, x, dz, &mut |range, width, sums, tile| {
            // SAFETY: (1) the range is a tile of the piece, which `OwnPiece` gives to this worker.
            let w = unsafe { self.weight.values.write(range.clone()) };
            if let Some(momentum) = momentum {
                // SAFETY: (1) the velocity of the same tile, in another buffer than the weights.
                let v = unsafe { self.slots[0].write(range) };
                return tile(Sink::Momentum {
                    sums: sums.map(|sums| BlockMut::of_slice(sums, width)),
                    w: BlockMut::of_slice(w, width),
                    v: BlockMut::of_slice(v, width),
                    momentum,
                    learning_rate: step.learning_rate(),
                });
            }
            // SAFETY: (1) the slots of the same tile, in other buffers than the weights.
            let mut slots = unsafe { write_slots(&self.slots, range.clone()) };
            if let Some(gradient) = sums {
                let c = BlockMut::of_slice(gradient, width);
                tile(Sink::Add { c });
                return step.apply(w, &mut slots, gradient);
            }
            if let Some(gradient) = &self.gradient {
                // SAFETY: (1) the gradient of the same tile, in a buffer of its own.
                let gradient = unsafe { gradient.write(range) };
                let c = BlockMut::of_slice(gradient, width);
                tile(Sink::Store { c });
                return step.apply(w, &mut slots, gradient);
            }
            let mut apply = |gradient: &mut [f32]| {
                let gradient = &mut gradient[..range.len()];
                let c = BlockMut::of_slice(gradient, width);
                tile(Sink::Store { c });
                step.apply(w, &mut slots, gradient);
            };
            match range.len() <= MAX_TILE {
                true => apply(&mut [0.0; MAX_TILE]),
                false => apply(&mut [0.0; MAX_GRADIENT]),
            }
        });
        self.derive(piece);
    }

    pub(super) fn keep_gradient(
        &self,
        piece: &OwnPiece,
        x: Input,
        dz: Rows,
        squares: &[AtomicF64],
    ) {
        let kept = self.kept_gradient();
        self.for_tiles(piece, x, dz, &mut |range, width, sums, tile| match sums {
            Some(sums) => tile(Sink::Add {
                c: BlockMut::of_slice(sums, width),
            }),
            None => {
                // SAFETY: (1) the range is a tile of the piece, which `OwnPiece` gives to this worker.
                let gradient = unsafe { kept.write(range) };
                tile(Sink::Store {
                    c: BlockMut::of_slice(gradient, width),
                });
            }
        });
        let layout = &self.weight.layout;
        let of_rows = layout.columns.div_ceil(SQUARE_COLUMNS);
        let inputs = self.inputs(piece);
        for (panel, start) in self.panels(piece).flat_map(|panel| {
            inputs
                .clone()
                .step_by(PIECE_ROWS)
                .map(move |start| (panel, start))
        }) {
            let rows = start..inputs.end.min(start + PIECE_ROWS);
            let (width, first) = (layout.width(panel), layout.first_column(panel));
            // SAFETY: (1) rows of the piece, which `OwnPiece` gives to this worker.
            let gradient = unsafe { kept.read(layout.range(panel, rows)) };
            for column in (0..layout.columns_of(panel).len()).step_by(SQUARE_COLUMNS) {
                let mut sums = [0.0; SQUARE_COLUMNS];
                for row in gradient.chunks_exact(width) {
                    add_squares(&mut sums, &row[column..]);
                }
                let place = start / PIECE_ROWS * of_rows + (first + column) / SQUARE_COLUMNS;
                squares[place].store(sums.into_iter().map(f64::from).sum());
            }
        }
    }

    /// The terms of the squared norm: one for some columns of as many rows as a piece has if no zeros are skipped.
    pub(super) fn squares(&self) -> usize {
        let layout = &self.weight.layout;
        layout.rows.div_ceil(PIECE_ROWS) * layout.columns.div_ceil(SQUARE_COLUMNS)
    }

    pub(super) fn apply(&self, piece: &OwnPiece, step: &Step) {
        let kept = self.kept_gradient();
        for panel in self.panels(piece) {
            let range = self.weight.layout.range(panel, self.inputs(piece));
            // SAFETY: (1) rows of the piece, which `OwnPiece` gives to this worker; the buffers are different ones.
            let (weight, gradient, mut slots) = unsafe {
                (
                    self.weight.values.write(range.clone()),
                    kept.write(range.clone()),
                    write_slots(&self.slots, range),
                )
            };
            step.apply(weight, &mut slots, gradient);
        }
        self.derive(piece);
    }

    fn kept_gradient(&self) -> &SharedBuffer<f32> {
        let gradient = self.gradient.as_ref();
        gradient.expect("a layer that keeps its gradient")
    }

    /// Calls `take` for each tile of the gradient `dw = xᵀ · dz` of a piece, with its range in the weights, the width
    /// of its rows, the sums over the rows of a long batch so far, and a function that computes the rest into a sink
    /// of that size. The ranges lie in the piece and are disjoint.
    fn for_tiles(&self, piece: &OwnPiece, x: Input, dz: Rows, take: &mut TakeRest) {
        let layout = &self.weight.layout;
        assert_eq!(
            (x.values.width, dz.width),
            (layout.rows, layout.columns),
            "widths of x and dz"
        );
        assert_eq!(x.values.rows(), dz.rows(), "rows of x and dz");
        assert!(
            x.values.width <= x.values.stride,
            "width of x within its stride"
        );
        let samples = dz.rows();
        let mut start = 0;
        // All but the last rows of a long batch.
        while samples - start > DEPTH {
            let rows = start..start + DEPTH;
            self.for_tiles_of(piece, x, dz, rows, &mut |range, width, tile| {
                // SAFETY: (1) the range is a tile of the piece, which `OwnPiece` gives to this worker.
                let c = BlockMut::of_slice(unsafe { self.kept_gradient().write(range) }, width);
                tile(if start == 0 {
                    Sink::Store { c }
                } else {
                    Sink::Add { c }
                });
            });
            start += DEPTH;
        }
        self.for_tiles_of(piece, x, dz, start..samples, &mut |range, width, tile| {
            // SAFETY: (1) the range is a tile of the piece, which `OwnPiece` gives to this worker.
            let sums = (start > 0).then(|| unsafe { self.kept_gradient().write(range.clone()) });
            take(range, width, sums, tile);
        });
    }

    /// [`NativeLayer::for_tiles`] for some rows of a batch, without the sums over others.
    fn for_tiles_of(
        &self,
        piece: &OwnPiece,
        x: Input,
        dz: Rows,
        samples: Range<usize>,
        take: &mut TakeTile,
    ) {
        if let Some(zeros) = &self.zeros {
            let place = (self.inputs(piece), self.panels(piece));
            return zeros.for_tiles(&self.weight.layout, place, x, dz, samples, take);
        }
        let (layout, inputs) = (&self.weight.layout, self.inputs(piece));
        let x = &x.values;
        for panel in self.panels(piece) {
            let (registers, width) = (layout.registers(panel), layout.width(panel));
            let column = layout.first_column(panel);
            assert!(column + width <= dz.stride, "padding of dz");
            let b = Operand {
                values: &dz.values[samples.start * dz.stride + column..],
                row: 0,
                k: dz.stride,
            };
            for row in inputs.clone().step_by(self.set.tile_rows()) {
                let rows = self.set.tile_rows().min(inputs.end - row);
                let a = Operand {
                    values: &x.values[samples.start * x.stride + row..],
                    row: 1,
                    k: x.stride,
                };
                let tile = |sink: Sink| {
                    self.set.tile((rows, registers), samples.len(), a, b, sink);
                };
                take(layout.range(panel, row..row + rows), width, &tile);
            }
        }
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
                for first in (0..width.min(layout.columns - column)).step_by(lanes) {
                    let columns = lanes.min(layout.columns - column - first);
                    let to_row = to_layout.width(to_panel);
                    let to = to_layout.at(to_panel, column + first) + to_column;
                    let to_end = to + (columns - 1) * to_row + rows;
                    let out = transposed.values.pointer(to..to_end);
                    if rows == lanes && columns == lanes {
                        // SAFETY: (1) `to_end` is the end of `lanes` rows of `lanes` floats, and `pointer` checks it.
                        // They are the transpose of rows of the piece, which only the worker with its `OwnPiece`
                        // touches.
                        unsafe { self.set.transpose(&block[first..], width, out, to_row) };
                    } else {
                        for (i, j) in (0..rows).flat_map(|i| (0..columns).map(move |j| (i, j))) {
                            // SAFETY: the offset is below `to_end`, which `pointer` checks. The float is the transpose
                            // of a row of the piece, which only the worker with its `OwnPiece` touches.
                            unsafe { *out.add(j * to_row + i) = block[i * width + first + j] };
                        }
                    }
                }
            }
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
