//! The extent of the elements of a set, by which sets are compared: the same pictures as bytes and as floats up to 1 have
//! as many features, and a network that has learned the ones knows nothing about the others.
//!
//! Only some rows are read, at places that depend only on the number of rows.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::idx::ElementType;
use super::note::Note;
use super::rows::Rows;

/// The number of places whose rows are read.
const PLACES: usize = 128;
/// Rows that are read at a place: neighbours are in the same pages of a file.
const ROWS_PER_PLACE: usize = 4;
/// The most elements that are read, unless a single row has more.
const MOST_ELEMENTS: usize = 1 << 22;
/// The least number of elements whose range and spread are not a coincidence.
const FEWEST_ELEMENTS: usize = 64;
/// Elements are far narrower if their range and their spread are this many times as small.
const NARROW: f64 = 8.0;
/// Elements are far outside of a range if they are this many times its width away.
const FAR: f64 = 4.0;

/// The type of the elements of a set, and the numbers that occur among them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Extent {
    /// The element type.
    #[serde(serialize_with = "write_type", deserialize_with = "read_type")]
    pub r#type: ElementType,
    /// The smallest element.
    pub least: f64,
    /// The largest element.
    pub largest: f64,
    /// The mean.
    pub mean: f64,
    /// The mean distance from the mean.
    pub spread: f64,
    /// The number of elements that were read.
    pub elements: usize,
}

/// How the elements of a set differ from those of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// They are far outside of its range.
    Outside,
    /// They are far narrower.
    Narrower,
}

impl Extent {
    /// Returns the extent of `rows`; `None` if they are inputs of a network already, or have an element that is NaN or
    /// infinite.
    pub fn of(rows: &Rows) -> Option<Extent> {
        if rows.are_inputs() || rows.is_empty() {
            return None;
        }
        let mut row = vec![0.0; rows.features()];
        let mut pass = |look: &mut dyn FnMut(&[f64])| {
            sampled_rows(rows).for_each(|index| {
                rows.read_wide(index, &mut row);
                look(&row);
            });
        };
        let (mut least, mut largest) = (f64::INFINITY, f64::NEG_INFINITY);
        let (mut sum, mut elements) = (0.0, 0);
        pass(&mut |row| {
            elements += row.len();
            sum += row.iter().sum::<f64>();
            least = row.iter().copied().fold(least, f64::min);
            largest = row.iter().copied().fold(largest, f64::max);
        });
        let mean = sum / elements as f64;
        let mut distances = 0.0;
        pass(&mut |row| distances += row.iter().map(|x| (x - mean).abs()).sum::<f64>());
        let extent = Extent {
            r#type: rows.element(),
            least,
            largest,
            mean,
            spread: distances / elements as f64,
            elements,
        };
        extent.is_finite().then_some(extent)
    }

    /// Returns how `found` differs from this extent, of a training set, if it does so by far. Single elements that are far
    /// from all others do not count, nor does a set with so few elements that they could be alike by chance.
    pub fn difference(&self, found: &Extent) -> Option<Difference> {
        let width = self.largest - self.least;
        if width <= 0.0 || self.elements < FEWEST_ELEMENTS {
            return None;
        }
        let outside = (self.least - found.least).max(found.largest - self.largest);
        if outside > FAR * width && (found.mean - self.mean).abs() > width {
            return Some(Difference::Outside);
        }
        let found_width = found.largest - found.least;
        let is_narrow = found_width > 0.0
            && found.elements >= FEWEST_ELEMENTS
            && found_width * NARROW <= width
            && found.spread * NARROW <= self.spread;
        is_narrow.then_some(Difference::Narrower)
    }

    /// Returns a warning if the elements of `rows` are far from this extent, that of a training set, which messages call
    /// `training`.
    pub fn warning(&self, rows: &Rows, training: &str) -> Option<Note> {
        let found = Extent::of(rows)?;
        let how = match self.difference(&found)? {
            Difference::Outside => "far outside of",
            Difference::Narrower => "far narrower than",
        };
        let about = format!(
            "elements from {found}, {how} {self} in {training}; without the same preparation, predictions mean little"
        );
        Some(Note::warning(rows.name(), about))
    }

    /// Returns whether the numbers are those of a set.
    pub(crate) fn is_finite(&self) -> bool {
        let numbers = [self.least, self.largest, self.mean, self.spread];
        numbers.iter().all(|number| number.is_finite())
    }
}

/// Returns the numbers of rows that stand for all, which depend only on their number and the features.
pub(crate) fn sampled_rows(rows: &Rows) -> impl Iterator<Item = usize> {
    let (all, features) = (rows.len(), rows.features());
    let most = (MOST_ELEMENTS / features).clamp(1, PLACES * ROWS_PER_PLACE);
    // Places do not overlap.
    let places = (all.min(most) / ROWS_PER_PLACE).max(1);
    (0..places).flat_map(move |place| {
        let start = place * all / places;
        start..all.min(start + ROWS_PER_PLACE.min(most))
    })
}

/// Formats as `0 to 255 (u8)`.
impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [least, largest] = [self.least, self.largest].map(rounded);
        write!(f, "{least} to {largest} ({})", self.r#type.name())
    }
}

/// Formats a number with at most four digits.
fn rounded(number: f64) -> String {
    let short: f64 = format!("{number:.3e}").parse().unwrap_or(number);
    match short.abs() {
        0.0 => "0".to_owned(),
        1e-4..1e7 => short.to_string(),
        _ => format!("{short:e}"),
    }
}

fn write_type<S: Serializer>(element: &ElementType, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(element.name())
}

fn read_type<'de, D: Deserializer<'de>>(from: D) -> Result<ElementType, D::Error> {
    let name = String::deserialize(from)?;
    let found = ElementType::ALL.into_iter().find(|it| it.name() == name);
    found.ok_or_else(|| D::Error::custom(format!("{name:?}, expected the name of an element type")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    fn rows(count: usize, value: impl Fn(usize) -> f32) -> Rows {
        let x = Array2::from_shape_fn((count, 8), |(row, column)| value(8 * row + column));
        Rows::from_array(x.view()).expect("rows")
    }

    fn extent(count: usize, value: impl Fn(usize) -> f32) -> Extent {
        Extent::of(&rows(count, value)).expect("finite numbers")
    }

    #[test]
    fn the_extent_has_exact_figures_of_the_rows_that_are_read() {
        let found = extent(2, |at| at as f32);
        assert_eq!((found.least, found.largest), (0.0, 15.0));
        // Distances 7.5, 6.5, …, 0.5, each twice.
        assert_eq!((found.mean, found.spread), (7.5, 4.0));
        assert_eq!(
            (found.elements, found.to_string()),
            (16, "0 to 15 (f32)".to_owned())
        );
        assert_eq!(
            extent(100_000, |at| at as f32).elements,
            8 * PLACES * ROWS_PER_PLACE
        );
        assert_eq!(
            Extent::of(&rows(3, |at| if at == 9 { f32::NAN } else { 0.0 })),
            None
        );
        let text = serde_json::to_string(&found).expect("plain data");
        assert!(
            text.starts_with(r#"{"type":"f32","least":0.0,"largest":15.0,"#),
            "{text}"
        );
        assert_eq!(
            serde_json::from_str::<Extent>(&text).expect("an extent"),
            found
        );
        assert!(serde_json::from_str::<Extent>(&text.replace("f32", "f16")).is_err());
    }

    #[test]
    fn the_same_pictures_in_another_range_are_far_away_in_both_directions() {
        let pixel = |at: usize| (at * 37 % 256) as f32;
        let bytes = extent(100, pixel);
        for (scaled, back) in [
            (extent(100, |at| pixel(at) / 255.0), Difference::Outside),
            (
                extent(100, |at| pixel(at) / 127.5 - 1.0),
                Difference::Outside,
            ),
            (extent(100, |at| pixel(at) / 16.0), Difference::Outside),
        ] {
            assert_eq!(bytes.difference(&scaled), Some(Difference::Narrower));
            assert_eq!(scaled.difference(&bytes), Some(back));
        }
        let kelvin = extent(100, |at| 270.0 + pixel(at) / 8.0);
        let celsius = extent(100, |at| pixel(at) / 8.0 - 3.0);
        assert_eq!(kelvin.difference(&celsius), Some(Difference::Outside));
        assert_eq!(celsius.difference(&kelvin), Some(Difference::Outside));
    }

    #[test]
    fn sets_of_one_kind_are_not_far_away() {
        let pixel = |at: usize| (at * 37 % 256) as f32;
        let bytes = extent(100, pixel);
        let outlier = |at: usize| if at == 11 { 9000.0 } else { pixel(at) };
        for other in [
            extent(9, |at| pixel(3 * at)),
            extent(100, |at| pixel(at) / 4.0),
            extent(100, outlier),
            // A blank row, and too few elements to know.
            extent(50, |_| 0.0),
            extent(1, |at| at as f32 / 8.0),
        ] {
            assert_eq!(bytes.difference(&other), None, "{other}");
        }
        assert_eq!(extent(100, outlier).difference(&bytes), None);
        assert_eq!(extent(50, |_| 0.0).difference(&bytes), None);
    }

    #[test]
    fn numbers_are_written_with_few_digits() {
        let texts = [0.0, 255.0, -0.42421, 1.0 / 3.0, 123_456.0, 1e-9, -3.4e38].map(rounded);
        assert_eq!(
            texts,
            ["0", "255", "-0.4242", "0.3333", "123500", "1e-9", "-3.4e38"]
        );
    }
}
