//! Matrices for the micro-kernels, packed once.
//!
//! The columns are cut into panels at most as wide as a tile; a panel lies in memory row after row, so that a tile streams
//! through it without a jump. The last panel is padded with zero columns, which stay zero.

use std::ops::Range;

use super::super::shared::{Rows, RowsMut, SharedBuffer};
use super::super::tile::{InstructionSet, Operand, Sink};
use crate::error::Result;

/// A matrix `[rows, columns]` in panels of columns.
#[derive(Debug)]
pub(super) struct Panels {
    pub(super) values: SharedBuffer<f32>,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) set: InstructionSet,
}

impl Panels {
    pub(super) fn zeroed(set: InstructionSet, rows: usize, columns: usize) -> Result<Panels> {
        let padded = columns.div_ceil(set.lanes()) * set.lanes();
        Ok(Panels {
            values: SharedBuffer::zeroed(rows * padded)?,
            rows,
            columns,
            set,
        })
    }

    /// Registers across all panels.
    fn all_registers(&self) -> usize {
        self.columns.div_ceil(self.set.lanes())
    }

    pub(super) fn count(&self) -> usize {
        self.all_registers().div_ceil(self.set.tile_registers())
    }

    /// Registers across a panel: panels are as even as they can be, the wider ones first. Two and two registers are
    /// faster than three and one.
    pub(super) fn registers(&self, panel: usize) -> usize {
        let (all, panels) = (self.all_registers(), self.count());
        all / panels + usize::from(panel < all % panels)
    }

    /// Floats in a row of a panel.
    pub(super) fn width(&self, panel: usize) -> usize {
        self.registers(panel) * self.set.lanes()
    }

    /// The first column of a panel.
    pub(super) fn first_column(&self, panel: usize) -> usize {
        let (all, panels) = (self.all_registers(), self.count());
        (panel * (all / panels) + panel.min(all % panels)) * self.set.lanes()
    }

    /// The panel that holds a column.
    pub(super) fn panel_of(&self, column: usize) -> usize {
        let (all, panels) = (self.all_registers(), self.count());
        let (narrow, wider) = (all / panels, all % panels);
        let register = column / self.set.lanes();
        if register < wider * (narrow + 1) {
            register / (narrow + 1)
        } else {
            wider + (register - wider * (narrow + 1)) / narrow
        }
    }

    /// Where row `row` of a panel begins.
    pub(super) fn at(&self, panel: usize, row: usize) -> usize {
        self.first_column(panel) * self.rows + row * self.width(panel)
    }

    /// The columns in a panel, without its padding.
    pub(super) fn columns_of(&self, panel: usize) -> Range<usize> {
        let first = self.first_column(panel);
        first..self.columns.min(first + self.width(panel))
    }

    /// Takes over a row-major matrix.
    pub(super) fn pack(&mut self, from: &[f32]) {
        // SAFETY: `&mut self` says that there is no other reference.
        self.pack_to(from, unsafe { self.values.write(0..self.values.len()) });
    }

    /// Writes a row-major matrix to `panels`, laid out as these.
    pub(super) fn pack_into(&self, from: &[f32], panels: &mut SharedBuffer<f32>) {
        self.pack_to(from, panels.as_mut_slice());
    }

    fn pack_to(&self, from: &[f32], panels: &mut [f32]) {
        for panel in 0..self.count() {
            let columns = self.columns_of(panel);
            for (row, values) in from.chunks_exact(self.columns).enumerate() {
                let at = self.at(panel, row);
                panels[at..at + columns.len()].copy_from_slice(&values[columns.clone()]);
            }
        }
    }

    /// Writes what `panels`, laid out as these, hold row-major to `to [rows · columns]`.
    ///
    /// # Safety
    /// As [`SharedBuffer::read`], for all of them.
    pub(super) unsafe fn unpack_from(&self, panels: &SharedBuffer<f32>, to: &mut [f32]) {
        // SAFETY: the caller's promise.
        let values = unsafe { panels.read(0..panels.len()) };
        for panel in 0..self.count() {
            let columns = self.columns_of(panel);
            for (row, out) in to.chunks_exact_mut(self.columns).enumerate() {
                let at = self.at(panel, row);
                out[columns.clone()].copy_from_slice(&values[at..at + columns.len()]);
            }
        }
    }

    /// `c = a · self`, for all rows of `a`.
    ///
    /// Shapes: `a [rows, self.rows]`, `c [rows, self.columns]`. Overwrites `c`.
    ///
    /// # Safety
    /// As [`SharedBuffer::read`], for all of it.
    pub(super) unsafe fn multiply(&self, a: Rows, c: RowsMut) {
        assert_eq!(
            (a.width, c.width),
            (self.rows, self.columns),
            "widths of a and c"
        );
        assert_eq!(a.rows(), c.rows(), "rows of a and c");
        assert!(a.width <= a.stride, "width of a within its stride");
        // SAFETY: the caller's promise.
        let panels = unsafe { self.values.read(0..self.values.len()) };
        for panel in 0..self.count() {
            let (registers, width) = (self.registers(panel), self.width(panel));
            let b = Operand {
                start: panels[self.at(panel, 0)..][..self.rows * width].as_ptr(),
                row: 0,
                k: width,
            };
            for row in (0..a.rows()).step_by(self.set.tile_rows()) {
                let rows = self.set.tile_rows().min(a.rows() - row);
                assert!((row + rows) * a.stride <= a.values.len(), "rows of a");
                assert!((row + rows) * c.stride <= c.values.len(), "rows of c");
                let column = self.first_column(panel);
                assert!(column + width <= c.stride, "padding of c");
                let a = Operand {
                    start: a.values[row * a.stride..].as_ptr(),
                    row: a.stride,
                    k: 1,
                };
                let sink = Sink::Store {
                    c: c.values[row * c.stride + column..].as_mut_ptr(),
                    row: c.stride,
                };
                // SAFETY: the set was detected; the assertions hold every offset of the tile inside the slices:
                // `rows` rows of `a` and `c`, `self.rows` steps, and `width` columns of the panel and of `c`.
                unsafe { self.set.tile((rows, registers), self.rows, a, b, sink) };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_has_a_place_of_its_own() {
        for &set in InstructionSet::all_here() {
            for columns in 1..200 {
                let mut panels = Panels::zeroed(set, 3, columns).expect("memory");
                let values: Vec<f32> = (0..3 * columns).map(|i| i as f32).collect();
                panels.pack(&values);
                let mut unpacked = vec![0.0; values.len()];
                // SAFETY: the panels are ours alone.
                unsafe { panels.unpack_from(&panels.values, &mut unpacked) };
                assert_eq!(unpacked, values, "{set:?}, {columns} columns");
            }
        }
    }
}
