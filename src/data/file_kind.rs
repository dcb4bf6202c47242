//! What a file is, by its first bytes: to name it if something else was expected, and to choose what reads it.

use crate::message::{Command, Message, message};

/// How many bytes of a file [`FileKind::of`] looks at.
pub const START: usize = 512;

/// The kind of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// There are no bytes.
    Empty,
    /// The start of an IDX header.
    Idx,
    /// A gzip stream.
    Gzip,
    /// An array of NumPy.
    Npy,
    /// A ZIP archive, such as an NPZ file.
    Zip,
    /// A picture that is read.
    Picture(PictureFormat),
    /// A file of another program, with its name.
    Foreign(Foreign),
    /// Text in UTF-16.
    Utf16,
    /// Text without zeros, such as CSV.
    Text,
    /// Anything else.
    Binary,
}

/// The format of a picture that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PictureFormat {
    /// Portable Network Graphics.
    Png,
    /// JPEG.
    Jpeg,
    /// Windows bitmap.
    Bmp,
    /// WebP.
    WebP,
}

impl PictureFormat {
    /// All formats.
    pub const ALL: [PictureFormat; 4] = [
        PictureFormat::Png,
        PictureFormat::Jpeg,
        PictureFormat::Bmp,
        PictureFormat::WebP,
    ];

    /// Returns the name of the format.
    pub fn name(self) -> &'static str {
        match self {
            PictureFormat::Png => "PNG",
            PictureFormat::Jpeg => "JPEG",
            PictureFormat::Bmp => "BMP",
            PictureFormat::WebP => "WebP",
        }
    }
}

/// A file that is not read, and what to do with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Foreign {
    /// The name with an article.
    name: &'static str,
    /// How to make a file of it that is read.
    advice: &'static str,
}

const TO_CSV: &str = "write it as CSV: pandas.read_parquet(…).to_csv(…, index=False)";
const TO_NPZ: &str = "save its arrays with numpy.savez";
const TO_PNG: &str = "save it as PNG or JPEG";
const UNPACK: &str = "unpack it first";

/// Files that start with these bytes.
const FOREIGN: [(&[u8], &str, &str); 17] = [
    (b"PAR1", "a Parquet file", TO_CSV),
    (
        b"ARROW1",
        "an Arrow file",
        "write it as CSV: pandas.read_feather(…).to_csv(…, index=False)",
    ),
    (b"\x89HDF", "an HDF5 file", TO_NPZ),
    (b"MATLAB 5.0", "a MATLAB file", TO_NPZ),
    (
        b"SQLite format 3",
        "an SQLite database",
        "write the table as CSV",
    ),
    (b"BZh91AY&SY", "a bzip2 file", UNPACK),
    (b"\xfd7zXZ", "an xz file", UNPACK),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file", UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
    (b"Rar!", "a RAR archive", UNPACK),
    (b"GIF8", "a GIF picture", TO_PNG),
    (b"II*\0", "a TIFF picture", TO_PNG),
    (b"MM\0*", "a TIFF picture", TO_PNG),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture", TO_PNG),
    (b"\xff\x0a", "a JPEG XL picture", TO_PNG),
    (
        b"%PDF",
        "a PDF file",
        "save its pictures as PNG, or its tables as CSV",
    ),
    (
        b"\xd0\xcf\x11\xe0",
        "an Office document",
        "save the table as CSV",
    ),
];

impl FileKind {
    /// Recognises a file by its first bytes, [`START`] of them unless it is shorter.
    pub fn of(start: &[u8]) -> FileKind {
        let starts = |(magic, ..): &&(&[u8], _, _)| start.starts_with(magic);
        let foreign = FOREIGN.iter().find(starts);
        // A table may start with a column that is called PAR1, or have ftyp in its header.
        if is_plain_text(start) {
            return match start {
                [] => FileKind::Empty,
                _ => FileKind::Text,
            };
        }
        if let Some((_, name, advice)) = foreign {
            return FileKind::Foreign(Foreign { name, advice });
        }
        let foreign = |name, advice| FileKind::Foreign(Foreign { name, advice });
        match start {
            [0, 0, 0x08..=0x0e, 1..=4, ..] => FileKind::Idx,
            [0x1f, 0x8b, ..] => FileKind::Gzip,
            [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => FileKind::Npy,
            // The name of the first file in the archive.
            [b'P', b'K', 3, 4, ..] if has_first(start, b"[Content_Types].xml") => {
                foreign("an Office document", "save the table as CSV")
            }
            [b'P', b'K', 3, 4, ..] if has_first(start, b"/data.pkl") => {
                foreign("a PyTorch file", "save its tensors with numpy.savez")
            }
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => FileKind::Zip,
            [0x89, b'P', b'N', b'G', ..] => FileKind::Picture(PictureFormat::Png),
            [0xff, 0xd8, 0xff, ..] => FileKind::Picture(PictureFormat::Jpeg),
            [
                b'R',
                b'I',
                b'F',
                b'F',
                _,
                _,
                _,
                _,
                b'W',
                b'E',
                b'B',
                b'P',
                ..,
            ] => FileKind::Picture(PictureFormat::WebP),
            // The size of the file, two reserved fields, and where the pixels start.
            [b'B', b'M', _, _, _, _, 0, 0, 0, 0, _, _, 0, 0, ..] => {
                FileKind::Picture(PictureFormat::Bmp)
            }
            // The protocol, and the frame or the opcode that follows it.
            [
                0x80,
                2..=5,
                0x8a | 0x95 | b'c' | b'}' | b']' | b'(' | b'X' | b'q',
                ..,
            ] => foreign("a pickle file", TO_NPZ),
            [_, _, _, _, b'f', b't', b'y', b'p', ..] => foreign("a HEIC or AVIF picture", TO_PNG),
            _ if is_safetensors(start) => foreign(
                "a safetensors file",
                "a model comes first, and then the file with the data",
            ),
            _ if start.get(257..262) == Some(b"ustar") => foreign("a tar archive", UNPACK),
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => FileKind::Utf16,
            _ if start.contains(&0) => FileKind::Binary,
            _ => FileKind::Text,
        }
    }

    /// Returns the name with an article, for messages.
    pub fn name(self) -> &'static str {
        match self {
            FileKind::Empty => "an empty file",
            FileKind::Idx => "an IDX file",
            FileKind::Gzip => "gzip data",
            FileKind::Npy => "an NPY file",
            FileKind::Zip => "a ZIP archive",
            FileKind::Picture(PictureFormat::Png) => "a PNG picture",
            FileKind::Picture(PictureFormat::Jpeg) => "a JPEG picture",
            FileKind::Picture(PictureFormat::Bmp) => "a BMP picture",
            FileKind::Picture(PictureFormat::WebP) => "a WebP picture",
            FileKind::Foreign(foreign) => foreign.name,
            FileKind::Utf16 => "UTF-16 text",
            FileKind::Text => "text",
            FileKind::Binary => "binary data",
        }
    }

    /// Returns how to make a file of it that is read, if that is known.
    pub fn advice(self) -> Option<Message> {
        match self {
            FileKind::Empty => Some("write or fetch it again".into()),
            FileKind::Npy | FileKind::Zip | FileKind::Text => {
                Some(message![Command("data convert"), " makes IDX files of it"])
            }
            FileKind::Picture(_) => Some(message![
                Command("data convert"),
                " makes IDX files of a folder of pictures"
            ]),
            FileKind::Foreign(foreign) => Some(foreign.advice.into()),
            FileKind::Utf16 => Some("save it as UTF-8".into()),
            FileKind::Idx | FileKind::Gzip | FileKind::Binary => None,
        }
    }
}

/// Returns whether the name of the first file in a ZIP archive ends with `name`.
fn has_first(start: &[u8], name: &[u8]) -> bool {
    let length = start
        .get(26..28)
        .map_or(0, |pair| usize::from(pair[0]) | usize::from(pair[1]) << 8);
    let first = start.get(30..).and_then(|rest| rest.get(..length));
    first.is_some_and(|first| first.ends_with(name))
}

/// Returns whether the bytes are UTF-8 without control characters except white space. The last character may be cut off.
fn is_plain_text(start: &[u8]) -> bool {
    let is_plain = |character: char| !character.is_control() || character.is_ascii_whitespace();
    let text = match str::from_utf8(start) {
        Ok(text) => Some(text),
        Err(error) if error.error_len().is_some() => None,
        Err(error) => str::from_utf8(&start[..error.valid_up_to()]).ok(),
    };
    text.is_some_and(|text| text.chars().all(is_plain))
}

/// Returns whether the bytes are a length below 100 MB and the start of a JSON object, as in a model file.
fn is_safetensors(start: &[u8]) -> bool {
    let Some((&length, rest)) = start.split_first_chunk::<8>() else {
        return false;
    };
    u64::from_le_bytes(length) < 100_000_000 && rest.starts_with(b"{\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_recognised_by_their_first_bytes() {
        for (start, name) in [
            (&b""[..], "an empty file"),
            (b"\0\0\x08\x03\0\0", "an IDX file"),
            (b"\x1f\x8b\x08", "gzip data"),
            (b"\x93NUMPY\x01\0", "an NPY file"),
            (b"PK\x03\x04", "a ZIP archive"),
            (
                b"PK\x03\x04..............................[Content_Types].xml",
                "a ZIP archive",
            ),
            (
                b"PK\x03\x04\x14\0\x06\0\x08\0\0\0!\0\0\0\0\0\0\0\0\0\0\0\0\0\x13\0\0\0[Content_Types].xml",
                "an Office document",
            ),
            (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
            (b"\xff\xd8\xff\xe0\0\x10JFIF", "a JPEG picture"),
            (b"RIFF\x10\0\0\0WEBPVP8L", "a WebP picture"),
            (b"RIFF\x10\0\0\0WAVEfmt ", "binary data"),
            (b"GIF89a\x01\0", "a GIF picture"),
            (b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0", "a BMP picture"),
            (b"BMI,age\n23,41\n", "text"),
            (b"PAR1,y\n23,41\n", "text"),
            (b"PAR1\x15\x04", "a Parquet file"),
            ("PAR1,größe\n23,41\n".as_bytes(), "text"),
            (b"PAR1,gr\xc3", "text"),
            (b"sex,ftype,price\n1,2,3\n", "text"),
            (b"\0\0\0\x18ftypheic", "a HEIC or AVIF picture"),
            (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
            (b"\x80\x04\x95\x10\0\0\0\0\0\0\0", "a pickle file"),
            (b"\x80\x02}q\0", "a pickle file"),
            (b"\x10\0\0\0\0\0\0\0{\"a\":1}", "a safetensors file"),
            (b"\xff\xfea\0", "UTF-16 text"),
            (b"a,b\n1,2\n", "text"),
            (b"\x01\0", "binary data"),
        ] {
            assert_eq!(FileKind::of(start).name(), name, "{start:?}");
        }
    }
}
