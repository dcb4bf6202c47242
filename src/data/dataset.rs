//! Rows with their targets, checked as a pair.
//!
//! Rows of a file stay in the mapped file; targets are copied.

use std::path::Path;

use ndarray::ArrayView2;

use super::class_map::{ClassMap, KnownClasses};
use super::class_names::ClassNames;
use super::empty_classes::without_sample;
use super::fit_scaling::check_finite;
use super::idx::IdxFile;
use super::label_file::is_one_hot;
use super::note::Note;
use super::preprocessing::Preprocessing;
use super::rows::Rows;
use super::targets::Targets;
use crate::error::{Error, Refusal, Result};
use crate::nn::task::Task;

/// Rows of features, each with its target.
///
/// ```
/// use perceptor::ndarray::{arr1, arr2};
/// use perceptor::{Dataset, Targets};
///
/// let x = arr2(&[[5.1, 3.5], [6.2, 2.9], [5.0, 3.4]]);
/// let labels = arr1(&[0u8, 1, 0]);
/// let data = Dataset::from_rows(x.view(), Targets::classes(labels.view(), 2)?)?;
/// assert_eq!((data.samples(), data.features(), data.outputs()), (3, 2, 2));
/// # Ok::<(), perceptor::Error>(())
/// ```
#[derive(Debug)]
pub struct Dataset {
    rows: Rows,
    targets: Targets,
    /// What each sample counts in training, with a mean of 1 when they were given, `[samples]`.
    weights: Option<Vec<f32>>,
    class_names: Option<ClassNames>,
    /// What was changed when it was opened.
    notes: Vec<Note>,
}

impl Dataset {
    /// Pairs the rows of an array, which is copied, with their targets.
    ///
    /// Shapes: `x [rows, features]`.
    ///
    /// # Errors
    /// Returns [`Error::Data`] if the numbers of rows and targets differ, if there are no rows or no features, or if an
    /// element is NaN or infinite, and [`Error::Memory`] if the system refuses the memory.
    pub fn from_rows(x: ArrayView2<f32>, targets: Targets) -> Result<Dataset> {
        let rows = Rows::from_array(x)?;
        check_finite(&rows)?;
        Dataset::pair(rows, targets, "targets")
    }

    /// Pairs rows with their targets.
    ///
    /// # Errors
    /// Returns [`Error::Data`] if the numbers of rows and targets differ.
    pub fn new_pair(rows: Rows, targets: Targets) -> Result<Dataset> {
        Dataset::pair(rows, targets, "targets")
    }

    /// Opens and checks a pair of IDX files for classification. Without `classes` their number is the largest label
    /// plus one, and at least two.
    ///
    /// # Errors
    /// Returns [`Error::Io`] or [`Error::Data`] if a file is missing or damaged, if the two have different numbers of
    /// items, or if a label is not in `0..classes`.
    pub fn open(images: &Path, labels: &Path, classes: Option<usize>) -> Result<Dataset> {
        Dataset::new(IdxFile::open(images)?, &IdxFile::open(labels)?, classes)
    }

    /// Checks a pair of IDX files that are open already, as [`Dataset::open`] does.
    ///
    /// # Errors
    /// Returns the errors of [`Dataset::open`].
    pub fn new(images: IdxFile, label_file: &IdxFile, classes: Option<usize>) -> Result<Dataset> {
        Dataset::for_task(Task::Classification, images, label_file, classes)
    }

    /// Pairs `images`, from an IDX file, with the labels of another for any task. `outputs` is the number of outputs of
    /// the network, if it is known.
    ///
    /// # Errors
    /// Returns [`Error::Data`] if the two have different numbers of items, and the errors of [`Targets::read`].
    pub fn for_task(
        task: Task,
        images: impl Into<Rows>,
        label_file: &IdxFile,
        outputs: Option<usize>,
    ) -> Result<Dataset> {
        let targets = Targets::read(label_file, task, outputs)?;
        let labels = label_file.path().display().to_string();
        let mut set = Dataset::pair(images.into(), targets, &labels)?;
        if task == Task::Classification && is_one_hot(label_file) {
            let classes = set.targets.outputs();
            let about = format!("labels are one-hot, taken as one of {classes} classes each");
            set.notes.push(Note::new(labels, about));
        }
        Ok(set)
    }

    /// Pairs `rows` with `targets`, which messages call `labels`.
    fn pair(rows: Rows, targets: Targets, labels: &str) -> Result<Dataset> {
        if targets.samples() != rows.len() {
            return Err(Error::Data(Refusal::new(
                labels,
                format!("{} labels", targets.samples()),
                format!("{}, one for each row of {}", rows.len(), rows.name()),
            )));
        }
        Ok(Dataset {
            rows,
            targets,
            weights: None,
            class_names: None,
            notes: Vec::new(),
        })
    }

    /// Selects these `samples`, in this order, which are then numbered from 0. Rows are not copied.
    ///
    /// # Panics
    /// Panics if a sample is out of range.
    pub fn select(&self, samples: &[u32]) -> Dataset {
        Dataset {
            rows: self.rows.select(samples),
            targets: self.targets.select(samples),
            weights: self.weights.as_ref().map(|weights| {
                let weights = samples.iter().map(|&sample| weights[sample as usize]);
                weights.collect()
            }),
            class_names: self.class_names.clone(),
            notes: Vec::new(),
        }
    }

    /// Weighs the samples in training: a sample of weight 2 counts as much as two of weight 1. The loss of a batch or an
    /// epoch is divided by the sum of its weights, so only their proportions matter; weights of classes multiply them. Scores
    /// of an evaluation are not weighted.
    ///
    /// Shapes: `weights [samples]`.
    ///
    /// # Errors
    /// Returns [`Error::Data`] if there is not one weight for each sample, if one is negative, NaN or infinite, or if all
    /// are 0.
    ///
    /// ```
    /// use perceptor::ndarray::{arr1, arr2};
    /// use perceptor::{Dataset, Targets};
    ///
    /// let x = arr2(&[[5.1], [6.2], [5.0]]);
    /// let y = Targets::values(arr2(&[[1.0], [2.0], [3.0]]).view())?;
    /// let data = Dataset::from_rows(x.view(), y)?.with_weights(vec![1.0, 4.0, 1.0])?;
    /// assert_eq!(data.weights(), Some(&[0.5, 2.0, 0.5][..]));
    /// # Ok::<(), perceptor::Error>(())
    /// ```
    pub fn with_weights(self, weights: Vec<f32>) -> Result<Dataset> {
        self.weighted("sample weights", weights)
    }

    /// [`Dataset::with_weights`], which messages call `place`.
    pub(super) fn weighted(mut self, place: &str, mut weights: Vec<f32>) -> Result<Dataset> {
        let refuse = |found: String, expected: String| {
            Err(Error::Data(Refusal::new(place, found, expected)))
        };
        if weights.len() != self.samples() {
            let (found, rows) = (format!("{} weights", weights.len()), self.rows.name());
            let expected = format!("{}, one for each row of {rows}", self.samples());
            return refuse(found, expected);
        }
        let is_weight = |weight: f32| weight.is_finite() && weight >= 0.0;
        if let Some(row) = weights.iter().position(|&weight| !is_weight(weight)) {
            let found = format!("row {row} has weight {}", weights[row]);
            return refuse(found, "a finite number of at least 0".to_owned());
        }
        let total: f64 = weights.iter().copied().map(f64::from).sum();
        if total == 0.0 {
            return refuse("weights of 0 only".to_owned(), "one above 0".to_owned());
        }
        // Equal weights become 1 exactly: their sum and this product are exact.
        let count = weights.len() as f64;
        for weight in &mut weights {
            *weight = (f64::from(*weight) * count / total) as f32;
        }
        self.weights = Some(weights);
        Ok(self)
    }

    /// What each sample counts in training, `[samples]`; `None` if all count the same. The weights are scaled: only their
    /// proportions are those that were given.
    pub fn weights(&self) -> Option<&[f32]> {
        self.weights.as_deref()
    }

    /// Names the classes, or the labels of multi-label classification.
    ///
    /// # Errors
    /// Returns [`Error::Data`] if there is not one name for each class.
    pub fn with_class_names(mut self, names: ClassNames) -> Result<Dataset> {
        self.set_class_names("class names", names)?;
        Ok(self)
    }

    /// Names rows in memory for messages: `training rows`.
    pub(super) fn set_name(&mut self, name: &str) {
        self.rows.set_name(name);
    }

    /// Takes the class names of the file `path`; regression ignores them. If the classes were `counted` from the
    /// labels, their number becomes that of the names, as labels need not contain every class.
    pub(super) fn name_classes(
        &mut self,
        path: &Path,
        names: ClassNames,
        counted: bool,
    ) -> Result<()> {
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
        self.set_class_names(&path.display().to_string(), names)
    }

    fn set_class_names(&mut self, place: &str, names: ClassNames) -> Result<()> {
        let found = names.names().len();
        if self.task() == Task::Regression || found != self.outputs() {
            let expected = match self.task() {
                Task::Regression => "none for values to predict".to_owned(),
                _ => format!("{}, one for each class", self.outputs()),
            };
            let refusal = Refusal::new(place, format!("{found} names"), expected);
            let hint = "correct the file, or rename it if it does not belong to these labels";
            return Err(Error::Data(refusal.hint(hint)));
        }
        self.class_names = Some(names);
        Ok(())
    }

    /// Replaces the labels, which the file `path` names the classes of, by those of the known classes of these names.
    pub(super) fn match_classes(
        &mut self,
        (path, map): (&Path, &ClassMap),
        known: KnownClasses,
    ) -> Result<()> {
        let targets = map.apply(self.targets.clone());
        self.targets = targets.map_err(|(found, expected)| {
            let expected = format!("{expected}, as many as {} has", known.owner);
            Error::Data(Refusal::new(path.display(), found, expected))
        })?;
        self.notes.push(map.note(path, known));
        Ok(())
    }

    /// Returns the note about classes that no sample has, if there are any.
    pub fn without_sample(&self) -> Option<Note> {
        let empty = without_sample(&self.targets, self.class_names());
        empty.map(|about| Note::new(self.rows.name(), about))
    }

    /// Returns notes about what was changed when it was opened.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// Takes the class names of `other`, the training set that this set belongs to.
    pub(super) fn share_class_names(&mut self, other: &Dataset) {
        self.class_names.clone_from(&other.class_names);
    }

    /// Returns the rows of features.
    pub fn rows(&self) -> &Rows {
        &self.rows
    }

    /// Returns the targets.
    pub fn targets(&self) -> &Targets {
        &self.targets
    }

    /// Returns the task that the targets are for.
    pub fn task(&self) -> Task {
        self.targets.task()
    }

    /// Returns the class of each sample, all below [`Dataset::outputs`].
    ///
    /// # Panics
    /// Panics if the task is not classification.
    pub fn labels(&self) -> &[u32] {
        match &self.targets {
            Targets::Classes { labels, .. } => labels,
            other => panic!("labels of a set for {}", other.task().name()),
        }
    }

    /// Returns the number of outputs of a network for this set: the number of classes, or of values to predict.
    pub fn outputs(&self) -> usize {
        self.targets.outputs()
    }

    /// Returns the class names, one for each class, if they are known.
    pub fn class_names(&self) -> Option<&ClassNames> {
        self.class_names.as_ref()
    }

    /// Returns the number of samples.
    pub fn samples(&self) -> usize {
        self.targets.samples()
    }

    /// Returns the number of features of a sample.
    pub fn features(&self) -> usize {
        self.rows.features()
    }

    /// Asks the processor to load the rows of `samples` into its cache.
    ///
    /// # Panics
    /// Panics if a sample is out of range.
    pub fn fetch_ahead(&self, samples: &[u32]) {
        for &sample in samples {
            self.rows.prefetch(sample as usize);
        }
    }

    /// Gathers `samples` as inputs: their active columns, scaled. Meanwhile the processor prefetches `ahead`, at most
    /// as many samples that are gathered soon: one between two others, as it can only wait for so many at a time.
    ///
    /// Shapes: `inputs` has a row `[active columns]` for each sample. Overwrites them.
    ///
    /// # Panics
    /// Panics if a sample is out of range or a buffer has another length.
    pub fn gather<'a>(
        &self,
        samples: &[u32],
        ahead: &[u32],
        preprocessing: &Preprocessing,
        inputs: impl ExactSizeIterator<Item = &'a mut [f32]>,
    ) {
        let (scaling, columns) = (&*preprocessing.input_scaling(), &preprocessing.columns);
        self.gather_by(samples, ahead, inputs, |sample, input| {
            self.rows.read_active(sample, scaling, columns, input);
        });
    }

    /// Gathers `samples` as [`Dataset::gather`] does, as they are stored.
    ///
    /// Shapes: `inputs` has a row `[features]` for each sample. Overwrites them.
    ///
    /// # Panics
    /// Panics if a sample is out of range, a buffer has another length, or elements are not bytes.
    pub fn gather_bytes<'a>(
        &self,
        samples: &[u32],
        ahead: &[u32],
        inputs: impl ExactSizeIterator<Item = &'a mut [u8]>,
    ) {
        self.gather_by(samples, ahead, inputs, |sample, input| {
            input.copy_from_slice(self.rows.stored(sample));
        });
    }

    fn gather_by<T>(
        &self,
        samples: &[u32],
        ahead: &[u32],
        inputs: impl ExactSizeIterator<Item = T>,
        read: impl Fn(usize, T),
    ) {
        assert_eq!(inputs.len(), samples.len(), "one row for each sample");
        let mut ahead = ahead.iter();
        for (&sample, input) in samples.iter().zip(inputs) {
            if let Some(&sample) = ahead.next() {
                self.rows.prefetch(sample as usize);
            }
            read(sample as usize, input);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{arr1, arr2};

    fn labels(labels: &[u32]) -> Targets {
        Targets::classes(arr1(labels).view(), 3).expect("labels")
    }

    #[test]
    fn rows_and_targets_must_be_as_many() {
        let x = arr2(&[[1.0, 2.0], [3.0, 4.0]]);
        let refused = Dataset::from_rows(x.view(), labels(&[0, 1, 2])).expect_err("a refusal");
        assert_eq!(
            refused.to_string(),
            "targets: 3 labels, expected 2, one for each row of x"
        );
        let data = Dataset::from_rows(x.view(), labels(&[0, 2])).expect("a data set");
        assert_eq!((data.samples(), data.features(), data.outputs()), (2, 2, 3));
        assert_eq!(data.select(&[1]).labels(), [2]);
    }

    #[test]
    fn an_element_that_is_not_finite_is_refused() {
        let x = arr2(&[[1.0, f32::INFINITY]]);
        let refused = Dataset::from_rows(x.view(), labels(&[0])).expect_err("a refusal");
        assert_eq!(
            refused.to_string(),
            "x: row 0, feature 1 is inf, expected finite numbers"
        );
    }

    #[test]
    fn weights_stay_with_their_rows_and_equal_ones_are_1() {
        let x = arr2(&[[1.0], [2.0], [3.0]]);
        let set = || Dataset::from_rows(x.view(), labels(&[0, 1, 2])).expect("a data set");
        assert_eq!(set().weights(), None);
        let weighted = set().with_weights(vec![1.0, 0.0, 2.0]).expect("weights");
        assert_eq!(weighted.weights(), Some(&[1.0, 0.0, 2.0][..]));
        let selected = weighted.select(&[2, 0]);
        assert_eq!(selected.weights(), Some(&[2.0, 1.0][..]));
        for weight in [0.1, 3.0, 1e-30, 1e30] {
            let equal = set().with_weights(vec![weight; 3]).expect("weights");
            assert_eq!(equal.weights(), Some(&[1.0; 3][..]));
        }
    }

    #[test]
    fn weights_that_are_none_are_refused() {
        let refusal = |weights: &[f32]| {
            let x = arr2(&[[1.0], [2.0]]);
            let set = Dataset::from_rows(x.view(), labels(&[0, 1])).expect("a data set");
            let refused = set.with_weights(weights.to_vec());
            refused.expect_err("a refusal").to_string()
        };
        assert_eq!(
            refusal(&[1.0]),
            "sample weights: 1 weights, expected 2, one for each row of x"
        );
        for weight in [-1.0, f32::NAN, f32::INFINITY] {
            let expected = format!(
                "sample weights: row 1 has weight {weight}, expected a finite number of at least 0"
            );
            assert_eq!(refusal(&[1.0, weight]), expected);
        }
        assert_eq!(
            refusal(&[0.0, 0.0]),
            "sample weights: weights of 0 only, expected one above 0"
        );
    }

    #[test]
    fn there_is_one_name_for_each_class() {
        let set = || Dataset::from_rows(arr2(&[[1.0]]).view(), labels(&[0])).expect("a data set");
        let names = |names: &[&str]| {
            let names = names.iter().map(|name| name.to_string());
            ClassNames::new("class names", names.collect()).expect("names")
        };
        let named = set().with_class_names(names(&["a", "b", "c"]));
        let named = named.expect("a name for each");
        assert_eq!(named.class_names().expect("names").names()[2], "c");
        let refused = set().with_class_names(names(&["a", "b"]));
        assert!(
            refused
                .expect_err("a refusal")
                .to_string()
                .starts_with("class names: 2 names, expected 3, one for each class")
        );
    }
}
