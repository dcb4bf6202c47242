//! The gradient of a piece of the weights, and the optimiser's step against it.

use std::ops::Range;

use super::{DEPTH, NativeLayer, PIECE_ROWS};
use crate::compute::affine::input::Input;
use crate::compute::affine::slots::write_slots;
use crate::compute::affine::sparse_layer::{SPARSE_PIECE_ROWS, TakeTile, column_in};
use crate::compute::phases::OwnPiece;
use crate::compute::shared::{AtomicF64, BlockMut, Rows, SharedBuffer};
use crate::compute::tile::{MAX_DENSE_WIDTH, MAX_WIDTH, Operand, Sink};
use crate::kernels::add_squares;
use crate::optim::Step;

/// Rows whose squares are summed together; every piece is a multiple of them.
const SQUARE_ROWS: usize = 16;
/// Columns whose squares are summed together; every register is a multiple of them.
const SQUARE_COLUMNS: usize = 8;
/// Floats of a gradient in one panel if no zeros are skipped.
const SMALL_GRADIENT: usize = PIECE_ROWS * MAX_DENSE_WIDTH;
/// The most floats of a gradient that are computed at a time.
const MAX_GRADIENT: usize = SPARSE_PIECE_ROWS * MAX_WIDTH;

/// Takes a tile of the gradient: its range in the weights, the width of its rows, the sums so far, and the function
/// that computes the rest into a sink.
type TakeRest<'a> = dyn FnMut(Range<usize>, usize, Option<&mut [f32]>, &dyn Fn(Sink)) + 'a;

impl NativeLayer {
    pub(in crate::compute::affine) fn update(
        &self,
        piece: &OwnPiece,
        x: Input,
        dz: Rows,
        step: &Step,
    ) {
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
            match range.len() <= SMALL_GRADIENT {
                true => apply(&mut [0.0; SMALL_GRADIENT]),
                false => apply(&mut [0.0; MAX_GRADIENT]),
            }
        });
        self.derive(piece);
    }

    pub(in crate::compute::affine) fn keep_gradient(
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
                .step_by(SQUARE_ROWS)
                .map(move |start| (panel, start))
        }) {
            let rows = start..inputs.end.min(start + SQUARE_ROWS);
            let (width, first) = (layout.width(panel), layout.first_column(panel));
            // SAFETY: (1) rows of the piece, which `OwnPiece` gives to this worker.
            let gradient = unsafe { kept.read(layout.range(panel, rows)) };
            for column in (0..layout.columns_of(panel).len()).step_by(SQUARE_COLUMNS) {
                let mut sums = [0.0; SQUARE_COLUMNS];
                for row in gradient.chunks_exact(width) {
                    add_squares(&mut sums, &row[column..]);
                }
                let place = start / SQUARE_ROWS * of_rows + (first + column) / SQUARE_COLUMNS;
                squares[place].store(sums.into_iter().map(f64::from).sum());
            }
        }
    }

    /// The terms of the squared norm: one for some columns of some rows.
    pub(in crate::compute::affine) fn squares(&self) -> usize {
        let layout = &self.weight.layout;
        layout.rows.div_ceil(SQUARE_ROWS) * layout.columns.div_ceil(SQUARE_COLUMNS)
    }

    pub(in crate::compute::affine) fn apply(&self, piece: &OwnPiece, step: &Step) {
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
        assert!(
            x.width() <= layout.rows && dz.first + dz.width <= layout.columns,
            "widths of x and dz"
        );
        assert_eq!(x.rows(), dz.rows(), "rows of x and dz");
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
        let x = x.dense();
        assert!(
            x.first <= inputs.start && inputs.end <= x.first + x.width && x.width <= x.stride,
            "inputs {inputs:?} of x"
        );
        for panel in self.panels(piece) {
            let (registers, width) = (layout.registers(panel), layout.width(panel));
            let column = column_in(dz, layout.first_column(panel), width);
            let b = Operand {
                values: &dz.values[samples.start * dz.stride + column..],
                row: 0,
                k: dz.stride,
            };
            let a = Operand {
                values: &x.values[samples.start * x.stride + inputs.start - x.first..],
                row: 1,
                k: x.stride,
            };
            let tiles = |sink: Sink| {
                let shape = (inputs.len(), registers);
                self.set.tiles(shape, samples.len(), a, b, sink);
            };
            take(layout.range(panel, inputs.clone()), width, &tiles);
        }
    }
}
