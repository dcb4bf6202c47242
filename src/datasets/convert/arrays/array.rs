//! One array, item by item, wherever it is stored.
//!
//! The first dimension counts items. In C order items follow one another and are read as they come; in Fortran order an
//! item's elements lie all over the file, and blocks of items are gathered column by column.

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

/// Bytes of items in Fortran order that are gathered at a time.
const BLOCK: usize = 1 << 26;
/// An array whose header is read and holds against its file.
pub(super) struct Array {
    /// Its file, or that of its archive.
    pub path: PathBuf,
    pub place: String,
    pub header: Header,
    store: Store,
}

enum Store {
    File,
    Member(Rc<Archive>, Entry),
    /// A member in Fortran order, in a temporary file.
    Spooled(File),
}

impl Array {
    /// The array in the NPY file at `path`.
    pub fn file(path: &Path) -> Result<Array> {
        let place = path.display().to_string();
        let file = reopen(path)?;
        let length = file
            .metadata()
            .map_err(Error::io(path, "read the size"))?
            .len();
        let header = Header::read(&place, &mut BufReader::new(file))?;
        let promised = header
            .data_bytes()
            .and_then(|bytes| bytes.checked_add(header.bytes));
        if promised != Some(length) {
            let expected = promised.map_or("fewer elements".to_owned(), |bytes| bytes.to_string());
            let refusal = Refusal::new(
                &place,
                format!("{length} bytes"),
                format!("{expected} for {}", header.about()),
            );
            let hint =
                "the file was cut short, or something stands behind the array; save it again";
            return Err(Error::Data(refusal.hint(hint)));
        }
        Ok(Array {
            place,
            header,
            path: path.to_owned(),
            store: Store::File,
        })
    }

    /// The array `name` of an archive, which `key` would name another of.
    pub fn member(archive: &Rc<Archive>, key: Key, name: &str) -> Result<Array> {
        let place = archive.place(name);
        let Some(member) = archive.member(name) else {
            let all: Vec<&str> = archive.names().take(20).collect();
            let refusal = Refusal::new(
                &place,
                "no such array",
                format!("one of {}", all.join(", ")),
            );
            return Err(Error::Data(
                refusal.hint(message!["name another one with ", key]),
            ));
        };
        let header = Header::read(&place, &mut *archive.stream(&place, member)?)?;
        archive.check_size(&place, member, &header)?;
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

    /// Starts reading.
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

    /// What is wrong with the bytes is told by whoever reads them.
    fn unreadable(&self) -> impl Fn(io::Error) -> Error {
        |error| {
            let refusal = Refusal::new(
                &self.place,
                error.to_string(),
                format!("{} whole", self.header.about()),
            );
            Error::Data(
                refusal.hint("the file was cut short or damaged, or changed while it was read"),
            )
        }
    }
}

/// The items of an array, one after the other.
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
        let size = array.header.features().unwrap_or(0) * array.header.kind.size();
        Items {
            array,
            order,
            item: vec![0; size],
            done: 0,
        }
    }

    /// The bytes of the next item, its elements in row-major order; none behind the last one.
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

/// Items of an array in Fortran order, gathered from all over its file.
struct Block {
    /// Where each column of the file, which has one element of every item, stands in an item.
    columns: Vec<usize>,
    /// Items that fit.
    capacity: usize,
    start: usize,
    /// Row-major items from `start` on.
    bytes: Vec<u8>,
    column: Vec<u8>,
}

impl Block {
    fn new(header: &Header) -> Block {
        let features = header.features().unwrap_or(0);
        let item = (features * header.kind.size()).max(1);
        Block {
            columns: row_major_places(&header.shape[1..]),
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

    /// Gathers the items from `start` on.
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

/// For each element of an item in column-major order its place in row-major order.
fn row_major_places(sizes: &[usize]) -> Vec<usize> {
    let mut places = vec![0];
    let mut stride = sizes.iter().product::<usize>();
    // The first size is the fastest in one order and the slowest in the other.
    for &size in sizes {
        stride /= size.max(1);
        places = (0..size)
            .flat_map(|at| places.iter().map(move |place| (at, *place)))
            .map(|(at, place)| place + at * stride)
            .collect();
    }
    places
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_follow_the_order_of_the_file() {
        // Column-major over 2×3: (0,0), (1,0), (0,1), (1,1), (0,2), (1,2).
        assert_eq!(row_major_places(&[2, 3]), [0, 3, 1, 4, 2, 5]);
        assert_eq!(row_major_places(&[4]), [0, 1, 2, 3]);
        assert_eq!(row_major_places(&[]), [0]);
        let places = row_major_places(&[2, 3, 4]);
        for (index, place) in places.into_iter().enumerate() {
            let (a, b, c) = (index % 2, index / 2 % 3, index / 6);
            assert_eq!(place, (a * 3 + b) * 4 + c);
        }
    }
}
