//! Images with their targets, checked as a pair, and the training, validation and test sets that belong together.
//!
//! Images stay in the mapped file; targets are copied.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::class_names::ClassNames;
use super::holdout::{self, Holdout};
use super::idx::IdxFile;
use super::mmap;
use super::preprocessing::Preprocessing;
use super::scaling::check_finite;
use super::targets::{MAX_CLASSES, Targets};
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};
use crate::nn::task::Task;

/// Images and what is to be learned of each.
#[derive(Debug)]
pub struct Dataset {
    images: IdxFile,
    targets: Targets,
    class_names: Option<ClassNames>,
}

impl Dataset {
    /// Opens and checks a pair of files for classification. Without `classes` they are counted from the labels: the
    /// largest one plus one, and at least two.
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
        Dataset::for_task(Task::Classification, images, label_file, classes)
    }

    /// [`Dataset::new`] for any task; `outputs` is what a network gives for an item, where that is known.
    ///
    /// # Errors
    /// [`Error::Data`] when the two do not have the same number of items, and as [`Targets::read`].
    pub fn for_task(
        task: Task,
        images: IdxFile,
        label_file: &IdxFile,
        outputs: Option<usize>,
    ) -> Result<Dataset> {
        let targets = Targets::read(label_file, task, outputs)?;
        if targets.items() != images.header().items() {
            return Err(Error::Data(Refusal::new(
                label_file.path().display(),
                format!("{} labels", targets.items()),
                format!(
                    "{}, one for each item of {}",
                    images.header().items(),
                    images.path().display()
                ),
            )));
        }
        Ok(Dataset {
            images,
            targets,
            class_names: None,
        })
    }

    /// These `items` alone, in this order, which from now on count from 0. Images are not copied.
    ///
    /// # Panics
    /// When there are none, or one is out of range.
    pub fn select(&self, items: &[u32]) -> Dataset {
        Dataset {
            images: self.images.select(items),
            targets: self.targets.select(items),
            class_names: self.class_names.clone(),
        }
    }

    /// The images.
    pub fn images(&self) -> &IdxFile {
        &self.images
    }

    /// What is to be learned of each item.
    pub fn targets(&self) -> &Targets {
        &self.targets
    }

    /// What the network is to tell of an item.
    pub fn task(&self) -> Task {
        self.targets.task()
    }

    /// The class of each item, all below [`Dataset::outputs`].
    ///
    /// # Panics
    /// When the task is another than classification.
    pub fn labels(&self) -> &[u32] {
        match &self.targets {
            Targets::Classes { labels, .. } => labels,
            other => panic!("labels of a set for {}", other.task().name()),
        }
    }

    /// What a network gives for an item: a number for each class, or the numbers to predict.
    pub fn outputs(&self) -> usize {
        self.targets.outputs()
    }

    /// What the classes are called, a name for each; none where nobody said.
    pub fn class_names(&self) -> Option<&ClassNames> {
        self.class_names.as_ref()
    }

    /// Gives the classes the names of the file `path`; numbers to predict have none. Where the classes were counted from
    /// the labels there are as many as names from now on, for labels may not show every class.
    fn name_classes(&mut self, path: &Path, names: ClassNames, counted: bool) -> Result<()> {
        let found = names.names().len();
        match &mut self.targets {
            Targets::Values { .. } => return Ok(()),
            Targets::Classes { labels, classes } if counted => {
                let largest = labels.iter().max();
                let needed = largest.map_or(0, |&label| label as usize + 1);
                if found >= needed.max(2) {
                    *classes = found;
                }
            }
            _ => {}
        }
        if found != self.outputs() {
            let expected = format!("{}, one a class", self.outputs());
            let refusal = Refusal::new(path.display(), format!("{found} names"), expected);
            let hint = "mend the file, or give it another name if it is not about these labels";
            return Err(Error::Data(refusal.hint(hint)));
        }
        self.class_names = Some(names);
        Ok(())
    }

    /// Number of items.
    pub fn items(&self) -> usize {
        self.targets.items()
    }

    /// Elements in an item.
    pub fn features(&self) -> usize {
        self.images.header().features()
    }

    /// Gathers `items` as inputs, their active columns scaled. Meanwhile the processor fetches `ahead`, at most as many
    /// items that are gathered soon: one between two others, as it can only wait for so much at a time.
    ///
    /// Shapes: `inputs` has a row `[active columns]` for each item. Overwrites them.
    ///
    /// # Panics
    /// When an item is out of range or a buffer has another length.
    pub fn gather<'a>(
        &self,
        items: &[u32],
        ahead: &[u32],
        preprocessing: &Preprocessing,
        inputs: impl ExactSizeIterator<Item = &'a mut [f32]>,
    ) {
        assert_eq!(inputs.len(), items.len(), "a row an item");
        let mut ahead = ahead.iter();
        for (&item, input) in items.iter().zip(inputs) {
            if let Some(&item) = ahead.next() {
                mmap::prefetch(self.images.item(item as usize));
            }
            let item = item as usize;
            let Preprocessing { scaling, columns } = preprocessing;
            self.images.read_active(item, *scaling, columns, input);
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
    /// As [`Splits::open`], and [`Error::Memory`] when memory for a copy is not granted.
    pub fn open_as(files: &Files, classes: Option<usize>, mode: DataMode) -> Result<Splits> {
        Splits::open_for(Task::Classification, files, classes, mode)
    }

    /// [`Splits::open_as`] for any task. Of others than classification the labels tell the number of outputs.
    ///
    /// # Errors
    /// As [`Splits::open_as`], and [`Error::Config`] for `classes` where the labels tell.
    pub fn open_for(
        task: Task,
        files: &Files,
        classes: Option<usize>,
        mode: DataMode,
    ) -> Result<Splits> {
        if let (Some(classes), Task::Regression | Task::Multilabel) = (classes, task) {
            let found = message![classes, " with ", Key("task").set_to(task.name())];
            let expected = "neither: the labels tell how many there are";
            return Err(Error::Config(Refusal::new(Key("classes"), found, expected)));
        }
        if let Some(classes) = classes.filter(|classes| !(2..=MAX_CLASSES).contains(classes)) {
            return Err(Error::Config(Refusal::new(
                Key("classes"),
                classes.to_string(),
                format!("2 to {MAX_CLASSES}"),
            )));
        }
        let names = files.class_names.as_deref().map(ClassNames::read);
        let names = names.transpose()?;
        let images = mode.open(&files.train.images)?;
        let labels = IdxFile::open(&files.train.labels)?;
        let mut train = Dataset::for_task(task, images, &labels, classes)?;
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

    /// Holds out a part of the training samples, drawn by `seed`, as a validation set. Returns the sets unchanged without
    /// a `holdout`, or if there is a validation set already.
    ///
    /// # Errors
    /// [`Error::Config`] if there are too few samples.
    pub fn hold_out(self, holdout: Option<Holdout>, seed: u64) -> Result<Splits> {
        let Some(holdout) = holdout.filter(|_| self.validation.is_none()) else {
            return Ok(self);
        };
        // Before items get other numbers than they have in the file.
        check_finite(self.train.images())?;
        let (rest, held_out) = holdout::draw(&self.train, holdout, seed)?;
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
    let mut set = Dataset::for_task(train.task(), images, &labels, Some(train.outputs()))?;
    check_finite(set.images())?;
    set.class_names = train.class_names.clone();
    Ok(set)
}
