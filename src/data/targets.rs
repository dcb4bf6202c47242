//! The targets of samples: a class, values, or several classes each, depending on the task.
//!
//! [`super::label_file`] reads them from an IDX file. Targets are checked and copied, so that a file that changes while
//! it is mapped can never turn into an index out of range, a NaN or an infinity.

use std::fmt::Display;

use ndarray::{ArrayView1, ArrayView2};

use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};
use crate::nn::Task;

/// The largest number of classes. More are a mistake in the labels, not a problem for a softmax.
pub const MAX_CLASSES: usize = 1 << 20;

/// The name of targets in memory, in messages.
const UNNAMED: &str = "targets";

/// The targets of the samples of a set. The fields can be read by anyone; only this library can make a value, so that
/// every value is checked.
///
/// ```
/// use perceptor::ndarray::{arr1, arr2};
/// use perceptor::{Targets, Task};
///
/// let classes = Targets::classes(arr1(&[0u8, 2, 1]).view(), 3)?;
/// let values = Targets::values(arr2(&[[0.5], [1.5], [-2.0]]).view())?;
/// let flags = Targets::flags(arr2(&[[true, false], [true, true], [false, false]]).view())?;
/// assert_eq!(classes.task(), Task::Classification);
/// assert_eq!((values.samples(), flags.outputs()), (3, 2));
/// assert!(Targets::classes(arr1(&[0u8, 3]).view(), 3).is_err());
/// # Ok::<(), perceptor::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum Targets {
    /// One class for each sample, for [`Task::Classification`].
    #[non_exhaustive]
    Classes {
        /// The class of each sample, `[samples]`, all below `classes`.
        labels: Vec<u32>,
        /// Number of classes.
        classes: usize,
    },
    /// Values to predict, for [`Task::Regression`].
    #[non_exhaustive]
    Values {
        /// Row by row, `[samples, outputs]`, all finite.
        values: Vec<f32>,
        /// Number of values of a sample.
        outputs: usize,
    },
    /// Any number of classes for each sample, for [`Task::Multilabel`].
    #[non_exhaustive]
    Flags {
        /// 1 if a sample has a class and 0 if not, row by row, `[samples, classes]`.
        flags: Vec<u8>,
        /// Number of classes.
        classes: usize,
    },
}

impl Targets {
    /// Takes the class of each sample, for [`Task::Classification`].
    ///
    /// Shapes: `labels [samples]`.
    ///
    /// # Errors
    /// Returns [`Error::Data`] if there are fewer than 2 or more than 2²⁰ classes, or if a label is not in
    /// `0..classes`.
    pub fn classes<T>(labels: ArrayView1<T>, classes: usize) -> Result<Targets>
    where
        T: Copy + Display + TryInto<u32>,
    {
        if !(2..=MAX_CLASSES).contains(&classes) {
            let (found, expected) = (format!("{classes} classes"), format!("2 to {MAX_CLASSES}"));
            return Err(Error::Data(Refusal::new(UNNAMED, found, expected)));
        }
        let checked = labels.iter().enumerate().map(|(row, &label)| {
            let number = label.try_into().ok();
            number
                .filter(|&label| (label as usize) < classes)
                .ok_or_else(|| {
                    let found = format!("row {row} has label {label}");
                    Error::Data(Refusal::new(
                        UNNAMED,
                        found,
                        format!("0 to {}", classes - 1),
                    ))
                })
        });
        Ok(Targets::Classes {
            labels: checked.collect::<Result<_>>()?,
            classes,
        })
    }

    /// The root mean square of the numbers to predict, if it is so large that usual learning rates are too high for them.
    pub fn large_size(&self) -> Option<f64> {
        /// The usual loss grows with the square of the size.
        const LARGE: f64 = 30.0;
        let Targets::Values { values, .. } = self else {
            return None;
        };
        let squares = values.iter().map(|&value| f64::from(value).powi(2));
        let size = (squares.sum::<f64>() / values.len() as f64).sqrt();
        (size > LARGE).then_some(size)
    }

    /// Takes the values to predict, for [`Task::Regression`].
    ///
    /// Shapes: `values [samples, outputs]`.
    ///
    /// # Errors
    /// Returns [`Error::Data`] if there are no outputs or more than 2²⁰, or if a value is NaN or infinite.
    pub fn values(values: ArrayView2<f32>) -> Result<Targets> {
        let outputs = check_width(values.ncols(), "outputs")?;
        if let Some(((row, output), value)) = values.indexed_iter().find(|(_, x)| !x.is_finite()) {
            let found = format!("row {row} has {value} at {output}");
            return Err(Error::Data(Refusal::new(UNNAMED, found, "a finite number")));
        }
        Ok(Targets::Values {
            values: values.iter().copied().collect(),
            outputs,
        })
    }

    /// Takes a flag for each class of each sample, 0 or 1, or `false` or `true`, for [`Task::Multilabel`].
    ///
    /// Shapes: `flags [samples, classes]`.
    ///
    /// # Errors
    /// Returns [`Error::Data`] if there are no classes or more than 2²⁰, or if a flag is neither 0 nor 1.
    pub fn flags<T: Copy + Into<u8>>(flags: ArrayView2<T>) -> Result<Targets> {
        let classes = check_width(flags.ncols(), "classes")?;
        let flags = flags.mapv(Into::into);
        if let Some(((row, class), flag)) = flags.indexed_iter().find(|(_, flag)| **flag > 1) {
            let found = format!("row {row} has {flag} at {class}");
            return Err(Error::Data(Refusal::new(UNNAMED, found, "0 or 1")));
        }
        Ok(Targets::Flags {
            flags: flags.iter().copied().collect(),
            classes,
        })
    }

    /// Selects the targets of these `samples`, in this order.
    ///
    /// # Panics
    /// Panics if a sample is out of range.
    pub fn select(&self, samples: &[u32]) -> Targets {
        fn rows<T: Copy>(all: &[T], width: usize, samples: &[u32]) -> Vec<T> {
            let row = |&sample: &u32| &all[sample as usize * width..][..width];
            samples.iter().flat_map(row).copied().collect()
        }
        match self {
            Targets::Classes { labels, classes } => Targets::Classes {
                labels: rows(labels, 1, samples),
                classes: *classes,
            },
            Targets::Values { values, outputs } => Targets::Values {
                values: rows(values, *outputs, samples),
                outputs: *outputs,
            },
            Targets::Flags { flags, classes } => Targets::Flags {
                flags: rows(flags, *classes, samples),
                classes: *classes,
            },
        }
    }

    /// Checks that values are counts or other numbers of at least 0; messages name the set `place`.
    ///
    /// # Errors
    /// Returns [`Error::Data`] for the first value below 0.
    pub(crate) fn check_counts(&self, place: &str) -> Result<()> {
        let Targets::Values { values, outputs } = self else {
            return Ok(());
        };
        let Some(at) = values.iter().position(|&value| value < 0.0) else {
            return Ok(());
        };
        let (row, output) = (at / outputs, at % outputs);
        let found = format!("the target of row {row} is {} at {output}", values[at]);
        Err(Error::Data(Refusal::new(place, found, "0 or more").hint(
            message![
                Key("loss").set_to("poisson"),
                " is for counts; use another loss"
            ],
        )))
    }

    /// Returns the task that the targets are for.
    pub fn task(&self) -> Task {
        match self {
            Targets::Classes { .. } => Task::Classification,
            Targets::Values { .. } => Task::Regression,
            Targets::Flags { .. } => Task::Multilabel,
        }
    }

    /// Returns the number of samples.
    pub fn samples(&self) -> usize {
        match self {
            Targets::Classes { labels, .. } => labels.len(),
            Targets::Values { values, outputs } => values.len() / outputs,
            Targets::Flags { flags, classes } => flags.len() / classes,
        }
    }

    /// Returns the number of outputs of a network for these targets: the number of classes, or of values to predict.
    pub fn outputs(&self) -> usize {
        match self {
            Targets::Classes { classes, .. } | Targets::Flags { classes, .. } => *classes,
            Targets::Values { outputs, .. } => *outputs,
        }
    }

    /// Writes the targets of a sample to `row`: the values of regression, or a 0 or 1 for each class of multi-label
    /// classification.
    ///
    /// Shapes: `row [outputs]`. Overwrites it.
    ///
    /// # Panics
    /// Panics if the sample is out of range, or if the targets are for [`Task::Classification`].
    pub fn read_row(&self, sample: usize, row: &mut [f32]) {
        let range = sample * row.len()..(sample + 1) * row.len();
        match self {
            Targets::Classes { .. } => {
                unreachable!("rows of targets for samples of one class each")
            }
            Targets::Values { values, .. } => row.copy_from_slice(&values[range]),
            Targets::Flags { flags, .. } => {
                let flags = flags[range].iter().copied();
                row.iter_mut()
                    .zip(flags)
                    .for_each(|(t, flag)| *t = f32::from(flag));
            }
        }
    }
}

/// Checks the width of an array of targets, whose columns are `what`.
fn check_width(width: usize, what: &str) -> Result<usize> {
    match width {
        1..=MAX_CLASSES => Ok(width),
        _ => {
            let (found, expected) = (format!("{width} {what}"), format!("1 to {MAX_CLASSES}"));
            Err(Error::Data(Refusal::new(UNNAMED, found, expected)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{arr1, arr2};

    fn message(refused: Result<Targets>) -> String {
        refused.expect_err("a refusal").to_string()
    }

    #[test]
    fn arrays_of_any_number_type_become_labels() {
        let expected = Targets::Classes {
            labels: vec![2, 0, 1],
            classes: 3,
        };
        let bytes = Targets::classes(arr1(&[2u8, 0, 1]).view(), 3);
        let wide = Targets::classes(arr1(&[2i64, 0, 1]).view(), 3);
        let sizes = Targets::classes(arr1(&[2usize, 0, 1]).view(), 3);
        for targets in [bytes, wide, sizes] {
            assert_eq!(targets.expect("labels"), expected);
        }
    }

    #[test]
    fn a_label_out_of_range_is_refused() {
        for label in [3, -1, i64::MAX] {
            let refused = Targets::classes(arr1(&[0, label]).view(), 3);
            let expected = format!("targets: row 1 has label {label}, expected 0 to 2");
            assert_eq!(message(refused), expected);
        }
        let refused = Targets::classes(arr1(&[0u8]).view(), 1);
        assert_eq!(
            message(refused),
            "targets: 1 classes, expected 2 to 1048576"
        );
    }

    #[test]
    fn a_value_that_is_not_finite_is_refused() {
        let refused = Targets::values(arr2(&[[0.0, 1.0], [0.0, f32::NAN]]).view());
        let expected = "targets: row 1 has NaN at 1, expected a finite number";
        assert_eq!(message(refused), expected);
    }

    #[test]
    fn flags_are_booleans_or_zeros_and_ones() {
        let of_booleans = Targets::flags(arr2(&[[true, false]]).view()).expect("flags");
        let of_bytes = Targets::flags(arr2(&[[1u8, 0]]).view()).expect("flags");
        assert_eq!(of_booleans, of_bytes);
        let refused = Targets::flags(arr2(&[[1u8, 2]]).view());
        assert_eq!(
            message(refused),
            "targets: row 0 has 2 at 1, expected 0 or 1"
        );
    }
}
