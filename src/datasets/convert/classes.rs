//! The classes of samples that have one label each.
//!
//! Classes are numbered in the order of their labels: whole numbers by value, anything else as text, or in the order of
//! the requested names. Labels 0, 1, 2 and so on are therefore the class numbers themselves; other labels are kept as
//! class names. Numbers from 2⁵³ on, which `f64` cannot tell apart, are accepted only among the requested names.

use std::collections::HashMap;

use super::source::{Cell, Source};
use super::survey::Survey;
use crate::data::class_names::ClassNames;
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};

/// The first whole number whose successor is no `f64`: 2⁵³.
const EXACT_LIMIT: f64 = 9_007_199_254_740_992.0;

/// Classes by their labels.
#[derive(Debug)]
pub(super) struct Classes {
    count: usize,
    /// The class of every label that occurs.
    by_label: HashMap<String, u32>,
    names: Option<ClassNames>,
    /// Whether a label may be the number of a class.
    accepts_numbers: bool,
}

type Surveyed<'a> = (&'a dyn Source, &'a Survey);

impl Classes {
    /// Returns the classes of these sets, of which there is at least one: the requested classes, or those that occur.
    pub fn new(requested: Option<&ClassNames>, sets: &[Surveyed]) -> Result<Classes> {
        let classes = match requested {
            Some(names) => {
                let mut classes = Classes::named(names.clone(), true);
                sets.iter().try_for_each(|&set| classes.add_labels(set))?;
                classes
            }
            None => Classes::from_labels(sets)?,
        };
        match classes.count {
            0 | 1 => Err(Error::Data(Refusal::new(
                sets[0].0.description(),
                "one class",
                "at least two",
            ))),
            _ => Ok(classes),
        }
    }

    /// The number of classes.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The names of the classes; `None` if the labels are the class numbers.
    pub fn names(&self) -> Option<&ClassNames> {
        self.names.as_ref()
    }

    /// Returns the class of a label, if the label occurred in the first pass.
    pub fn class_of(&self, label: &str) -> Option<u32> {
        self.by_label.get(label).copied()
    }

    /// Returns the number of samples in each class.
    pub fn sizes(&self, survey: &Survey) -> Vec<usize> {
        let mut sizes = vec![0; self.count];
        for (label, occurrence) in &survey.classes {
            if let Some(class) = self.class_of(label) {
                sizes[class as usize] += occurrence.samples as usize;
            }
        }
        sizes
    }

    fn from_labels(sets: &[Surveyed]) -> Result<Classes> {
        let labels = || sets.iter().flat_map(|(_, survey)| survey.classes.keys());
        if labels().all(|label| number(label).is_some()) {
            return Classes::from_numbers(sets);
        }
        let mut names: Vec<String> = labels().cloned().collect();
        names.sort();
        names.dedup();
        let names = ClassNames::new(sets[0].0.description(), names)?;
        Ok(Classes::named(names, false))
    }

    fn named(names: ClassNames, accepts_numbers: bool) -> Classes {
        Classes {
            count: names.names().len(),
            by_label: (0..)
                .zip(names.names())
                .map(|(class, name)| (name.clone(), class))
                .collect(),
            names: Some(names),
            accepts_numbers,
        }
    }

    /// Orders numbers by value. If they are 0, 1, 2 and so on, they need no names.
    fn from_numbers(sets: &[Surveyed]) -> Result<Classes> {
        sets.iter().try_for_each(|&set| check_whole(set))?;
        let labels = sets.iter().flat_map(|(_, survey)| survey.classes.keys());
        let values = labels.filter_map(|label| number(label));
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        let names: Vec<String> = values.iter().map(f64::to_string).collect();
        let are_class_numbers = values
            .iter()
            .enumerate()
            .all(|(at, &value)| value == at as f64);
        let mut classes = Classes::named(ClassNames::new(sets[0].0.description(), names)?, false);
        sets.iter().try_for_each(|&set| classes.add_labels(set))?;
        classes.names = classes.names.filter(|_| !are_class_numbers);
        Ok(classes)
    }

    /// Finds the class of labels that have none yet: those of test samples, or all if names were requested.
    ///
    /// # Errors
    /// Returns [`Error::Data`] with the first label in the file that belongs to no class.
    pub fn add_labels(&mut self, (source, survey): Surveyed) -> Result<()> {
        let mut labels: Vec<_> = survey.classes.iter().collect();
        labels.sort_by_key(|(_, occurrence)| occurrence.first);
        for (label, occurrence) in labels {
            if self.by_label.contains_key(label) {
                continue;
            }
            let by_value = exact(label).and_then(|value| self.class_of(&value.to_string()));
            let by_number = || class_number(label, self.count).filter(|_| self.accepts_numbers);
            let Some(class) = by_value.or_else(by_number) else {
                return Err(Error::Data(Refusal::new(
                    source.place(occurrence.first, Cell::Class),
                    format!("{label:?}"),
                    self.expected(),
                )));
            };
            self.by_label.insert(label.clone(), class);
        }
        Ok(())
    }

    /// Describes which labels are accepted.
    fn expected(&self) -> String {
        const SHOWN: usize = 12;
        let Some(names) = self.names.as_ref().map(ClassNames::names) else {
            return format!("a class of the training samples, 0 to {}", self.count - 1);
        };
        let first = names.iter().take(SHOWN).map(String::as_str);
        let first: Vec<&str> = first.collect();
        let more = match names.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!("one of the classes {}{more}", first.join(", "))
    }
}

/// Refuses the first number in the file that is not whole, or too large for `f64` to be exact.
fn check_whole((source, survey): Surveyed) -> Result<()> {
    let invalid = survey
        .classes
        .iter()
        .filter(|(label, _)| exact(label).is_none_or(|value| value.fract() != 0.0));
    let Some((label, occurrence)) = invalid.min_by_key(|(_, occurrence)| occurrence.first) else {
        return Ok(());
    };
    let (expected, hint) = match exact(label) {
        Some(_) => (
            "a class: a whole number, or a name",
            message!["for a regression, use ", Key("targets")],
        ),
        None => (
            "a class: a whole number below 2^53, or a name",
            message!["numbers listed in ", Key("class_names"), " are names"],
        ),
    };
    let place = source.place(occurrence.first, Cell::Class);
    Err(Error::Data(Refusal::new(place, label, expected).hint(hint)))
}

/// Parses a label as a finite number.
fn number(label: &str) -> Option<f64> {
    // -0 becomes 0.
    let value = label.parse::<f64>().ok()? + 0.0;
    value.is_finite().then_some(value)
}

/// Parses a label as a number that differs from every other number after rounding to `f64`.
fn exact(label: &str) -> Option<f64> {
    number(label).filter(|value| value.abs() < EXACT_LIMIT)
}

/// Parses a label as the number of one of `count` classes.
fn class_number(label: &str, count: usize) -> Option<u32> {
    let value = number(label)?;
    (value >= 0.0 && value < count as f64 && value.fract() == 0.0).then_some(value as u32)
}
