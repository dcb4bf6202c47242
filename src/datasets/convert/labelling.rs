//! What labels come to: classes by number or by name, several labels an item, or numbers to predict.
//!
//! Classes are counted in the order of their labels: whole numbers by value, anything else as text, or as the names that
//! were asked for stand. Labels that are 0, 1, 2 and so on thus are the classes themselves; all others are kept as the
//! names of theirs. Numbers from 2⁵³ on, which `f64` does not tell apart, are classes only by names that were asked for.
//! Rows of 0 and 1 with exactly one 1 each (one-hot) are classes too.

use std::collections::HashMap;

use super::elements::{self, encode};
use super::source::{Answer, Cell, Item, Source};
use super::survey::Survey;
use super::{LabelFile, Labels, Request};
use crate::data::class_names::ClassNames;
use crate::data::idx::ElementType;
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};

/// Where `f64` begins to leave out whole numbers: 2⁵³.
const LIMIT: f64 = 9_007_199_254_740_992.0;

/// How labels are written.
#[derive(Debug)]
pub(super) enum Labelling {
    Unlabelled,
    Classes(Classes),
    /// Classes, each item's being the column that is 1.
    OneHot(usize, Option<ClassNames>),
    Multilabel(usize, Option<ClassNames>),
    Targets(usize),
}

/// Classes by what they are called.
#[derive(Debug)]
pub(super) struct Classes {
    count: usize,
    /// The class of every label that occurs.
    by_label: HashMap<String, u32>,
    names: Option<ClassNames>,
    /// Whether labels may be numbers of classes.
    numbered: bool,
}

type Surveyed<'a> = (&'a dyn Source, &'a Survey);

impl Labelling {
    /// What the labels of the training items come to; those of the test items must be among them.
    pub fn new(request: &Request, train: Surveyed, test: Option<Surveyed>) -> Result<Labelling> {
        let titles = match train.0.answer() {
            Answer::Nothing => return Ok(Labelling::Unlabelled),
            Answer::Class => {
                let mut classes = Classes::new(request, train)?;
                if let Some(test) = test {
                    classes.take_in(test)?;
                }
                return Ok(Labelling::Classes(classes));
            }
            Answer::Numbers(titles) => titles,
        };
        if matches!(request.labels, Labels::Targets(_)) {
            return match &request.class_names {
                None => Ok(Labelling::Targets(titles.len())),
                Some(_) => Err(Error::Config(Refusal::new(
                    Key("class_names"),
                    message!["given with ", Key("targets")],
                    "classes to go with it",
                ))),
            };
        }
        let surveys = [Some(train), test].into_iter().flatten();
        let mut others = surveys
            .clone()
            .filter_map(|(_, survey)| survey.numbers.other.as_ref());
        if let Some((place, value)) = others.next() {
            let found = elements::written(*value);
            let refusal = Refusal::new(place, found, "0 or 1, as several labels an item are");
            let hint = message!["numbers to predict are ", Key("targets")];
            return Err(Error::Data(refusal.hint(hint)));
        }
        let names = names_of(request, titles)?;
        let one_hot = surveys
            .clone()
            .all(|(_, survey)| !survey.numbers.not_one_hot);
        Ok(match one_hot && !request.multilabel {
            true => Labelling::OneHot(titles.len(), names),
            false => Labelling::Multilabel(titles.len(), names),
        })
    }

    pub fn kind(&self) -> LabelFile {
        match self {
            Labelling::Unlabelled => LabelFile::None,
            Labelling::Classes(classes) => LabelFile::Classes(classes.count),
            Labelling::OneHot(count, _) => LabelFile::Classes(*count),
            Labelling::Multilabel(count, _) => LabelFile::Multilabel(*count),
            Labelling::Targets(count) => LabelFile::Targets(*count),
        }
    }

    pub fn class_names(&self) -> Option<&ClassNames> {
        match self {
            Labelling::Classes(classes) => classes.names.as_ref(),
            Labelling::OneHot(_, names) | Labelling::Multilabel(_, names) => names.as_ref(),
            Labelling::Unlabelled | Labelling::Targets(_) => None,
        }
    }

    /// The type and the dimensions of the file of labels of `items`; none where there is no such file.
    pub fn file(&self, items: usize) -> Option<(ElementType, Vec<usize>)> {
        Some(match self.kind() {
            LabelFile::None => return None,
            LabelFile::Classes(..=256) => (ElementType::U8, vec![items]),
            LabelFile::Classes(_) => (ElementType::I32, vec![items]),
            LabelFile::Multilabel(classes) => (ElementType::U8, vec![items, classes]),
            LabelFile::Targets(outputs) => (ElementType::F32, vec![items, outputs]),
        })
    }

    /// Appends the labels of `item`; what was found and expected where they are none that occurred before.
    pub fn encode(&self, item: &Item, out: &mut Vec<u8>) -> Result<(), (Cell, String, String)> {
        let Some((element, _)) = self.file(0) else {
            return Ok(());
        };
        match self {
            Labelling::Multilabel(..) | Labelling::Targets(_) => {
                for (at, &value) in item.numbers.iter().enumerate() {
                    encode(value, element, out).map_err(|expected| {
                        (
                            Cell::Number(at),
                            elements::written(value),
                            expected.to_owned(),
                        )
                    })?;
                }
                Ok(())
            }
            _ => {
                let class = self.class_of(item).ok_or_else(|| {
                    let expected = "a label that was there before";
                    (
                        Cell::Class,
                        format!("{:?}", item.class),
                        expected.to_owned(),
                    )
                })?;
                let fits = encode(f64::from(class), element, out);
                fits.expect("the type was chosen for the number of classes");
                Ok(())
            }
        }
    }

    fn class_of(&self, item: &Item) -> Option<u32> {
        match self {
            Labelling::Classes(classes) => classes.by_label.get(&item.class).copied(),
            Labelling::OneHot(..) => {
                let one = item.numbers.iter().position(|&value| value == 1.0)?;
                Some(one as u32)
            }
            _ => None,
        }
    }

    /// Which group `item` is drawn from for a test half: that of its class, where it has one.
    pub fn group(&self, item: &Item) -> usize {
        match self {
            Labelling::Classes(_) | Labelling::OneHot(..) => {
                self.class_of(item).unwrap_or(0) as usize
            }
            _ => 0,
        }
    }

    /// The items in each of those groups.
    pub fn groups(&self, survey: &Survey) -> Vec<usize> {
        match self {
            Labelling::Classes(classes) => {
                let mut items = vec![0; classes.count];
                for (label, seen) in &survey.classes {
                    if let Some(&class) = classes.by_label.get(label) {
                        items[class as usize] += seen.items as usize;
                    }
                }
                items
            }
            Labelling::OneHot(..) => survey.numbers.ones.clone(),
            _ => vec![survey.items as usize],
        }
    }
}

/// The names of classes that are columns: those that were asked for, or the columns' titles.
fn names_of(request: &Request, titles: &[Option<String>]) -> Result<Option<ClassNames>> {
    if let Some(names) = &request.class_names {
        return match names.names().len() == titles.len() {
            true => Ok(Some(names.clone())),
            false => Err(Error::Config(Refusal::new(
                Key("class_names"),
                format!("{} names", names.names().len()),
                format!("{}, one a column", titles.len()),
            ))),
        };
    }
    let titles: Option<Vec<String>> = titles.iter().cloned().collect();
    // Columns may be called what classes cannot be; then numbers have to do.
    Ok(titles.and_then(|titles| ClassNames::new("the header", titles).ok()))
}

/// A label as a number, if it is one.
fn number(label: &str) -> Option<f64> {
    // -0 is 0.
    let value = label.parse::<f64>().ok()? + 0.0;
    value.is_finite().then_some(value)
}

/// A label as a number that is no other one rounded.
fn exact(label: &str) -> Option<f64> {
    number(label).filter(|value| value.abs() < LIMIT)
}

/// A label as the number of a class, if it is that of one among `count`.
fn class_number(label: &str, count: usize) -> Option<u32> {
    let value = number(label)?;
    (value >= 0.0 && value < count as f64 && value.fract() == 0.0).then_some(value as u32)
}

impl Classes {
    fn new(request: &Request, (source, survey): Surveyed) -> Result<Classes> {
        let classes = match &request.class_names {
            Some(names) => {
                let mut classes = Classes::named(names.clone(), true);
                classes.take_in((source, survey))?;
                classes
            }
            None => Classes::found((source, survey))?,
        };
        match classes.count {
            0 | 1 => Err(Error::Data(Refusal::new(
                source.about(),
                "one class",
                "at least two",
            ))),
            _ => Ok(classes),
        }
    }

    /// Classes by what their labels are.
    fn found((source, survey): Surveyed) -> Result<Classes> {
        if survey.classes.keys().all(|label| number(label).is_some()) {
            return Classes::by_value((source, survey));
        }
        let mut names: Vec<String> = survey.classes.keys().cloned().collect();
        names.sort();
        Ok(Classes::named(
            ClassNames::new(source.about(), names)?,
            false,
        ))
    }

    fn named(names: ClassNames, numbered: bool) -> Classes {
        Classes {
            count: names.names().len(),
            by_label: (0..)
                .zip(names.names())
                .map(|(class, name)| (name.clone(), class))
                .collect(),
            names: Some(names),
            numbered,
        }
    }

    /// Numbers in the order of their values. Where that is 0, 1, 2 and so on, they need no names.
    fn by_value((source, survey): Surveyed) -> Result<Classes> {
        let value = |label: &String| number(label).unwrap_or(0.0);
        let none = survey
            .classes
            .iter()
            .filter(|(label, _)| exact(label).is_none_or(|value| value.fract() != 0.0));
        if let Some((label, seen)) = none.min_by_key(|(_, seen)| seen.first) {
            let (expected, hint) = match exact(label) {
                Some(_) => (
                    "a class: a whole number, or a name",
                    message!["numbers to predict are ", Key("targets")],
                ),
                None => (
                    "a class: a whole number below 2^53, or a name",
                    message!["listed in ", Key("class_names"), ", numbers are names"],
                ),
            };
            let place = source.place(seen.first, Cell::Class);
            let refusal = Refusal::new(place, label, expected);
            return Err(Error::Data(refusal.hint(hint)));
        }
        let mut values: Vec<f64> = survey.classes.keys().map(value).collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        let names: Vec<String> = values.iter().map(f64::to_string).collect();
        let counting = values
            .iter()
            .enumerate()
            .all(|(at, &value)| value == at as f64);
        let mut classes = Classes::named(ClassNames::new(source.about(), names)?, false);
        classes.take_in((source, survey))?;
        classes.names = classes.names.filter(|_| !counting);
        Ok(classes)
    }

    /// Finds the class of labels that have none yet: a test half's, or those for which names were asked for.
    fn take_in(&mut self, (source, survey): Surveyed) -> Result<()> {
        let mut labels: Vec<_> = survey.classes.iter().collect();
        // The first one in the file is complained of.
        labels.sort_by_key(|(_, seen)| seen.first);
        for (label, seen) in labels {
            if self.by_label.contains_key(label) {
                continue;
            }
            let by_value = exact(label).and_then(|value| self.by_label.get(&value.to_string()));
            let by_number = || class_number(label, self.count).filter(|_| self.numbered);
            let Some(class) = by_value.copied().or_else(by_number) else {
                return Err(Error::Data(Refusal::new(
                    source.place(seen.first, Cell::Class),
                    format!("{label:?}"),
                    self.expected(),
                )));
            };
            self.by_label.insert(label.clone(), class);
        }
        Ok(())
    }

    /// What a label may be.
    fn expected(&self) -> String {
        const SHOWN: usize = 12;
        let Some(names) = self.names.as_ref().map(ClassNames::names) else {
            return format!("a class of the training items, 0 to {}", self.count - 1);
        };
        let first = names.iter().take(SHOWN).map(String::as_str);
        let first: Vec<&str> = first.collect();
        let more = names.len().saturating_sub(SHOWN);
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        format!("one of the classes {}{more}", first.join(", "))
    }
}
