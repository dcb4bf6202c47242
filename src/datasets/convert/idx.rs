//! IDX: a file of samples and a file of labels, as they are, to be cut, transposed, resized, relabelled or split.

use std::path::{Path, PathBuf};

use super::request::{Labels, Request};
use super::source::{Cell, LabelKind, Sample, Samples, Source, Sources};
use crate::data::idx::ElementType;
use crate::data::{IdxFile, Rows};
use crate::error::{Error, Refusal, Result};
use crate::message::Key;

/// A file of samples, and the file of their labels if there is one.
pub(super) struct IdxSet {
    path: PathBuf,
    images: Rows,
    labels: Option<Rows>,
    label_kind: LabelKind,
    /// The column of a label that is the class.
    label_column: usize,
    sample_shape: Vec<usize>,
}

impl IdxSet {
    /// Opens the sets of a request.
    pub fn open(request: &Request) -> Result<Sources> {
        request.check_labels_have_samples()?;
        let labels = match &request.labels {
            Labels::Absent => None,
            Labels::In(path) | Labels::Targets(path) => Some(Path::new(path)),
            Labels::Auto => return Err(no_labels(Key("labels"), &request.source)),
        };
        let train = IdxSet::new(request, &request.source, labels)?;
        let of = |key: &'static str, images: &Option<PathBuf>, labels: &Option<String>| {
            let Some(images) = images else {
                return Ok(None);
            };
            let labels = labels.as_ref().ok_or_else(|| no_labels(Key(key), images))?;
            IdxSet::new(request, images, Some(Path::new(labels))).map(Some)
        };
        let arrays = &request.arrays;
        let test = of("test_labels", &request.test, &arrays.test_labels)?;
        let validation = of(
            "validation_labels",
            &request.validation,
            &arrays.validation_labels,
        )?;
        Ok(Sources::new(train, test).with_validation(validation))
    }

    fn new(request: &Request, path: &Path, labels: Option<&Path>) -> Result<IdxSet> {
        let images = Rows::from(IdxFile::open(path)?);
        let shape = match images.dimensions()[1..].to_vec() {
            sizes if sizes.is_empty() => vec![1],
            sizes => sizes,
        };
        let labels = labels.map(|path| Ok(Rows::from(IdxFile::open(path)?)));
        let labels = labels.transpose()?;
        Ok(IdxSet {
            path: path.to_owned(),
            label_kind: match &labels {
                None => LabelKind::Absent,
                Some(labels) => label_kind(request, &images, labels)?,
            },
            label_column: request.label_column.unwrap_or(0),
            sample_shape: request.sample_shape_for(shape)?,
            images,
            labels,
        })
    }
}

fn no_labels(key: Key, images: &Path) -> Error {
    let refusal = Refusal::new(key, "not given", "the IDX file with the labels, or none");
    Error::Config(refusal.hint(format!("{} has only samples", images.display())))
}

/// Returns the kind of the labels, which must be as many as the samples.
fn label_kind(request: &Request, images: &Rows, labels: &Rows) -> Result<LabelKind> {
    let refuse = |expected: String| {
        let found = format!("labels of dimensions {:?}", labels.dimensions());
        Err(Error::Data(Refusal::new(labels.name(), found, expected)))
    };
    if labels.len() != images.len() {
        return refuse(format!(
            "{} labels, one for each sample of {}",
            images.len(),
            images.name()
        ));
    }
    if labels.dimensions().len() > 2 {
        return refuse("one or two dimensions".to_owned());
    }
    let are_targets = matches!(request.labels, Labels::Targets(_));
    kind_of_numbers(request, labels.name(), labels.features(), are_targets)
}

/// Returns the kind of labels of so many numbers for each sample.
pub(super) fn kind_of_numbers(
    request: &Request,
    place: &str,
    numbers: usize,
    are_targets: bool,
) -> Result<LabelKind> {
    match request.label_column {
        Some(_) if are_targets || request.multilabel => {
            let expected = "labels of one class for each sample to go with it";
            let refusal = Refusal::new(Key("label_column"), "given for several numbers", expected);
            Err(Error::Config(refusal))
        }
        Some(column) if column >= numbers => {
            let found = format!("{column}, but {place} has {numbers} numbers a sample");
            let expected = format!("0 to {}", numbers - 1);
            Err(Error::Config(Refusal::new(
                Key("label_column"),
                found,
                expected,
            )))
        }
        Some(_) => Ok(LabelKind::Class),
        None if numbers == 1 && !are_targets && !request.multilabel => Ok(LabelKind::Class),
        None => Ok(LabelKind::Values(vec![None; numbers])),
    }
}

impl Source for IdxSet {
    fn path(&self) -> &Path {
        &self.path
    }

    fn description(&self) -> String {
        let about = |rows: &Rows| {
            let (dimensions, element) = (rows.dimensions(), rows.element().name());
            format!("{}: IDX, {dimensions:?} {element}", rows.name())
        };
        let labels = match &self.labels {
            None => "no labels".to_owned(),
            Some(labels) => format!("labels in {}", about(labels)),
        };
        format!("{}, {labels}", about(&self.images))
    }

    fn sample_shape(&self) -> &[usize] {
        &self.sample_shape
    }

    fn label_kind(&self) -> &LabelKind {
        &self.label_kind
    }

    fn element(&self) -> Option<ElementType> {
        Some(self.images.element())
    }

    fn has_whole_elements(&self) -> Option<bool> {
        let element = self.images.element();
        Some(!matches!(element, ElementType::F32 | ElementType::F64))
    }

    fn samples(&self) -> Result<Box<dyn Samples + '_>> {
        Ok(Box::new(IdxSamples { set: self, done: 0 }))
    }

    fn place(&self, position: u64, cell: Cell) -> String {
        let labels = self.labels.as_ref().map_or("", Rows::name);
        match cell {
            Cell::Sample => format!("{}: sample {position}", self.images.name()),
            Cell::Element(at) => {
                format!("{}: sample {position}, element {at}", self.images.name())
            }
            Cell::Class => format!("{labels}: sample {position}"),
            Cell::Value(at) => format!("{labels}: sample {position}, column {at}"),
        }
    }
}

/// A pass over samples and labels side by side.
struct IdxSamples<'a> {
    set: &'a IdxSet,
    done: usize,
}

impl Samples for IdxSamples<'_> {
    fn next(&mut self, sample: &mut Sample) -> Result<bool> {
        let (images, at) = (&self.set.images, self.done);
        if at == images.len() {
            return Ok(false);
        }
        sample.elements.resize(images.features(), 0.0);
        images.read_wide(at, &mut sample.elements);
        if let Some(labels) = &self.set.labels {
            sample.values.resize(labels.features(), 0.0);
            labels.read_wide(at, &mut sample.values);
            if self.set.label_kind == LabelKind::Class {
                sample.class = sample.values[self.set.label_column].to_string();
            }
        }
        self.done += 1;
        Ok(true)
    }

    fn position(&self) -> u64 {
        self.done.saturating_sub(1) as u64
    }

    fn progress(&self) -> (u64, u64) {
        (self.done as u64, self.set.images.len() as u64)
    }
}
