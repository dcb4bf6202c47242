//! From what the columns of a table have to how they become inputs.

use super::block::Mode;
use super::facts::{Facts, Kind, NumberFacts, TextFacts};
use super::options::{NumberScale, TableOptions};
use super::schema::{Encoding, NumberScaling, Place, Reason};
use super::survey::{Survey, dates};
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};

/// The first whole number that an `f32` cannot tell from the next one: 2²⁴.
const EXACT_IN_F32: f64 = 16_777_216.0;

/// The skewness above which a column has a long tail. An exponential distribution has 2.
const LONG_TAIL: f64 = 2.0;

/// A column of text with no more different values than this has categories, however few rows there are.
const FEW: usize = 10;

/// Names of columns that number the rows, in lower case.
const INDEX_NAMES: [&str; 7] = [
    "id",
    "index",
    "row",
    "rowid",
    "row_id",
    "rownames",
    "unnamed: 0",
];

/// Pairs of words that mean no and yes, in lower case.
const NO_AND_YES: [(&str, &str); 5] = [
    ("no", "yes"),
    ("false", "true"),
    ("n", "y"),
    ("f", "t"),
    ("off", "on"),
];

/// Returns how a column that is not a target becomes inputs.
pub(super) fn encoding(survey: &Survey, place: &Place, options: &TableOptions) -> Result<Encoding> {
    let facts = &survey.facts[place.position];
    let mode = survey.modes[place.position];
    let omitted = |reason| Ok(Encoding::Omitted { reason });
    match &facts.kind {
        Kind::Skipped if mode == Mode::Skip => omitted(Reason::Dropped),
        Kind::Skipped => omitted(Reason::Empty),
        Kind::Numbers(numbers) => of_numbers(survey, place, (facts, numbers), options),
        Kind::Text(text) if text.count() == 0 => omitted(Reason::Empty),
        Kind::Text(text) => of_text(survey, place, (facts, text), options),
    }
}

fn of_numbers(
    survey: &Survey,
    place: &Place,
    (facts, numbers): (&Facts, &NumberFacts),
    options: &TableOptions,
) -> Result<Encoding> {
    let has_missing = facts.missing + numbers.words > 0;
    let reason = match () {
        () if numbers.count == 0 => Some(Reason::Empty),
        () if numbers.min == numbers.max && !has_missing => Some(Reason::Constant),
        () if is_index(place, facts, numbers) => Some(Reason::Index),
        () => None,
    };
    if let Some(reason) = reason {
        return Ok(Encoding::Omitted { reason });
    }
    let scale = match options.scale {
        NumberScale::Standard => standard(survey, place, numbers)?,
        NumberScale::Log => match logarithmic(numbers) {
            Some(scale) => scale,
            None => standard(survey, place, numbers)?,
        },
        NumberScale::None => {
            check_range(survey, place, numbers)?;
            NumberScaling::IDENTITY
        }
    };
    let fill = numbers.sample.median();
    Ok(match survey.modes[place.position] {
        Mode::Date(format) => Encoding::Date {
            format: format.name(),
            scale,
            fill,
            missing: has_missing,
        },
        _ => Encoding::Number {
            scale,
            fill,
            words: numbers.words > 0,
            missing: has_missing,
        },
    })
}

/// Returns the map to mean 0 and deviation 1.
fn standard(survey: &Survey, place: &Place, numbers: &NumberFacts) -> Result<NumberScaling> {
    let deviation = numbers.deviation();
    // Numbers whose deviation is lost in rounding are as good as constant.
    let factor = match deviation > 0.0 {
        true => 1.0 / deviation,
        false => 1.0,
    };
    let scale = NumberScaling {
        log_unit: None,
        offset: numbers.mean,
        factor,
    };
    let ends = [numbers.min, numbers.max].map(|end| scale.apply(end).is_finite());
    match deviation.is_finite() && factor.is_normal() && ends == [true, true] {
        true => Ok(scale),
        false => Err(out_of_range(survey, place, numbers)),
    }
}

/// Returns the map to logarithms with mean 0 and deviation 1 of numbers that have a long tail; `None` if they have none.
fn logarithmic(numbers: &NumberFacts) -> Option<NumberScaling> {
    let sample = &numbers.sample;
    let has_long_tail = sample.shape(|number| number).skewness.abs() > LONG_TAIL;
    let unit = Some(sample.median_magnitude()).filter(|unit| has_long_tail && unit.is_normal())?;
    let shape = sample.shape(|number| NumberScaling::compressed(number, unit));
    let scale = NumberScaling {
        log_unit: Some(unit),
        offset: shape.mean,
        factor: 1.0 / shape.deviation,
    };
    let ends = [numbers.min, numbers.max].map(|end| scale.apply(end).is_finite());
    (scale.factor.is_normal() && ends == [true, true]).then_some(scale)
}

/// Refuses numbers that are infinite as `f32`.
fn check_range(survey: &Survey, place: &Place, numbers: &NumberFacts) -> Result<()> {
    match [numbers.min, numbers.max]
        .iter()
        .all(|&end| (end as f32).is_finite())
    {
        true => Ok(()),
        false => Err(out_of_range(survey, place, numbers)),
    }
}

fn out_of_range(survey: &Survey, place: &Place, numbers: &NumberFacts) -> Error {
    let found = format!("numbers from {:e} to {:e}", numbers.min, numbers.max);
    let place = format!("{}: {}", survey.path.display(), place.title());
    let expected = "numbers that have a standard deviation in f64";
    let hint = message![
        "correct the table, or leave the column out with ",
        Key("drop")
    ];
    Error::Data(Refusal::new(place, found, expected).hint(hint))
}

/// Returns whether a column only numbers the rows: the first column, if it counts from 0 or 1; or one of different whole
/// numbers that has the usual name, as a part of a table has.
fn is_index(place: &Place, facts: &Facts, numbers: &NumberFacts) -> bool {
    if !numbers.is_whole || facts.missing + numbers.words > 0 || numbers.count < 2 {
        return false;
    }
    let starts = |&(first, _): &(f64, f64)| first == 0.0 || first == 1.0;
    if place.position == 0 && numbers.counts_rows && numbers.ends.as_ref().is_some_and(starts) {
        // Two or three rows may be 1, 2 and 3 by chance.
        return numbers.count > 3;
    }
    let name = place.name.as_deref().unwrap_or("").to_lowercase();
    let is_id =
        INDEX_NAMES.contains(&name.as_str()) || name.ends_with("_id") || name.ends_with(" id");
    is_id && numbers.count > FEW as u64 && numbers.sample.all_differ()
}

/// Returns whether some neighbouring whole numbers become the same input.
pub(super) fn is_narrowed(numbers: &NumberFacts, scale: NumberScaling) -> bool {
    let largest = (numbers.min - scale.offset)
        .abs()
        .max((numbers.max - scale.offset).abs());
    numbers.is_whole && scale.log_unit.is_none() && largest > EXACT_IN_F32
}

fn of_text(
    survey: &Survey,
    place: &Place,
    (facts, text): (&Facts, &TextFacts),
    options: &TableOptions,
) -> Result<Encoding> {
    let (count, distinct) = (text.count(), text.dictionary.len());
    let missing = facts.missing > 0;
    if distinct == 1 && !missing {
        return Ok(Encoding::Omitted {
            reason: Reason::Constant,
        });
    }
    let is_almost_different =
        |share: f64| distinct as f64 >= share * count as f64 || text.unlisted > count / 2;
    if distinct > FEW
        && (is_almost_different(0.9)
            || (distinct > options.max_categories && is_almost_different(0.5)))
    {
        let reason = dates(text).map_or(Reason::Identifiers, |_| Reason::Dates);
        return Ok(Encoding::Omitted { reason });
    }
    let words = text.dictionary.words().map(|word| {
        String::from_utf8(word.to_vec()).map_err(|_| {
            let place = format!("{}: {}", survey.path.display(), place.title());
            let refusal = Refusal::new(place, super::cell::shown(word), "text in UTF-8");
            Error::Data(refusal.hint("save the file as UTF-8"))
        })
    });
    let words: Vec<String> = words.collect::<Result<_>>()?;
    let mut words: Vec<(String, u64)> =
        words.into_iter().zip(text.counts.iter().copied()).collect();
    words.sort();
    // The first of those that are equally frequent.
    let most = words.iter().rev().max_by_key(|(_, count)| *count);
    let fill = most.map_or(String::new(), |(word, _)| word.clone());
    if let [(first, _), (second, _)] = &words[..] {
        let (no, yes) = no_and_yes(first, second);
        return Ok(Encoding::Flag {
            no,
            yes,
            fill,
            missing,
        });
    }
    let other = words.len() > options.max_categories || text.unlisted > 0;
    if other {
        words.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        words.truncate(options.max_categories);
        words.sort();
    }
    Ok(Encoding::Categories {
        values: words.into_iter().map(|(word, _)| word).collect(),
        other,
        fill,
        missing,
    })
}

/// Returns two words, the one that means no first; in their order if neither does.
pub(super) fn no_and_yes(first: &str, second: &str) -> (String, String) {
    let (a, b) = (first.to_lowercase(), second.to_lowercase());
    match NO_AND_YES.contains(&(b.as_str(), a.as_str())) {
        true => (second.to_owned(), first.to_owned()),
        false => (first.to_owned(), second.to_owned()),
    }
}
