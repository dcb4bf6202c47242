//! Which format a file or folder has, detected from its contents.

use std::io::Read;
use std::path::Path;

use super::arrays::Arrays;
use super::csv::Table;
use super::pictures::Pictures;
use super::request::{Labels, Request};
use super::source::{LabelKind, Source, Sources};
use crate::data::gzip::{Content, unreadable};
use crate::error::{Error, Refusal, Result};
use crate::message::Key;
use crate::regular_file::open_regular;

/// The format of a file or folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Csv,
    Npy,
    Npz,
    Pictures,
}

/// Opens the sources of a request and reads their headers.
pub(super) fn open(request: &Request) -> Result<Sources> {
    let format = Format::detect(&request.source)?;
    format.check_options(request)?;
    if let Some(test) = &request.test {
        let found = Format::detect(test)?;
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
    for (_, source) in sources.halves().skip(1) {
        check_same_kind(&*sources.train, source)?;
    }
    Ok(sources)
}

impl Format {
    /// Returns the name with an article, for messages.
    fn name(self) -> &'static str {
        match self {
            Format::Csv => "a CSV file",
            Format::Npy => "an NPY file",
            Format::Npz => "an NPZ file",
            Format::Pictures => "a folder of PNG files",
        }
    }

    /// Detects the format of `path`.
    fn detect(path: &Path) -> Result<Format> {
        if path.is_dir() {
            return Ok(Format::Pictures);
        }
        let content = Content::of(open_regular(path, "a file or a folder")?);
        let Content { reader, layers } = content.map_err(|error| unreadable(path, error))?;
        match Format::of_start(path, &start_of(path, reader)?)? {
            format if layers == 0 || format == Format::Csv => Ok(format),
            other => Err(Error::Data(
                Refusal::new(
                    path.display(),
                    "gzip data",
                    format!("{} without compression", other.name()),
                )
                .hint("gunzip it first; only CSV files are read compressed"),
            )),
        }
    }

    /// Detects the format of a file from its first bytes.
    fn of_start(path: &Path, start: &[u8]) -> Result<Format> {
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
                "train, predict and data inspect read it without conversion",
            ),
            [b'P', b'A', b'R', b'1', ..] => refuse(
                "a Parquet file",
                "write it as CSV: pandas.read_parquet(…).to_csv(…, index=False)",
            ),
            [0x89, b'H', b'D', b'F', ..] => {
                refuse("an HDF5 file", "save its arrays with numpy.savez")
            }
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => refuse("UTF-16 text", "save it as UTF-8"),
            _ if start.contains(&0) => refuse("binary data", "the help lists the formats"),
            _ => Ok(Format::Csv),
        }
    }

    /// Refuses options that have no meaning for this format.
    fn check_options(self, request: &Request) -> Result<()> {
        let misplaced = options(request)
            .into_iter()
            .find(|(_, is_given, formats)| *is_given && !formats.contains(&self));
        match misplaced {
            None => Ok(()),
            Some((key, _, formats)) => {
                let names: Vec<&str> = formats.iter().map(|format| format.name()).collect();
                Err(Error::Config(Refusal::new(
                    key,
                    format!("given for {}", self.name()),
                    format!("{} to go with it", names.join(" or ")),
                )))
            }
        }
    }
}

/// The options that only some formats have: whether each is given, and those formats.
fn options(request: &Request) -> [(Key, bool, &'static [Format]); 12] {
    use Format::{Csv, Npy, Npz, Pictures};
    let labels = matches!(request.labels, Labels::In(_));
    let targets = matches!(request.labels, Labels::Targets(_));
    let (table, arrays, pictures) = (&request.table, &request.arrays, &request.pictures);
    [
        (Key("delimiter"), table.delimiter.is_some(), &[Csv]),
        (Key("decimal"), table.decimal.is_some(), &[Csv]),
        (Key("header"), table.header.is_some(), &[Csv]),
        (Key("drop"), table.drop.is_some(), &[Csv]),
        (Key("images"), arrays.images.is_some(), &[Npz]),
        (Key("test_images"), arrays.test_images.is_some(), &[Npz]),
        (
            Key("test_labels"),
            arrays.test_labels.is_some(),
            &[Npy, Npz],
        ),
        (Key("color"), pictures.color.is_some(), &[Pictures]),
        (
            Key("background"),
            pictures.background.is_some(),
            &[Pictures],
        ),
        (
            Key("shape"),
            request.sample_shape.is_some(),
            &[Csv, Npy, Npz],
        ),
        (Key("labels"), labels, &[Csv, Npy, Npz]),
        (Key("targets"), targets, &[Csv, Npy, Npz]),
    ]
}

/// Reads the first bytes.
fn start_of(path: &Path, mut file: impl Read) -> Result<Vec<u8>> {
    let mut start = Vec::new();
    let read = file.by_ref().take(256).read_to_end(&mut start);
    read.map_err(|error| unreadable(path, error))?;
    Ok(start)
}

/// Checks that other samples have the shape and the kind of label of the training samples.
fn check_same_kind(train: &dyn Source, other: &dyn Source) -> Result<()> {
    let shape = |source: &dyn Source| {
        let sizes: Vec<String> = source.sample_shape().iter().map(usize::to_string).collect();
        format!("samples of {}", sizes.join("×"))
    };
    let labels = |source: &dyn Source| match source.label_kind() {
        LabelKind::Absent => "no labels".to_owned(),
        LabelKind::Class => "one class per sample".to_owned(),
        LabelKind::Values(titles) => format!("{} numbers per sample", titles.len()),
    };
    for fact in [&shape as &dyn Fn(&dyn Source) -> String, &labels] {
        let (found, expected) = (fact(other), fact(train));
        if found != expected {
            let expected = format!("{expected}, as in {}", train.description());
            return Err(Error::Data(Refusal::new(
                other.description(),
                found,
                expected,
            )));
        }
    }
    Ok(())
}
