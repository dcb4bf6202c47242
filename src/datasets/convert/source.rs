//! Where items come from: what all formats have in common, and how it is found out which one a path has.
//!
//! A source is read twice, from its start to its end, an item at a time: once to look at everything, once to write it.
//! Elements are `f64` on the way, which holds every number that an IDX file can.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::arrays::Arrays;
use super::csv::Table;
use super::pictures::Pictures;
use super::{Labels, Request};
use crate::error::{Error, Refusal, Result};
use crate::message::Key;
use crate::regular_file::open_regular;

/// Elements of the largest item: beyond it an item is a mistake, and no network has as many inputs.
pub(super) const MAX_FEATURES: usize = 1 << 24;

/// What an item may be.
#[derive(Debug, Default)]
pub(super) struct Item {
    /// `[features]`, in row-major order.
    pub elements: Vec<f64>,
    /// Its class, as it is called where it comes from; nothing for [`Answer::Nothing`] and [`Answer::Numbers`].
    pub class: String,
    /// `[outputs]`, for [`Answer::Numbers`] alone.
    pub numbers: Vec<f64>,
}

/// What a source says of an item beside its elements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// Nothing: items without labels.
    Nothing,
    /// One class.
    Class,
    /// Several labels, or what a regression is to predict: as many numbers as there are titles, which may be none.
    Numbers(Vec<Option<String>>),
}

/// Which part of an item.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cell {
    Element(usize),
    Class,
    Number(usize),
}

/// Items that can be read from the start any number of times.
pub(super) trait Source {
    /// The file or folder.
    fn path(&self) -> &Path;

    /// What it is, and what was found out of it, in words.
    fn about(&self) -> String;

    /// The sizes of one item.
    fn item_shape(&self) -> &[usize];

    /// What it says of each item.
    fn answer(&self) -> &Answer;

    /// Starts reading.
    fn rows(&self) -> Result<Box<dyn Rows + '_>>;

    /// Where a part of the item with this [`Rows::mark`] stands, for messages.
    fn place(&self, mark: u64, cell: Cell) -> String;
}

/// A reading of a source.
pub(super) trait Rows {
    /// Puts the next item into `item`; false behind the last one.
    fn next(&mut self, item: &mut Item) -> Result<bool>;

    /// Where the last item stood, for [`Source::place`].
    fn mark(&self) -> u64;

    /// How much of the source is read, and how much there is, in a unit of its own.
    fn progress(&self) -> (u64, u64);
}

/// The format of a file or folder, found out by looking into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Csv,
    Npy,
    Npz,
    Pictures,
}

impl Format {
    /// With an article, for messages.
    fn name(self) -> &'static str {
        match self {
            Format::Csv => "a CSV file",
            Format::Npy => "an NPY file",
            Format::Npz => "an NPZ file",
            Format::Pictures => "a folder of PNG files",
        }
    }

    /// What `path` is.
    fn of(path: &Path) -> Result<Format> {
        if path.is_dir() {
            return Ok(Format::Pictures);
        }
        let start = start_of(path, open_regular(path, "a file or a folder")?)?;
        if !start.starts_with(&[0x1f, 0x8b]) {
            return Format::by_start(path, &start);
        }
        let decoder = MultiGzDecoder::new(open_regular(path, "a file")?);
        match Format::by_start(path, &start_of(path, decoder)?)? {
            Format::Csv => Ok(Format::Csv),
            other => Err(Error::Data(
                Refusal::new(
                    path.display(),
                    "gzip data",
                    format!("{} as it is", other.name()),
                )
                .hint("gunzip it first; of compressed files, CSV alone is read as it is"),
            )),
        }
    }

    fn by_start(path: &Path, start: &[u8]) -> Result<Format> {
        let refuse = |found: &str, hint: &str| {
            let expected = "CSV, NPY, NPZ, or a folder of PNG files";
            Err(Error::Data(
                Refusal::new(path.display(), found, expected).hint(hint),
            ))
        };
        match start {
            [] => refuse("an empty file", "write or fetch it again"),
            [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => Ok(Format::Npy),
            [b'P', b'K', 3 | 5, 4 | 6, ..] => Ok(Format::Npz),
            [0x89, b'P', b'N', b'G', ..] => refuse(
                "a single PNG file",
                "name the folder that has a sub-folder of PNG files for each class",
            ),
            [0, 0, 0x08..=0x0e, 1..=4, ..] => refuse(
                "an IDX file",
                "train, predict and data inspect take it as it is",
            ),
            [b'P', b'A', b'R', b'1', ..] => refuse(
                "a Parquet file",
                "write it as CSV: pandas.read_parquet(…).to_csv(…, index=False)",
            ),
            [0x89, b'H', b'D', b'F', ..] => {
                refuse("an HDF5 file", "save its arrays with numpy.savez")
            }
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => refuse("UTF-16 text", "save it as UTF-8"),
            _ if start.contains(&0) => refuse("binary data", "see the help for what is read"),
            _ => Ok(Format::Csv),
        }
    }

    /// Refuses what was asked for and means nothing here.
    fn check_flags(self, request: &Request) -> Result<()> {
        use Format::{Csv, Npy, Npz, Pictures};
        let labelled = matches!(request.labels, Labels::Named(_));
        let targets = matches!(request.labels, Labels::Targets(_));
        let flags: [(Key, bool, &[Format]); 11] = [
            (Key("delimiter"), request.table.delimiter.is_some(), &[Csv]),
            (Key("header"), request.table.header.is_some(), &[Csv]),
            (Key("drop"), request.table.drop.is_some(), &[Csv]),
            (Key("images"), request.arrays.images.is_some(), &[Npz]),
            (
                Key("test_images"),
                request.arrays.test_images.is_some(),
                &[Npz],
            ),
            (
                Key("test_labels"),
                request.arrays.test_labels.is_some(),
                &[Npy, Npz],
            ),
            (Key("color"), request.pictures.color.is_some(), &[Pictures]),
            (
                Key("background"),
                request.pictures.background.is_some(),
                &[Pictures],
            ),
            (Key("shape"), request.item_shape.is_some(), &[Csv, Npy, Npz]),
            (Key("labels"), labelled, &[Csv, Npy, Npz]),
            (Key("targets"), targets, &[Csv, Npy, Npz]),
        ];
        let wrong = flags
            .into_iter()
            .find(|(_, given, formats)| *given && !formats.contains(&self));
        match wrong {
            None => Ok(()),
            Some((flag, _, formats)) => {
                let names: Vec<&str> = formats.iter().map(|format| format.name()).collect();
                Err(Error::Config(Refusal::new(
                    flag,
                    format!("given for {}", self.name()),
                    format!("{} to go with it", names.join(" or ")),
                )))
            }
        }
    }
}

/// The first bytes.
fn start_of(path: &Path, mut file: impl Read) -> Result<Vec<u8>> {
    let mut start = Vec::new();
    let read = file.by_ref().take(256).read_to_end(&mut start);
    read.map_err(Error::io(path, "read"))?;
    Ok(start)
}

/// The training items and, where they come from files of their own, the test items.
pub(super) struct Sources {
    pub train: Box<dyn Source>,
    pub test: Option<Box<dyn Source>>,
}

/// Opens what is to be converted, and looks at its beginning.
pub(super) fn open(request: &Request) -> Result<Sources> {
    let format = Format::of(&request.source)?;
    format.check_flags(request)?;
    if let Some(test) = &request.test {
        let found = Format::of(test)?;
        if found != format {
            let expected = format!("{}, as {}", format.name(), request.source.display());
            return Err(Error::Data(Refusal::new(
                test.display(),
                found.name(),
                expected,
            )));
        }
    }
    let sources = match format {
        Format::Csv => Table::open(request)?,
        Format::Npy => Arrays::open_files(request)?,
        Format::Npz => Arrays::open_archives(request)?,
        Format::Pictures => Pictures::open(request)?,
    };
    if let Some(test) = &sources.test {
        check_alike(&*sources.train, &**test)?;
    }
    Ok(sources)
}

/// Holds the test items against the training items.
fn check_alike(train: &dyn Source, test: &dyn Source) -> Result<()> {
    let shape = |source: &dyn Source| {
        let sizes: Vec<String> = source.item_shape().iter().map(usize::to_string).collect();
        format!("items of {}", sizes.join("×"))
    };
    let answer = |source: &dyn Source| match source.answer() {
        Answer::Nothing => "no labels".to_owned(),
        Answer::Class => "a class an item".to_owned(),
        Answer::Numbers(titles) => format!("{} numbers an item", titles.len()),
    };
    for fact in [&shape as &dyn Fn(&dyn Source) -> String, &answer] {
        let (found, expected) = (fact(test), fact(train));
        if found != expected {
            let expected = format!("{expected}, as in {}", train.about());
            return Err(Error::Data(Refusal::new(test.about(), found, expected)));
        }
    }
    Ok(())
}

/// The shape that was asked for, which must have as many elements as there are.
pub(super) fn shaped(request: &Request, found: Vec<usize>) -> Result<Vec<usize>> {
    let features: usize = found.iter().product();
    match &request.item_shape {
        None => Ok(found),
        Some(shape) if shape.iter().product::<usize>() == features => Ok(shape.clone()),
        Some(shape) => {
            let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
            let expected = format!("sizes that multiply to the {features} elements of an item");
            Err(Error::Config(Refusal::new(
                Key("shape"),
                sizes.join("x"),
                expected,
            )))
        }
    }
}

/// A file opened again for another reading.
pub(super) fn reopen(path: &Path) -> Result<File> {
    open_regular(path, "the file that was there")
}
