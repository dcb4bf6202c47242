//! The inputs of a layer that skips zeros: floats, or bytes that stand for floats.
//!
//! A pixel is a byte in its file. If it stays one until a product needs it, a batch takes a quarter of the memory, and
//! more of it stays in the nearest cache.

use super::shared::Rows;

/// The number of values of a byte.
pub const BYTES: usize = 1 << u8::BITS;

/// The float that each byte stands for; that of byte 0 is 0.
#[derive(Debug, Clone, PartialEq)]
pub struct ByteValues(Box<[f32; BYTES]>);

impl ByteValues {
    /// Byte `b` stands for `values[b]`.
    ///
    /// # Panics
    /// Panics if byte 0 does not stand for 0: layers that skip zeros look at the bytes.
    pub fn new(values: [f32; BYTES]) -> ByteValues {
        assert!(values[0] == 0.0, "byte 0 stands for {}", values[0]);
        ByteValues(Box::new(values))
    }

    /// What each byte stands for.
    pub fn values(&self) -> &[f32; BYTES] {
        &self.0
    }
}

/// The elements of some rows, `[rows, features]`.
#[derive(Debug, Clone, Copy)]
pub enum Elements<'a> {
    /// Floats.
    Floats(Rows<'a>),
    /// Bytes, and the floats that they stand for.
    Bytes(Rows<'a, u8>, &'a ByteValues),
}

impl Elements<'_> {
    /// The number of rows.
    pub fn rows(&self) -> usize {
        match self {
            Elements::Floats(rows) => rows.rows(),
            Elements::Bytes(rows, _) => rows.rows(),
        }
    }

    /// The number of features.
    ///
    /// # Panics
    /// Panics if they are not within the stride of the rows.
    pub fn width(&self) -> usize {
        let (width, stride) = match self {
            Elements::Floats(rows) => (rows.width, rows.stride),
            Elements::Bytes(rows, _) => (rows.width, rows.stride),
        };
        assert!(width <= stride, "width of a row within its stride");
        width
    }
}
