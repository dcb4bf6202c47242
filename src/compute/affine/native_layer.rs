//! A layer for the micro-kernels: weights that stay packed from the first step to the last.
//!
//! Weights and slots are in [`Panels`]. A layer whose input needs a gradient also keeps `wᵀ` packed the same way, and
//! rewrites it with each update. No product here packs anything, and the optimiser works on the gradient while it is in
//! registers, or in the nearest cache.

use std::ops::Range;

use super::super::phases::{OwnPiece, OwnUnits, RowPhase};
use super::super::shared::{Rows, RowsMut, SharedBuffer};
use super::super::tile::{InstructionSet, MAX_TILE, MAX_WIDTH, Operand, Sink};
use super::panels::Panels;
use super::slots::{Keeps, shrinking, write_slots};
use crate::error::Result;
use crate::kernels::{add_squares, multiply_by, sum_of_squares};
use crate::optim::Step;

/// Rows of the weights in a piece: one cache line of `x` per sample, which stays in the cache for all panels.
const PIECE_ROWS: usize = 16;

/// Weights, slots, the gradient if it is kept, and transposed weights if they are needed, all in panels.
#[derive(Debug)]
pub struct NativeLayer {
    set: InstructionSet,
    weight: Panels,
    slots: Vec<SharedBuffer<f32>>,
    gradient: Option<SharedBuffer<f32>>,
    transposed: Option<Panels>,
    keeps: Keeps,
}

impl NativeLayer {
    pub(super) fn new(
        from: &[f32],
        (fan_in, fan_out): (usize, usize),
        inputs_need_gradient: bool,
        keeps: Keeps,
        set: InstructionSet,
    ) -> Result<NativeLayer> {
        let weight = Panels::zeroed(set, fan_in, fan_out)?;
        let zeroed = || weight.layout.zeroed();
        let slots = (0..keeps.slots).map(|_| zeroed()).collect::<Result<_>>()?;
        let gradient = keeps.gradient.then(zeroed).transpose()?;
        let mut layer = NativeLayer {
            set,
            weight,
            slots,
            gradient,
            transposed: None,
            keeps,
        };
        layer.weight.pack(from);
        if keeps.average {
            layer.set_slot(keeps.slots - 1, from);
        }
        if inputs_need_gradient {
            layer.transposed = Some(Panels::zeroed(set, fan_out, fan_in)?);
            for piece in 0..layer.pieces() {
                // SAFETY: (1) and (2) no other token for this layer exists, which no other thread knows yet.
                layer.transpose(&unsafe { OwnPiece::new(piece) });
            }
        }
        Ok(layer)
    }

    pub(super) fn forward(&self, x: Rows, z: RowsMut, phase: RowPhase) {
        self.weight.multiply(x, z, phase);
    }

    pub(super) fn backward(&self, dz: Rows, dx: RowsMut, phase: RowPhase) {
        let transposed = self.transposed.as_ref();
        let transposed = transposed.expect("a layer whose input needs a gradient");
        transposed.multiply(dz, dx, phase);
    }

    pub(super) fn pieces(&self) -> usize {
        self.weight.layout.rows.div_ceil(PIECE_ROWS)
    }

    pub(super) fn update(&self, piece: &OwnPiece, x: Rows, dz: Rows, step: &Step) {
        let momentum = step.rule().plain_momentum();
        self.for_tiles(piece, x, dz, |range, width, tile| {
            // SAFETY: (1) the range is a tile of the piece, which `OwnPiece` gives to this worker.
            let w = unsafe { self.weight.values.write(range.clone()) };
            if let Some(momentum) = momentum {
                // SAFETY: (1) the velocity of the same tile, in another buffer than the weights.
                let v = unsafe { self.slots[0].write(range) };
                return tile(Sink::Momentum {
                    w,
                    v,
                    row: width,
                    momentum,
                    learning_rate: step.learning_rate(),
                });
            }
            let mut gradient = [0.0; MAX_TILE];
            let gradient = &mut gradient[..range.len()];
            tile(Sink::Store {
                c: gradient,
                row: width,
            });
            // SAFETY: (1) the slots of the same tile, in other buffers than the weights.
            let mut slots = unsafe { write_slots(&self.slots, range) };
            step.apply(w, &mut slots, gradient);
        });
        self.transpose(piece);
    }

    pub(super) fn keep_gradient(&self, piece: &OwnPiece, x: Rows, dz: Rows) -> f64 {
        let (kept, mut sum) = (self.kept_gradient(), 0.0);
        self.for_tiles(piece, x, dz, |range, width, tile| {
            // SAFETY: (1) the range is a tile of the piece, which `OwnPiece` gives to this worker.
            let gradient = unsafe { kept.write(range) };
            tile(Sink::Store {
                c: gradient,
                row: width,
            });
            sum += sum_of_squares(gradient);
        });
        sum
    }

    pub(super) fn apply(&self, piece: &OwnPiece, step: &Step) {
        let kept = self.kept_gradient();
        let (layout, inputs) = (self.weight.layout, self.inputs(piece));
        for panel in 0..layout.count() {
            let range = layout.at(panel, inputs.start)..layout.at(panel, inputs.end);
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
        self.transpose(piece);
    }

    fn kept_gradient(&self) -> &SharedBuffer<f32> {
        let gradient = self.gradient.as_ref();
        gradient.expect("a layer that keeps its gradient")
    }

    /// The rows of the weights in a piece; pieces are disjoint.
    fn inputs(&self, piece: &OwnPiece) -> Range<usize> {
        let start = piece.index() * PIECE_ROWS;
        start..(start + PIECE_ROWS).min(self.weight.layout.rows)
    }

    /// Calls `take` for each tile of the gradient `dw = xᵀ · dz` of a piece, with its range in the weights, the width
    /// of its rows, and a function that computes it into a sink of that size. The ranges lie in the piece and are
    /// disjoint.
    fn for_tiles(
        &self,
        piece: &OwnPiece,
        x: Rows,
        dz: Rows,
        mut take: impl FnMut(Range<usize>, usize, &dyn Fn(Sink)),
    ) {
        let (layout, samples) = (self.weight.layout, x.rows());
        assert_eq!(
            (x.width, dz.width),
            (layout.rows, layout.columns),
            "widths of x and dz"
        );
        assert_eq!(samples, dz.rows(), "rows of x and dz");
        assert!(x.width <= x.stride, "width of x within its stride");
        let inputs = self.inputs(piece);
        for panel in 0..layout.count() {
            let (registers, width) = (layout.registers(panel), layout.width(panel));
            let column = layout.first_column(panel);
            assert!(column + width <= dz.stride, "padding of dz");
            let b = Operand {
                values: &dz.values[column..],
                row: 0,
                k: dz.stride,
            };
            for row in inputs.clone().step_by(self.set.tile_rows()) {
                let rows = self.set.tile_rows().min(inputs.end - row);
                let a = Operand {
                    values: &x.values[row..],
                    row: 1,
                    k: x.stride,
                };
                let start = layout.at(panel, row);
                let tile = |sink: Sink| self.set.tile((rows, registers), samples, a, b, sink);
                take(start..start + rows * width, width, &tile);
            }
        }
    }

    /// Copies a piece of the weights to the transposed panels, if there are any.
    fn transpose(&self, piece: &OwnPiece) {
        let Some(transposed) = &self.transposed else {
            return;
        };
        let (layout, to_layout) = (self.weight.layout, transposed.layout);
        let (lanes, inputs) = (self.set.lanes(), self.inputs(piece));
        // As many rows as a register has lanes are neighbours in one panel of the transpose.
        for start in inputs.clone().step_by(lanes) {
            let rows = lanes.min(inputs.end - start);
            let to_panel = to_layout.panel_of(start);
            let to_column = start - to_layout.first_column(to_panel);
            for panel in 0..layout.count() {
                let (column, width) = (layout.first_column(panel), layout.width(panel));
                let from = layout.at(panel, start);
                // SAFETY: (1) rows of the piece, which `OwnPiece` gives to this worker.
                let block = unsafe { self.weight.values.read(from..from + rows * width) };
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
        let (panel, layout) = (units.index(), self.weight.layout);
        let width = layout.width(panel);
        let range = layout.at(panel, 0)..layout.at(panel, layout.rows);
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
        let layout = transposed.layout;
        for panel in 0..layout.count() {
            let start = layout.at(panel, unit);
            let range = start..start + layout.width(panel);
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
mod tests {
    use super::*;
    use crate::compute::phases::OwnRows;
    use crate::compute::shared::Matrix;
    use crate::optim::Rule;

    fn numbers(count: usize, seed: u32) -> Vec<f32> {
        let value =
            |i: usize| ((i as u32).wrapping_mul(2_654_435_761).wrapping_add(seed) >> 20) as f32;
        (0..count).map(|i| value(i) / 2048.0 - 1.0).collect()
    }

    fn matrix(rows: usize, width: usize, seed: u32) -> Matrix {
        let mut matrix = Matrix::zeroed(rows, width).expect("memory");
        let values = numbers(rows * width, seed);
        let mut all = matrix.all_mut();
        for (row, values) in all.iter_mut().zip(values.chunks_exact(width)) {
            row.copy_from_slice(values);
        }
        matrix
    }

    /// Two updates, then forward and backward, for shapes with several panels and ragged ends, against scalar chains
    /// of the same fused multiply-adds: the bits are equal in every instruction set.
    #[test]
    fn all_three_products_have_the_bits_of_scalar_chains() {
        let (momentum, learning_rate) = (0.7f32, 0.3f32);
        let rule = Rule::sgd(momentum);
        let step = rule.at(1, learning_rate);
        for (rows, fan_in, fan_out) in [
            (1, 1, 1),
            (9, 16, 16),
            (13, 70, 129),
            (33, 129, 67),
            (8, 50, 7),
        ] {
            let (x, dz) = (matrix(rows, fan_in, 1), matrix(rows, fan_out, 2));
            // SAFETY: (1) nobody writes these matrices.
            let (x, dz) = unsafe { (x.rows(0..rows), dz.rows(0..rows)) };
            let start = numbers(fan_in * fan_out, 3);
            let (mut weight, mut velocity) = (start.clone(), vec![0.0f32; start.len()]);
            for _ in 0..2 {
                for at in 0..start.len() {
                    let (i, j) = (at / fan_out, at % fan_out);
                    let gradient = (0..rows).fold(0.0f32, |sum, row| {
                        x.values[row * x.stride + i].mul_add(dz.values[row * dz.stride + j], sum)
                    });
                    velocity[at] = momentum.mul_add(velocity[at], gradient);
                    weight[at] = (-learning_rate).mul_add(velocity[at], weight[at]);
                }
            }
            for set in InstructionSet::all_detected() {
                let mut layer =
                    NativeLayer::new(&start, (fan_in, fan_out), true, Keeps::of(&rule), set)
                        .expect("memory");
                let (z, dx) = (matrix(rows, fan_out, 4), matrix(rows, fan_in, 5));
                let mut found = vec![0.0; start.len()];
                for piece in (0..2).flat_map(|_| 0..layer.pieces()) {
                    // SAFETY: (1) and (2) this is the only token at this time.
                    layer.update(&unsafe { OwnPiece::new(piece) }, x, dz, &step);
                }
                layer.copy_weight(&mut found);
                // SAFETY: (1) and (2) this is the only token from now on.
                let mut own = unsafe { OwnRows::new(0..rows) };
                let ([], [mut z, mut dx], phase) = own.views([], [&z, &dx]);
                layer.forward(x, z.reborrow(), phase);
                layer.backward(dz, dx.reborrow(), phase);
                let case = format!("{set:?} {rows}×{fan_in}×{fan_out}");
                assert_eq!(found, weight, "{case}");
                for row in 0..rows {
                    for j in 0..fan_out {
                        let sum = (0..fan_in).fold(0.0f32, |sum, i| {
                            x.values[row * x.stride + i].mul_add(weight[i * fan_out + j], sum)
                        });
                        assert_eq!(z.values[row * z.stride + j], sum, "{case}: z");
                    }
                    for i in 0..fan_in {
                        let sum = (0..fan_out).fold(0.0f32, |sum, j| {
                            dz.values[row * dz.stride + j].mul_add(weight[i * fan_out + j], sum)
                        });
                        assert_eq!(dx.values[row * dx.stride + i], sum, "{case}: dx");
                    }
                }
            }
        }
    }
}
