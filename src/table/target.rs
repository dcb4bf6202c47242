//! The targets of a table: which task they are for, and what their cells mean.

use std::collections::HashMap;

use super::cell::{number, shown};
use super::columns::Columns;
use super::facts::{Kind, MAX_WORDS, NumberFacts, TextFacts};
use super::options::Decimal;
use super::schema::{Place, Target, TargetKind};
use super::survey::Survey;
use crate::data::class_names::check_name;
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, Message, message};
use crate::nn::Task;

/// The most different whole numbers that are guessed to be classes.
const MOST_CLASSES: usize = 20;

/// The fewest rows of a class, on average, if numbers are guessed to be classes.
const FEWEST_ROWS: u64 = 5;

/// Words of multi-label columns, in lower case, that mean no and yes.
const LABEL_WORDS: [[&str; 2]; 5] = [
    ["0", "1"],
    ["no", "yes"],
    ["false", "true"],
    ["n", "y"],
    ["f", "t"],
];

/// The targets, and how their task was guessed.
#[derive(Debug)]
pub(super) struct Targets {
    pub targets: Vec<Target>,
    pub task: Task,
    /// The reason of the guess; `None` if the task was given.
    pub guess: Option<Message>,
}

/// Decides what the targets are.
pub(super) fn targets(survey: &Survey, places: Vec<Place>, given: Option<Task>) -> Result<Targets> {
    let (task, guess) = match given {
        Some(task) => (task, None),
        None => {
            let (task, why) = guess(survey, &places)?;
            (task, Some(why))
        }
    };
    if task == Task::Classification && places.len() > 1 {
        let found = format!(
            "{} columns with {}",
            places.len(),
            Task::Classification.name()
        );
        return Err(Error::Config(Refusal::new(
            Key("target"),
            found,
            "one column of classes",
        )));
    }
    let target = |place: Place| {
        let kind = match task {
            Task::Classification => TargetKind::Classes {
                classes: classes(survey, &place)?,
            },
            Task::Regression => values(survey, &place)?,
            Task::Multilabel => label(survey, &place)?,
        };
        Ok(Target { place, kind })
    };
    Ok(Targets {
        targets: places.into_iter().map(target).collect::<Result<_>>()?,
        task,
        guess,
    })
}

/// Guesses the task from the columns, and says why.
fn guess(survey: &Survey, places: &[Place]) -> Result<(Task, Message)> {
    let kinds = places
        .iter()
        .map(|place| &survey.facts[place.position].kind);
    if let [place] = places {
        let title = place.title();
        return Ok(match &survey.facts[place.position].kind {
            Kind::Numbers(numbers) => match few_whole_numbers(numbers) {
                Some(classes) => {
                    let why = format!("{title} has {classes} different whole numbers");
                    (Task::Classification, why.into())
                }
                None => (Task::Regression, format!("{title} has numbers").into()),
            },
            Kind::Text(text) if is_almost_all_different(text) => {
                return Err(no_classes(survey, place, text));
            }
            Kind::Text(text) => {
                let why = format!("{title} has {} different words", text.dictionary.len());
                (Task::Classification, why.into())
            }
            Kind::Skipped => (Task::Regression, format!("{title} is empty").into()),
        });
    }
    if places.iter().all(|place| label(survey, place).is_ok()) {
        let why = format!("the {} targets have 0 and 1 only", places.len());
        return Ok((Task::Multilabel, why.into()));
    }
    match kinds
        .into_iter()
        .all(|kind| matches!(kind, Kind::Numbers(_)))
    {
        true => Ok((
            Task::Regression,
            format!("the {} targets have numbers", places.len()).into(),
        )),
        false => {
            let found = "several columns, some of them with words";
            let expected = "one column of classes, several of 0 and 1, or several of numbers";
            Err(Error::Config(Refusal::new(Key("target"), found, expected)))
        }
    }
}

/// Returns how many different numbers there are if they are few and whole, and occur often.
fn few_whole_numbers(numbers: &NumberFacts) -> Option<usize> {
    let distinct = numbers.distinct.as_ref()?.len();
    let is_often = distinct == 2 || numbers.count >= FEWEST_ROWS * distinct as u64;
    (numbers.is_whole && numbers.words == 0 && (2..=MOST_CLASSES).contains(&distinct) && is_often)
        .then_some(distinct)
}

/// Returns whether there are so many different words that they cannot be meant as classes.
fn is_almost_all_different(text: &TextFacts) -> bool {
    let (words, rows) = (text.dictionary.len(), text.counts.iter().sum::<u64>());
    words > MOST_CLASSES && 2 * words as u64 > rows
}

/// Returns the error for a target whose words are almost all different, which may be numbers in another notation.
fn no_classes(survey: &Survey, place: &Place, text: &TextFacts) -> Error {
    let words = text.dictionary.len();
    let example = text.dictionary.words().next().map_or(String::new(), shown);
    let found = format!("{words} different words, such as {example}");
    let refusal = Refusal::new(at(survey, place), found, "numbers, or fewer classes");
    let other = match survey.opening.syntax.decimal {
        Decimal::Point => Decimal::Comma,
        Decimal::Comma => Decimal::Point,
    };
    let numbers = text.dictionary.words();
    let numbers = numbers.filter(|word| number(word, other).is_some()).count();
    Error::Data(refusal.hint(match 2 * numbers > words {
        true => message![
            "for this decimal mark, use ",
            Key("decimal").set_to(other.name())
        ],
        false => message![
            "to take each word as a class, use ",
            Key("task").set_to(Task::Classification.name())
        ],
    }))
}

fn at(survey: &Survey, place: &Place) -> String {
    format!("{}: {}", survey.path.display(), place.title())
}

/// Returns the classes of a column in their order: numbers by value, words as text.
fn classes(survey: &Survey, place: &Place) -> Result<Vec<String>> {
    let refuse = |found: String, expected: &str| {
        let refusal = Refusal::new(at(survey, place), found, expected);
        let hint = message![
            "for numbers to predict, use ",
            Key("task").set_to(Task::Regression.name())
        ];
        Err(Error::Data(refusal.hint(hint)))
    };
    let names: Vec<String> = match &survey.facts[place.position].kind {
        Kind::Skipped => return refuse("no value".to_owned(), "classes"),
        Kind::Numbers(numbers) => {
            let Some(distinct) = &numbers.distinct else {
                return refuse(
                    "too many different numbers".to_owned(),
                    &format!("at most {MAX_WORDS} classes"),
                );
            };
            let mut values: Vec<f64> = distinct.iter().map(|&bits| f64::from_bits(bits)).collect();
            values.sort_by(f64::total_cmp);
            let words = numbers
                .examples
                .iter()
                .map(|word| String::from_utf8_lossy(word).into_owned());
            values.iter().map(f64::to_string).chain(words).collect()
        }
        Kind::Text(text) => {
            if text.unlisted > 0 {
                return refuse(
                    "too many different words".to_owned(),
                    &format!("at most {MAX_WORDS} classes"),
                );
            }
            let mut names = Vec::new();
            for word in text.dictionary.words() {
                match std::str::from_utf8(word) {
                    Ok(name) => names.push(name.to_owned()),
                    Err(_) => return refuse(shown(word), "text in UTF-8"),
                }
            }
            names.sort();
            names
        }
    };
    for name in &names {
        check_name(name).or_else(|(found, expected)| refuse(found, &expected).map(|_| ()))?;
    }
    match names.len() {
        0 | 1 => refuse(format!("one class, {}", names.join("")), "at least two"),
        _ => Ok(names),
    }
}

/// Checks that a column has numbers that an `f32` can hold.
fn values(survey: &Survey, place: &Place) -> Result<TargetKind> {
    let (found, hint) = match &survey.facts[place.position].kind {
        Kind::Numbers(numbers) if numbers.words == 0 => {
            if [numbers.min, numbers.max]
                .iter()
                .all(|&end| (end as f32).is_finite())
            {
                return Ok(TargetKind::Values);
            }
            (
                format!("numbers from {:e} to {:e}", numbers.min, numbers.max),
                None,
            )
        }
        Kind::Numbers(numbers) => (
            numbers
                .examples
                .first()
                .map_or(String::new(), |word| shown(word)),
            None,
        ),
        Kind::Text(text) => (
            text.dictionary.words().next().map_or(String::new(), shown),
            Some(Task::Classification),
        ),
        Kind::Skipped => ("no value".to_owned(), None),
    };
    let refusal = Refusal::new(at(survey, place), found, "numbers up to 3.4e38");
    Err(Error::Data(match hint {
        Some(task) => refusal.hint(message![
            "for classes, use ",
            Key("task").set_to(task.name())
        ]),
        None => refusal,
    }))
}

/// Checks that a column has 0 and 1 only, or words for them.
fn label(survey: &Survey, place: &Place) -> Result<TargetKind> {
    let refuse = |found: String| {
        Err(Error::Data(Refusal::new(
            at(survey, place),
            found,
            "0 or 1, as in a label",
        )))
    };
    match &survey.facts[place.position].kind {
        Kind::Numbers(numbers) => {
            let distinct = numbers
                .distinct
                .iter()
                .flatten()
                .map(|&bits| f64::from_bits(bits));
            let other = distinct
                .filter(|&value| value != 0.0 && value != 1.0)
                .min_by(f64::total_cmp);
            match (other, numbers.examples.first()) {
                (None, None) if numbers.distinct.is_some() => Ok(TargetKind::Label),
                (None, None) => refuse("many different numbers".to_owned()),
                (Some(value), _) => refuse(value.to_string()),
                (None, Some(word)) => refuse(shown(word)),
            }
        }
        Kind::Text(text) => {
            let other = text.dictionary.words().find(|word| flag_of(word).is_none());
            other.map_or(Ok(TargetKind::Label), |word| refuse(shown(word)))
        }
        Kind::Skipped => refuse("no value".to_owned()),
    }
}

/// Returns whether a cell of a label is 1 or a word for it; `None` if it is neither that nor 0.
pub(super) fn flag_of(cell: &[u8]) -> Option<bool> {
    let word = std::str::from_utf8(cell).ok()?.to_lowercase();
    let word = match number(cell, Decimal::Point) {
        Some(value) => value.to_string(),
        None => word,
    };
    LABEL_WORDS
        .iter()
        .find_map(|[no, yes]| match word.as_str() {
            word if word == *no => Some(false),
            word if word == *yes => Some(true),
            _ => None,
        })
}

/// Finds the class of a cell.
#[derive(Debug)]
pub(super) struct Classes {
    by_name: HashMap<Vec<u8>, u32>,
    by_value: HashMap<u64, u32>,
}

impl Classes {
    pub fn new(names: &[String]) -> Classes {
        let numbered = || (0u32..).zip(names);
        let value = |(class, name): (u32, &String)| {
            Some((number(name.as_bytes(), Decimal::Point)?.to_bits(), class))
        };
        Classes {
            by_name: numbered()
                .map(|(class, name)| (name.clone().into_bytes(), class))
                .collect(),
            by_value: numbered().filter_map(value).collect(),
        }
    }

    /// Returns the class of a number.
    pub fn of_value(&self, value: f64) -> Option<u32> {
        self.by_value.get(&value.to_bits()).copied()
    }

    /// Returns the class of a word, or of the number that it is.
    pub fn of_word(&self, word: &[u8], decimal: Decimal) -> Option<u32> {
        let by_value = || number(word, decimal).and_then(|value| self.of_value(value));
        self.by_name.get(word).copied().or_else(by_value)
    }
}

/// Finds the columns of targets.
pub(super) fn find(columns: &Columns, words: &[String]) -> Result<Vec<usize>> {
    let mut found = Vec::new();
    for word in words {
        for at in columns.find_all(Key("target"), word)? {
            if found.contains(&at) {
                let found = format!("{} twice", columns.title(at));
                return Err(Error::Config(Refusal::new(Key("target"), found, "once")));
            }
            found.push(at);
        }
    }
    Ok(found)
}
