//! The options of a conversion.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

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
    /// A CSV file (gzip is allowed), an NPY or NPZ file, or a folder with a sub-folder of PNG files for each class.
    pub source: PathBuf,
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
    /// Test samples, in the format of the source.
    pub test: Option<PathBuf>,
    /// Test samples to draw from the training samples.
    pub test_split: Option<TestSplit>,
    /// The element type to write. `None` takes `u8` for whole numbers from 0 to 255; `i32` or `f64` if an `f32` would round
    /// numbers above 2²⁴; else `f32`.
    pub element: Option<ElementType>,
    /// The shape of one sample. With `None` it is that of the source.
    pub sample_shape: Option<Vec<usize>>,
    /// The options for CSV files.
    pub table: TableOptions,
    /// The options for NPY and NPZ files.
    pub arrays: ArrayOptions,
    /// The options for PNG files.
    pub pictures: PictureOptions,
}

/// The place of the labels: columns of a CSV file by name or number, an NPY file, or an array of an NPZ file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Labels {
    /// Under one of the usual names; in a folder of PNG files, the names of the sub-folders.
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
    /// Columns to ignore, separated by commas.
    pub drop: Option<String>,
}

/// The options of a conversion for NPY and NPZ files.
#[derive(Debug, Clone, Default)]
pub struct ArrayOptions {
    /// The array of an NPZ file with the samples.
    pub images: Option<String>,
    /// The array of an NPZ file with the test samples.
    pub test_images: Option<String>,
    /// The NPY file, or the array of an NPZ file, with the labels of the test samples.
    pub test_labels: Option<String>,
}

/// The options of a conversion for PNG files.
#[derive(Debug, Clone, Copy, Default)]
pub struct PictureOptions {
    /// The colours to write. `None` takes those of the first picture.
    pub color: Option<Color>,
    /// The background behind transparent pixels. `None` is white.
    pub background: Option<Background>,
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
        let test_labels = self.arrays.test_labels.as_deref().map(Path::new);
        // Labels may be the name of a column or of an array, too.
        let named = labels
            .into_iter()
            .chain(test_labels)
            .filter(|path| path.is_file());
        let samples = [&*self.source].into_iter().chain(self.test.as_deref());
        samples.chain(named).collect()
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
        if self.test_split.is_some() || separate_test {
            let key = match self.test_split {
                Some(_) => Key("test_split"),
                None => Key("test"),
            };
            return refuse(
                key,
                message!["given with ", Key("labels").set_to("none")],
                "labels, which a test set needs",
            );
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
