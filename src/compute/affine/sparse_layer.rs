//! A first layer that skips the zeros of its inputs.
//!
//! The inputs `x'` are stored without the offset of the scaling, so that zeros stay zero: `x = x' − o` with one offset o
//! for all features. The offset is folded into the products: `x · w = x' · w − o Σ_i w_i` needs the sums of the
//! weights' columns, and `xᵀ · dz = x'ᵀ · dz − o Σ_r dz_r` the sums of the gradient's columns.

use std::ops::Range;

use super::super::phases::{OwnPiece, OwnUnits, RowPhase, Share};
use super::super::shared::{BlockMut, LINE, Rows, SharedBuffer};
use super::super::tile::{MAX_WIDTH, Operand, Sink, SparseColumns};
use super::Input;
use super::native_layer::NativeLayer;
use crate::error::Result;
use crate::kernels::add;

/// Rows of the weights in a piece: few enough for equal shares of them, enough for the sums of the gradient's columns
/// not to matter.
pub(super) const SPARSE_PIECE_ROWS: usize = 32;

/// What a layer that skips zeros keeps.
#[derive(Debug)]
pub(super) struct ZeroSkipping {
    /// The offset o, and the sums of the weights' columns over the rows of each piece, `[pieces, width]`, in which
    /// width is whole cache lines; `None` if the offset is 0.
    offset: Option<(f32, SharedBuffer<f32>)>,
    /// Floats from the sums of one piece to the next.
    width: usize,
}

impl ZeroSkipping {
    pub(super) fn new(offset: f32, (fan_in, fan_out): (usize, usize)) -> Result<ZeroSkipping> {
        let width = fan_out.next_multiple_of(LINE);
        let sums = || SharedBuffer::zeroed(fan_in.div_ceil(SPARSE_PIECE_ROWS) * width);
        let offset = (offset != 0.0).then(|| sums().map(|sums| (offset, sums)));
        Ok(ZeroSkipping {
            offset: offset.transpose()?,
            width,
        })
    }

    /// `−o Σ_i w_i` for the columns of a panel, for as long as the row phase lasts.
    fn start(&self, columns: Range<usize>, chunks: usize, _phase: RowPhase) -> [f32; MAX_WIDTH] {
        let mut start = [0.0; MAX_WIDTH];
        if let Some((offset, sums)) = &self.offset {
            let start = &mut start[..columns.len()];
            for chunk in 0..chunks {
                let at = chunk * self.width;
                // SAFETY: (1) the phase proves that nobody writes parameters, which these sums belong to.
                let sums = unsafe { sums.read(at + columns.start..at + columns.end) };
                add(start, sums);
            }
            start.iter_mut().for_each(|sum| *sum *= -offset);
        }
        start
    }

    /// `−o Σ_r dz_r` for the columns of a panel.
    fn start_of_gradient(&self, dz: Rows, columns: Range<usize>) -> [f32; MAX_WIDTH] {
        let mut start = [0.0; MAX_WIDTH];
        if let Some((offset, _)) = &self.offset {
            let start = &mut start[..columns.len()];
            for row in dz.values.chunks_exact(dz.stride) {
                add(start, &row[columns.clone()]);
            }
            start.iter_mut().for_each(|sum| *sum *= -offset);
        }
        start
    }
}

impl NativeLayer {
    /// [`NativeLayer::forward`] without the terms that are zero.
    pub(super) fn forward_skipping(
        &self,
        zeros: &ZeroSkipping,
        x: Input,
        mut z: BlockMut,
        share: Share,
        phase: RowPhase,
    ) {
        let layout = &self.weight.layout;
        let columns = share.columns(layout.columns);
        let masks = x.by_row();
        assert_eq!(
            (x.values.width, z.width()),
            (layout.rows, columns.len()),
            "widths of x and z"
        );
        let rows = z.rows();
        for panel in self.weight.panels_of(share) {
            let (registers, width) = (layout.registers(panel), layout.width(panel));
            let start = zeros.start(layout.columns_of(panel), self.chunks(), phase);
            let column = layout.first_column(panel) - columns.start;
            let z = z.part(0..rows, column..column + width);
            let w = self.weight.panel(panel, phase);
            self.set
                .sparse_rows(registers, x.values, masks, w, &start, z);
        }
    }

    /// [`NativeLayer::for_tiles_of`] without the terms that are zero: a tile is all rows of the piece in one panel.
    pub(super) fn for_sparse_tiles(
        &self,
        zeros: &ZeroSkipping,
        piece: &OwnPiece,
        x: Input,
        dz: Rows,
        samples: Range<usize>,
        take: &mut dyn FnMut(Range<usize>, usize, &dyn Fn(Sink)),
    ) {
        let (layout, inputs) = (&self.weight.layout, self.inputs(piece));
        let bits = x.by_feature();
        assert!(
            samples.start.is_multiple_of(bits.group),
            "rows {samples:?} in groups"
        );
        let x = SparseColumns {
            values: &x.values.values[samples.start * x.values.stride + inputs.start..],
            row: x.values.stride,
            masks: &bits.words.values
                [samples.start / bits.group * bits.words.stride + inputs.start..],
            mask_row: bits.words.stride,
            group: bits.group,
            rows: samples.len(),
        };
        for panel in self.panels(piece) {
            let (registers, width) = (layout.registers(panel), layout.width(panel));
            let column = layout.first_column(panel);
            assert!(column + width <= dz.stride, "padding of dz");
            let start = match samples.start {
                0 => zeros.start_of_gradient(dz, layout.columns_of(panel)),
                _ => [0.0; MAX_WIDTH],
            };
            let dz = Operand {
                values: &dz.values[samples.start * dz.stride + column..],
                row: 0,
                k: dz.stride,
            };
            let tile = |sink: Sink| {
                let shape = (inputs.len(), registers);
                self.set.sparse_columns(shape, x, dz, &start, sink);
            };
            take(layout.range(panel, inputs.clone()), width, &tile);
        }
    }

    /// Sums the columns of a piece of the weights.
    pub(super) fn sum_columns(&self, zeros: &ZeroSkipping, piece: &OwnPiece) {
        let Some((_, sums)) = &zeros.offset else {
            return;
        };
        let layout = &self.weight.layout;
        for panel in self.panels(piece) {
            let columns = layout.columns_of(panel);
            let at = self.chunk(piece) * zeros.width;
            // SAFETY: (1) of both: weights of the piece and their sums, which `OwnPiece` gives to this worker.
            let (weights, sums) = unsafe {
                (
                    self.weight
                        .values
                        .read(layout.range(panel, self.inputs(piece))),
                    sums.write(at + columns.start..at + columns.end),
                )
            };
            sum_rows(weights, layout.width(panel), sums);
        }
    }

    /// Sums the columns of the weights into some units.
    pub(super) fn sum_columns_of(&self, zeros: &ZeroSkipping, units: &OwnUnits) {
        let Some((_, sums)) = &zeros.offset else {
            return;
        };
        let (layout, panel) = (&self.weight.layout, units.index());
        let columns = layout.columns_of(panel);
        for chunk in 0..self.chunks() {
            let start = chunk * SPARSE_PIECE_ROWS;
            let rows = start..layout.rows.min(start + SPARSE_PIECE_ROWS);
            let at = chunk * zeros.width;
            // SAFETY: (1) of both: weights into these units and their sums, which `OwnUnits` gives to this worker.
            let (weights, sums) = unsafe {
                (
                    self.weight.values.read(layout.range(panel, rows)),
                    sums.write(at + columns.start..at + columns.end),
                )
            };
            sum_rows(weights, layout.width(panel), sums);
        }
    }
}

/// `sums = Σ_rows rows`.
///
/// Shapes: `rows [rows · width]`, `sums [columns]`, where columns are at most `width`. Overwrites `sums`.
fn sum_rows(rows: &[f32], width: usize, sums: &mut [f32]) {
    sums.fill(0.0);
    for row in rows.chunks_exact(width) {
        add(sums, &row[..sums.len()]);
    }
}
