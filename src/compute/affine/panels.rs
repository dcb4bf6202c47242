//! Matrices for the micro-kernels, packed once.
//!
//! The columns are divided into panels that are at most as wide as a tile allows. The rows of a panel are contiguous,
//! so that a tile streams through memory. The last panel is padded with zero columns, which stay zero.

use std::ops::Range;

use super::super::phases::{RowPhase, Share};
use super::super::shared::{BlockMut, PAGE, Rows, SharedBuffer};
use super::super::tile::{InstructionSet, Operand, SPARSE_STEP, Sink};
use crate::error::Result;

/// Where the elements of a matrix `[rows, columns]` are, if its columns are divided into panels.
///
/// Columns are first divided into groups, each of which one worker has, then each group into panels.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) set: InstructionSet,
    panels: Vec<Panel>,
    /// The number of panels in this group and those before it.
    ends: Vec<usize>,
}

#[derive(Debug, Clone, Copy)]
struct Panel {
    /// Where the panel starts in the buffer.
    start: usize,
    first_column: usize,
    /// Floats across.
    width: usize,
}

/// How wide panels are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Widths {
    /// The most registers across a panel.
    pub registers: usize,
    /// Floats of which the width of the last panel is a multiple.
    pub step: usize,
}

impl Widths {
    /// Panels for the dense kernels.
    pub(super) fn dense(set: InstructionSet) -> Widths {
        Widths {
            registers: set.tile_registers(),
            step: set.lanes(),
        }
    }

    /// Panels for the kernels that skip zeros, for updates from so many rows.
    pub(super) fn sparse(set: InstructionSet, rows: usize) -> Widths {
        Widths {
            registers: set.sparse_registers(rows),
            step: SPARSE_STEP,
        }
    }
}

impl Layout {
    /// Divides the columns into `groups` groups of panels of such `widths`.
    pub(super) fn new(
        set: InstructionSet,
        (rows, columns): (usize, usize),
        groups: usize,
        widths: Widths,
    ) -> Layout {
        let (mut panels, mut ends) = (Vec::new(), Vec::new());
        let mut start = 0_usize;
        for index in 0..groups {
            let group = Share { index, of: groups }.columns(columns);
            let all = group.len().div_ceil(set.lanes());
            let count = all.div_ceil(widths.registers);
            let mut first_column = group.start;
            for panel in 0..count {
                // Panels are as even as possible, the wider ones first: two and two registers are faster than three
                // and one.
                let registers = all / count + usize::from(panel < all % count);
                let rest = (group.end - first_column).next_multiple_of(widths.step);
                let width = rest.min(registers * set.lanes());
                panels.push(Panel {
                    start,
                    first_column,
                    width,
                });
                first_column += width;
                start = start.saturating_add(rows.saturating_mul(width));
            }
            // Processors fetch ahead within pages: a worker's reads take no lines from the one with the next group.
            start = start.next_multiple_of(PAGE);
            ends.push(panels.len());
        }
        Layout {
            rows,
            columns,
            set,
            panels,
            ends,
        }
    }

    /// A buffer for such a matrix.
    pub(super) fn zeroed(&self) -> Result<SharedBuffer<f32>> {
        let end = |last: &Panel| {
            let floats = self.rows.saturating_mul(last.width);
            last.start.saturating_add(floats)
        };
        SharedBuffer::zeroed(self.panels.last().map_or(0, end))
    }

    /// The number of panels.
    pub(super) fn count(&self) -> usize {
        self.panels.len()
    }

    /// The number of groups of panels.
    pub(super) fn groups(&self) -> usize {
        self.ends.len()
    }

    /// The panels of a group.
    pub(super) fn group(&self, group: usize) -> Range<usize> {
        let start = group.checked_sub(1).map_or(0, |before| self.ends[before]);
        start..self.ends[group]
    }

    /// Floats in a row of a panel.
    pub(super) fn width(&self, panel: usize) -> usize {
        self.panels[panel].width
    }

    /// Registers across a panel for the dense kernels.
    pub(super) fn registers(&self, panel: usize) -> usize {
        self.width(panel) / self.set.lanes()
    }

    /// The first column of a panel.
    pub(super) fn first_column(&self, panel: usize) -> usize {
        self.panels[panel].first_column
    }

    /// The panel that contains a column.
    pub(super) fn panel_of(&self, column: usize) -> usize {
        self.panels
            .partition_point(|panel| panel.first_column <= column)
            - 1
    }

    /// The index of the first float in row `row` of a panel.
    pub(super) fn at(&self, panel: usize, row: usize) -> usize {
        self.panels[panel].start + row * self.width(panel)
    }

    /// The range of some rows of a panel.
    pub(super) fn range(&self, panel: usize, rows: Range<usize>) -> Range<usize> {
        self.at(panel, rows.start)..self.at(panel, rows.end)
    }

    /// The columns in a panel, without the padding.
    pub(super) fn columns_of(&self, panel: usize) -> Range<usize> {
        let first = self.first_column(panel);
        first..self.columns.min(first + self.width(panel))
    }

    /// Writes the row-major matrix `from [rows · columns]` to `panels`.
    pub(super) fn pack(&self, from: &[f32], panels: &mut SharedBuffer<f32>) {
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
    pub(super) fn unpack(&self, panels: &mut SharedBuffer<f32>, to: &mut [f32]) {
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
    pub(super) fn zeroed(layout: Layout) -> Result<Panels> {
        let values = layout.zeroed()?;
        Ok(Panels { values, layout })
    }

    /// Replaces the values by a row-major matrix `[rows · columns]`.
    pub(super) fn pack(&mut self, from: &[f32]) {
        self.layout.pack(from, &mut self.values);
    }

    /// The panels that a share of the columns consists of: all, or those of a group.
    ///
    /// # Panics
    /// Panics if the share is one of another number of groups.
    pub(super) fn panels_of(&self, share: Share) -> Range<usize> {
        if share.of == 1 {
            return 0..self.layout.count();
        }
        assert_eq!(share.of, self.layout.groups(), "groups of columns");
        self.layout.group(share.index)
    }

    /// A whole panel, `[rows · width]`, for as long as the row phase lasts.
    pub(super) fn panel<'a>(&'a self, panel: usize, _phase: RowPhase<'a>) -> &'a [f32] {
        let range = self.layout.range(panel, 0..self.layout.rows);
        // SAFETY: (1) the phase proves that nobody writes parameters.
        unsafe { self.values.read(range) }
    }

    /// `c = a · self`, for all rows of `a` and the share of the columns that `c` has.
    ///
    /// Shapes: `a [rows, self.rows]`, `c [rows, columns of the share]`. Overwrites `c`.
    pub(super) fn multiply(&self, a: Rows, mut c: BlockMut, share: Share, phase: RowPhase) {
        let layout = &self.layout;
        let columns = share.columns(layout.columns);
        assert_eq!(
            (a.width, c.width()),
            (layout.rows, columns.len()),
            "widths of a and c"
        );
        assert_eq!(a.rows(), c.rows(), "rows of a and c");
        assert!(a.width <= a.stride, "width of a within its stride");
        let (set, rows) = (layout.set, c.rows());
        for panel in self.panels_of(share) {
            let (registers, width) = (layout.registers(panel), layout.width(panel));
            let column = layout.first_column(panel) - columns.start;
            let b = Operand {
                values: self.panel(panel, phase),
                row: 0,
                k: width,
            };
            let a = Operand {
                values: a.values,
                row: a.stride,
                k: 1,
            };
            let c = c.part(0..rows, column..column + width);
            set.rows_of_tiles(registers, layout.rows, a, b, c);
        }
    }

    /// `c = c + a · self`, for the columns that `a` has of a matrix: as many rows of this one. If these are the first,
    /// `c` is overwritten.
    ///
    /// Shapes: `a [rows, some of self.rows]`, `c [rows, columns]`.
    pub(super) fn multiply_some(&self, a: Rows, mut c: BlockMut, phase: RowPhase) {
        let layout = &self.layout;
        assert!(a.first + a.width <= layout.rows, "columns of a");
        assert_eq!(c.width(), layout.columns, "width of c");
        assert_eq!(a.rows(), c.rows(), "rows of a and c");
        let rows = c.rows();
        for panel in 0..layout.count() {
            let (registers, width) = (layout.registers(panel), layout.width(panel));
            let column = layout.first_column(panel);
            let b = Operand {
                values: &self.panel(panel, phase)[a.first * width..],
                row: 0,
                k: width,
            };
            let operand = Operand {
                values: a.values,
                row: a.stride,
                k: 1,
            };
            let c = c.part(0..rows, column..column + width);
            let sink = match a.first {
                0 => Sink::Store { c },
                _ => Sink::Add { c },
            };
            layout
                .set
                .tiles((rows, registers), a.width, operand, b, sink);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_has_a_place_of_its_own() {
        for set in InstructionSet::all_detected() {
            for (columns, groups, widths) in (1..200).flat_map(|columns| {
                let both = [Widths::dense(set), Widths::sparse(set, 1)];
                both.into_iter()
                    .flat_map(move |widths| [1, 2, 3, 7].map(|groups| (columns, groups, widths)))
            }) {
                let layout = Layout::new(set, (3, columns), groups, widths);
                let mut panels = Panels::zeroed(layout).expect("memory");
                let values: Vec<f32> = (0..3 * columns).map(|i| i as f32).collect();
                panels.pack(&values);
                let mut unpacked = vec![0.0; values.len()];
                panels.layout.unpack(&mut panels.values, &mut unpacked);
                assert_eq!(
                    unpacked, values,
                    "{widths:?}, {columns} columns, {groups} groups"
                );
                for column in 0..columns {
                    let panel = panels.layout.panel_of(column);
                    assert!(panels.layout.columns_of(panel).contains(&column));
                }
            }
        }
    }
}
