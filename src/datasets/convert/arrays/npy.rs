//! The NPY format: a line that says what an array is, then its elements
//! (<https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>).
//!
//! The line is a Python dictionary of three entries. The crates for NPY bring a parser of all Python literals with them,
//! some twenty crates, and size what they allocate by what it says; this takes a header as NumPy writes it, and leaves
//! elements to be streamed. Nothing is allocated by what a header says before that is held against the file.

use std::io::{self, Read};

use crate::error::{Error, Refusal, Result};

/// Bytes of the longest header: NumPy's own limit.
const MAX_HEADER: usize = 10_000;

/// What an element is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    /// Of this many bytes, as all that follow.
    Unsigned(usize),
    Signed(usize),
    Float(usize),
    /// Bytes of text, zeros behind it.
    Ascii(usize),
    /// So many UTF-32 characters, zeros behind them.
    Unicode(usize),
}

/// What the first line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub kind: Kind,
    pub big_endian: bool,
    /// Whether the first dimension is the fastest.
    pub fortran: bool,
    pub shape: Vec<usize>,
    /// Bytes before the elements.
    pub bytes: u64,
}

impl Kind {
    /// Bytes an element takes.
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

    /// As NumPy calls it.
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

    /// The kind that a `descr` names, without its byte order; what it is where it is none of these.
    fn of(code: &str) -> Result<Kind, &'static str> {
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
    /// [`Error::Data`], naming `place`, when it is none, or of elements that are no numbers or text.
    pub fn read(place: &str, array: &mut dyn Read) -> Result<Header> {
        let refuse =
            |found: &str, expected: &str| Error::Data(Refusal::new(place, found, expected));
        let cut = |error: io::Error| match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                refuse("a file that was cut short", "a whole NPY header")
            }
            _ => refuse(&error.to_string(), "a whole NPY header"),
        };
        let mut start = [0; 8];
        array.read_exact(&mut start).map_err(cut)?;
        let [magic @ .., major, minor] = start;
        if magic != *b"\x93NUMPY" {
            return Err(refuse("no NPY header", "an array as numpy.save writes it"));
        }
        let mut length = [0; 4];
        let length_bytes = match (major, minor) {
            (1, 0) => 2,
            (2 | 3, 0) => 4,
            _ => {
                return Err(refuse(
                    &format!("NPY version {major}.{minor}"),
                    "1.0, 2.0 or 3.0",
                ));
            }
        };
        array.read_exact(&mut length[..length_bytes]).map_err(cut)?;
        let length = u32::from_le_bytes(length) as usize;
        if length > MAX_HEADER {
            let found = format!("a header of {length} bytes");
            return Err(refuse(&found, &format!("at most {MAX_HEADER}")));
        }
        let mut line = vec![0; length];
        array.read_exact(&mut line).map_err(cut)?;
        let line = String::from_utf8_lossy(&line);
        let (descr, fortran, shape) = dictionary(&line).ok_or_else(|| {
            refuse(
                "another header than NumPy's",
                "descr, fortran_order and shape",
            )
        })?;
        let (kind, big_endian) = element(place, descr)?;
        Ok(Header {
            kind,
            big_endian,
            fortran: fortran && shape.len() > 1,
            shape,
            bytes: (8 + length_bytes + length) as u64,
        })
    }

    /// The first dimension; 1 where there is none.
    pub fn items(&self) -> usize {
        self.shape.first().copied().unwrap_or(1)
    }

    /// Elements in an item, if a machine can count them.
    pub fn features(&self) -> Option<usize> {
        let mut sizes = self.shape.iter().skip(1);
        sizes.try_fold(1usize, |product, &size| product.checked_mul(size))
    }

    /// Bytes of all elements, if a machine can count them.
    pub fn data_bytes(&self) -> Option<u64> {
        let item = self.features()?.checked_mul(self.kind.size())?;
        Some(item.checked_mul(self.items())? as u64)
    }

    /// As NumPy prints a shape: `(60000, 28, 28) uint8`.
    pub fn about(&self) -> String {
        let sizes: Vec<String> = self.shape.iter().map(usize::to_string).collect();
        let order = if self.fortran { ", Fortran order" } else { "" };
        format!("({}) {}{order}", sizes.join(", "), self.kind.name())
    }
}

/// What the elements are, by their `descr`.
fn element(place: &str, descr: &str) -> Result<(Kind, bool)> {
    let kind = if descr.starts_with('[') {
        Err("records (structured)")
    } else {
        Kind::of(descr.trim_start_matches(['<', '>', '|', '=']))
    };
    let kind =
        kind.map_err(|what| {
            let shown: String = descr.chars().filter(|c| !c.is_control()).take(40).collect();
            let refusal = Refusal::new(
                place,
                format!("{what}, {shown}"),
                "numbers, or text as labels",
            );
            Error::Data(refusal.hint(
                "convert it before it is saved, as array.astype('float32') or astype(str) does",
            ))
        })?;
    Ok((kind, descr.starts_with('>')))
}

/// The entries of a header: `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`, in any order.
fn dictionary(line: &str) -> Option<(&str, bool, Vec<usize>)> {
    let (mut descr, mut fortran, mut shape) = (None, None, None);
    let mut rest = Literal(line).after('{')?;
    while rest.after('}').is_none() {
        let (key, value) = rest.string()?;
        let value = value.after(':')?;
        rest = match key {
            "descr" if value.after('[').is_some() => {
                // What records look like is of no interest, and they go on to the next key at the earliest.
                descr = Some(value.trimmed());
                fortran = fortran.or(Some(false));
                shape = shape.or(Some(Vec::new()));
                break;
            }
            "descr" => value.string().map(|(text, rest)| {
                descr = Some(text);
                rest
            })?,
            "fortran_order" => value.boolean().map(|(is, rest)| {
                fortran = Some(is);
                rest
            })?,
            "shape" => value.sizes().map(|(sizes, rest)| {
                shape = Some(sizes);
                rest
            })?,
            _ => return None,
        };
        rest = match rest.after(',') {
            Some(rest) => rest,
            None => rest.after('}').map(|_| rest)?,
        };
    }
    Some((descr?, fortran?, shape?))
}

/// The rest of a Python literal.
#[derive(Clone, Copy)]
struct Literal<'a>(&'a str);

impl<'a> Literal<'a> {
    fn trimmed(self) -> &'a str {
        self.0.trim_start()
    }

    /// What stands behind `mark`, if that is next.
    fn after(self, mark: char) -> Option<Literal<'a>> {
        self.trimmed().strip_prefix(mark).map(Literal)
    }

    fn string(self) -> Option<(&'a str, Literal<'a>)> {
        let quote = self
            .trimmed()
            .chars()
            .next()
            .filter(|c| "'\"".contains(*c))?;
        let (text, rest) = self.after(quote)?.0.split_once(quote)?;
        Some((text, Literal(rest)))
    }

    fn boolean(self) -> Option<(bool, Literal<'a>)> {
        let text = self.trimmed();
        let no = || Some((false, text.strip_prefix("False")?));
        let (is, rest) = text
            .strip_prefix("True")
            .map(|rest| (true, rest))
            .or_else(no)?;
        Some((is, Literal(rest)))
    }

    /// A tuple of sizes: `()`, `(3,)`, `(3, 4)`; Python 2 wrote `(3L, 4L)`.
    fn sizes(self) -> Option<(Vec<usize>, Literal<'a>)> {
        let (inside, rest) = self.after('(')?.0.split_once(')')?;
        let sizes = inside.strip_suffix(',').unwrap_or(inside).split(',');
        let size = |text: &str| text.trim().trim_end_matches('L').parse().ok();
        let sizes = match inside.trim() {
            "" => Vec::new(),
            _ => sizes.map(size).collect::<Option<Vec<usize>>>()?,
        };
        Some((sizes, Literal(rest)))
    }
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
        assert_eq!((header.items(), header.features()), (60000, Some(784)));
        assert_eq!(header.data_bytes(), Some(60000 * 784 * 4));
        assert_eq!(header.about(), "(60000, 28, 28) float32");
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
    fn refuses_what_holds_no_numbers_by_its_name() {
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
    fn refuses_other_headers() {
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
        let told = |bytes: &[u8]| {
            let mut bytes = bytes;
            Header::read("x", &mut bytes)
                .expect_err("a refusal")
                .to_string()
        };
        assert!(told(b"\x93NUMPY\x04\x00").contains("NPY version 4.0"));
        assert!(
            told(b"\x93NUMPY\x02\x00\xff\xff\xff\xff").contains("a header of 4294967295 bytes")
        );
        assert!(told(b"\x93NUM").contains("cut short"));
        assert!(told(b"PK\x03\x04....").contains("no NPY header"));
    }

    proptest! {
        /// Whatever stands in a header, it is refused or read.
        #[test]
        fn hostile_headers_never_panic(line in "[\\{\\}\\[\\]()'\":,a-z0-9_<>| L]{0,80}") {
            let _ = read(&line);
            let _ = read(&format!("{{'descr': {line}, 'fortran_order': False, 'shape': ({line})}}"));
        }
    }
}
