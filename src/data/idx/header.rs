//! The header of an IDX file: the type of the elements, and the dimensions.

use std::path::Path;

use super::super::file_kind::{self, FileKind};
use crate::error::{Error, Refusal, Result};

/// Length of the longest header: the magic number and four dimensions.
pub const MAX_HEADER_BYTES: usize = 4 + 4 * MAX_DIMENSIONS;
const MAX_DIMENSIONS: usize = 4;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// The type of the elements of an IDX file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ElementType {
    /// Unsigned byte, code `08`.
    U8,
    /// Signed byte, code `09`.
    I8,
    /// 16-bit signed integer, code `0b`.
    I16,
    /// 32-bit signed integer, code `0c`.
    I32,
    /// 32-bit float, code `0d`.
    F32,
    /// 64-bit float, code `0e`.
    F64,
}

impl ElementType {
    /// All types.
    pub const ALL: [ElementType; 6] = [
        ElementType::U8,
        ElementType::I8,
        ElementType::I16,
        ElementType::I32,
        ElementType::F32,
        ElementType::F64,
    ];

    /// Returns the type with this code in the third byte of the magic number.
    pub fn from_code(code: u8) -> Option<ElementType> {
        Some(match code {
            0x08 => ElementType::U8,
            0x09 => ElementType::I8,
            0x0b => ElementType::I16,
            0x0c => ElementType::I32,
            0x0d => ElementType::F32,
            0x0e => ElementType::F64,
            _ => return None,
        })
    }

    /// Returns the third byte of the magic number.
    pub fn code(self) -> u8 {
        match self {
            ElementType::U8 => 0x08,
            ElementType::I8 => 0x09,
            ElementType::I16 => 0x0b,
            ElementType::I32 => 0x0c,
            ElementType::F32 => 0x0d,
            ElementType::F64 => 0x0e,
        }
    }

    /// Returns the size of an element in the file, in bytes.
    pub fn size(self) -> usize {
        match self {
            ElementType::U8 | ElementType::I8 => 1,
            ElementType::I16 => 2,
            ElementType::I32 | ElementType::F32 => 4,
            ElementType::F64 => 8,
        }
    }

    /// Returns the name used in messages, as Rust spells it.
    pub fn name(self) -> &'static str {
        match self {
            ElementType::U8 => "u8",
            ElementType::I8 => "i8",
            ElementType::I16 => "i16",
            ElementType::I32 => "i32",
            ElementType::F32 => "f32",
            ElementType::F64 => "f64",
        }
    }
}

/// The header of an IDX file. Dimensions are at least 1 and their product is addressable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    element: ElementType,
    dimensions: Vec<usize>,
    payload_bytes: usize,
}

impl Header {
    /// Makes a header for `dimensions`, the first of which is the number of items.
    ///
    /// # Errors
    /// Returns [`Error::Data`] if there is no dimension, if there are more than four, if one is 0, or if their product
    /// overflows.
    pub fn new(place: &Path, element: ElementType, dimensions: &[usize]) -> Result<Header> {
        let refuse = |found: String, expected: &str| {
            Err(Error::Data(Refusal::new(place.display(), found, expected)))
        };
        if !(1..=MAX_DIMENSIONS).contains(&dimensions.len()) {
            return refuse(format!("{} dimensions", dimensions.len()), "1 to 4");
        }
        if let Some(at) = dimensions.iter().position(|&dimension| dimension == 0) {
            return refuse(format!("dimension {} is 0", at + 1), "at least 1");
        }
        let bytes = dimensions
            .iter()
            .try_fold(element.size(), |product, &size| product.checked_mul(size))
            .filter(|bytes| isize::try_from(*bytes).is_ok());
        match bytes {
            Some(payload_bytes) => Ok(Header {
                element,
                dimensions: dimensions.to_vec(),
                payload_bytes,
            }),
            None => refuse(
                format!(
                    "dimensions {dimensions:?} multiply to more bytes than a machine addresses"
                ),
                "a product that fits",
            ),
        }
    }

    /// Reads the header at the start of `bytes` and ignores what follows it. Messages name `place`.
    ///
    /// # Errors
    /// Returns [`Error::Data`] if `bytes` do not start with a well-formed header.
    pub fn parse(place: &Path, bytes: &[u8]) -> Result<Header> {
        let refuse = |found: String, expected: &str| Refusal::new(place.display(), found, expected);
        if bytes.starts_with(&GZIP_MAGIC) {
            return Err(Error::Data(
                refuse("gzip data (1f 8b)".into(), "raw IDX data (00 00)")
                    .hint("it was compressed more than three times; gunzip it first"),
            ));
        }
        let starts_as_idx = !bytes.is_empty() && bytes.iter().take(2).all(|&byte| byte == 0);
        if !starts_as_idx {
            let kind = FileKind::of(&bytes[..bytes.len().min(file_kind::START)]);
            let refusal = refuse(kind.name().to_owned(), "an IDX file");
            return Err(Error::Data(match kind.advice() {
                Some(advice) => refusal.hint(advice),
                None => refusal,
            }));
        }
        let Some((&[_, _, code, count], rest)) = bytes.split_first_chunk::<4>() else {
            return Err(Error::Data(refuse(
                format!("{} bytes", bytes.len()),
                "at least the 4 bytes of the magic number",
            )));
        };
        let Some(element) = ElementType::from_code(code) else {
            return Err(Error::Data(refuse(
                format!("element type {code:02x}"),
                "08 (u8), 09 (i8), 0b (i16), 0c (i32), 0d (f32) or 0e (f64)",
            )));
        };
        let count = usize::from(count);
        if count > MAX_DIMENSIONS {
            return Err(Error::Data(refuse(format!("{count} dimensions"), "1 to 4")));
        }
        if rest.len() < 4 * count {
            return Err(Error::Data(refuse(
                format!("{} bytes", bytes.len()),
                "the complete header",
            )));
        }
        let dimensions: Vec<usize> = rest[..4 * count]
            .as_chunks::<4>()
            .0
            .iter()
            .map(|&bytes| u32::from_be_bytes(bytes) as usize)
            .collect();
        Header::new(place, element, &dimensions)
    }

    /// Encodes the header as in a file.
    ///
    /// # Panics
    /// Panics if a dimension does not fit the 32 bits of the format.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0, 0, self.element.code(), self.dimensions.len() as u8];
        for &dimension in &self.dimensions {
            let dimension = u32::try_from(dimension).expect("an IDX dimension has 32 bits");
            bytes.extend(dimension.to_be_bytes());
        }
        bytes
    }

    /// Returns the type of the elements.
    pub fn element(&self) -> ElementType {
        self.element
    }

    /// Returns all dimensions, items first.
    pub fn dimensions(&self) -> &[usize] {
        &self.dimensions
    }

    /// Returns the number of items: the first dimension.
    pub fn items(&self) -> usize {
        self.dimensions[0]
    }

    /// Returns the number of elements in an item: the product of the dimensions after the first.
    pub fn features(&self) -> usize {
        self.dimensions[1..].iter().product()
    }

    /// Returns the length of a file with this header, in bytes.
    pub fn file_bytes(&self) -> usize {
        self.header_bytes().saturating_add(self.payload_bytes)
    }

    /// Returns the length of the header, in bytes.
    pub(in crate::data) fn header_bytes(&self) -> usize {
        4 + 4 * self.dimensions.len()
    }
}
