//! The first reading: everything is looked at, and what an IDX file has to know is counted.

use std::collections::HashMap;

use super::source::{Answer, Cell, Item, Source};
use super::{Pace, Progress, Request, elements};
use crate::data::class_names::check_name;
use crate::data::idx::ElementType;
use crate::error::{Error, Refusal, Result};

/// More classes than this by name are no classes but a column of something else.
const MAX_NAMED: usize = 1 << 16;

/// What is known of a source that was read to its end.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// Items, at least one and at most as many as an IDX file counts.
    pub items: u64,
    /// Whether every element is a whole number from 0 to 255.
    pub bytes: bool,
    /// The classes by what they are called, for [`Answer::Class`].
    pub classes: HashMap<String, Seen>,
    /// The labels, for [`Answer::Numbers`].
    pub numbers: Numbers,
}

/// How often a class was seen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub items: u64,
    /// Where it was first seen, by [`Rows::mark`](super::source::Rows::mark).
    pub first: u64,
}

/// What several labels an item are.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// The first one that is neither 0 nor 1: its place and itself.
    pub other: Option<(String, f64)>,
    /// Whether some item has none that is 1, or several.
    pub not_one_hot: bool,
    /// How many items have a 1 at each place.
    pub ones: Vec<usize>,
}

impl Survey {
    /// Reads `source` to its end.
    pub fn of(
        source: &dyn Source,
        request: &Request,
        on_progress: &mut dyn FnMut(Progress),
    ) -> Result<Survey> {
        let mut survey = Survey {
            bytes: true,
            ..Survey::default()
        };
        let element = request.element.unwrap_or(ElementType::F32);
        let mut rows = source.rows()?;
        let (mut item, mut pace) = (Item::default(), Pace::default());
        while rows.next(&mut item)? {
            let mark = rows.mark();
            survey.elements(&item, element, &|cell| source.place(mark, cell))?;
            match source.answer() {
                Answer::Nothing => {}
                Answer::Class => survey.class(&item, mark, source)?,
                Answer::Numbers(_) => survey.numbers(&item, &|cell| source.place(mark, cell))?,
            }
            survey.items += 1;
            pace.tell(false, source, &*rows, on_progress);
        }
        match survey.items {
            1..=0xffff_ffff => Ok(survey),
            items => Err(Error::Data(Refusal::new(
                source.about(),
                format!("{items} items"),
                format!("1 to {}", u32::MAX),
            ))),
        }
    }

    fn elements(
        &mut self,
        item: &Item,
        element: ElementType,
        place: &dyn Fn(Cell) -> String,
    ) -> Result<()> {
        for (at, &value) in item.elements.iter().enumerate() {
            self.bytes &= elements::is_byte(value);
            elements::check(value, element).map_err(|expected| {
                let found = elements::written(value);
                Error::Data(Refusal::new(place(Cell::Element(at)), found, expected))
            })?;
        }
        Ok(())
    }

    fn class(&mut self, item: &Item, mark: u64, source: &dyn Source) -> Result<()> {
        if let Some(seen) = self.classes.get_mut(&item.class) {
            seen.items += 1;
            return Ok(());
        }
        let refuse = |found: String, expected: String| {
            Error::Data(Refusal::new(
                source.place(mark, Cell::Class),
                found,
                expected,
            ))
        };
        check_name(&item.class).map_err(|(found, expected)| refuse(found, expected))?;
        if self.classes.len() == MAX_NAMED {
            let found = format!("{:?}, the {}th other label", item.class, MAX_NAMED + 1);
            return Err(refuse(found, format!("at most {MAX_NAMED} classes")));
        }
        let seen = Seen {
            items: 1,
            first: mark,
        };
        self.classes.insert(item.class.clone(), seen);
        Ok(())
    }

    fn numbers(&mut self, item: &Item, place: &dyn Fn(Cell) -> String) -> Result<()> {
        let mut ones = 0;
        self.numbers.ones.resize(item.numbers.len(), 0);
        for (at, &value) in item.numbers.iter().enumerate() {
            ones += usize::from(value == 1.0);
            self.numbers.ones[at] += usize::from(value == 1.0);
            if value != 0.0 && value != 1.0 && self.numbers.other.is_none() {
                self.numbers.other = Some((place(Cell::Number(at)), value));
            }
            elements::check(value, ElementType::F32).map_err(|expected| {
                let found = elements::written(value);
                Error::Data(Refusal::new(place(Cell::Number(at)), found, expected))
            })?;
        }
        self.numbers.not_one_hot |= ones != 1;
        Ok(())
    }
}
