//! The training, validation and test sets that belong together.

use super::class_map::KnownClasses;
use super::dataset::Dataset;
use super::extent::Extent;
use super::files::{DataMode, Files, Opening, Pair};
use super::fit_scaling::check_finite;
use super::holdout::{self, Holdout};
use super::idx::IdxFile;
use super::label_file::read_weights;
use super::note::Note;
use super::rows::Rows;
use super::targets::MAX_CLASSES;
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};
use crate::nn::task::Task;

/// A training set and, optionally, a validation set and a test set with the same features and outputs.
///
/// ```
/// use perceptor::ndarray::{Array1, Array2};
/// use perceptor::{Dataset, Splits, Targets};
///
/// let x = Array2::from_shape_fn((20, 2), |(row, _)| row as f32);
/// let labels = Array1::from_shape_fn(20, |row| (row % 2) as u8);
/// let train = Dataset::from_rows(x.view(), Targets::classes(labels.view(), 2)?)?;
/// // A tenth of the samples, drawn by the seed 1, decides about early stopping.
/// let data = Splits::new(train, None, None)?.hold_out("0.1".parse().ok(), 1)?;
/// assert_eq!(data.train.samples(), 18);
/// # Ok::<(), perceptor::Error>(())
/// ```
#[derive(Debug)]
pub struct Splits {
    /// The set that the network is trained on.
    pub train: Dataset,
    /// The set that decides during training: about early stopping, and which epoch is kept.
    pub validation: Option<Dataset>,
    /// The set that the network is measured on: once, at the end, if there is a validation set, else after each epoch.
    pub test: Option<Dataset>,
}

impl Splits {
    /// Checks that sets belong together, and gives those in memory the names that messages use: `training rows`,
    /// `validation rows` and `test rows`. The class names are those of the training set.
    ///
    /// # Errors
    /// Returns [`Error::Data`] if the sets differ in their task, their features or their outputs.
    pub fn new(
        mut train: Dataset,
        validation: Option<Dataset>,
        test: Option<Dataset>,
    ) -> Result<Splits> {
        train.set_name("training rows");
        let named = |set: Option<Dataset>, name: &str| {
            set.map(|mut set| {
                set.set_name(name);
                set.share_class_names(&train);
                set
            })
        };
        let splits = Splits {
            validation: named(validation, "validation rows"),
            test: named(test, "test rows"),
            train,
        };
        splits.check().map(|()| splits)
    }

    /// Checks that the validation and test sets have the task, features and outputs of the training set.
    ///
    /// # Errors
    /// Returns [`Error::Data`] for the first difference.
    pub fn check(&self) -> Result<()> {
        let mut others = self.validation.iter().chain(&self.test);
        others.try_for_each(|set| check_same_shape(&self.train, set))
    }

    /// Opens, maps and checks all files for classification. Without `classes` their number is that of the class names,
    /// or, without names, counted from the training labels.
    ///
    /// # Errors
    /// Returns the errors of [`Dataset::open`], and [`Error::Data`] if the sets differ in their features, or if there
    /// is not one name for each class.
    pub fn open(files: &Files, classes: Option<usize>) -> Result<Splits> {
        Splits::open_for(Task::Classification, files, classes, DataMode::Map)
    }

    /// Opens and checks all files for any task, mapped or copied. Without `classes` their number is counted as
    /// [`Splits::open`] does; for other tasks the label files decide about the outputs.
    ///
    /// # Errors
    /// Returns the errors of [`Splits::open`], [`Error::Memory`] if the system refuses the memory of a copy, and
    /// [`Error::Config`] for `classes` that are out of range, or given for another task than classification.
    pub fn open_for(
        task: Task,
        files: &Files,
        classes: Option<usize>,
        mode: DataMode,
    ) -> Result<Splits> {
        Splits::open_as(
            files,
            &Opening {
                task,
                classes,
                known: None,
                mode,
            },
        )
    }

    /// Opens and checks all files as [`Splits::open_for`] does, and matches the classes of the training set with known
    /// ones, such as those of a model. Other sets are matched with the classes of the training set.
    ///
    /// # Errors
    /// Returns the errors of [`Splits::open_for`], and [`Error::Data`] if a set has a class that is not known.
    pub fn open_as(files: &Files, opening: &Opening) -> Result<Splits> {
        let (task, classes) = (opening.task, opening.classes);
        if let (Some(classes), Task::Regression | Task::Multilabel) = (classes, task) {
            let found = message![classes, " with ", Key("task").set_to(task.name())];
            let expected = "none: the labels decide about the number of outputs";
            return Err(Error::Config(Refusal::new(Key("classes"), found, expected)));
        }
        if let Some(classes) = classes.filter(|classes| !(2..=MAX_CLASSES).contains(classes)) {
            return Err(Error::Config(Refusal::new(
                Key("classes"),
                classes.to_string(),
                format!("2 to {MAX_CLASSES}"),
            )));
        }
        let before = files.stamps()?;
        let splits = Splits::read(files, opening)?;
        // Files of two sets must not be mixed.
        let after = files.stamps()?;
        let changed = before.iter().zip(&after).find(|(one, other)| one != other);
        match changed {
            None => Ok(splits),
            Some(((path, _), _)) => {
                let found = "another file than when the data set was opened";
                let refusal = Refusal::new(path.display(), found, "files that stay");
                Err(Error::Data(refusal.hint("try again")))
            }
        }
    }

    fn read(files: &Files, opening: &Opening) -> Result<Splits> {
        let mut train = files.train.open(files.class_names.as_deref(), opening)?;
        if let Some(path) = &files.weights {
            let weights = read_weights(&IdxFile::open(path)?)?;
            train = train.weighted(&path.display().to_string(), weights)?;
        }
        let like = Opening {
            classes: Some(train.outputs()),
            known: train.class_names().map(|names| KnownClasses {
                names,
                owner: "the training set",
            }),
            ..*opening
        };
        // Features first: an error about the labels of another data set would hide the actual mistake.
        let check = |rows: &Rows| {
            check_features(&train, rows.name(), rows.features())?;
            check_finite(rows)
        };
        let open = |pair: &Option<Pair>| {
            let pair = pair.as_ref();
            pair.map(|pair| pair.open_like(&like, &check)).transpose()
        };
        let (validation, test) = (open(&files.validation)?, open(&files.test)?);
        Splits::new(train, validation, test)
    }

    /// Returns notes about the sets: which classes were matched by name, which have no sample, and whether the elements of
    /// other sets are far from the training set's.
    pub fn notes(&self) -> Vec<Note> {
        let others = || self.validation.iter().chain(&self.test);
        let sets = std::iter::once(&self.train).chain(others());
        let mut notes: Vec<Note> = sets.flat_map(Dataset::notes).cloned().collect();
        notes.extend(self.train.without_sample());
        if let Some(seen) = Extent::of(self.train.rows()) {
            notes.extend(others().filter_map(|set| seen.warning(set.rows(), "the training set")));
        }
        notes
    }

    /// Holds out a part of the training samples, drawn by `seed`, as a validation set. Returns the sets unchanged without
    /// a `holdout`, or if there is a validation set already.
    ///
    /// # Errors
    /// Returns [`Error::Config`] if there are too few samples, and [`Error::Data`] if an element is NaN or infinite.
    pub fn hold_out(self, holdout: Option<Holdout>, seed: u64) -> Result<Splits> {
        let Some(holdout) = holdout.filter(|_| self.validation.is_none()) else {
            return Ok(self);
        };
        // Checked before rows get other numbers than in their file.
        check_finite(self.train.rows())?;
        let (rest, held_out) = holdout::draw(self.train.targets(), holdout, seed)?;
        Ok(Splits {
            validation: Some(self.train.select(&held_out)),
            train: self.train.select(&rest),
            test: self.test,
        })
    }
}

fn check_features(train: &Dataset, place: &str, features: usize) -> Result<()> {
    if features == train.features() {
        return Ok(());
    }
    let expected = format!("{}, as in {}", train.features(), train.rows().name());
    let found = format!("{features} features a row");
    Err(Error::Data(Refusal::new(place, found, expected)))
}

fn check_same_shape(train: &Dataset, set: &Dataset) -> Result<()> {
    let place = set.rows().name();
    check_features(train, place, set.features())?;
    let outputs = |set: &Dataset| format!("{} outputs of {}", set.outputs(), set.task().name());
    if (set.task(), set.outputs()) == (train.task(), train.outputs()) {
        return Ok(());
    }
    let expected = format!("{}, as in {}", outputs(train), train.rows().name());
    Err(Error::Data(Refusal::new(place, outputs(set), expected)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Targets;
    use ndarray::{Array2, arr1};

    fn set(features: usize, classes: usize) -> Dataset {
        let labels = Targets::classes(arr1(&[0u8, 1]).view(), classes);
        let x = Array2::zeros((2, features));
        Dataset::from_rows(x.view(), labels.expect("labels")).expect("a data set")
    }

    #[test]
    fn sets_in_memory_are_named_by_their_use() {
        let splits = Splits::new(set(3, 2), Some(set(3, 2)), Some(set(3, 2))).expect("splits");
        assert_eq!(splits.train.rows().name(), "training rows");
        let name = |set: &Option<Dataset>| set.as_ref().map(|set| set.rows().name().to_owned());
        assert_eq!(name(&splits.validation).as_deref(), Some("validation rows"));
        assert_eq!(name(&splits.test).as_deref(), Some("test rows"));
    }

    #[test]
    fn sets_of_another_shape_are_refused() {
        for (test, message) in [
            (
                set(4, 2),
                "test rows: 4 features a row, expected 3, as in training rows",
            ),
            (
                set(3, 5),
                "test rows: 5 outputs of classification, expected 2 outputs of classification, as in training rows",
            ),
        ] {
            let refused = Splits::new(set(3, 2), None, Some(test)).expect_err("a refusal");
            assert_eq!(refused.to_string(), message);
        }
    }

    #[test]
    fn a_validation_set_is_held_out_of_rows_in_memory() {
        let labels = Targets::classes(arr1(&[0u8, 1].repeat(10)).view(), 2).expect("labels");
        let x = Array2::from_shape_fn((20, 1), |(row, _)| row as f32);
        let train = Dataset::from_rows(x.view(), labels).expect("a data set");
        let splits = Splits::new(train, None, None).expect("splits");
        let splits = splits.hold_out(Some(Holdout::Items(4)), 1).expect("enough");
        let validation = splits.validation.expect("a validation set");
        assert_eq!((splits.train.samples(), validation.samples()), (16, 4));
        assert!(validation.rows().shares_source_with(splits.train.rows()));
    }
}
