//! Items and labels as NumPy arrays: two NPY files, or two members of an NPZ archive.
//!
//! The first dimension of an array counts items. In C order items follow one another and are read as they come; in Fortran
//! order an item's elements lie all over the file, and blocks of items are gathered column by column.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::npy::{self, Header};
use super::npz::{Archive, Member};
use super::source::{Answer, Cell, Item, MAX_FEATURES, Rows, Source, Sources, reopen, shaped};
use super::{Labels, Request};
use crate::error::{Error, Refusal, Result};

/// What arrays of items and of their labels are usually called, in training and test halves, in the order tried.
const USUAL: [[&str; 4]; 8] = [
    ["x_train", "y_train", "x_test", "y_test"],
    ["X_train", "y_train", "X_test", "y_test"],
    ["train_images", "train_labels", "test_images", "test_labels"],
    ["x", "y", "", ""],
    ["X", "y", "", ""],
    ["images", "labels", "", ""],
    ["data", "target", "", ""],
    ["arr_0", "arr_1", "arr_2", "arr_3"],
];

/// Bytes of items in Fortran order that are gathered at a time.
const BLOCK: usize = 1 << 26;

/// Items, and their labels where there are some.
pub(super) struct Arrays {
    images: Array,
    labels: Option<Array>,
    answer: Answer,
    item_shape: Vec<usize>,
}

impl Arrays {
    /// Opens NPY files.
    pub fn open_files(request: &Request) -> Result<Sources> {
        let file = |path: &Path| Array::file(path);
        let labels = |given: Option<&String>, flag: &str, images: &Path| {
            let given = given.ok_or_else(|| {
                let refusal = Refusal::new(
                    flag,
                    "not given",
                    "the NPY file that has the labels, or none",
                );
                Error::Config(refusal.hint(format!("{} has items alone", images.display())))
            })?;
            file(Path::new(given))
        };
        let (named, targets) = match &request.labels {
            Labels::Nothing => (None, false),
            Labels::Usual => (Some(None), false),
            Labels::Named(path) => (Some(Some(path)), false),
            Labels::Targets(path) => (Some(Some(path)), true),
        };
        let train_labels = named.map(|named| labels(named, "--labels", &request.source));
        let train = Arrays::new(
            request,
            file(&request.source)?,
            train_labels.transpose()?,
            targets,
        )?;
        let test = request.test.as_deref().map(|images| {
            let given = request.arrays.test_labels.as_ref();
            let labels = labels(given, "--test-labels", images)?;
            Arrays::new(request, file(images)?, Some(labels), targets)
        });
        if let (None, Some(_)) = (&test, &request.arrays.test_labels) {
            let expected = "--test with the items beside it";
            return Err(Error::Config(Refusal::new(
                "--test-labels",
                "given alone",
                expected,
            )));
        }
        sources(train, test.transpose()?)
    }

    /// Opens NPZ archives.
    pub fn open_archives(request: &Request) -> Result<Sources> {
        let archive = Rc::new(Archive::open(&request.source)?);
        let names = Names::find(request, &archive)?;
        let targets = matches!(request.labels, Labels::Targets(_));
        let open = |archive: &Rc<Archive>, images: &str, labels: Option<&str>| {
            let labels = labels.map(|name| Array::member(archive, "--labels", name));
            let images = Array::member(archive, "--images", images)?;
            Arrays::new(request, images, labels.transpose()?, targets)
        };
        let train = open(&archive, &names.images, names.labels.as_deref())?;
        let test = match (&request.test, &names.test) {
            // Another archive has the same names, as far as none are given for it.
            (Some(path), _) => {
                let images = request.arrays.test_images.as_ref().unwrap_or(&names.images);
                let labels = request
                    .arrays
                    .test_labels
                    .as_ref()
                    .or(names.labels.as_ref());
                Some(open(
                    &Rc::new(Archive::open(path)?),
                    images,
                    labels.map(String::as_str),
                ))
            }
            (None, Some((images, labels))) => Some(open(&archive, images, Some(labels))),
            (None, None) => None,
        };
        sources(train, test.transpose()?)
    }

    fn new(
        request: &Request,
        images: Array,
        labels: Option<Array>,
        targets: bool,
    ) -> Result<Arrays> {
        let refuse = |array: &Array, found: String, expected: String| {
            Err(Error::Data(Refusal::new(&array.place, found, expected)))
        };
        let header = &images.header;
        if header.kind.is_text() {
            return refuse(&images, header.about(), "numbers".to_owned());
        }
        let features = header.features().unwrap_or(usize::MAX);
        if header.shape.is_empty() || !(1..=MAX_FEATURES).contains(&features) {
            let expected = format!("items of 1 to {MAX_FEATURES} elements");
            return refuse(&images, header.about(), expected);
        }
        let sizes = match header.shape[1..].to_vec() {
            sizes if sizes.is_empty() => vec![1],
            sizes => sizes,
        };
        let item_shape = shaped(request, sizes)?;
        if item_shape.len() > 3 {
            let refusal = Refusal::new(&images.place, header.about(), "at most four dimensions");
            let hint = format!("--shape {features} makes each item a row of elements");
            return Err(Error::Data(refusal.hint(hint)));
        }
        let mut answer = Answer::Nothing;
        if let Some(labels) = &labels {
            let about = labels.header.about();
            if labels.header.items() != header.items() {
                let expected = format!(
                    "{} labels, one for each item of {}",
                    header.items(),
                    images.place
                );
                return refuse(labels, about, expected);
            }
            let numbers = labels.header.features().unwrap_or(usize::MAX);
            if labels.header.shape.len() > 2 || !(1..=MAX_FEATURES).contains(&numbers) {
                return refuse(labels, about, "one or two dimensions".to_owned());
            }
            let text = labels.header.kind.is_text();
            answer = match numbers {
                _ if text && (targets || numbers > 1) => {
                    return refuse(labels, about, "numbers".to_owned());
                }
                1 if !targets && !request.multilabel => Answer::Class,
                _ => Answer::Numbers(vec![None; numbers]),
            };
        }
        Ok(Arrays {
            images,
            labels,
            answer,
            item_shape,
        })
    }
}

fn sources(train: Arrays, test: Option<Arrays>) -> Result<Sources> {
    Ok(Sources {
        train: Box::new(train),
        test: test.map(|test| Box::new(test) as Box<dyn Source>),
    })
}

/// The names of arrays in an archive.
struct Names {
    images: String,
    labels: Option<String>,
    test: Option<(String, String)>,
}

impl Names {
    /// Those that were given, and the usual ones for the rest.
    fn find(request: &Request, archive: &Archive) -> Result<Names> {
        let has = |name: &str| archive.member(name).is_some();
        let options = &request.arrays;
        let given = match &request.labels {
            Labels::Named(name) | Labels::Targets(name) => Some(name),
            Labels::Usual | Labels::Nothing => None,
        };
        let unlabelled = request.labels == Labels::Nothing;
        let fits = |names: &&[&str; 4]| match (&options.images, given) {
            (Some(images), _) if images == names[0] => has(names[1]) || unlabelled,
            (None, Some(labels)) if labels == names[1] => has(names[0]),
            (None, None) => has(names[0]) && (has(names[1]) || unlabelled),
            _ => false,
        };
        let usual = USUAL.iter().find(fits);
        let pick = |given: Option<&String>, at: usize| {
            let usual = usual.map(|names| names[at].to_owned());
            given.cloned().or(usual)
        };
        let all: Vec<&str> = archive.names().take(20).collect();
        let ask = |flag: &str, what: &str| {
            let expected = format!("the array that has the {what}: {}", all.join(", "));
            Error::Config(Refusal::new(flag, "not given", expected))
        };
        let images = pick(options.images.as_ref(), 0).ok_or_else(|| ask("--images", "items"))?;
        let labels = match unlabelled {
            true => None,
            false => Some(pick(given, 1).ok_or_else(|| ask("--labels", "labels, or none"))?),
        };
        let test = match (&options.test_images, &options.test_labels) {
            (Some(images), Some(labels)) => Some((images.clone(), labels.clone())),
            (Some(_), None) if request.test.is_none() => {
                return Err(ask("--test-labels", "labels of the test items"));
            }
            (None, Some(_)) if request.test.is_none() => {
                return Err(ask("--test-images", "test items"));
            }
            _ => usual
                .filter(|names| {
                    has(names[2]) && has(names[3]) && !unlabelled && request.test_part.is_none()
                })
                .map(|names| (names[2].to_owned(), names[3].to_owned())),
        };
        Ok(Names {
            images,
            labels,
            test,
        })
    }
}

impl Source for Arrays {
    fn about(&self) -> String {
        let images = format!("{}: {}", self.images.place, self.images.header.about());
        match &self.labels {
            None => format!("{images}, no labels"),
            Some(labels) => format!(
                "{images}, labels in {}: {}",
                labels.place,
                labels.header.about()
            ),
        }
    }

    fn item_shape(&self) -> &[usize] {
        &self.item_shape
    }

    fn answer(&self) -> &Answer {
        &self.answer
    }

    fn rows(&self) -> Result<Box<dyn Rows + '_>> {
        Ok(Box::new(ArrayRows {
            arrays: self,
            images: self.images.items()?,
            labels: self.labels.as_ref().map(Array::items).transpose()?,
            done: 0,
        }))
    }

    fn place(&self, mark: u64, cell: Cell) -> String {
        let labels = self.labels.as_ref().map_or("", |labels| &labels.place);
        match cell {
            Cell::Element(at) => format!("{}: item {mark}, element {at}", self.images.place),
            Cell::Class => format!("{labels}: item {mark}"),
            Cell::Number(at) => format!("{labels}: item {mark}, column {at}"),
        }
    }
}

/// A reading of items and labels side by side.
struct ArrayRows<'a> {
    arrays: &'a Arrays,
    images: Items<'a>,
    labels: Option<Items<'a>>,
    done: u64,
}

impl Rows for ArrayRows<'_> {
    fn next(&mut self, item: &mut Item) -> Result<bool> {
        let at = self.done;
        let Some(bytes) = self.images.next()? else {
            return Ok(false);
        };
        let inexact = |cell| {
            let place = self.arrays.place(at, cell);
            Error::Data(Refusal::new(
                place,
                "a whole number beyond 2^53",
                "one that a float can be",
            ))
        };
        item.elements.clear();
        let header = &self.arrays.images.header;
        npy::numbers(header, bytes, &mut item.elements).map_err(|at| inexact(Cell::Element(at)))?;
        if let (Some(rows), Some(labels)) = (&mut self.labels, &self.arrays.labels) {
            // As many as items, by their headers.
            let bytes = rows.next()?.unwrap_or_default();
            item.numbers.clear();
            if labels.header.kind.is_text() {
                item.class = npy::text(&labels.header, bytes).ok_or_else(|| {
                    let place = self.arrays.place(at, Cell::Class);
                    Error::Data(Refusal::new(
                        place,
                        "other bytes than text",
                        "text in Unicode",
                    ))
                })?;
            } else {
                npy::numbers(&labels.header, bytes, &mut item.numbers)
                    .map_err(|at| inexact(Cell::Number(at)))?;
                if let (Answer::Class, Some(number)) = (&self.arrays.answer, item.numbers.first()) {
                    item.class = number.to_string();
                }
            }
        }
        self.done += 1;
        Ok(true)
    }

    fn mark(&self) -> u64 {
        self.done.saturating_sub(1)
    }

    fn progress(&self) -> (u64, u64) {
        (self.done, self.arrays.images.header.items() as u64)
    }
}

/// An array whose header is read and holds against its file.
struct Array {
    place: String,
    header: Header,
    store: Store,
}

enum Store {
    File(PathBuf),
    Member(Rc<Archive>, Member),
    /// A member in Fortran order, in a temporary file.
    Spooled(File),
}

impl Array {
    fn file(path: &Path) -> Result<Array> {
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
            store: Store::File(path.to_owned()),
        })
    }

    fn member(archive: &Rc<Archive>, flag: &str, name: &str) -> Result<Array> {
        let place = archive.place(name);
        let Some(member) = archive.member(name) else {
            let all: Vec<&str> = archive.names().take(20).collect();
            let refusal = Refusal::new(
                &place,
                "no such array",
                format!("one of {}", all.join(", ")),
            );
            return Err(Error::Data(
                refusal.hint(format!("name another one with {flag}")),
            ));
        };
        let header = Header::read(&place, &mut *archive.stream(&place, member)?)?;
        archive.check_size(&place, member, &header)?;
        let store = match header.fortran {
            true => Store::Spooled(archive.spool(&place, member)?),
            false => Store::Member(Rc::clone(archive), member),
        };
        Ok(Array {
            place,
            header,
            store,
        })
    }

    /// Starts reading.
    fn items(&self) -> Result<Items<'_>> {
        let fortran = |file| Items::new(self, Order::Fortran(Block::new(&self.header), file));
        let mut stream: Box<dyn Read> = match &self.store {
            Store::Spooled(file) => {
                return Ok(fortran(file.try_clone().map_err(self.unreadable())?));
            }
            Store::File(path) if self.header.fortran => return Ok(fortran(reopen(path)?)),
            Store::File(path) => Box::new(reopen(path)?),
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
struct Items<'a> {
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
    fn next(&mut self) -> Result<Option<&[u8]>> {
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
