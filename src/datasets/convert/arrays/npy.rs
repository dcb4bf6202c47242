//! The NPY format: a header that describes an array, then its elements
//! (<https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>).
//!
//! No allocation depends on a header before the header has been compared with the size of the file.

use std::io::{self, Read};

use super::literal;
use crate::error::{Error, Refusal, Result};

/// The largest header in bytes, which is NumPy's own limit.
const MAX_HEADER: usize = 10_000;

/// The type of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    /// An integer of this many bytes.
    Unsigned(usize),
    /// An integer of this many bytes.
    Signed(usize),
    /// A float of this many bytes.
    Float(usize),
    /// Text of this many bytes, padded with zeros.
    Ascii(usize),
    /// Text of this many UTF-32 characters, padded with zeros.
    Unicode(usize),
}

/// The header of an array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub kind: Kind,
    pub big_endian: bool,
    /// Whether the first dimension varies fastest.
    pub fortran: bool,
    pub shape: Vec<usize>,
    /// The size of the header in bytes.
    pub bytes: u64,
}

impl Kind {
    /// Returns the size of an element in bytes.
    pub fn size(self) -> usize {
        match self {
            Kind::Bool => 1,
            Kind::Unsigned(size) | Kind::Signed(size) | Kind::Float(size) | Kind::Ascii(size) => {
                size
            }
            Kind::Unicode(characters) => 4 * characters,
        }
    }

    pub fn is_text(self) -> bool {
        matches!(self, Kind::Ascii(_) | Kind::Unicode(_))
    }

    /// Returns NumPy's name of the type.
    pub fn name(self) -> String {
        match self {
            Kind::Bool => "bool".to_owned(),
            Kind::Unsigned(size) => format!("uint{}", 8 * size),
            Kind::Signed(size) => format!("int{}", 8 * size),
            Kind::Float(size) => format!("float{}", 8 * size),
            Kind::Ascii(size) => format!("S{size}"),
            Kind::Unicode(size) => format!("U{size}"),
        }
    }

    /// Parses a `descr` without its byte order. Returns a description of the type if it is not supported.
    fn parse(code: &str) -> Result<Kind, &'static str> {
        let (letter, size) = code.split_at(code.chars().next().map_or(0, char::len_utf8));
        let size = size.parse::<usize>().unwrap_or(0);
        match (letter, size) {
            ("b", 1) => Ok(Kind::Bool),
            ("u", 1 | 2 | 4 | 8) => Ok(Kind::Unsigned(size)),
            ("i", 1 | 2 | 4 | 8) => Ok(Kind::Signed(size)),
            ("f", 2 | 4 | 8) => Ok(Kind::Float(size)),
            ("S", 1..=4096) => Ok(Kind::Ascii(size)),
            ("U", 1..=1024) => Ok(Kind::Unicode(size)),
            ("O", _) => Err("Python objects (object)"),
            ("c", _) => Err("complex numbers"),
            ("M" | "m", _) => Err("dates or times"),
            ("f", _) => Err("floats of more than 64 bits"),
            ("V", _) => Err("records (void)"),
            _ => Err("elements of another kind"),
        }
    }
}

impl Header {
    /// Reads the header from the start of an array.
    ///
    /// # Errors
    /// Returns [`Error::Data`] with `place` if the header is malformed, or if elements are neither numbers nor text.
    pub fn read(place: &str, array: &mut dyn Read) -> Result<Header> {
        let refuse =
            |found: &str, expected: &str| Error::Data(Refusal::new(place, found, expected));
        let text = read_text(place, array)?;
        let bytes = text.bytes_before + text.bytes.len();
        let text = String::from_utf8_lossy(&text.bytes);
        let entries = literal::parse(&text).ok_or_else(|| {
            let expected = "descr, fortran_order and shape";
            refuse("another header than NumPy's", expected)
        })?;
        let (kind, big_endian) = parse_descr(place, entries.descr)?;
        Ok(Header {
            kind,
            big_endian,
            // One dimension has no order.
            fortran: entries.fortran_order && entries.shape.len() > 1,
            shape: entries.shape,
            bytes: bytes as u64,
        })
    }

    /// Returns the first dimension; 1 for an array without dimensions.
    pub fn items(&self) -> usize {
        self.shape.first().copied().unwrap_or(1)
    }

    /// Returns the number of elements in an item, or `None` on overflow.
    pub fn item_elements(&self) -> Option<usize> {
        let mut sizes = self.shape.iter().skip(1);
        sizes.try_fold(1usize, |product, &size| product.checked_mul(size))
    }

    /// Returns the size of all elements in bytes, or `None` on overflow.
    fn data_bytes(&self) -> Option<u64> {
        let item = self.item_elements()?.checked_mul(self.kind.size())?;
        Some(item.checked_mul(self.items())? as u64)
    }

    /// Returns the size of the header and all elements in bytes, or `None` on overflow.
    pub fn total_bytes(&self) -> Option<u64> {
        self.data_bytes()?.checked_add(self.bytes)
    }

    /// Describes the size that a file with this header must have, for messages.
    pub fn expected_size(&self) -> String {
        let description = self.description();
        match self.total_bytes() {
            Some(bytes) => format!("{bytes} for {description}"),
            None => format!("fewer elements for {description}"),
        }
    }

    /// Describes the array as NumPy does: `(60000, 28, 28) uint8`.
    pub fn description(&self) -> String {
        let sizes: Vec<String> = self.shape.iter().map(usize::to_string).collect();
        let order = if self.fortran { ", Fortran order" } else { "" };
        format!("({}) {}{order}", sizes.join(", "), self.kind.name())
    }
}

/// The text of a header, and the size of what comes before it.
struct HeaderText {
    bytes_before: usize,
    bytes: Vec<u8>,
}

/// Reads the magic, the version, the length and the text of a header.
fn read_text(place: &str, array: &mut dyn Read) -> Result<HeaderText> {
    let refuse = |found: &str, expected: &str| Error::Data(Refusal::new(place, found, expected));
    let truncated = |error: io::Error| match error.kind() {
        io::ErrorKind::UnexpectedEof => refuse("a truncated file", "a complete NPY header"),
        _ => refuse(&error.to_string(), "a complete NPY header"),
    };
    let mut start = [0; 8];
    array.read_exact(&mut start).map_err(truncated)?;
    let [magic @ .., major, minor] = start;
    if magic != *b"\x93NUMPY" {
        return Err(refuse("no NPY header", "an array as numpy.save writes it"));
    }
    let length_bytes = match (major, minor) {
        (1, 0) => 2,
        (2 | 3, 0) => 4,
        _ => {
            let found = format!("NPY version {major}.{minor}");
            return Err(refuse(&found, "1.0, 2.0 or 3.0"));
        }
    };
    let mut length = [0; 4];
    let read = array.read_exact(&mut length[..length_bytes]);
    read.map_err(truncated)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > MAX_HEADER {
        let found = format!("a header of {length} bytes");
        return Err(refuse(&found, &format!("at most {MAX_HEADER}")));
    }
    let mut bytes = vec![0; length];
    array.read_exact(&mut bytes).map_err(truncated)?;
    Ok(HeaderText {
        bytes_before: start.len() + length_bytes,
        bytes,
    })
}

/// Parses the type and the byte order of the elements.
fn parse_descr(place: &str, descr: &str) -> Result<(Kind, bool)> {
    let kind = match descr.starts_with('[') {
        true => Err("records (structured)"),
        false => Kind::parse(descr.trim_start_matches(['<', '>', '|', '='])),
    };
    let kind = kind.map_err(|what| {
        let shown: String = descr.chars().filter(|c| !c.is_control()).take(40).collect();
        let found = format!("{what}, {shown}");
        let refusal = Refusal::new(place, found, "numbers, or text as labels");
        Error::Data(refusal.hint(
            "convert it before it is saved, for example by array.astype('float32') or astype(str)",
        ))
    })?;
    Ok((kind, descr.starts_with('>')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(version: u8, line: &str) -> Vec<u8> {
        let mut bytes = [b"\x93NUMPY", &[version, 0][..]].concat();
        match version {
            1 => bytes.extend((line.len() as u16).to_le_bytes()),
            _ => bytes.extend((line.len() as u32).to_le_bytes()),
        }
        bytes.extend(line.as_bytes());
        bytes
    }

    fn read(line: &str) -> Result<Header> {
        Header::read("x.npy", &mut &file(1, line)[..])
    }

    #[test]
    fn reads_headers_as_numpy_writes_them() {
        let header =
            read("{'descr': '<f4', 'fortran_order': False, 'shape': (60000, 28, 28), }    \n");
        let header = header.expect("a header");
        assert_eq!(header.kind, Kind::Float(4));
        assert_eq!((header.items(), header.item_elements()), (60000, Some(784)));
        assert_eq!(header.data_bytes(), Some(60000 * 784 * 4));
        assert_eq!(header.description(), "(60000, 28, 28) float32");
        let other =
            read("{\"shape\":(3L,2L),\"fortran_order\":True,\"descr\":\">u2\"}").expect("a header");
        assert!(other.fortran && other.big_endian);
        assert_eq!((other.kind, other.shape), (Kind::Unsigned(2), vec![3, 2]));
        let list =
            read("{'descr': '|S9', 'fortran_order': True, 'shape': (5,), }").expect("a header");
        assert!(!list.fortran, "one dimension has no order");
        for version in [2, 3] {
            let bytes = file(
                version,
                "{'descr': '|b1', 'fortran_order': False, 'shape': (), }",
            );
            let header = Header::read("x", &mut &bytes[..]).expect("a header");
            assert_eq!((header.items(), header.bytes), (1, bytes.len() as u64));
        }
    }

    #[test]
    fn unsupported_element_types_are_refused_by_name() {
        for (descr, words) in [
            ("'|O'", "Python objects (object), |O"),
            ("'<c16'", "complex numbers, <c16"),
            ("'<M8[ns]'", "dates or times, <M8[ns]"),
            ("'<f16'", "floats of more than 64 bits"),
            ("[('a', '<f4'), ('b', '<i8')]", "records (structured)"),
            ("'<u3'", "elements of another kind"),
            ("'é'", "elements of another kind"),
        ] {
            let line = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': (3,), }}");
            let message = read(&line).expect_err("a refusal").to_string();
            assert!(message.contains(words), "{message}");
        }
    }

    #[test]
    fn malformed_headers_are_refused() {
        for line in [
            "",
            "{}",
            "{'descr': '<f4', 'fortran_order': False}",
            "{'descr': '<f4', 'fortran_order': 0, 'shape': (3,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (-3,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 99999999999999999999)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3,) 'x': 1}",
            "{'descr': '<f4, 'fortran_order': False, 'shape': (3,)}",
            &"(".repeat(9999),
        ] {
            let message = read(line).expect_err("a refusal").to_string();
            assert!(
                message.contains("another header than NumPy's"),
                "{line}: {message}"
            );
        }
        let refused = |bytes: &[u8]| {
            let mut bytes = bytes;
            Header::read("x", &mut bytes)
                .expect_err("a refusal")
                .to_string()
        };
        assert!(refused(b"\x93NUMPY\x04\x00").contains("NPY version 4.0"));
        assert!(
            refused(b"\x93NUMPY\x02\x00\xff\xff\xff\xff").contains("a header of 4294967295 bytes")
        );
        assert!(refused(b"\x93NUM").contains("a truncated file"));
        assert!(refused(b"PK\x03\x04....").contains("no NPY header"));
    }

    proptest! {
        /// Any header is either refused or read.
        #[test]
        fn hostile_headers_never_panic(line in "[\\{\\}\\[\\]()'\":,a-z0-9_<>| L]{0,80}") {
            let _ = read(&line);
            let _ = read(&format!("{{'descr': {line}, 'fortran_order': False, 'shape': ({line})}}"));
        }
    }
}
