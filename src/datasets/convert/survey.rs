//! The first pass over a source: examines every sample and counts what an IDX file has to know.

use std::collections::HashMap;

use super::elements;
use super::progress::{Progress, ProgressReporter};
use super::request::Request;
use super::rounding::Rounded;
use super::source::{Cell, LabelKind, Sample, Source};
use crate::data::Note;
use crate::data::class_names::check_name;
use crate::data::idx::ElementType;
use crate::error::{Error, Refusal, Result};
use crate::message::Message;

/// The largest number of different labels. A column with more is no label.
const MAX_CLASSES: usize = 1 << 16;

/// The result of the first pass over a source.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// The number of samples, at least one and at most as many as an IDX file can have.
    pub samples: u64,
    /// The number of samples without a label, which are left out.
    pub without_label: u64,
    /// Whether every element is a whole number from 0 to 255.
    pub all_bytes: bool,
    /// Whether an `i32` holds every element.
    pub all_i32: bool,
    /// The large elements that an `f32` would round.
    pub rounded: Rounded,
    /// The classes by their labels, for [`LabelKind::Class`].
    pub classes: HashMap<String, Occurrence>,
    /// The numbers, for [`LabelKind::Values`].
    pub values: Values,
}

/// The number of samples with a label, and the first of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Occurrence {
    pub samples: u64,
    /// The [`Samples::position`](super::source::Samples::position) of the first sample.
    pub first: u64,
}

/// Facts about the numbers of all samples.
#[derive(Debug, Default)]
pub(super) struct Values {
    /// The place and value of the first number that is neither 0 nor 1.
    pub not_binary: Option<(String, f64)>,
    /// Whether some sample has no 1, or several.
    pub not_one_hot: bool,
    /// How many samples have a 1 in each column.
    pub ones: Vec<usize>,
    /// The large numbers that an `f32` rounds.
    pub rounded: Rounded,
}

impl Survey {
    /// Reads `source` to its end.
    pub fn of(
        source: &dyn Source,
        request: &Request,
        on_progress: &mut dyn FnMut(Progress),
    ) -> Result<Survey> {
        let mut survey = Survey {
            all_bytes: true,
            all_i32: true,
            ..Survey::default()
        };
        let own = source.element().unwrap_or(ElementType::F32);
        let element = request.element.unwrap_or(own);
        let mut samples = source.samples()?;
        let (mut sample, mut reporter) = (Sample::default(), ProgressReporter::default());
        while samples.next(&mut sample)? {
            let position = samples.position();
            let place = |cell| source.place(position, cell);
            if source.lacks_label(&sample, request) {
                survey.without_label += 1;
                continue;
            }
            survey.count_elements(&sample, element, &place)?;
            match source.label_kind() {
                LabelKind::Absent => {}
                LabelKind::Class => survey.count_class(&sample.class, position, &place)?,
                LabelKind::Values(_) => survey.count_values(&sample.values, &place)?,
            }
            survey.samples += 1;
            reporter.count(false, source, &*samples, on_progress);
        }
        match survey.samples {
            1..=0xffff_ffff => Ok(survey),
            samples => Err(Error::Data(Refusal::new(
                source.description(),
                format!("{samples} samples"),
                format!("1 to {}", u32::MAX),
            ))),
        }
    }

    /// Returns notes about samples that are left out, and about numbers that are rounded when elements are written as
    /// `element`.
    pub fn notes(
        &self,
        source: &dyn Source,
        requested: Option<ElementType>,
        element: ElementType,
    ) -> Vec<Note> {
        let left_out = match self.without_label {
            0 => None,
            1 => Some("left out 1 sample without a label".to_owned()),
            count => Some(format!("left out {count} samples without a label")),
        };
        let texts = [
            left_out.map(Message::from),
            self.rounded.of_elements(requested, element),
            self.values.rounded.of_values(),
        ];
        let texts = texts.into_iter().flatten();
        texts
            .map(|text| Note::new(source.path().display(), text))
            .collect()
    }

    fn count_elements(
        &mut self,
        sample: &Sample,
        element: ElementType,
        place: &dyn Fn(Cell) -> String,
    ) -> Result<()> {
        for (at, &value) in sample.elements.iter().enumerate() {
            self.all_bytes &= elements::is_byte(value);
            self.all_i32 &= elements::check(value, ElementType::I32).is_ok();
            check(value, element, Cell::Element(at), place)?;
            self.rounded.count(value, || place(Cell::Element(at)));
        }
        Ok(())
    }

    fn count_class(
        &mut self,
        class: &str,
        position: u64,
        place: &dyn Fn(Cell) -> String,
    ) -> Result<()> {
        if let Some(occurrence) = self.classes.get_mut(class) {
            occurrence.samples += 1;
            return Ok(());
        }
        let refuse = |found: String, expected: String| {
            Error::Data(Refusal::new(place(Cell::Class), found, expected))
        };
        check_name(class).map_err(|(found, expected)| refuse(found, expected))?;
        if self.classes.len() == MAX_CLASSES {
            let found = format!("{class:?}, different label number {}", MAX_CLASSES + 1);
            return Err(refuse(found, format!("at most {MAX_CLASSES} classes")));
        }
        let occurrence = Occurrence {
            samples: 1,
            first: position,
        };
        self.classes.insert(class.to_owned(), occurrence);
        Ok(())
    }

    fn count_values(&mut self, values: &[f64], place: &dyn Fn(Cell) -> String) -> Result<()> {
        let mut ones = 0;
        self.values.ones.resize(values.len(), 0);
        for (at, &value) in values.iter().enumerate() {
            ones += usize::from(value == 1.0);
            self.values.ones[at] += usize::from(value == 1.0);
            if value != 0.0 && value != 1.0 && self.values.not_binary.is_none() {
                self.values.not_binary = Some((place(Cell::Value(at)), value));
            }
            check(value, ElementType::F32, Cell::Value(at), place)?;
            self.values.rounded.count(value, || place(Cell::Value(at)));
        }
        self.values.not_one_hot |= ones != 1;
        Ok(())
    }
}

/// Refuses a value that an element of this type cannot hold.
fn check(
    value: f64,
    element: ElementType,
    cell: Cell,
    place: &dyn Fn(Cell) -> String,
) -> Result<()> {
    elements::check(value, element).map_err(|expected| {
        Error::Data(Refusal::new(
            place(cell),
            elements::shortest(value),
            expected,
        ))
    })
}
