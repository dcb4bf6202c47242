//! The file of a cache: the rows, their targets and weights, and at the end what they are from.
//!
//! ```text
//! f32 [rows, inputs] │ u32 labels │ f32 values │ f32 weights │ u8 flags │ JSON │ end
//! ```
//!
//! Numbers are in the byte order of the machine, which also must have written the file: the mark at its end is a number.
//! The end has a fixed length: the length of the JSON, XXH3 of it, and the mark.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use super::origin::Origin;
use crate::data::content_hash::hexadecimal;
use crate::data::mmap::Bytes;
use crate::durable::{Draft, create_folder, folder_of};
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};
use crate::table::collected::{Answers, Collected, Elements};
use crate::table::encode::Counts;

/// The last eight bytes, `rows` and the number of the format.
const MARK: u64 = u64::from_be_bytes(*b"rows\0\0\0\x01");

/// The bytes of the end.
const END: usize = 8 + 16 + 8;

/// The bytes that are hashed at a time; their pages are given back afterwards.
const PIECE: usize = 1 << 24;

/// Why rows that changed after they were written are not used.
pub(super) const DAMAGED: &str = "the earlier rows are damaged";

/// Why a file cannot be used.
pub(super) struct Damage(pub String);

/// The JSON of a file.
#[derive(Debug, Serialize, Deserialize)]
struct About {
    origin: Origin,
    rows: usize,
    inputs: usize,
    /// Numbers of targets and weights.
    labels: usize,
    values: usize,
    weights: usize,
    flags: usize,
    counts: Counts,
    /// XXH3 of everything before the JSON, in hexadecimal.
    hash: String,
}

/// Writes a file.
pub(in crate::table) struct CacheWriter {
    path: PathBuf,
    draft: Draft,
    hash: Box<Xxh3>,
    written: u64,
}

impl fmt::Debug for CacheWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CacheWriter").field(&self.path).finish()
    }
}

impl CacheWriter {
    pub fn create(path: &Path) -> Result<CacheWriter> {
        create_folder(folder_of(path))?;
        Ok(CacheWriter {
            draft: Draft::new(path)?,
            path: path.to_owned(),
            hash: Box::new(Xxh3::new()),
            written: 0,
        })
    }

    /// Appends elements of rows.
    ///
    /// # Errors
    /// Returns [`crate::Error::Memory`] if there is no room for them, and [`crate::Error::Io`] if the system fails.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.draft.write(bytes);
        written.map_err(|error| unwritten(error, self.written))?;
        self.hash.update(bytes);
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Appends everything else, puts the file in place, and maps its elements.
    ///
    /// # Errors
    /// Returns the errors of [`CacheWriter::write`].
    pub fn finish(
        mut self,
        origin: Origin,
        (rows, inputs): (usize, usize),
        answers: &Answers,
        counts: &Counts,
    ) -> Result<Elements> {
        let length = self.written as usize;
        self.write(bytemuck::cast_slice(&answers.labels))?;
        self.write(bytemuck::cast_slice(&answers.values))?;
        self.write(bytemuck::cast_slice(&answers.weights))?;
        self.write(&answers.flags)?;
        let about = About {
            origin,
            rows,
            inputs,
            labels: answers.labels.len(),
            values: answers.values.len(),
            weights: answers.weights.len(),
            flags: answers.flags.len(),
            counts: counts.clone(),
            hash: hexadecimal(self.hash.digest128()),
        };
        let json = serde_json::to_vec(&about).expect("plain data is always JSON");
        self.write(&json)?;
        self.write(&(json.len() as u64).to_ne_bytes())?;
        self.write(&xxh3_128(&json).to_ne_bytes())?;
        self.write(&MARK.to_ne_bytes())?;
        let put = self.draft.put_unsynced();
        put.map_err(|error| unwritten(error, self.written))?;
        let bytes = map(&self.path)?;
        Ok(Elements {
            bytes,
            length,
            path: Some(self.path),
        })
    }
}

/// Maps the file at `path`.
fn map(path: &Path) -> Result<Bytes> {
    // SAFETY: elements are only read as numbers, whatever they are. Lengths, targets and JSON are copied and checked in the
    // copy. A file that another process truncates raises SIGBUS, which is accepted as for IDX files.
    unsafe { Bytes::map(path, "rows of a table") }
}

/// A file whose end is intact.
pub(super) struct Rows {
    path: PathBuf,
    bytes: Bytes,
    about: About,
}

/// Reads the end of the file at `path`.
pub(super) fn read(path: &Path) -> Result<(Origin, Rows), Damage> {
    let damaged = || Damage(DAMAGED.to_owned());
    let bytes = map(path).map_err(|error| Damage(error.to_string()))?;
    let (start, end) = bytes
        .split_at_checked(bytes.len().wrapping_sub(END))
        .ok_or_else(damaged)?;
    let number = |at: usize| u64::from_ne_bytes(end[at..at + 8].try_into().expect("eight bytes"));
    if number(END - 8) != MARK {
        return Err(damaged());
    }
    let length = usize::try_from(number(0)).map_err(|_| damaged())?;
    let json = start.len().checked_sub(length).ok_or_else(damaged)?;
    let text = start[json..].to_vec();
    if xxh3_128(&text).to_ne_bytes() != end[8..24] {
        return Err(damaged());
    }
    let about: About = serde_json::from_slice(&text).map_err(|_| damaged())?;
    if about.length() != Some(json) {
        return Err(damaged());
    }
    let rows = Rows {
        path: path.to_owned(),
        bytes,
        about,
    };
    Ok((rows.about.origin.clone(), rows))
}

impl About {
    /// The bytes of the elements.
    fn elements(&self) -> Option<usize> {
        self.rows
            .checked_mul(self.inputs)?
            .checked_mul(size_of::<f32>())
    }

    /// The bytes before the JSON.
    fn length(&self) -> Option<usize> {
        let words = self
            .labels
            .checked_add(self.values)?
            .checked_add(self.weights)?;
        let words = words.checked_mul(size_of::<f32>())?;
        self.elements()?.checked_add(words)?.checked_add(self.flags)
    }
}

impl Rows {
    /// Returns the rows if their hash is the one that was written.
    pub fn checked(self) -> Result<Collected, Damage> {
        let Rows { path, bytes, about } = self;
        let length = about.length().unwrap_or(0);
        let mut hash = Xxh3::new();
        for start in (0..length).step_by(PIECE) {
            let piece = start..length.min(start + PIECE);
            hash.update(&bytes[piece.clone()]);
            bytes.give_back(piece);
        }
        if hexadecimal(hash.digest128()) != about.hash {
            return Err(Damage(DAMAGED.to_owned()));
        }
        let elements = about.elements().unwrap_or(0);
        let mut rest = &bytes[elements..length];
        let mut take = |count: usize| rest.split_off(..count).unwrap_or_default();
        let answers = Answers {
            labels: words(take(4 * about.labels), u32::from_ne_bytes),
            values: words(take(4 * about.values), f32::from_ne_bytes),
            weights: words(take(4 * about.weights), f32::from_ne_bytes),
            flags: take(about.flags).to_vec(),
        };
        Ok(Collected {
            inputs: about.inputs,
            rows: about.rows,
            answers,
            counts: about.counts,
            elements: Elements {
                bytes,
                length: elements,
                path: Some(path),
            },
        })
    }
}

fn words<T>(bytes: &[u8], number: fn([u8; 4]) -> T) -> Vec<T> {
    bytes
        .as_chunks()
        .0
        .iter()
        .map(|&word| number(word))
        .collect()
}

/// Returns the error of a file of rows: with a hint if there was no room for it. `written` bytes were.
fn unwritten(error: Error, written: u64) -> Error {
    use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    let Error::Io { path, source, .. } = &error else {
        return error;
    };
    if !matches!(source.kind(), StorageFull | FileTooLarge | QuotaExceeded) {
        return error;
    }
    let found = format!("{}, after {}", source.kind(), size(written));
    let refusal = Refusal::new(
        path.display(),
        found,
        "room for the encoded rows of the table",
    );
    Error::Memory(refusal.hint(message![
        "free some space, put the run on another disk with ",
        Key("out"),
        ", or keep more rows in memory with ",
        Key("table_memory"),
    ]))
}

/// A size for a message.
pub(super) fn size(bytes: u64) -> String {
    match bytes as f64 {
        ..1e3 => format!("{bytes} bytes"),
        size @ ..1e6 => format!("{:.0} kB", size / 1e3),
        size @ ..1e9 => format!("{:.1} MB", size / 1e6),
        size => format!("{:.1} GB", size / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::cache::origin::Stamp;
    use crate::table::options::TableOptions;
    use crate::table::schema::Schema;

    /// Writes a file of three rows with labels and weights, and returns its bytes.
    fn written(path: &Path) -> Vec<u8> {
        let schema = Schema {
            header: true,
            columns: Vec::new(),
            targets: Vec::new(),
            sample_weight: None,
        };
        let reading = crate::table::cache::Reading {
            schema: &schema,
            options: &TableOptions::default(),
            labelled: true,
        };
        let stamp = Stamp::of(path.parent().expect("a folder")).expect("a stamp");
        let origin = Origin::new(path, &stamp, &reading, "hash".to_owned());
        let answers = Answers {
            labels: vec![0, 1, 0],
            weights: vec![1.0, 2.0, 3.0],
            ..Answers::default()
        };
        let mut writer = CacheWriter::create(path).expect("a file");
        let elements = [1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0];
        writer.write(bytemuck::cast_slice(&elements)).expect("room");
        let finished = writer.finish(origin, (3, 2), &answers, &Counts::default());
        finished.expect("a file");
        std::fs::read(path).expect("its bytes")
    }

    #[test]
    fn a_file_is_read_as_it_was_written_and_damage_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("rows");
        let bytes = written(&path);
        let found = |bytes: &[u8]| {
            std::fs::write(&path, bytes).expect("writing");
            read(&path).and_then(|(_, rows)| rows.checked())
        };
        let Ok(rows) = found(&bytes) else {
            panic!("an intact file");
        };
        assert_eq!((rows.rows, rows.inputs), (3, 2));
        assert_eq!(rows.answers.labels, [0, 1, 0]);
        assert_eq!(rows.answers.weights, [1.0, 2.0, 3.0]);
        drop(rows);
        for place in 0..bytes.len() {
            assert!(found(&bytes[..place]).is_err(), "{place} bytes");
            let mut damaged = bytes.clone();
            damaged[place] ^= 1 << (place % 8);
            assert!(found(&damaged).is_err(), "byte {place}");
        }
        assert!(found(&[&bytes[..], b"x"].concat()).is_err());
    }
}
