//! A first layer that skips the zeros of its inputs.
//!
//! The inputs `x'` are stored without the offset of the scaling, so that zeros stay zero: `x = x' − o` with one offset
//! o for all features. The offset is folded into the products: `x · w = x' · w − o Σ_i w_i` needs the sums of the
//! weights' columns, and `xᵀ · dz = x'ᵀ · dz − o Σ_r dz_r` the sums of the gradient's columns.

use std::ops::Range;

use super::super::phases::{OwnPiece, OwnUnits, RowPhase, Share};
use super::super::shared::{BlockMut, LINE, Rows, SharedBuffer};
use super::super::tile::{MAX_WIDTH, Operand, Sink, SparseColumns};
use super::input::Input;
use super::panels::{Layout, Panels};
use crate::error::Result;
use crate::kernels::add_rows;

/// Rows of the weights in a piece: few enough for equal shares of them, enough for the sums of the gradient's columns
/// not to matter.
pub(super) const SPARSE_PIECE_ROWS: usize = 32;

/// Takes a tile of the gradient: its range in the weights, the width of its rows, and the function that computes it
/// into a sink.
pub(super) type TakeTile<'a> = dyn FnMut(Range<usize>, usize, &dyn Fn(Sink)) + 'a;

/// What a layer that skips zeros keeps.
#[derive(Debug)]
pub(super) struct ZeroSkipping {
    /// The offset o, and the sums of the weights' columns over [`SPARSE_PIECE_ROWS`] rows each, `[sums, width]`, in
    /// which width is whole cache lines; `None` if the offset is 0.
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
            let end = (chunks - 1) * self.width + columns.end;
            // SAFETY: (1) the phase proves that nobody writes parameters, which these sums belong to.
            let sums = unsafe { sums.read(columns.start..end) };
            add_rows(start, sums, self.width);
            start.iter_mut().for_each(|sum| *sum *= -offset);
        }
        start
    }

    /// `−o Σ_r dz_r` for some columns of `dz`, counted from its first.
    fn start_of_gradient(&self, dz: Rows, columns: Range<usize>) -> [f32; MAX_WIDTH] {
        let mut start = [0.0; MAX_WIDTH];
        if let Some((offset, _)) = &self.offset {
            let start = &mut start[..columns.len()];
            add_rows(start, &dz.values[columns.start..], dz.stride);
            start.iter_mut().for_each(|sum| *sum *= -offset);
        }
        start
    }

    /// `z = x · w` for a share of the units, without the terms that are zero.
    pub(super) fn forward(
        &self,
        weight: &Panels,
        x: Input,
        mut z: BlockMut,
        share: Share,
        phase: RowPhase,
    ) {
        let layout = &weight.layout;
        let columns = share.columns(layout.columns);
        assert_eq!(
            (x.width(), z.width()),
            (layout.rows, columns.len()),
            "widths of x and z"
        );
        let ((x, masks), rows) = (x.by_row(), z.rows());
        for panel in weight.panels_of(share) {
            let width = layout.width(panel);
            let start = self.start(layout.columns_of(panel), pieces(layout.rows), phase);
            let column = layout.first_column(panel) - columns.start;
            let z = z.part(0..rows, column..column + width);
            let w = weight.panel(panel, phase);
            layout.set.sparse_rows(width, x, masks, w, &start, z);
        }
    }

    /// Calls `take` for each tile of the gradient of the rows `inputs` of some panels, over the rows `samples` of a
    /// batch, as the layer does without skipping zeros: a tile is all these inputs in one panel.
    pub(super) fn for_tiles(
        &self,
        layout: &Layout,
        (inputs, panels): (Range<usize>, Range<usize>),
        x: Input,
        dz: Rows,
        samples: Range<usize>,
        take: &mut TakeTile,
    ) {
        let (x, bits) = x.by_feature();
        assert!(
            samples.start.is_multiple_of(bits.group),
            "rows {samples:?} in groups"
        );
        let words = bits.words;
        let x = SparseColumns {
            elements: x,
            first: (samples.start, inputs.start),
            masks: &words.values[samples.start / bits.group * words.stride + inputs.start..],
            mask_row: words.stride,
            group: bits.group,
            rows: samples.len(),
        };
        for panel in panels {
            let width = layout.width(panel);
            let column = column_in(dz, layout.first_column(panel), width);
            let columns = column..column + layout.columns_of(panel).len();
            let start = match samples.start {
                0 => self.start_of_gradient(dz, columns),
                _ => [0.0; MAX_WIDTH],
            };
            let dz = Operand {
                values: &dz.values[samples.start * dz.stride + column..],
                row: 0,
                k: dz.stride,
            };
            let tile = |sink: Sink| {
                let shape = (inputs.len(), width);
                layout.set.sparse_columns(shape, x, dz, &start, sink);
            };
            take(layout.range(panel, inputs.clone()), width, &tile);
        }
    }

    /// Sums the columns of the rows `inputs` of some panels, which are a piece of the weights.
    pub(super) fn sum_columns(
        &self,
        weight: &Panels,
        (inputs, panels): (Range<usize>, Range<usize>),
        _piece: &OwnPiece,
    ) {
        for (panel, start) in panels.flat_map(|panel| {
            inputs
                .clone()
                .step_by(SPARSE_PIECE_ROWS)
                .map(move |start| (panel, start))
        }) {
            let inputs = start..inputs.end.min(start + SPARSE_PIECE_ROWS);
            // SAFETY: (1) the rows and panels are those of a piece, which `OwnPiece` gives to this worker.
            unsafe { self.sum_columns_of_piece(weight, inputs, panel) };
        }
    }

    /// Sums the columns of the weights into some units, which are a panel.
    pub(super) fn sum_columns_of(&self, weight: &Panels, units: &OwnUnits) {
        let rows = weight.layout.rows;
        for start in (0..rows).step_by(SPARSE_PIECE_ROWS) {
            let inputs = start..rows.min(start + SPARSE_PIECE_ROWS);
            // SAFETY: (1) the panel has weights into these units only, which `OwnUnits` gives to this worker.
            unsafe { self.sum_columns_of_piece(weight, inputs, units.index()) };
        }
    }

    /// Sums the columns of the rows `inputs` of a panel, if there is an offset.
    ///
    /// # Safety
    /// 1. These weights belong to this worker, and so do their sums.
    unsafe fn sum_columns_of_piece(&self, weight: &Panels, inputs: Range<usize>, panel: usize) {
        let Some((_, sums)) = &self.offset else {
            return;
        };
        let layout = &weight.layout;
        let columns = layout.columns_of(panel);
        let at = inputs.start / SPARSE_PIECE_ROWS * self.width;
        // SAFETY: (1) of both is precondition 1 of this function.
        let (weights, sums) = unsafe {
            (
                weight.values.read(layout.range(panel, inputs)),
                sums.write(at + columns.start..at + columns.end),
            )
        };
        sums.fill(0.0);
        add_rows(sums, weights, layout.width(panel));
    }
}

/// Where a column of a matrix is in `dz`, which has `width` columns from there on, or padding.
///
/// # Panics
/// Panics if it has not.
pub(super) fn column_in(dz: Rows, column: usize, width: usize) -> usize {
    let fits = dz.first <= column && column + width <= dz.first + dz.stride;
    assert!(fits, "column {column} of dz");
    column - dz.first
}

/// The number of pieces of so many rows of weights.
fn pieces(rows: usize) -> usize {
    rows.div_ceil(SPARSE_PIECE_ROWS)
}
