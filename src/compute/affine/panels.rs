//! Matrices for the micro-kernels, packed once.
//!
//! The columns are divided into panels that are at most as wide as a tile. The rows of a panel are contiguous, so that
//! a tile streams through memory. The last panel is padded with zero columns, which stay zero.

use std::ops::Range;

use super::super::phases::RowPhase;
use super::super::shared::{Rows, RowsMut, SharedBuffer};
use super::super::tile::{InstructionSet, Operand, Sink};
use crate::error::Result;

/// Where the elements of a matrix `[rows, columns]` are, if its columns are divided into panels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) set: InstructionSet,
}

impl Layout {
    /// A buffer for such a matrix.
    pub(super) fn zeroed(self) -> Result<SharedBuffer<f32>> {
        SharedBuffer::zeroed(self.rows * self.all_registers() * self.set.lanes())
    }

    /// Registers across all panels.
    fn all_registers(self) -> usize {
        self.columns.div_ceil(self.set.lanes())
    }

    /// The number of panels.
    pub(super) fn count(self) -> usize {
        self.all_registers().div_ceil(self.set.tile_registers())
    }

    /// Registers across a panel. Panels are as even as possible, the wider ones first: two and two registers are faster
    /// than three and one.
    pub(super) fn registers(self, panel: usize) -> usize {
        let (all, panels) = (self.all_registers(), self.count());
        all / panels + usize::from(panel < all % panels)
    }

    /// Floats in a row of a panel.
    pub(super) fn width(self, panel: usize) -> usize {
        self.registers(panel) * self.set.lanes()
    }

    /// The first column of a panel.
    pub(super) fn first_column(self, panel: usize) -> usize {
        let (all, panels) = (self.all_registers(), self.count());
        (panel * (all / panels) + panel.min(all % panels)) * self.set.lanes()
    }

    /// The panel that contains a column.
    pub(super) fn panel_of(self, column: usize) -> usize {
        let (all, panels) = (self.all_registers(), self.count());
        let (narrow, wider) = (all / panels, all % panels);
        let register = column / self.set.lanes();
        if register < wider * (narrow + 1) {
            register / (narrow + 1)
        } else {
            wider + (register - wider * (narrow + 1)) / narrow
        }
    }

    /// The index of the first float in row `row` of a panel.
    pub(super) fn at(self, panel: usize, row: usize) -> usize {
        self.first_column(panel) * self.rows + row * self.width(panel)
    }

    /// The columns in a panel, without the padding.
    pub(super) fn columns_of(self, panel: usize) -> Range<usize> {
        let first = self.first_column(panel);
        first..self.columns.min(first + self.width(panel))
    }

    /// Writes the row-major matrix `from [rows · columns]` to `panels`.
    pub(super) fn pack(self, from: &[f32], panels: &mut SharedBuffer<f32>) {
        let panels = panels.as_mut_slice();
        for panel in 0..self.count() {
            let columns = self.columns_of(panel);
            for (row, values) in from.chunks_exact(self.columns).enumerate() {
                let at = self.at(panel, row);
                panels[at..at + columns.len()].copy_from_slice(&values[columns.clone()]);
            }
        }
    }

    /// Writes `panels` to the row-major matrix `to [rows · columns]`.
    pub(super) fn unpack(self, panels: &mut SharedBuffer<f32>, to: &mut [f32]) {
        let panels = panels.as_mut_slice();
        for panel in 0..self.count() {
            let columns = self.columns_of(panel);
            for (row, out) in to.chunks_exact_mut(self.columns).enumerate() {
                let at = self.at(panel, row);
                out[columns.clone()].copy_from_slice(&panels[at..at + columns.len()]);
            }
        }
    }
}

/// A matrix `[rows, columns]` in panels of columns.
#[derive(Debug)]
pub(super) struct Panels {
    pub(super) values: SharedBuffer<f32>,
    pub(super) layout: Layout,
}

impl Panels {
    pub(super) fn zeroed(set: InstructionSet, rows: usize, columns: usize) -> Result<Panels> {
        let layout = Layout { rows, columns, set };
        let values = layout.zeroed()?;
        Ok(Panels { values, layout })
    }

    /// Replaces the values by a row-major matrix `[rows · columns]`.
    pub(super) fn pack(&mut self, from: &[f32]) {
        let layout = self.layout;
        layout.pack(from, &mut self.values);
    }

    /// `c = a · self`, for all rows of `a`.
    ///
    /// Shapes: `a [rows, self.rows]`, `c [rows, self.columns]`. Overwrites `c`.
    pub(super) fn multiply(&self, a: Rows, c: RowsMut, _phase: RowPhase) {
        let layout = self.layout;
        assert_eq!(
            (a.width, c.width),
            (layout.rows, layout.columns),
            "widths of a and c"
        );
        assert_eq!(a.rows(), c.rows(), "rows of a and c");
        assert!(a.width <= a.stride, "width of a within its stride");
        // SAFETY: (1) the phase proves that nobody writes parameters.
        let panels = unsafe { self.values.read(0..self.values.len()) };
        let set = layout.set;
        for panel in 0..layout.count() {
            let (registers, width) = (layout.registers(panel), layout.width(panel));
            let column = layout.first_column(panel);
            assert!(column + width <= c.stride, "padding of c");
            let b = Operand {
                values: &panels[layout.at(panel, 0)..][..layout.rows * width],
                row: 0,
                k: width,
            };
            for row in (0..a.rows()).step_by(set.tile_rows()) {
                let rows = set.tile_rows().min(a.rows() - row);
                let a = Operand {
                    values: &a.values[row * a.stride..],
                    row: a.stride,
                    k: 1,
                };
                let sink = Sink::Store {
                    c: &mut c.values[row * c.stride + column..],
                    row: c.stride,
                };
                set.tile((rows, registers), layout.rows, a, b, sink);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_has_a_place_of_its_own() {
        for set in InstructionSet::all_detected() {
            for columns in 1..200 {
                let mut panels = Panels::zeroed(set, 3, columns).expect("memory");
                let values: Vec<f32> = (0..3 * columns).map(|i| i as f32).collect();
                panels.pack(&values);
                let mut unpacked = vec![0.0; values.len()];
                panels.layout.unpack(&mut panels.values, &mut unpacked);
                assert_eq!(unpacked, values, "{set:?}, {columns} columns");
            }
        }
    }
}
