//! The files of a data set, and how they are opened.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::class_map::{ClassMap, KnownClasses};
use super::class_names::ClassNames;
use super::dataset::Dataset;
use super::idx::IdxFile;
use super::mmap::Stamp;
use super::replacement;
use super::rows::Rows;
use super::targets::Targets;
use crate::durable::folder_of;
use crate::error::{Error, Refusal, Result};
use crate::message::Key;
use crate::nn::task::Task;

/// The files of a data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// Training images and labels.
    pub train: Pair,
    /// Validation images and labels.
    pub validation: Option<Pair>,
    /// Test images and labels.
    pub test: Option<Pair>,
    /// The class names.
    pub class_names: Option<PathBuf>,
    /// The weights of the training samples.
    pub weights: Option<PathBuf>,
}

impl Files {
    /// Returns the stamps of all files, after replacements that a killed process did not complete are undone.
    pub(super) fn stamps(&self) -> Result<Vec<(&Path, Option<Stamp>)>> {
        let pairs = [
            Some(&self.train),
            self.validation.as_ref(),
            self.test.as_ref(),
        ];
        let pairs = pairs.into_iter().flatten();
        let paths = pairs.flat_map(|pair| [&pair.images, &pair.labels]);
        let others = self.class_names.iter().chain(&self.weights);
        let paths: Vec<&Path> = paths.chain(others).map(PathBuf::as_path).collect();
        for path in &paths {
            replacement::recover(folder_of(path))?;
        }
        let stamp = |path: &Path| path.metadata().ok().map(|about| Stamp::of(&about));
        Ok(paths.iter().map(|path| (*path, stamp(path))).collect())
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

/// How files are opened.
#[derive(Debug, Clone, Copy)]
pub struct Opening<'a> {
    /// What the labels are for.
    pub task: Task,
    /// The number of outputs, if it is known.
    pub classes: Option<usize>,
    /// The classes that the labels are matched with by their names, if both have names.
    pub known: Option<KnownClasses<'a>>,
    /// How images are held.
    pub mode: DataMode,
}

impl Pair {
    /// Opens and checks the pair, with the class names in a file. Without a number of classes it is counted as
    /// [`Splits::open`](super::splits::Splits::open) does.
    ///
    /// # Errors
    /// Returns the errors of [`Dataset::for_task`] and [`ClassNames::read`], and [`Error::Data`] if there is not one name
    /// for each class, or a class is not known.
    pub fn open(&self, class_names: Option<&Path>, opening: &Opening) -> Result<Dataset> {
        let (mut set, names, is_matched) = self.read(class_names, opening, &|_| Ok(()))?;
        let classes = opening.classes;
        if let (Some(known), true) = (opening.known, is_matched) {
            let known = known.names;
            if let Some(classes) = classes.filter(|&classes| classes != known.names().len()) {
                let expected = format!("{}, as their names match", known.names().len());
                let refusal = Refusal::new(Key("classes"), classes, expected);
                return Err(Error::Config(refusal));
            }
            return set.with_class_names(known.clone());
        }
        if let (Some(names), Some(path)) = (names, class_names) {
            set.name_classes(path, names, classes.is_none())?;
        }
        Ok(set)
    }

    /// Opens and checks the pair as a set of other rows of the same kind, which `check` accepts. If classes are known, those
    /// in the folder of the labels are matched with them.
    ///
    /// # Errors
    /// Returns the errors of `check` and of [`Pair::open`].
    pub fn open_like(
        &self,
        opening: &Opening,
        check: &dyn Fn(&Rows) -> Result<()>,
    ) -> Result<Dataset> {
        let class_names = opening.known.and(ClassNames::file_beside(&self.labels));
        let (set, ..) = self.read(class_names.as_deref(), opening, check)?;
        Ok(set)
    }

    /// Returns the set, the class names in a file, and whether labels were matched with known classes that differ.
    fn read(
        &self,
        class_names: Option<&Path>,
        opening: &Opening,
        check: &dyn Fn(&Rows) -> Result<()>,
    ) -> Result<(Dataset, Option<ClassNames>, bool)> {
        let task = opening.task;
        let names = class_names.map(ClassNames::read).transpose()?;
        let rows = Rows::from(opening.mode.open(&self.images)?);
        check(&rows)?;
        let labels = IdxFile::open(&self.labels)?;
        let (path, known) = (class_names, opening.known);
        let all = path.zip(names.as_ref()).zip(known);
        if let Some(((path, own), known)) = all.filter(|_| task != Task::Regression)
            && let Some(map) = ClassMap::new(path, own, known)?
        {
            let set = Dataset::for_task(task, rows, &labels, Some(own.names().len()));
            let mut set = set.map_err(|error| too_few_names(path, own, &labels, task, error))?;
            set.match_classes((path, &map), known)?;
            return Ok((set, names, true));
        }
        let set = Dataset::for_task(task, rows, &labels, opening.classes)?;
        Ok((set, names, false))
    }
}

/// Returns the error for `labels` that cannot be of the classes `own`, which `path` names: that there are more classes than
/// names, if this is the cause, or else `error`.
fn too_few_names(
    path: &Path,
    own: &ClassNames,
    labels: &IdxFile,
    task: Task,
    error: Error,
) -> Error {
    let found = own.names().len();
    match Targets::read(labels, task, None) {
        Ok(targets) if targets.outputs() > found => {
            let about = labels.path().display();
            let expected = format!("{}, as many classes as {about} has", targets.outputs());
            let refusal = Refusal::new(path.display(), format!("{found} names"), expected);
            let hint =
                "add the missing names, or rename the file if it does not belong to these labels";
            Error::Data(refusal.hint(hint))
        }
        _ => error,
    }
}

/// How images are held while they are used. Labels are always copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DataMode {
    /// Mapped: without a copy, and shared with every process that reads the same file. The file must not change
    /// meanwhile.
    #[default]
    Map,
    /// Copied into memory first, so that the file may change afterwards.
    Copy,
}

impl DataMode {
    /// All modes.
    pub const ALL: [DataMode; 2] = [DataMode::Map, DataMode::Copy];

    /// Returns the name used in settings, files and messages.
    pub fn name(self) -> &'static str {
        match self {
            DataMode::Map => "map",
            DataMode::Copy => "copy",
        }
    }

    fn open(self, path: &Path) -> Result<IdxFile> {
        match self {
            DataMode::Map => IdxFile::open(path),
            DataMode::Copy => IdxFile::open_in_memory(path),
        }
    }
}
