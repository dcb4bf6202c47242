//! Images with their labels, checked as a pair, and the training, validation and test sets that belong together.
//!
//! Images stay in the mapped file. Labels are checked and copied, four bytes an item, so that a file
//! that changes underneath can never turn into an index out of range.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::class_names::ClassNames;
use super::idx::{ElementType, IdxFile};
use super::preprocessing::Preprocessing;
use super::scaling::check_finite;
use super::{holdout, mmap};
use crate::config::TrainConfig;
use crate::error::{Error, Refusal, Result};

/// More classes than this are a mistake in the labels, not a problem for a softmax.
pub(crate) const MAX_CLASSES: usize = 1 << 20;

/// Images and the class of each.
#[derive(Debug)]
pub struct Dataset {
    images: IdxFile,
    labels: Vec<u32>,
    classes: usize,
    class_names: Option<ClassNames>,
}

impl Dataset {
    /// Opens and checks a pair of files. Without `classes` they are counted from the labels: the largest
    /// one plus one, and at least two.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Data`] when a file is missing or damaged, when the two do not have the
    /// same number of items, or when a label is not in `0..classes`.
    pub fn open(images: &Path, labels: &Path, classes: Option<usize>) -> Result<Dataset> {
        Dataset::new(IdxFile::open(images)?, &IdxFile::open(labels)?, classes)
    }

    /// Checks a pair of files that are open already, as [`Dataset::open`] does.
    ///
    /// # Errors
    /// As [`Dataset::open`].
    pub fn new(images: IdxFile, label_file: &IdxFile, classes: Option<usize>) -> Result<Dataset> {
        let labels = read_labels(label_file)?;
        if labels.len() != images.header().items() {
            return Err(Error::Data(Refusal::new(
                label_file.path().display(),
                format!("{} labels", labels.len()),
                format!(
                    "{}, one for each item of {}",
                    images.header().items(),
                    images.path().display()
                ),
            )));
        }
        let largest = labels.iter().copied().max().unwrap_or(0) as usize;
        let classes = classes.unwrap_or((largest + 1).max(2));
        check_labels(label_file, &labels, classes)?;
        Ok(Dataset {
            images,
            labels,
            classes,
            class_names: None,
        })
    }

    /// These `items` alone, in this order, which from now on count from 0. Images are not copied.
    ///
    /// # Panics
    /// When there are none, or one is out of range.
    pub fn select(&self, items: &[u32]) -> Dataset {
        let labels = items.iter().map(|&item| self.labels[item as usize]);
        Dataset {
            images: self.images.select(items),
            labels: labels.collect(),
            classes: self.classes,
            class_names: self.class_names.clone(),
        }
    }

    /// The images.
    pub fn images(&self) -> &IdxFile {
        &self.images
    }

    /// The class of each item, all below [`Dataset::classes`].
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// What the classes are called, a name for each; none where nobody said.
    pub fn class_names(&self) -> Option<&ClassNames> {
        self.class_names.as_ref()
    }

    /// Gives the classes the names of the file `path`. Where the classes were counted from the labels there are as many
    /// as names from now on, for labels may not show every class.
    fn name_classes(&mut self, path: &Path, names: ClassNames, counted: bool) -> Result<()> {
        let (found, largest) = (names.names().len(), self.labels.iter().max());
        let needed = largest.map_or(0, |&label| label as usize + 1);
        if counted && found >= needed.max(2) {
            self.classes = found;
        }
        if found != self.classes {
            let expected = format!("{}, one a class", self.classes);
            let refusal = Refusal::new(path.display(), format!("{found} names"), expected);
            let hint = "mend the file, or give it another name if it is not about these labels";
            return Err(Error::Data(refusal.hint(hint)));
        }
        self.class_names = Some(names);
        Ok(())
    }

    /// Number of items.
    pub fn items(&self) -> usize {
        self.labels.len()
    }

    /// Elements in an item.
    pub fn features(&self) -> usize {
        self.images.header().features()
    }

    /// Gathers `items` as inputs, their active columns scaled, and their labels. Meanwhile the processor fetches
    /// `ahead`, at most as many items that are gathered soon: one between two others, as it can only wait for so much
    /// at a time.
    ///
    /// Shapes: `inputs` has a row `[active columns]` for each item, `labels [items]`. Overwrites both.
    ///
    /// # Panics
    /// When an item is out of range or a buffer has another length.
    pub fn gather<'a>(
        &self,
        items: &[u32],
        ahead: &[u32],
        preprocessing: &Preprocessing,
        inputs: impl ExactSizeIterator<Item = &'a mut [f32]>,
        labels: &mut [u32],
    ) {
        assert_eq!(
            (inputs.len(), labels.len()),
            (items.len(), items.len()),
            "a row and a label an item"
        );
        let mut ahead = ahead.iter();
        for ((&item, input), label) in items.iter().zip(inputs).zip(labels) {
            if let Some(&item) = ahead.next() {
                mmap::prefetch(self.images.item(item as usize));
            }
            let item = item as usize;
            let Preprocessing { scaling, columns } = preprocessing;
            self.images.read_active(item, *scaling, columns, input);
            *label = self.labels[item];
        }
    }
}

/// The labels of `file` as they are, before they are held against a class count.
///
/// # Errors
/// [`Error::Data`] when the file is not one small non-negative integer an item.
pub fn read_labels(file: &IdxFile) -> Result<Vec<u32>> {
    let header = file.header();
    let refuse = |found: String, expected: &str| {
        Error::Data(
            Refusal::new(file.path().display(), found, expected)
                .hint("are the image and label files swapped?"),
        )
    };
    if matches!(header.element(), ElementType::F32 | ElementType::F64) {
        return Err(refuse(
            format!("labels of type {}", header.element().name()),
            "an integer type",
        ));
    }
    if header.features() != 1 {
        return Err(refuse(
            format!("labels of dimensions {:?}", header.dimensions()),
            "one number an item",
        ));
    }
    let mut element = [0.0];
    let mut label_of = |item| {
        file.read(item, &mut element);
        let label = element[0];
        if label < 0.0 || label >= MAX_CLASSES as f32 {
            return Err(refuse(
                format!("item {item} has label {label}"),
                "0..1048576",
            ));
        }
        Ok(label as u32)
    };
    (0..header.items()).map(&mut label_of).collect()
}

fn check_labels(file: &IdxFile, labels: &[u32], classes: usize) -> Result<()> {
    match labels.iter().position(|&label| label as usize >= classes) {
        None => Ok(()),
        Some(item) => {
            let largest = labels.iter().copied().max().unwrap_or(0);
            Err(Error::Data(
                Refusal::new(
                    file.path().display(),
                    format!("item {item} has label {}", labels[item]),
                    format!("0..{classes}"),
                )
                .hint(format!(
                    "train with --classes {} if the data set has more classes",
                    largest + 1
                )),
            ))
        }
    }
}

/// The four files of a data set, or two where there is no test half, two more where it has a validation set, and the names
/// of its classes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// Training images and labels.
    pub train: Pair,
    /// Validation images and labels.
    pub validation: Option<Pair>,
    /// Test images and labels.
    pub test: Option<Pair>,
    /// The names of the classes; none where they have none.
    pub class_names: Option<PathBuf>,
}

/// How images are held while they are used. Labels are always copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DataMode {
    /// Mapped: at once, and shared with whoever reads the same file. The file must not change meanwhile.
    #[default]
    Map,
    /// Copied into memory first, after which the file may do as it likes.
    Copy,
}

impl DataMode {
    /// Every mode.
    pub const ALL: [DataMode; 2] = [DataMode::Map, DataMode::Copy];

    /// The name used by flags, files and messages.
    pub fn name(self) -> &'static str {
        match self {
            DataMode::Map => "map",
            DataMode::Copy => "copy",
        }
    }

    fn open(self, path: &Path) -> Result<IdxFile> {
        match self {
            DataMode::Map => IdxFile::open(path),
            DataMode::Copy => IdxFile::open(path)?.into_memory(),
        }
    }
}

/// A file of images and the file of their labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The images.
    pub images: PathBuf,
    /// The labels.
    pub labels: PathBuf,
}

/// The training half and, where there are any, the validation set and the test half: same features, same classes.
#[derive(Debug)]
pub struct Splits {
    /// What the network learns from.
    pub train: Dataset,
    /// What is looked at while it learns: what is picked is picked by this.
    pub validation: Option<Dataset>,
    /// What it is measured on. Where there is a validation set, that is once, at the end.
    pub test: Option<Dataset>,
}

impl Splits {
    /// Opens and checks all files, and maps them. Without `classes` they are as many as have names, or where they have
    /// none, counted from the training labels.
    ///
    /// # Errors
    /// Those of [`Dataset::open`], and [`Error::Data`] when the sets differ in their features, or there are not as many
    /// names as classes.
    pub fn open(files: &Files, classes: Option<usize>) -> Result<Splits> {
        Splits::open_as(files, classes, DataMode::Map)
    }

    /// [`Splits::open`], mapped or copied.
    ///
    /// # Errors
    /// As [`Splits::open`], and [`Error::Config`] when memory for a copy is not granted.
    pub fn open_as(files: &Files, classes: Option<usize>, mode: DataMode) -> Result<Splits> {
        if let Some(classes) = classes.filter(|classes| !(2..=MAX_CLASSES).contains(classes)) {
            return Err(Error::Config(Refusal::new(
                "--classes",
                classes.to_string(),
                format!("2 to {MAX_CLASSES}"),
            )));
        }
        let names = files.class_names.as_deref().map(ClassNames::read);
        let names = names.transpose()?;
        let images = mode.open(&files.train.images)?;
        let labels = IdxFile::open(&files.train.labels)?;
        let mut train = Dataset::new(images, &labels, classes)?;
        if let (Some(names), Some(path)) = (names, &files.class_names) {
            train.name_classes(path, names, classes.is_none())?;
        }
        let beside = |pair: &Option<Pair>| {
            let pair = pair.as_ref();
            pair.map(|pair| open_beside(&train, pair, mode)).transpose()
        };
        let (validation, test) = (beside(&files.validation)?, beside(&files.test)?);
        Ok(Splits {
            train,
            validation,
            test,
        })
    }

    /// Holds out of the training items what `config` asks for, as a validation set. Where there is one already, nothing
    /// more is held out.
    ///
    /// # Errors
    /// [`Error::Config`] when there are too few items for that.
    pub fn hold_out(self, config: &TrainConfig) -> Result<Splits> {
        let Some(holdout) = config.validation.validation_split.as_ref() else {
            return Ok(self);
        };
        if self.validation.is_some() {
            return Ok(self);
        }
        // Before items get other numbers than they have in the file.
        check_finite(self.train.images())?;
        let (rest, held_out) = holdout::draw(&self.train, *holdout, config.seed)?;
        Ok(Splits {
            validation: Some(self.train.select(&held_out)),
            train: self.train.select(&rest),
            test: self.test,
        })
    }
}

/// Opens a set that goes with `train`. Widths first: labels of another data set would only hide what is wrong.
fn open_beside(train: &Dataset, pair: &Pair, mode: DataMode) -> Result<Dataset> {
    let images = mode.open(&pair.images)?;
    if images.header().features() != train.features() {
        return Err(Error::Data(Refusal::new(
            images.path().display(),
            format!("{} features an item", images.header().features()),
            format!(
                "{}, as in {}",
                train.features(),
                train.images().path().display()
            ),
        )));
    }
    let labels = IdxFile::open(&pair.labels)?;
    let mut set = Dataset::new(images, &labels, Some(train.classes()))?;
    check_finite(set.images())?;
    set.class_names = train.class_names.clone();
    Ok(set)
}
