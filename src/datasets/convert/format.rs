//! Which format a file or folder has, detected from its contents.

use std::borrow::Cow;
use std::io::Read;
use std::path::Path;

use super::arrays::Arrays;
use super::csv::Table;
use super::idx::IdxSet;
use super::pictures::Pictures;
use super::relabelled::Relabelled;
use super::request::{Labels, Request};
use super::source::{LabelKind, Source, Sources};
use super::transform::transform;
use crate::data::file_kind::START;
use crate::data::gzip::{Content, unreadable};
use crate::data::{FileKind, Note};
use crate::error::{Error, Refusal, Result};
use crate::message::Key;
use crate::regular_file::open_regular;

/// The format of a file or folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Csv,
    Idx,
    Npy,
    Npz,
    Pictures,
}

/// Opens the sources of a request and reads their headers.
pub(super) fn open(request: &Request) -> Result<Sources> {
    let format = Format::detect(&request.source)?;
    format.check_options(request)?;
    let others = [&request.validation, &request.test];
    for other in others.into_iter().flatten() {
        let found = Format::detect(other)?;
        if found != format {
            let expected = format!("{}, as {}", format.name(), request.source.display());
            return Err(Error::Data(Refusal::new(
                other.display(),
                found.name(),
                expected,
            )));
        }
    }
    let sources = match format {
        Format::Csv => Table::open(request)?,
        Format::Idx => IdxSet::open(request)?,
        Format::Npy => Arrays::open_files(request)?,
        Format::Npz => Arrays::open_archives(request)?,
        Format::Pictures => Pictures::open(request)?,
    };
    let sources = match format {
        Format::Pictures => sources,
        // A table has its own columns.
        Format::Csv => {
            let mut without_drop = request.clone();
            without_drop.table.drop = None;
            sources.map(|source| transform(source, &without_drop))?
        }
        Format::Idx | Format::Npy | Format::Npz => {
            sources.map(|source| transform(source, request))?
        }
    };
    let sources = match &request.relabel {
        None => sources,
        Some(relabel) => sources.map(|source| {
            Ok(Box::new(Relabelled::new(source, relabel.clone())?) as Box<dyn Source>)
        })?,
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
            Format::Idx => "an IDX file",
            Format::Npy => "an NPY file",
            Format::Npz => "an NPZ file",
            Format::Pictures => "pictures",
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
            format if layers == 0 || matches!(format, Format::Csv | Format::Idx) => Ok(format),
            other => Err(Error::Data(
                Refusal::new(
                    path.display(),
                    "gzip data",
                    format!("{} without compression", other.name()),
                )
                .hint("gunzip it first; only CSV and IDX files are read compressed"),
            )),
        }
    }

    /// Detects the format of a file from its first bytes.
    fn of_start(path: &Path, start: &[u8]) -> Result<Format> {
        let kind = FileKind::of(start);
        match kind {
            FileKind::Npy => return Ok(Format::Npy),
            FileKind::Zip => return Ok(Format::Npz),
            FileKind::Idx => return Ok(Format::Idx),
            FileKind::Picture(_) => return Ok(Format::Pictures),
            FileKind::Text => return Ok(Format::Csv),
            _ => {}
        }
        let expected = "CSV, IDX, NPY, NPZ or pictures";
        let refusal = Refusal::new(path.display(), kind.name(), expected);
        let advice = kind.advice();
        let advice = advice.unwrap_or_else(|| "the help lists the formats".into());
        Err(Error::Data(refusal.hint(advice)))
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
fn options(request: &Request) -> [(Key, bool, &'static [Format]); 16] {
    use Format::{Csv, Idx, Npy, Npz, Pictures};
    let labels = matches!(request.labels, Labels::In(_));
    let targets = matches!(request.labels, Labels::Targets(_));
    let (table, arrays, pictures) = (&request.table, &request.arrays, &request.pictures);
    let not_pictures: &[Format] = &[Csv, Idx, Npy, Npz];
    let with_files: &[Format] = &[Idx, Npy, Npz];
    [
        (Key("delimiter"), table.delimiter.is_some(), &[Csv]),
        (Key("decimal"), table.decimal.is_some(), &[Csv]),
        (Key("header"), table.header.is_some(), &[Csv]),
        (Key("drop"), table.drop.is_some(), not_pictures),
        (Key("images"), arrays.images.is_some(), &[Npz]),
        (Key("test_images"), arrays.test_images.is_some(), &[Npz]),
        (Key("test_labels"), arrays.test_labels.is_some(), with_files),
        (
            Key("validation_labels"),
            arrays.validation_labels.is_some(),
            with_files,
        ),
        (
            Key("label_column"),
            request.label_column.is_some(),
            with_files,
        ),
        (Key("color"), pictures.color.is_some(), &[Pictures]),
        (
            Key("background"),
            pictures.background.is_some(),
            &[Pictures],
        ),
        (Key("invert"), pictures.invert, &[Pictures]),
        (Key("shape"), request.sample_shape.is_some(), not_pictures),
        (Key("transpose"), request.transpose, not_pictures),
        (Key("labels"), labels, not_pictures),
        (Key("targets"), targets, not_pictures),
    ]
}

/// Reads the first bytes.
fn start_of(path: &Path, mut file: impl Read) -> Result<Vec<u8>> {
    let mut start = Vec::new();
    let read = file.by_ref().take(START as u64).read_to_end(&mut start);
    read.map_err(|error| unreadable(path, error))?;
    Ok(start)
}

/// Returns `request` with what follows from the number of inputs of a network: which columns, which array, which colours.
/// Returns what was guessed, too.
pub(super) fn for_inputs<'a>(
    request: &'a Request,
    inputs: usize,
) -> Result<(Cow<'a, Request>, Vec<Note>)> {
    match Format::detect(&request.source)? {
        Format::Csv => Table::for_inputs(request, inputs),
        Format::Npz => Arrays::for_inputs(request, inputs),
        Format::Pictures => Pictures::for_inputs(request, inputs),
        Format::Idx | Format::Npy => Ok((Cow::Borrowed(request), Vec::new())),
    }
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
