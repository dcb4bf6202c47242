//! The IDX format: bytes in, typed items out.
//!
//! A file is `00 00 TT NN`, NN big-endian `u32` dimensions, then the elements in row-major order,
//! multi-byte ones big-endian (format: <https://yann.lecun.org/exdb/mnist/>). The first dimension counts
//! items; the others are flattened into one row of features. Reading a header allocates nothing that
//! the header sizes, and a file whose length is not exactly what its header says is refused.

mod file;
mod header;

pub use file::IdxFile;
pub(super) use header::MAX_HEADER_BYTES;
pub use header::{ElementType, Header};
