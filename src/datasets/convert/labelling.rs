//! How labels are written: as classes, multi-label, or as targets of a regression.
//!
//! Rows of 0 and 1 with exactly one 1 each (one-hot) are classes, too.

use super::classes::Classes;
use super::elements::{self, encode};
use super::request::{Labels, Request};
use super::source::{Cell, LabelKind, Sample, Source};
use super::survey::Survey;
use crate::data::Note;
use crate::data::class_names::ClassNames;
use crate::data::empty_classes::empty_classes;
use crate::data::idx::ElementType;
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};

/// The contents of a file of labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LabelFile {
    /// There is no such file: samples to predict.
    None,
    /// One of this many classes for each sample.
    Classes(usize),
    /// Any of this many classes for each sample, as 0 and 1.
    Multilabel(usize),
    /// This many target values for each sample.
    Targets(usize),
}

impl LabelFile {
    /// Returns the element type and the dimensions for this many samples; `None` if there is no file.
    fn layout(self, samples: usize) -> Option<(ElementType, Vec<usize>)> {
        Some(match self {
            LabelFile::None => return None,
            LabelFile::Classes(..=256) => (ElementType::U8, vec![samples]),
            LabelFile::Classes(_) => (ElementType::I32, vec![samples]),
            LabelFile::Multilabel(classes) => (ElementType::U8, vec![samples, classes]),
            LabelFile::Targets(outputs) => (ElementType::F32, vec![samples, outputs]),
        })
    }
}

/// The way in which the labels of a data set are written.
#[derive(Debug)]
pub(super) enum Labelling {
    Unlabelled,
    Classes(Classes),
    /// Classes, where the column of the 1 is the class.
    OneHot(usize, Option<ClassNames>),
    Multilabel(usize, Option<ClassNames>),
    Targets(usize),
}

type Surveyed<'a> = (&'a dyn Source, &'a Survey);

impl Labelling {
    /// Decides how to write the labels of the training samples. The labels of the other samples must be among them.
    pub fn new(request: &Request, train: Surveyed, others: &[Surveyed]) -> Result<Labelling> {
        match train.0.label_kind() {
            LabelKind::Absent => Ok(Labelling::Unlabelled),
            LabelKind::Class => {
                let all: Vec<Surveyed> = std::iter::once(train).chain(others.to_vec()).collect();
                let shared = if train.0.shares_classes() {
                    &all
                } else {
                    &all[..1]
                };
                let mut classes = Classes::new(request.class_names.as_ref(), shared)?;
                others.iter().try_for_each(|&set| classes.add_labels(set))?;
                Ok(Labelling::Classes(classes))
            }
            LabelKind::Values(titles) if matches!(request.labels, Labels::Targets(_)) => {
                match &request.class_names {
                    None => Ok(Labelling::Targets(titles.len())),
                    Some(_) => Err(Error::Config(Refusal::new(
                        Key("class_names"),
                        message!["given with ", Key("targets")],
                        "classes to go with it",
                    ))),
                }
            }
            LabelKind::Values(titles) => {
                let others = others.iter().map(|(_, survey)| *survey);
                let surveys: Vec<&Survey> = std::iter::once(train.1).chain(others).collect();
                Labelling::binary(request, titles, &surveys)
            }
        }
    }

    /// Several columns of 0 and 1, with these titles.
    fn binary(
        request: &Request,
        titles: &[Option<String>],
        surveys: &[&Survey],
    ) -> Result<Labelling> {
        let mut values = surveys.iter().map(|survey| &survey.values);
        if let Some((place, value)) = values.clone().find_map(|it| it.not_binary.as_ref()) {
            let found = elements::shortest(*value);
            let refusal = Refusal::new(place, found, "0 or 1, as in multi-label columns");
            let hint = message![
                "for a regression, use ",
                Key("targets"),
                "; of several numbers, of which one is the class, use ",
                Key("label_column").set_to(0)
            ];
            return Err(Error::Data(refusal.hint(hint)));
        }
        let names = names_of_columns(request, titles)?;
        let is_one_hot = values.all(|values| !values.not_one_hot);
        Ok(match is_one_hot && !request.multilabel {
            true => Labelling::OneHot(titles.len(), names),
            false => Labelling::Multilabel(titles.len(), names),
        })
    }

    /// Returns the contents of the file of labels.
    pub fn file(&self) -> LabelFile {
        match self {
            Labelling::Unlabelled => LabelFile::None,
            Labelling::Classes(classes) => LabelFile::Classes(classes.count()),
            Labelling::OneHot(count, _) => LabelFile::Classes(*count),
            Labelling::Multilabel(count, _) => LabelFile::Multilabel(*count),
            Labelling::Targets(count) => LabelFile::Targets(*count),
        }
    }

    /// Returns the names of the classes, if they have any.
    pub fn class_names(&self) -> Option<&ClassNames> {
        match self {
            Labelling::Classes(classes) => classes.names(),
            Labelling::OneHot(_, names) | Labelling::Multilabel(_, names) => names.as_ref(),
            Labelling::Unlabelled | Labelling::Targets(_) => None,
        }
    }

    /// Returns the element type and the dimensions of the labels of this many samples; `None` if there are no labels.
    pub fn layout(&self, samples: usize) -> Option<(ElementType, Vec<usize>)> {
        self.file().layout(samples)
    }

    /// Appends the encoded label of `sample`. Returns what was found and what was expected if the label did not occur in
    /// the first pass.
    pub fn encode(
        &self,
        sample: &Sample,
        out: &mut Vec<u8>,
    ) -> Result<(), (Cell, String, &'static str)> {
        let Some((element, _)) = self.layout(0) else {
            return Ok(());
        };
        match self {
            Labelling::Multilabel(..) | Labelling::Targets(_) => {
                for (at, &value) in sample.values.iter().enumerate() {
                    encode(value, element, out).map_err(|expected| {
                        (Cell::Value(at), elements::shortest(value), expected)
                    })?;
                }
            }
            _ => {
                let class = self.class_of(sample).ok_or_else(|| {
                    let found = format!("{:?}", sample.class);
                    (
                        Cell::Class,
                        found,
                        "a label that occurred in the first pass",
                    )
                })?;
                let encoded = encode(f64::from(class), element, out);
                encoded.expect("the element type follows from the number of classes");
            }
        }
        Ok(())
    }

    fn class_of(&self, sample: &Sample) -> Option<u32> {
        match self {
            Labelling::Classes(classes) => classes.class_of(&sample.class),
            Labelling::OneHot(..) => {
                let one = sample.values.iter().position(|&value| value == 1.0)?;
                Some(one as u32)
            }
            _ => None,
        }
    }

    /// Returns the group of `sample` in a stratified draw: its class, or 0 if it has none.
    pub fn group(&self, sample: &Sample) -> usize {
        self.class_of(sample).unwrap_or(0) as usize
    }

    /// Returns the note about classes that no training sample has, if there are any.
    pub fn without_sample(&self, (source, survey): Surveyed) -> Option<Note> {
        let sizes = match self {
            Labelling::Classes(classes) => classes.sizes(survey),
            Labelling::OneHot(..) | Labelling::Multilabel(..) => survey.values.ones.clone(),
            Labelling::Unlabelled | Labelling::Targets(_) => return None,
        };
        let has_samples = sizes.into_iter().map(|size| size > 0);
        let empty = empty_classes(has_samples, self.class_names());
        empty.map(|about| Note::new(source.path().display(), about))
    }

    /// Returns the number of samples in each group.
    pub fn groups(&self, survey: &Survey) -> Vec<usize> {
        match self {
            Labelling::Classes(classes) => classes.sizes(survey),
            Labelling::OneHot(..) => survey.values.ones.clone(),
            _ => vec![survey.samples as usize],
        }
    }
}

/// Returns the names of classes that are columns: the requested ones, or the titles of the columns.
fn names_of_columns(request: &Request, titles: &[Option<String>]) -> Result<Option<ClassNames>> {
    if let Some(names) = &request.class_names {
        return match names.names().len() == titles.len() {
            true => Ok(Some(names.clone())),
            false => Err(Error::Config(Refusal::new(
                Key("class_names"),
                format!("{} names", names.names().len()),
                format!("{}, one for each column", titles.len()),
            ))),
        };
    }
    let titles: Option<Vec<String>> = titles.iter().cloned().collect();
    // Not every title of a column is a valid name of a class; the classes are then numbers.
    Ok(titles.and_then(|titles| ClassNames::new("the header", titles).ok()))
}
