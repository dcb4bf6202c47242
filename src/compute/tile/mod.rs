//! Micro-kernels: a tile of a product in registers, and what is done with it.
//!
//! A tile is `MR` rows by `NV` registers of columns. For each `k` in order it loads `NV` registers of `b` and
//! multiplies them by `MR` single elements of `a`: `tile[r][..] += a[r, k] · b[k, ..]`. Every element is one chain of
//! fused multiply-adds over `k`, so its bits do not depend on the tile it falls into, on the register width, or on the
//! worker that computes it. The shapes are those of K. Goto and R. van de Geijn, *Anatomy of High-Performance Matrix
//! Multiplication*, 2008, with the packing done once, in the layout of the weights.

mod dense;
mod operand;
mod product;
mod row;
mod set;
mod sparse;
mod sparse_operand;
mod transpose;

pub(super) use operand::{MAX_DENSE_WIDTH, MAX_WIDTH, Operand, Sink};
pub use set::InstructionSet;
pub(super) use sparse::SPARSE_STEP;
pub(super) use sparse_operand::SparseColumns;
pub(super) use transpose::Stores;

#[cfg(test)]
mod tests;
