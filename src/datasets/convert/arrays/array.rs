//! One array, read item by item from a file or an archive.
//!
//! An item is the part of an array at one index of the first dimension. In C order items are contiguous and are read in
//! sequence. In Fortran order the elements of an item are scattered over the file, and blocks of items are gathered column
//! by column.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::npy::Header;
use super::npz::Archive;
use crate::datasets::convert::source::reopen;
use crate::datasets::zip::Entry;
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};

/// The size of a block of items in Fortran order, in bytes.
const BLOCK: usize = 1 << 26;

/// An array whose header has been read and agrees with the size of its file.
pub(super) struct Array {
    /// The file, or the archive that contains the array.
    pub path: PathBuf,
    pub place: String,
    pub header: Header,
    store: Store,
}

enum Store {
    File,
    Member(Rc<Archive>, Entry),
    /// A member in Fortran order, copied to a temporary file.
    Spooled(File),
}

impl Array {
    /// Opens the NPY file at `path`.
    pub fn open(path: &Path) -> Result<Array> {
        let place = path.display().to_string();
        let file = reopen(path)?;
        let length = file
            .metadata()
            .map_err(Error::io(path, "read the size"))?
            .len();
        let header = Header::read(&place, &mut BufReader::new(file))?;
        if header.total_bytes() != Some(length) {
            let found = format!("{length} bytes");
            let refusal = Refusal::new(&place, found, header.expected_size());
            let hint = "the file is truncated, or has data after the array; save it again";
            return Err(Error::Data(refusal.hint(hint)));
        }
        Ok(Array {
            place,
            header,
            path: path.to_owned(),
            store: Store::File,
        })
    }

    /// Opens the array `name` of an archive. The option `key` selects another one.
    pub fn open_member(archive: &Rc<Archive>, key: Key, name: &str) -> Result<Array> {
        let place = archive.place(name);
        let (header, member) = Array::header_of_member(archive, key, name)?;
        let store = match header.fortran {
            true => Store::Spooled(archive.spool(&place, member)?),
            false => Store::Member(Rc::clone(archive), member),
        };
        Ok(Array {
            path: archive.path().to_owned(),
            place,
            header,
            store,
        })
    }

    /// Reads only the header of the array `name` of an archive. The option `key` selects another one.
    pub fn header_of_member(archive: &Archive, key: Key, name: &str) -> Result<(Header, Entry)> {
        let place = archive.place(name);
        let Some(member) = archive.member(name) else {
            let expected = format!("one of {}", archive.summary());
            let refusal = Refusal::new(&place, "no such array", expected);
            let hint = message!["name another one with ", key];
            return Err(Error::Data(refusal.hint(hint)));
        };
        let header = Header::read(&place, &mut *archive.stream(&place, member)?)?;
        archive.check_size(&place, member, &header)?;
        Ok((header, member))
    }

    /// Starts to read the items from the first one.
    pub fn items(&self) -> Result<Items<'_>> {
        let fortran = |file| Items::new(self, Order::Fortran(Block::new(&self.header), file));
        let mut stream: Box<dyn Read> = match &self.store {
            Store::Spooled(file) => {
                return Ok(fortran(file.try_clone().map_err(self.unreadable())?));
            }
            Store::File if self.header.fortran => return Ok(fortran(reopen(&self.path)?)),
            Store::File => Box::new(reopen(&self.path)?),
            Store::Member(archive, member) => archive.stream(&self.place, *member)?,
        };
        let mut header = vec![0; self.header.bytes as usize];
        stream.read_exact(&mut header).map_err(self.unreadable())?;
        Ok(Items::new(
            self,
            Order::C(BufReader::with_capacity(1 << 18, stream)),
        ))
    }

    /// Returns the error for elements that cannot be read.
    fn unreadable(&self) -> impl Fn(io::Error) -> Error {
        |error| {
            let refusal = Refusal::new(
                &self.place,
                error.to_string(),
                format!("{} in full", self.header.description()),
            );
            Error::Data(
                refusal.hint("the file is truncated or damaged, or changed while it was read"),
            )
        }
    }
}

/// A pass over the items of an array.
pub(super) struct Items<'a> {
    array: &'a Array,
    order: Order<'a>,
    /// The bytes of one item.
    item: Vec<u8>,
    done: usize,
}

enum Order<'a> {
    C(BufReader<Box<dyn Read + 'a>>),
    Fortran(Block, File),
}

impl<'a> Items<'a> {
    fn new(array: &'a Array, order: Order<'a>) -> Items<'a> {
        let size = array.header.item_elements().unwrap_or(0) * array.header.kind.size();
        Items {
            array,
            order,
            item: vec![0; size],
            done: 0,
        }
    }

    /// Reads the bytes of the next item, its elements in row-major order. Returns `None` after the last one.
    pub fn next(&mut self) -> Result<Option<&[u8]>> {
        let header = &self.array.header;
        if self.done == header.items() {
            return Ok(None);
        }
        let read = match &mut self.order {
            Order::C(stream) => stream.read_exact(&mut self.item),
            Order::Fortran(block, file) => block.read(header, file, self.done, &mut self.item),
        };
        read.map_err(self.array.unreadable())?;
        self.done += 1;
        Ok(Some(&self.item))
    }
}

/// A block of items of an array in Fortran order.
struct Block {
    /// For each column of the file, which has one element of every item, the index of that element in an item.
    columns: Vec<usize>,
    /// The number of items in a full block.
    capacity: usize,
    /// The first item of the block.
    start: usize,
    /// The items in row-major order.
    bytes: Vec<u8>,
    column: Vec<u8>,
}

impl Block {
    fn new(header: &Header) -> Block {
        let features = header.item_elements().unwrap_or(0);
        let item = (features * header.kind.size()).max(1);
        Block {
            columns: row_major_indices(&header.shape[1..]),
            capacity: (BLOCK / item).clamp(1, header.items().max(1)),
            start: 0,
            bytes: Vec::new(),
            column: Vec::new(),
        }
    }

    fn read(
        &mut self,
        header: &Header,
        file: &mut File,
        at: usize,
        item: &mut [u8],
    ) -> io::Result<()> {
        let here = at.wrapping_sub(self.start) * item.len();
        if at < self.start || here >= self.bytes.len() {
            self.fill(header, file, at)?;
            return self.read(header, file, at, item);
        }
        item.copy_from_slice(&self.bytes[here..here + item.len()]);
        Ok(())
    }

    /// Gathers the items that begin at `start`.
    fn fill(&mut self, header: &Header, file: &mut File, start: usize) -> io::Result<()> {
        let size = header.kind.size();
        let items = self.capacity.min(header.items() - start);
        let item = self.columns.len() * size;
        self.start = start;
        self.bytes.resize(items * item, 0);
        self.column.resize(items * size, 0);
        for (column, place) in self.columns.iter().enumerate() {
            let offset = (column * header.items() + start) * size;
            file.seek(SeekFrom::Start(header.bytes + offset as u64))?;
            file.read_exact(&mut self.column)?;
            for (row, element) in self
                .bytes
                .chunks_exact_mut(item)
                .zip(self.column.chunks_exact(size))
            {
                row[place * size..][..size].copy_from_slice(element);
            }
        }
        Ok(())
    }
}

/// Returns, for each element of an item in column-major order, its index in row-major order.
fn row_major_indices(sizes: &[usize]) -> Vec<usize> {
    let mut indices = vec![0];
    let mut stride = sizes.iter().product::<usize>();
    // The first dimension varies fastest in one order and slowest in the other.
    for &size in sizes {
        stride /= size.max(1);
        indices = (0..size)
            .flat_map(|at| indices.iter().map(move |index| index + at * stride))
            .collect();
    }
    indices
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_follow_the_order_of_the_file() {
        // Column-major over 2×3: (0,0), (1,0), (0,1), (1,1), (0,2), (1,2).
        assert_eq!(row_major_indices(&[2, 3]), [0, 3, 1, 4, 2, 5]);
        assert_eq!(row_major_indices(&[4]), [0, 1, 2, 3]);
        assert_eq!(row_major_indices(&[]), [0]);
        let indices = row_major_indices(&[2, 3, 4]);
        for (at, index) in indices.into_iter().enumerate() {
            let (a, b, c) = (at % 2, at / 2 % 3, at / 6);
            assert_eq!(index, (a * 3 + b) * 4 + c);
        }
    }
}
