//! The options of a conversion.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::relabel::Relabel;
use super::resize::Resize;
use super::test_split::TestSplit;
use crate::data::class_names::ClassNames;
use crate::data::idx::ElementType;
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, Message, message};
use crate::named::named;
use crate::table::{Decimal, Delimiter};

/// The options of a conversion.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// A CSV file, an IDX file (gzip is allowed for both), an NPY or NPZ file, a picture, a folder with a sub-folder of
    /// pictures for each class, or a folder of files whose names show which set they belong to.
    pub source: PathBuf,
    /// Further files of the same data set. As for a folder, their names decide what each is.
    pub others: Vec<PathBuf>,
    /// The folder of the new data set. It is created if it does not exist.
    pub out: PathBuf,
    /// Whether to replace a data set in that folder.
    pub force: bool,
    /// The place of the labels.
    pub labels: Labels,
    /// Whether several columns of 0 and 1 stay multi-label even if each sample has exactly one 1.
    pub multilabel: bool,
    /// The classes in their order. With `None` they follow from the labels.
    pub class_names: Option<ClassNames>,
    /// Validation samples, in the format of the source.
    pub validation: Option<PathBuf>,
    /// Test samples, in the format of the source.
    pub test: Option<PathBuf>,
    /// Test samples to draw from the training samples.
    pub test_split: Option<TestSplit>,
    /// The element type to write. `None` takes `u8` for whole numbers from 0 to 255; `i32` or `f64` if an `f32` would round
    /// numbers above 2²⁴; else `f32`.
    pub element: Option<ElementType>,
    /// The shape of one sample. With `None` it is that of the source.
    pub sample_shape: Option<Vec<usize>>,
    /// The number of elements of a sample, if it is known. An array of just so many is one sample.
    pub sample_elements: Option<usize>,
    /// The size that pictures are brought to. With `None` all pictures have one size.
    pub resize: Option<Resize>,
    /// Whether the height and the width of each sample are swapped.
    pub transpose: bool,
    /// The column of labels of several numbers that is the class, counted from 0.
    pub label_column: Option<usize>,
    /// Labels that are replaced by others.
    pub relabel: Option<Relabel>,
    /// The options for CSV files.
    pub table: TableOptions,
    /// The options for IDX, NPY and NPZ files.
    pub arrays: ArrayOptions,
    /// The options for pictures.
    pub pictures: PictureOptions,
}

/// The place of the labels: columns of a CSV file by name or number, an IDX or NPY file, or an array of an NPZ file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Labels {
    /// Under one of the usual names; in a folder of pictures, the names of the sub-folders.
    #[default]
    Auto,
    /// The samples have no labels.
    Absent,
    /// In this place: a class for each sample, or several columns of 0 and 1.
    In(String),
    /// In this place are the target values of a regression.
    Targets(String),
}

/// The options of a conversion for CSV files.
#[derive(Debug, Clone, Default)]
pub struct TableOptions {
    /// Whether the first row is a header. `None` detects it.
    pub header: Option<bool>,
    /// The delimiter between cells. `None` detects it.
    pub delimiter: Option<Delimiter>,
    /// The decimal mark of numbers. `None` detects it.
    pub decimal: Option<Decimal>,
    /// Columns to ignore, separated by commas. For samples of one dimension in other files, too.
    pub drop: Option<String>,
}

/// The options of a conversion for IDX, NPY and NPZ files.
#[derive(Debug, Clone, Default)]
pub struct ArrayOptions {
    /// The array of an NPZ file with the samples.
    pub images: Option<String>,
    /// The array of an NPZ file with the test samples.
    pub test_images: Option<String>,
    /// The file, or the array of an NPZ file, with the labels of the validation samples.
    pub validation_labels: Option<String>,
    /// The file, or the array of an NPZ file, with the labels of the test samples.
    pub test_labels: Option<String>,
}

/// The options of a conversion for pictures.
#[derive(Debug, Clone, Copy, Default)]
pub struct PictureOptions {
    /// The colours to write. `None` takes those of the first picture.
    pub color: Option<Color>,
    /// The background behind transparent pixels. `None` is white.
    pub background: Option<Background>,
    /// Whether dark becomes light and light becomes dark.
    pub invert: bool,
}

named! {
    /// The colours that are written.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Color {
        /// One element per pixel: 0.299 red + 0.587 green + 0.114 blue.
        Grey = "grey",
        /// Three elements per pixel.
        Rgb = "rgb",
    }
}

named! {
    /// The background behind transparent pixels.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
    pub enum Background {
        /// As on paper.
        #[default]
        White = "white",
        /// As behind the digits of MNIST.
        Black = "black",
    }
}

impl Request {
    /// Returns the files and folders that are read.
    pub(super) fn sources(&self) -> Vec<&Path> {
        let labels = match &self.labels {
            Labels::In(labels) | Labels::Targets(labels) => Some(Path::new(labels)),
            Labels::Auto | Labels::Absent => None,
        };
        let arrays = &self.arrays;
        let of_others = [&arrays.validation_labels, &arrays.test_labels];
        let of_others = of_others.into_iter().flatten().map(Path::new);
        // Labels may be the name of a column or of an array, too.
        let named = labels
            .into_iter()
            .chain(of_others)
            .filter(|path| path.is_file());
        let samples = [&*self.source]
            .into_iter()
            .chain(self.others.iter().map(|path| &**path));
        let others = [&self.validation, &self.test];
        let samples = samples.chain(others.into_iter().flatten().map(|path| &**path));
        samples.chain(named).collect()
    }

    /// Returns whether samples are read for a model, rather than converted: their shape and their type follow from it.
    pub(super) fn is_for_model(&self) -> bool {
        self.sample_elements.is_some()
    }

    /// Checks that the options for test samples and for labels do not contradict each other.
    ///
    /// # Errors
    /// Returns [`Error::Config`] if they do.
    pub(super) fn check(&self) -> Result<()> {
        let refuse = |key: Key, found: Message, expected: &str| {
            Err(Error::Config(Refusal::new(key, found, expected)))
        };
        let separate_test = self.test.is_some() || self.arrays.test_images.is_some();
        if self.test_split.is_some() && separate_test {
            return refuse(
                Key("test_split"),
                "given in addition to separate test samples".into(),
                "one of the two",
            );
        }
        if self.labels != Labels::Absent {
            return Ok(());
        }
        let needs_labels = [
            (Key("test_split"), self.test_split.is_some()),
            (Key("test"), separate_test),
            (Key("validation"), self.validation.is_some()),
            (Key("relabel"), self.relabel.is_some()),
            (Key("label_column"), self.label_column.is_some()),
        ];
        if let Some((key, _)) = needs_labels.into_iter().find(|(_, is_given)| *is_given) {
            let found = message!["given with ", Key("labels").set_to("none")];
            return refuse(key, found, "labels to go with it");
        }
        if self.class_names.is_some() || self.multilabel {
            return refuse(
                Key("labels"),
                "none, together with options about labels".into(),
                "labels",
            );
        }
        Ok(())
    }

    /// Checks that the labels of a set are given with its samples, if they are in files of their own.
    ///
    /// # Errors
    /// Returns [`Error::Config`] if they are not.
    pub(super) fn check_labels_have_samples(&self) -> Result<()> {
        self.check_validation_labels_have_samples()?;
        let (labels, samples) = (&self.arrays.test_labels, &self.test);
        match labels.is_some() && samples.is_none() {
            false => Ok(()),
            true => Err(without_samples(
                Key("test_labels"),
                Key("test"),
                "test samples",
            )),
        }
    }

    /// Checks that the labels of validation samples are given with the samples.
    ///
    /// # Errors
    /// Returns [`Error::Config`] if they are not.
    pub(super) fn check_validation_labels_have_samples(&self) -> Result<()> {
        let (labels, samples) = (&self.arrays.validation_labels, &self.validation);
        match labels.is_some() && samples.is_none() {
            false => Ok(()),
            true => {
                let (labels, samples) = (Key("validation_labels"), Key("validation"));
                Err(without_samples(labels, samples, "validation samples"))
            }
        }
    }

    /// Returns the requested shape of a sample, which must have as many elements as the shape `found` in the source; or
    /// `found` if none is requested.
    ///
    /// # Errors
    /// Returns [`Error::Config`] if the sizes do not multiply to the number of elements.
    pub(super) fn sample_shape_for(&self, found: Vec<usize>) -> Result<Vec<usize>> {
        let features: usize = found.iter().product();
        match &self.sample_shape {
            None => Ok(found),
            Some(shape) if shape.iter().product::<usize>() == features => Ok(shape.clone()),
            Some(shape) => {
                let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
                let expected =
                    format!("sizes that multiply to the {features} elements of a sample");
                Err(Error::Config(Refusal::new(
                    Key("shape"),
                    sizes.join("x"),
                    expected,
                )))
            }
        }
    }
}

/// Returns the error for labels of `what` in the option `labels`, without the samples in the option `samples`.
fn without_samples(labels: Key, samples: Key, what: &str) -> Error {
    let expected = message![samples, format!(" with the {what}")];
    Error::Config(Refusal::new(
        labels,
        format!("given without {what}"),
        expected,
    ))
}
