//! Samples and labels as NumPy arrays: two NPY files, or two arrays of an NPZ archive.
//!
//! `npy` reads the header of an array, which `literal` parses; `npz` opens archives, `names` selects arrays of an
//! archive, `array` reads an array item by item, and `numbers` decodes elements.

mod array;
mod literal;
mod names;
mod npy;
mod npz;
mod numbers;

use std::borrow::Cow;
use std::io::Read;
use std::path::Path;
use std::rc::Rc;

use self::array::{Array, Items};
use self::names::Names;
use self::npy::{Header, Kind};
use self::npz::Archive;
use super::idx::kind_of_numbers;
use super::request::{Labels, Request};
use super::source::{Cell, LabelKind, MAX_FEATURES, Sample, Samples, Source, Sources, reopen};
use crate::data::file_kind::START;
use crate::data::{FileKind, Note};
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};

/// An array of samples, and the array of their labels if there is one.
pub(super) struct Arrays {
    images: Array,
    labels: Option<Array>,
    label_kind: LabelKind,
    /// The column of a label that is the class.
    label_column: usize,
    /// Whether the whole array was taken as one sample.
    is_one_sample: bool,
    sample_shape: Vec<usize>,
}

impl Arrays {
    /// Opens NPY files, or NPZ files of one array each.
    pub fn open_files(request: &Request) -> Result<Sources> {
        request.check_labels_have_samples()?;
        let train_labels = match &request.labels {
            Labels::Absent => None,
            Labels::Auto => Some(None),
            Labels::In(path) | Labels::Targets(path) => Some(Some(path)),
        };
        let train_labels = train_labels
            .map(|path| open_labels(path, Key("labels"), "labels, or none", &request.source));
        let images = open_array(&request.source)?;
        let train = Arrays::new(request, images, train_labels.transpose()?)?;
        let test_labels = request.arrays.test_labels.as_ref();
        let test = request.test.as_deref().map(|path| {
            let what = "labels of the test samples";
            let labels = open_labels(test_labels, Key("test_labels"), what, path)?;
            Arrays::new(request, open_array(path)?, Some(labels))
        });
        let validation_labels = request.arrays.validation_labels.as_ref();
        let validation = request.validation.as_deref().map(|path| {
            let (key, what) = (Key("validation_labels"), "labels of the validation samples");
            let labels = open_labels(validation_labels, key, what, path)?;
            Arrays::new(request, open_array(path)?, Some(labels))
        });
        Ok(Sources::new(train, test.transpose()?).with_validation(validation.transpose()?))
    }

    /// Opens NPZ archives.
    pub fn open_archives(request: &Request) -> Result<Sources> {
        let archive = Rc::new(Archive::open(&request.source)?);
        if has_labels_elsewhere(request, &archive) {
            return Arrays::open_files(request);
        }
        request.check_validation_labels_have_samples()?;
        let names = Names::select(request, &archive)?;
        let open = |archive: &Rc<Archive>, images: &str, labels: Option<&str>| {
            let labels = labels.map(|name| Array::open_member(archive, Key("labels"), name));
            let images = Array::open_member(archive, Key("images"), images)?;
            Arrays::new(request, images, labels.transpose()?)
        };
        let train = open(&archive, &names.images, names.labels.as_deref())?;
        let of_names = |(images, labels): &(String, String)| open(&archive, images, Some(labels));
        let mut notes = Vec::new();
        // In another archive the arrays have the same names, unless others are given.
        let mut of_archive = |path: &Path, images: Option<&String>, labels: Option<&String>| {
            let other = Rc::new(Archive::open(path)?);
            let images = images.unwrap_or(&names.images);
            let labels = labels.or(names.labels.as_ref()).map(String::as_str);
            let used: Vec<&str> = [images.as_str()].into_iter().chain(labels).collect();
            notes.extend(other.unused(&used));
            open(&other, images, labels)
        };
        let options = &request.arrays;
        let validation = match (&request.validation, &names.validation) {
            (Some(path), _) => Some(of_archive(path, None, options.validation_labels.as_ref())?),
            (None, names) => names.as_ref().map(of_names).transpose()?,
        };
        let test = match (&request.test, &names.test) {
            (Some(path), _) => {
                let (images, labels) = (&options.test_images, &options.test_labels);
                Some(of_archive(path, images.as_ref(), labels.as_ref())?)
            }
            (None, names) => names.as_ref().map(of_names).transpose()?,
        };
        notes.extend(archive.unused(&names.all()));
        let sources = Sources::new(train, test).with_validation(validation);
        Ok(sources.with_notes(notes))
    }

    /// Returns `request` with the only array whose samples have so many elements, if it names none, and what was guessed.
    pub fn for_inputs(request: &Request, inputs: usize) -> Result<(Cow<'_, Request>, Vec<Note>)> {
        let archive = Rc::new(Archive::open(&request.source)?);
        if request.arrays.images.is_some() || archive.sole().is_some() {
            return Ok((Cow::Borrowed(request), Vec::new()));
        }
        let mut fitting = Vec::new();
        for name in archive.names() {
            let header = Array::header_of_member(&archive, Key("images"), name);
            // An array of another kind may be unreadable, and is not asked for.
            if header.is_ok_and(|(header, _)| is_of(&header, inputs)) {
                fitting.push(name);
            }
        }
        let [name] = fitting[..] else {
            let found = match fitting[..] {
                [] => format!(
                    "no array with {inputs} elements a sample among {}",
                    archive.summary()
                ),
                _ => format!("several arrays of samples: {}", fitting.join(", ")),
            };
            let expected =
                format!("one array of samples of {inputs} elements, the inputs of the model");
            let refusal = Refusal::new(request.source.display(), found, expected);
            let hint = message!["name it with ", Key("images")];
            return Err(Error::Data(refusal.hint(hint)));
        };
        let mut named = request.clone();
        named.arrays.images = Some(name.to_owned());
        let note = Note::new(
            request.source.display(),
            format!("the samples are the array {name}"),
        );
        Ok((Cow::Owned(named), vec![note]))
    }

    fn new(request: &Request, mut images: Array, labels: Option<Array>) -> Result<Arrays> {
        let header = &mut images.header;
        let item = header.item_elements();
        let all = item.and_then(|item| item.checked_mul(header.items()));
        let is_one_sample = all == request.sample_elements && item != all && all.is_some();
        if is_one_sample {
            header.shape.insert(0, 1);
        }
        let sample_shape = sample_shape(request, &images)?;
        let label_kind = match &labels {
            None => LabelKind::Absent,
            Some(labels) => label_kind(request, &images, labels)?,
        };
        Ok(Arrays {
            images,
            labels,
            label_kind,
            label_column: request.label_column.unwrap_or(0),
            is_one_sample,
            sample_shape,
        })
    }
}

/// Returns whether the labels are in a file of their own, next to an archive with samples and nothing else.
fn has_labels_elsewhere(request: &Request, archive: &Archive) -> bool {
    let (Labels::In(path) | Labels::Targets(path)) = &request.labels else {
        // Samples without labels under any name.
        return request.labels == Labels::Absent
            && request.arrays.images.is_none()
            && archive.sole().is_some();
    };
    !archive.has(path) && Path::new(path).is_file() && archive.sole().is_some()
}

/// Opens the NPY file of labels that the option `key` names, which goes with the samples in `images`.
fn open_labels(path: Option<&String>, key: Key, what: &str, images: &Path) -> Result<Array> {
    let path = path.ok_or_else(|| {
        let refusal = Refusal::new(key, "not given", format!("the NPY file with the {what}"));
        Error::Config(refusal.hint(format!("{} has only samples", images.display())))
    })?;
    open_array(Path::new(path))
}

/// Returns whether an array has samples of so many numbers.
fn is_of(header: &Header, elements: usize) -> bool {
    !header.kind.is_text() && header.shape.len() > 1 && header.item_elements() == Some(elements)
}

/// Opens an NPY file, or the only array of an NPZ file.
fn open_array(path: &Path) -> Result<Array> {
    let mut start = Vec::new();
    let read = reopen(path)?.take(START as u64).read_to_end(&mut start);
    read.map_err(Error::io(path, "read"))?;
    if FileKind::of(&start) != FileKind::Zip {
        return Array::open(path);
    }
    let archive = Rc::new(Archive::open(path)?);
    match archive.sole() {
        Some(name) => Array::open_member(&archive, Key("images"), &name),
        None => {
            let found = format!("several arrays: {}", archive.summary());
            let refusal = Refusal::new(path.display(), found, "one array");
            Err(Error::Data(refusal))
        }
    }
}

fn refuse<T>(array: &Array, expected: impl Into<String>) -> Result<T> {
    let found = array.header.description();
    Err(Error::Data(Refusal::new(
        &array.place,
        found,
        expected.into(),
    )))
}

/// Returns the shape of one sample: the requested one, or the array's without its first dimension.
fn sample_shape(request: &Request, images: &Array) -> Result<Vec<usize>> {
    let header = &images.header;
    if header.kind.is_text() {
        return refuse(images, "numbers");
    }
    let features = header.item_elements().unwrap_or(usize::MAX);
    if header.shape.is_empty() || !(1..=MAX_FEATURES).contains(&features) {
        let expected = format!("samples of 1 to {MAX_FEATURES} elements");
        return refuse(images, expected);
    }
    let sizes = match header.shape[1..].to_vec() {
        sizes if sizes.is_empty() => vec![1],
        sizes => sizes,
    };
    let shape = request.sample_shape_for(sizes)?;
    if shape.len() > 3 {
        let refusal = Refusal::new(
            &images.place,
            header.description(),
            "at most four dimensions",
        );
        let hint = match request.is_for_model() {
            true => "save it with flat samples".into(),
            false => message![Key("shape").set_to(features), " makes each sample flat"],
        };
        return Err(Error::Data(refusal.hint(hint)));
    }
    Ok(shape)
}

/// Returns the kind of the labels, which must be as many as the samples.
fn label_kind(request: &Request, images: &Array, labels: &Array) -> Result<LabelKind> {
    let are_targets = matches!(request.labels, Labels::Targets(_));
    let (header, samples) = (&labels.header, images.header.items());
    if header.items() != samples {
        let expected = format!("{samples} labels, one for each sample of {}", images.place);
        return refuse(labels, expected);
    }
    let values = header.item_elements().unwrap_or(usize::MAX);
    if header.shape.len() > 2 || !(1..=MAX_FEATURES).contains(&values) {
        return refuse(labels, "one or two dimensions");
    }
    if header.kind.is_text() && (are_targets || values > 1) {
        return refuse(labels, "numbers");
    }
    kind_of_numbers(request, &labels.place, values, are_targets)
}

impl Source for Arrays {
    fn path(&self) -> &Path {
        &self.images.path
    }

    fn description(&self) -> String {
        let describe = |array: &Array| format!("{}: {}", array.place, array.header.description());
        let labels = match &self.labels {
            None => "no labels".to_owned(),
            Some(labels) => format!("labels in {}", describe(labels)),
        };
        format!("{}, {labels}", describe(&self.images))
    }

    fn sample_shape(&self) -> &[usize] {
        &self.sample_shape
    }

    fn label_kind(&self) -> &LabelKind {
        &self.label_kind
    }

    fn notes(&self) -> Vec<Note> {
        let note = || {
            Note::new(
                self.images.path.display(),
                "the array is taken as one sample",
            )
        };
        self.is_one_sample.then(note).into_iter().collect()
    }

    fn has_whole_elements(&self) -> Option<bool> {
        Some(!matches!(self.images.header.kind, Kind::Float(_)))
    }

    fn samples(&self) -> Result<Box<dyn Samples + '_>> {
        Ok(Box::new(ArraySamples {
            arrays: self,
            images: self.images.items()?,
            labels: self.labels.as_ref().map(Array::items).transpose()?,
            done: 0,
        }))
    }

    fn place(&self, position: u64, cell: Cell) -> String {
        let labels = self.labels.as_ref().map_or("", |labels| &labels.place);
        match cell {
            Cell::Sample => format!("{}: sample {position}", self.images.place),
            Cell::Element(at) => format!("{}: sample {position}, element {at}", self.images.place),
            Cell::Class => format!("{labels}: sample {position}"),
            Cell::Value(at) => format!("{labels}: sample {position}, column {at}"),
        }
    }
}

/// A pass over samples and labels side by side.
struct ArraySamples<'a> {
    arrays: &'a Arrays,
    images: Items<'a>,
    labels: Option<Items<'a>>,
    done: u64,
}

impl ArraySamples<'_> {
    /// Reads the label of the sample with number `done`.
    fn read_label(&mut self, sample: &mut Sample) -> Result<()> {
        let (Some(items), Some(labels)) = (&mut self.labels, &self.arrays.labels) else {
            return Ok(());
        };
        // By their headers, there are as many labels as samples.
        let bytes = items.next()?.unwrap_or_default();
        sample.values.clear();
        if labels.header.kind.is_text() {
            sample.class = numbers::text(&labels.header, bytes).ok_or_else(|| {
                let place = self.arrays.place(self.done, Cell::Class);
                Error::Data(Refusal::new(place, "bytes that are no text", "Unicode"))
            })?;
            return Ok(());
        }
        numbers::append(&labels.header, bytes, &mut sample.values)
            .map_err(|at| self.arrays.inexact(self.done, Cell::Value(at)))?;
        if self.arrays.label_kind == LabelKind::Class {
            sample.class = sample.values[self.arrays.label_column].to_string();
        }
        Ok(())
    }
}

impl Arrays {
    /// Returns the error for an integer that `f64` cannot represent.
    fn inexact(&self, position: u64, cell: Cell) -> Error {
        Error::Data(Refusal::new(
            self.place(position, cell),
            "a whole number beyond 2^53",
            "one that a float represents exactly",
        ))
    }
}

impl Samples for ArraySamples<'_> {
    fn next(&mut self, sample: &mut Sample) -> Result<bool> {
        let Some(bytes) = self.images.next()? else {
            return Ok(false);
        };
        sample.elements.clear();
        numbers::append(&self.arrays.images.header, bytes, &mut sample.elements)
            .map_err(|at| self.arrays.inexact(self.done, Cell::Element(at)))?;
        self.read_label(sample)?;
        self.done += 1;
        Ok(true)
    }

    fn position(&self) -> u64 {
        self.done.saturating_sub(1)
    }

    fn progress(&self) -> (u64, u64) {
        (self.done, self.arrays.images.header.items() as u64)
    }
}
