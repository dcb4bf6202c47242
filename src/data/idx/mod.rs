//! The IDX format: bytes in, typed items out.
//!
//! A file is `00 00 TT NN`, followed by NN big-endian `u32` dimensions and the elements in row-major order, multi-byte
//! ones big-endian (format: <https://yann.lecun.org/exdb/mnist/>). The first dimension is the number of items; the
//! others are flattened into one row of features. Reading a header allocates nothing of a size that the header
//! decides, and a file whose length differs from what its header says is refused.

mod file;
mod header;

pub use file::IdxFile;
pub(super) use header::MAX_HEADER_BYTES;
pub use header::{ElementType, Header};
