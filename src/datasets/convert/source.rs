//! What all formats have in common: a source of samples, read one at a time.
//!
//! A source is read twice from start to end: first to examine everything, then to write it. Elements are `f64` in
//! between, which represents every number that an IDX file can hold.

use std::fs::File;
use std::path::Path;

use super::request::Request;
use crate::data::idx::ElementType;
use crate::data::{ClassNames, Note};
use crate::error::Result;
use crate::regular_file::open_regular;
use crate::table::cell::is_missing;

/// The largest number of elements in a sample. No network has as many inputs, so more are a mistake.
pub(super) const MAX_FEATURES: usize = 1 << 24;

/// One sample with its label. A source only sets the fields that its [`LabelKind`] has.
#[derive(Debug, Default)]
pub(super) struct Sample {
    /// `[features]`, in row-major order.
    pub elements: Vec<f64>,
    /// The class, as the source calls it; for [`LabelKind::Class`].
    pub class: String,
    /// `[outputs]`; for [`LabelKind::Values`].
    pub values: Vec<f64>,
}

/// The kind of label that each sample of a source has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LabelKind {
    /// No label.
    Absent,
    /// One class.
    Class,
    /// Several numbers, either multi-label or targets of a regression. The titles of their columns are kept if there are
    /// any.
    Values(Vec<Option<String>>),
}

/// A sample, or a part of it by its index.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cell {
    /// All elements together.
    Sample,
    Element(usize),
    Class,
    Value(usize),
}

/// Samples that can be read any number of times.
pub(super) trait Source {
    /// Returns the file or folder.
    fn path(&self) -> &Path;

    /// Returns a description of the source and of what was detected in it.
    fn description(&self) -> String;

    /// Returns the shape of one sample.
    fn sample_shape(&self) -> &[usize];

    /// Returns the kind of label that each sample has.
    fn label_kind(&self) -> &LabelKind;

    /// Returns whether a word such as `nan` or `NA` stands for a missing label, rather than for a class of that name.
    fn may_lack_labels(&self) -> bool {
        true
    }

    /// Returns whether `sample` has no label, and the request does not name its word as a class.
    fn lacks_label(&self, sample: &Sample, request: &Request) -> bool {
        let is_class = || {
            let names = request.class_names.iter().flat_map(ClassNames::names);
            names.into_iter().any(|name| *name == sample.class)
        };
        *self.label_kind() == LabelKind::Class
            && self.may_lack_labels()
            && is_missing(sample.class.trim().as_bytes())
            && !is_class()
    }

    /// Returns the element type of the source, if a data set keeps it.
    fn element(&self) -> Option<ElementType> {
        None
    }

    /// Returns whether all elements are whole numbers by their type; `None` if the type allows others, too, and only the
    /// elements show it.
    fn has_whole_elements(&self) -> Option<bool> {
        None
    }

    /// Returns whether classes have the same names in all sets, so that one may occur in some of them only.
    fn shares_classes(&self) -> bool {
        false
    }

    /// Returns what was guessed, left out or changed, once all samples have been read.
    fn notes(&self) -> Vec<Note> {
        Vec::new()
    }

    /// Starts to read the samples from the first one.
    fn samples(&self) -> Result<Box<dyn Samples + '_>>;

    /// Returns the place of a cell of the sample at this [`Samples::position`], for messages.
    fn place(&self, position: u64, cell: Cell) -> String;
}

/// One pass over the samples of a source.
pub(super) trait Samples {
    /// Reads the next sample into `sample`. Returns false after the last one.
    fn next(&mut self, sample: &mut Sample) -> Result<bool>;

    /// Returns the position of the last sample, for [`Source::place`].
    fn position(&self) -> u64;

    /// Returns how much of the source has been read, and how much there is, in the same unit.
    fn progress(&self) -> (u64, u64);
}

/// The training samples, and the validation and test samples if they are separate.
pub(super) struct Sources {
    pub train: Box<dyn Source>,
    pub validation: Option<Box<dyn Source>>,
    pub test: Option<Box<dyn Source>>,
    /// What is left out.
    pub notes: Vec<Note>,
}

impl Sources {
    pub fn new(train: impl Source + 'static, test: Option<impl Source + 'static>) -> Sources {
        Sources {
            train: Box::new(train),
            validation: None,
            test: test.map(boxed),
            notes: Vec::new(),
        }
    }

    /// Adds validation samples.
    pub fn with_validation(self, validation: Option<impl Source + 'static>) -> Sources {
        Sources {
            validation: validation.map(boxed),
            ..self
        }
    }

    /// Changes each source.
    pub fn map(
        self,
        mut change: impl FnMut(Box<dyn Source>) -> Result<Box<dyn Source>>,
    ) -> Result<Sources> {
        Ok(Sources {
            train: change(self.train)?,
            validation: self.validation.map(&mut change).transpose()?,
            test: self.test.map(&mut change).transpose()?,
            notes: self.notes,
        })
    }

    /// Adds notes about what is left out.
    pub fn with_notes(self, notes: Vec<Note>) -> Sources {
        Sources { notes, ..self }
    }

    /// Returns the sources by the half of the data set that they are for.
    pub fn halves(&self) -> impl Iterator<Item = (Half, &dyn Source)> {
        let train = (Half::Train, &*self.train);
        let others = [
            (Half::Validation, &self.validation),
            (Half::Test, &self.test),
        ];
        let others = others.into_iter();
        let others = others.filter_map(|(half, source)| Some((half, source.as_deref()?)));
        std::iter::once(train).chain(others)
    }
}

fn boxed(source: impl Source + 'static) -> Box<dyn Source> {
    Box::new(source)
}

/// The training set, the validation set or the test set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Half {
    Train,
    Validation,
    Test,
}

/// Opens a file that was opened before, for another pass.
pub(super) fn reopen(path: &Path) -> Result<File> {
    open_regular(path, "the file that was there")
}
