//! A layer for the micro-kernels: weights that stay packed from the first step to the last.
//!
//! Weights and slots lie in [`Panels`]. Layers whose input needs a gradient keep `wᵀ` packed the same way beside it,
//! rewritten with each update. No product here packs anything, and the optimiser works on the gradient while it is in
//! registers, or just out of them.

use std::ops::Range;

use super::super::shared::{Rows, RowsMut, SharedBuffer};
use super::super::tile::{InstructionSet, MOST_TILE, MOST_WIDTH, Operand, Sink};
use super::panels::Panels;
use super::slots::{Keeps, shrinking, write_slots};
use crate::error::Result;
use crate::kernels::{add_squares, multiply_by, sum_of_squares};
use crate::optim::Step;

/// Rows of the weights in a piece: a cache line of `x` for each sample, which stays near for all panels.
const PIECE_ROWS: usize = 16;

/// Weights, slots, the gradient where it is kept and, where asked for, transposed weights, all in panels.
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
        let zeroed = || SharedBuffer::zeroed(weight.values.len());
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
                // SAFETY: this layer is still ours alone.
                unsafe { layer.transpose(piece) };
            }
        }
        Ok(layer)
    }

    pub(super) unsafe fn forward(&self, x: Rows, z: RowsMut) {
        // SAFETY: nobody updates the weights, by the caller's promise.
        unsafe { self.weight.multiply(x, z) };
    }

    pub(super) unsafe fn backward(&self, dz: Rows, dx: RowsMut) {
        let transposed = self
            .transposed
            .as_ref()
            .expect("a layer whose input needs a gradient");
        // SAFETY: nobody updates the weights, by the caller's promise.
        unsafe { transposed.multiply(dz, dx) };
    }

    pub(super) fn pieces(&self) -> usize {
        self.weight.rows.div_ceil(PIECE_ROWS)
    }

    pub(super) unsafe fn update(&self, piece: usize, x: Rows, dz: Rows, step: &Step) {
        let momentum = step.rule().plain_momentum();
        self.for_tiles(piece, x, dz, |range, width, tile| {
            // SAFETY: rows of a piece are this worker's alone, by the caller's promise.
            let w = unsafe { self.weight.values.write(range.clone()) };
            if let Some(momentum) = momentum {
                // SAFETY: as above.
                let v = unsafe { self.slots[0].write(range) };
                return tile(Sink::Update {
                    w: w.as_mut_ptr(),
                    v: v.as_mut_ptr(),
                    row: width,
                    momentum,
                    learning_rate: step.learning_rate(),
                });
            }
            let mut gradient = [0.0; MOST_TILE];
            let gradient = &mut gradient[..range.len()];
            tile(Sink::Store {
                c: gradient.as_mut_ptr(),
                row: width,
            });
            // SAFETY: as above.
            step.apply(w, &mut unsafe { write_slots(&self.slots, range) }, gradient);
        });
        // SAFETY: the same piece, by the caller's promise.
        unsafe { self.transpose(piece) };
    }

    pub(super) unsafe fn keep_gradient(&self, piece: usize, x: Rows, dz: Rows) -> f64 {
        let (kept, mut sum) = (self.kept_gradient(), 0.0);
        self.for_tiles(piece, x, dz, |range, width, tile| {
            // SAFETY: rows of a piece are this worker's alone, by the caller's promise.
            let gradient = unsafe { kept.write(range) };
            tile(Sink::Store {
                c: gradient.as_mut_ptr(),
                row: width,
            });
            sum += sum_of_squares(gradient);
        });
        sum
    }

    pub(super) unsafe fn apply(&self, piece: usize, step: &Step) {
        let kept = self.kept_gradient();
        let inputs = self.piece(piece);
        for panel in 0..self.weight.count() {
            let range = self.weight.at(panel, inputs.start)..self.weight.at(panel, inputs.end);
            // SAFETY: rows of a piece are this worker's alone, by the caller's promise.
            unsafe {
                let weight = self.weight.values.write(range.clone());
                let gradient = kept.write(range.clone());
                let mut slots = write_slots(&self.slots, range);
                step.apply(weight, &mut slots, gradient);
            }
        }
        // SAFETY: the same piece, by the caller's promise.
        unsafe { self.transpose(piece) };
    }

    fn kept_gradient(&self) -> &SharedBuffer<f32> {
        let gradient = self.gradient.as_ref();
        gradient.expect("a layer that keeps its gradient")
    }

    /// The rows of the weights in a piece.
    fn piece(&self, piece: usize) -> Range<usize> {
        let start = piece * PIECE_ROWS;
        start..(start + PIECE_ROWS).min(self.weight.rows)
    }

    /// Hands out each tile of the gradient `xᵀ · dz` of a piece: where it lies among the weights, the width of its rows,
    /// and what makes it, given a sink for as much.
    fn for_tiles(
        &self,
        piece: usize,
        x: Rows,
        dz: Rows,
        mut take: impl FnMut(Range<usize>, usize, &dyn Fn(Sink)),
    ) {
        let (weight, samples) = (&self.weight, x.rows());
        assert_eq!(
            (x.width, dz.width),
            (weight.rows, weight.columns),
            "widths of x and dz"
        );
        assert_eq!(samples, dz.rows(), "rows of x and dz");
        assert!(x.width <= x.stride, "width of x within its stride");
        let inputs = self.piece(piece);
        for panel in 0..weight.count() {
            let (registers, width) = (weight.registers(panel), weight.width(panel));
            let column = weight.first_column(panel);
            assert!(column + width <= dz.stride, "padding of dz");
            let b = Operand {
                start: dz.values[column..].as_ptr(),
                row: 0,
                k: dz.stride,
            };
            for row in inputs.clone().step_by(self.set.tile_rows()) {
                let rows = self.set.tile_rows().min(inputs.end - row);
                let a = Operand {
                    start: x.values[row..].as_ptr(),
                    row: 1,
                    k: x.stride,
                };
                let start = weight.at(panel, row);
                // SAFETY: the set was detected. For each of `samples` rows, `x` has `rows` elements from `row` on,
                // `dz` has `width` from `column` on within its stride, and the sink has `rows · width`, which is the
                // length of the range that is handed out.
                let tile = |sink| unsafe {
                    self.set.tile((rows, registers), samples, a, b, sink);
                };
                take(start..start + rows * width, width, &tile);
            }
        }
    }

    /// Copies a piece of the weights into the transposed panels.
    ///
    /// # Safety
    /// As [`NativeLayer::update`].
    unsafe fn transpose(&self, piece: usize) {
        let Some(transposed) = &self.transposed else {
            return;
        };
        let (weight, lanes) = (&self.weight, self.set.lanes());
        let end = weight.rows.min((piece + 1) * PIECE_ROWS);
        // As many rows as a register has lanes lie in one panel of the transpose, side by side.
        for start in (piece * PIECE_ROWS..end).step_by(lanes) {
            let rows = lanes.min(end - start);
            let to_panel = transposed.panel_of(start);
            let to_column = start - transposed.first_column(to_panel);
            for panel in 0..weight.count() {
                let (column, width) = (weight.first_column(panel), weight.width(panel));
                let from = weight.at(panel, start);
                // SAFETY: rows of a piece are this worker's alone.
                let block = unsafe { weight.values.read(from..from + rows * width) };
                for first in (0..width.min(weight.columns - column)).step_by(lanes) {
                    let columns = lanes.min(weight.columns - column - first);
                    let to_row = transposed.width(to_panel);
                    let to = transposed.at(to_panel, column + first) + to_column;
                    let to_end = to + (columns - 1) * to_row + rows;
                    // SAFETY: columns of the transpose are rows of the piece. What lies between them in this range is
                    // other workers' to write, and only this worker's columns are touched through it.
                    let out = unsafe { transposed.values.pointer(to..to_end) };
                    if rows == lanes && columns == lanes {
                        // SAFETY: the set was detected, and `block` and `out` hold a whole block of such rows.
                        unsafe {
                            self.set
                                .transpose(block[first..].as_ptr(), width, out, to_row)
                        };
                    } else {
                        for (i, j) in (0..rows).flat_map(|i| (0..columns).map(move |j| (i, j))) {
                            // SAFETY: within the range, by `to_end`.
                            unsafe { *out.add(j * to_row + i) = block[i * width + first + j] };
                        }
                    }
                }
            }
        }
    }

    pub(super) fn unit_pieces(&self) -> usize {
        self.weight.count()
    }

    pub(super) unsafe fn limit_units(&self, piece: usize, most: f32, step: &Step) {
        let (panel, width) = (piece, self.weight.width(piece));
        let range = self.weight.at(panel, 0)..self.weight.at(panel, self.weight.rows);
        // SAFETY: units of a piece are this worker's alone, by the caller's promise.
        let weights = unsafe { self.weight.values.write(range.clone()) };
        let mut factors = [0.0; MOST_WIDTH];
        let factors = &mut factors[..width];
        for row in weights.chunks_exact(width) {
            add_squares(factors, row);
        }
        for factor in factors.iter_mut() {
            *factor = shrinking(*factor, most);
        }
        if factors.iter().any(|factor| *factor != 1.0) {
            for row in weights.chunks_exact_mut(width) {
                multiply_by(row, factors);
            }
            let columns = self.weight.columns_of(panel);
            for (column, &factor) in columns.zip(&*factors) {
                // SAFETY: columns of the weights are rows of the transpose.
                unsafe { self.scale_transposed(column, factor) };
            }
        }
        if self.keeps.average {
            // SAFETY: as above.
            let average = unsafe { self.slots[self.keeps.slots - 1].write(range) };
            step.follow(average, weights);
        }
    }

    /// Scales a row of the transpose, where there is one.
    ///
    /// # Safety
    /// Until the next barrier no other worker touches the weights of this column.
    unsafe fn scale_transposed(&self, column: usize, factor: f32) {
        let Some(transposed) = self.transposed.as_ref().filter(|_| factor != 1.0) else {
            return;
        };
        for panel in 0..transposed.count() {
            let start = transposed.at(panel, column);
            // SAFETY: the caller's promise.
            let row = unsafe {
                transposed
                    .values
                    .write(start..start + transposed.width(panel))
            };
            row.iter_mut().for_each(|w| *w *= factor);
        }
    }

    pub(super) fn set_slot(&mut self, slot: usize, from: &[f32]) {
        self.weight.pack_into(from, &mut self.slots[slot]);
    }

    pub(super) unsafe fn copy_weight(&self, weight: &mut [f32]) {
        // SAFETY: nobody updates the weights, by the caller's promise.
        unsafe { self.weight.unpack_from(&self.weight.values, weight) };
    }

    pub(super) unsafe fn copy_slot(&self, slot: usize, to: &mut [f32]) {
        // SAFETY: as above.
        unsafe { self.weight.unpack_from(&self.slots[slot], to) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::shared::Matrix;
    use crate::optim::Rule;

    fn numbers(count: usize, seed: u32) -> Vec<f32> {
        let value =
            |i: usize| ((i as u32).wrapping_mul(2_654_435_761).wrapping_add(seed) >> 20) as f32;
        (0..count).map(|i| value(i) / 2048.0 - 1.0).collect()
    }

    fn matrix(rows: usize, width: usize, seed: u32) -> Matrix {
        let matrix = Matrix::zeroed(rows, width).expect("memory");
        let values = numbers(rows * width, seed);
        // SAFETY: the matrix is ours alone.
        let mut all = unsafe { matrix.rows_mut(0..rows) };
        for (row, values) in all.iter_mut().zip(values.chunks_exact(width)) {
            row.copy_from_slice(values);
        }
        matrix
    }

    /// Two updates, then forward and backward, over shapes of several panels with ragged ends, against scalar chains
    /// of the same fused multiply-adds: the same bits, whatever the instruction set.
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
            // SAFETY: nobody writes them.
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
            for &set in InstructionSet::all_here() {
                let layer =
                    NativeLayer::new(&start, (fan_in, fan_out), true, Keeps::of(&rule), set)
                        .expect("memory");
                let (z, dx) = (matrix(rows, fan_out, 4), matrix(rows, fan_in, 5));
                let mut found = vec![0.0; start.len()];
                // SAFETY: one thread does one thing after the other.
                let (z, dx) = unsafe {
                    for _ in 0..2 {
                        (0..layer.pieces()).for_each(|piece| layer.update(piece, x, dz, &step));
                    }
                    layer.copy_weight(&mut found);
                    layer.forward(x, z.rows_mut(0..rows));
                    layer.backward(dz, dx.rows_mut(0..rows));
                    (z.rows(0..rows), dx.rows(0..rows))
                };
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
