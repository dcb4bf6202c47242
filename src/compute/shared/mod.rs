//! Buffers that the workers of a team write side by side.
//!
//! Training is one parallel region per epoch, so buffers are shared for as long as an epoch, and workers write disjoint
//! parts of them between two barriers. The methods that hand out such parts are `unsafe`; [`super::phases`] has the
//! tokens through which the rest of the crate uses them. Memory is mapped, zeroed and page-aligned, and in huge pages
//! if the system has them: strided access to large weights then needs fewer address lookups.

mod block;
mod buffer;
mod matrix;
mod rows;

pub use block::{Block, BlockMut};
pub use buffer::{AtomicF64, LINE, Number, PAGE, SharedBuffer};
pub use matrix::{Matrix, ROWS_APART};
pub use rows::{Rows, RowsMut};
